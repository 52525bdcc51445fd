"""The form of an explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

# For the examples that are loaded, which must have an application.
APP = '[app]\ntarget = "wsgiref.simple_server:demo_app"\n\n'


class Explanation(NamedTuple):
    """What is to be said of one code.

    Args:
        cause: what is wrong, and why it is not let pass; Markdown.
        mend: what to do; Markdown.
        example: text of ``handlerkit.toml``; run by the commands, it has the code.
        commands: lines of a shell that print the code, with the files in place.
        beside: other files of the example, by name.
        without: a module that must not be there for the example to be so.
        then: files, by name, as they are when SIGHUP comes; the commands serve, and
            the code is told then.
    """

    cause: str
    mend: str
    example: str = ""
    commands: tuple[str, ...] = ("handlerkit check",)
    beside: Mapping[str, str] = {}
    without: str = ""
    then: Mapping[str, str] = {}

    @property
    def files(self) -> dict[str, str]:
        """Every file of the example, by name."""
        own = {"handlerkit.toml": self.example} if self.example else {}
        return {**own, **self.beside}
