"""An address that comes from the command line, held to the rules of the file."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from handlerkit.config.grammar import check_bind
from handlerkit.errors import ConfigError, Fault


def address(text: str) -> str:
    """Check an address to listen at, as ``[server] bind`` is checked.

    Raises:
        ConfigError: it is none.
    """
    try:
        return check_bind(text)
    except PydanticCustomError as exc:
        said = f'{exc.message()}, got "{text}"'
        raise ConfigError([Fault("HK204", said, path=("--bind",))]) from exc
