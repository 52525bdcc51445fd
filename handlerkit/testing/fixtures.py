"""Fixtures for pytest: ``pytest_plugins = ["handlerkit.testing.fixtures"]``.

No entry point of pytest's: it would load them into every run of every user.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from handlerkit.testing.kits import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from handlerkit.testing.kits import Running


@pytest.fixture
def handlerkit_running() -> Iterator[Callable[..., Running]]:
    """Give `handlerkit.testing.running` as a function; the test's end closes all."""
    with ExitStack() as stack:

        def start(*args: Any, **kwargs: Any) -> Running:
            return stack.enter_context(running(*args, **kwargs))

        yield start
