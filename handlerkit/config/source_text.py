"""The text of a file, as faults ask it: where something is, and what is secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handlerkit.carets import Span, TomlPath
    from handlerkit.config.locator import Place


class Source:
    """A text, its lines ended by LF; it is walked when it is first asked.

    ``secrets`` are values from outside that may stand in it by chance, ``concealed``
    the paths of values that a model types as secret. Of a text that is not
    ``valid`` TOML, every line is taken for one that may hold a secret.
    """

    __slots__ = (
        *("_hidden", "_lines", "_places"),
        *("concealed", "secrets", "text", "valid"),
    )

    def __init__(self, text: str, secrets: set[str], *, valid: bool = True) -> None:
        self.text = text
        self.secrets = secrets
        self.valid = valid
        self.concealed: set[TomlPath] = set()
        self._places: dict[TomlPath, Place] | None = None
        self._lines: dict[int, list[tuple[TomlPath, Place]]] | None = None
        self._hidden: dict[tuple[int, ...], list[Span]] = {}

    @property
    def places(self) -> dict[TomlPath, Place]:
        """The place of every key, item and table."""
        if self._places is None:
            # Only what has a fault pays for it.
            from handlerkit.config.locator import locate

            self._places = locate(self.text)
        return self._places

    def span(self, path: TomlPath, on: str, *, exact: bool = False) -> Span | None:
        """Give where a fault at ``path`` is shown; ``on`` is "key" or "value".

        What is not there is shown at the table that lacks it; if ``exact``, nowhere.
        """
        if exact and path not in self.places:
            return None
        from handlerkit.config.locator import find

        return find(self.places, path, on)

    def on_line(self, first: int) -> list[tuple[TomlPath, Place]]:
        """Give every key, item and table that has a part of the line that begins here.

        Each fault shows a line: to look through all the text for each is too long.
        """
        if self._lines is None:
            from handlerkit.config.locator import by_line

            self._lines = by_line(self.text, self.places)
        return self._lines[first]

    def hidden(self, starts: Iterable[int]) -> list[Span]:
        """Give the secrets in the lines that these places are in."""
        from handlerkit.config.hiding import secrets_in

        found: list[Span] = []
        for start in starts:
            first = self.text.rfind("\n", 0, start) + 1
            known = (first, len(self.secrets), len(self.concealed))
            if known not in self._hidden:
                last = self.text.find("\n", start)
                last = len(self.text) if last < 0 else last
                self._hidden[known] = secrets_in(self, first, last)
            found += self._hidden[known]
        return found
