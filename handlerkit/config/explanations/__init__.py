"""What `handlerkit explain` and the page of error codes say of each code.

Each code has its one line in `handlerkit.config.codes`, and here its cause, an example,
and how to mend it. A normal run never imports this.

To add a code: put its line into `CODES`, and an `Explanation` into the module of its
hundred: ``hk4.py`` has HK4xx. A new hundred is a new module, and a line in `HUNDREDS`.
The tests run every example, and tell of codes that are raised and not explained;
``make golden`` writes what the example prints, and ``make docs`` the page.
"""

from __future__ import annotations

from importlib import import_module
from textwrap import wrap
from typing import TYPE_CHECKING

from handlerkit.config.codes import CODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from handlerkit.config.explanations.explanation import Explanation

HUNDREDS = {
    "HK1": "The file",
    "HK2": "Keys and values",
    "HK3": "Hooks and plugins",
    "HK4": "The application, the handler class, and the way of running",
    "HK5": "What a valid file may still get wrong",
    "HK6": "Freezing",
    "HK7": "What is made of a configuration",
}


def explanations() -> Mapping[str, Explanation]:
    """Give the explanation of each code, in order."""
    found: dict[str, Explanation] = {}
    for hundred in HUNDREDS:
        module = import_module(f"{__name__}.{hundred.lower()}")
        found.update(module.EXPLANATIONS)
    return {code: found[code] for code in sorted(found)}


def explain(code: str) -> list[str]:
    """Explain a code of `CODES`, as lines of Markdown without a heading."""
    told = explanations()[code]
    lines = [f"{CODES[code][0].upper()}{CODES[code][1:]}.", ""]
    lines += [*_wrapped(told.cause), ""]
    lines += [*_shown(told.files), *_console(told.commands)]
    if told.then:
        lines += ["and, changed while it serves,", "", *_shown(told.then)]
        lines += _console(("kill -HUP PID",))
    if told.without:
        lines += [f"(where {told.without} is not installed)", ""]
    return [*lines, *_wrapped(told.mend)]


def _shown(files: Mapping[str, str]) -> Iterator[str]:
    for name, text in files.items():
        ending = name.rpartition(".")[2]
        kind = {"py": "python"}.get(ending, ending)
        yield from (f"`{name}`:", "", f"```{kind}", *text.strip("\n").splitlines())
        yield from ("```", "")


def _console(commands: Iterable[str]) -> list[str]:
    return ["```console", *(f"$ {line}" for line in commands), "```", ""]


def _wrapped(text: str) -> list[str]:
    return wrap(text, 76, break_long_words=False, break_on_hyphens=False)
