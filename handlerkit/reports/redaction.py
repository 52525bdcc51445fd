"""The redactor: takes secrets out of whatever is about to leave the process.

Names, patterns and known values (`handlerkit.reports.rules`) each say which stretches
of a text are secret; what they say together is replaced. All of it runs in time
linear in the text, and the text is cut first.
"""

from __future__ import annotations

import sys
from time import monotonic

from handlerkit.reports import known, rules, scanning
from handlerkit.reports.showing import class_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, TypeAlias

    Merged: TypeAlias = tuple[tuple[str, ...], int, int]

CUT = "… [cut]"

_MARGIN = 4096  # read beyond the cut: no half of a secret may stay before it
_MOST_ITEMS = 10_000
_LARGEST = 1 << 128  # to print more digits takes quadratic time
_REMEMBERED = 1000
_SHORT = 256
_MOST_PASSES = 4
_FRESH = 1.0  # seconds until the process's variables are looked at again


class Redactor:
    """The rules of one configuration; ``[redact]`` holds the same names.

    ``process`` are the variables whose values are looked for, ``secrets`` more values.
    """

    def __init__(  # noqa: PLR0913 - [redact], key for key
        self,
        *,
        enabled: bool = True,
        keys: Iterable[str] = (),
        allow_keys: Iterable[str] = (),
        patterns: bool = True,
        environment_values: bool = True,
        query: str = "keys",
        locals: bool = False,  # noqa: A002 - its name in the file
        max_string: int = 4096,
        max_depth: int = 8,
        replacement: str = "[redacted]",
        process: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self.enabled = enabled
        self.locals = locals
        self.patterns = patterns
        self.max_string = max_string
        self.max_depth = max_depth
        self.replacement = replacement
        self.query_mode = query
        self.needles = (*rules.NEEDLES, *map(_plain, keys))
        self._allowed = frozenset(map(_plain, allow_keys))
        self._process: Mapping[str, str] = {}
        if environment_values and process is not None:
            self._process = process
        self._configured = known.of_values(secrets, "configuration")
        self._names: dict[str, bool] = {}
        self._lines: dict[str, list[scanning.Span]] = {}
        self._harmless: set[str] = set()
        self._without: set[str] = set()
        self._seen: tuple[float, int, list[known.Known]] = (0.0, -1, [])
        self._compiled: tuple[re.Pattern[str], re.Pattern[str]] | None = None

    def sensitive(self, name: str) -> bool:
        """Say whether a value under this name is taken for a secret."""
        answer = self._names.get(name)
        if answer is None:
            answer = self._is_sensitive(name)
            if len(self._names) < _REMEMBERED:
                self._names[name] = answer
        return answer

    def _is_sensitive(self, name: str) -> bool:
        plain = _plain(name[:256])
        if plain in self._allowed or plain.removeprefix("http_") in self._allowed:
            return False
        for word, reading in rules.SPELLINGS:
            if word in plain:
                plain = plain.replace(word, reading)
        return _has_any(plain, self.needles)

    def begin(self, environ: Mapping[str, Any] | None = None) -> Redaction:
        """Begin to redact what belongs together, as one report or one file.

        Args:
            environ: of the request, whose own secrets are to be looked for.
        """
        values: list[known.Known] = []
        if self.enabled:
            values = [*self._configured, *self._of_process()]
            if environ:
                values += known.of_environ(environ, self.sensitive, self._without)
        return Redaction(self, [each for each in values if self._can_go(each[1])])

    def _can_go(self, value: str) -> bool:
        return value not in self.replacement and value not in CUT

    def _of_process(self) -> list[known.Known]:
        if not self._process:
            return []
        now, count = monotonic(), len(self._process)
        then, before, values = self._seen
        if count != before or now - then > _FRESH:
            values = known.of_variables(dict(self._process), self.sensitive)
            self._seen = now, count, values
        return values

    def by_rule(self, text: str, *, code: bool = False) -> list[scanning.Span]:
        """Give what patterns and names say of a text; lines of code are remembered."""
        if code and text in self._lines:
            return self._lines[text]
        found: list[scanning.Span] = []
        lowered = text.lower()
        if self.patterns and _has_any(lowered, rules.TRIGGERS):
            for match in self._expressions()[0].finditer(text):
                rule = match.lastgroup or ""
                found.append((f"pattern {rule.replace('_', '-')}", *match.span(rule)))
        if _has_any(lowered.replace("-", "_"), self.needles):
            pattern = self._expressions()[1]
            spans = scanning.values(text, pattern, self.sensitive, code=code)
            found += ((f"name {name[:80]}", start, end) for name, start, end in spans)
        if code and len(self._lines) < _REMEMBERED:
            self._lines[text] = found
        return found

    def is_harmless(self, text: str) -> bool:
        """Say whether no rule finds anything in a text; short ones are remembered."""
        if text in self._harmless:
            return True
        if self.by_rule(text):
            return False
        if len(text) <= _SHORT:
            if len(self._harmless) >= _REMEMBERED:
                self._harmless.clear()
            self._harmless.add(text)
        return True

    def _expressions(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """Give the expressions for values, and for names; made when first needed."""
        if self._compiled is None:
            import re  # it would cost a CGI process that serves well

            forms = [
                form if f"(?P<{rule}>" in form else f"(?P<{rule}>{form})"
                for rule, form in rules.PATTERNS.items()
            ]
            self._compiled = (
                re.compile("|".join(forms), re.DOTALL),
                re.compile(scanning.NAME),
            )
        return self._compiled


def _has_any(text: str, needles: Iterable[str]) -> bool:
    for needle in needles:  # noqa: SIM110 - any() takes twice the time
        if needle in text:
            return True
    return False


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


class Taken:
    """One thing that was taken out: by which rules, and where it stood."""

    __slots__ = ("length", "place", "rules")

    def __init__(self, rules: tuple[str, ...], place: str, length: int) -> None:
        self.rules = rules
        self.place = place
        self.length = length


class Redaction:
    """Redacts what belongs together; ``taken`` says what went, if that was asked.

    ``recording`` set, each thing taken is noted: for people who look at the rules.
    """

    def __init__(self, redactor: Redactor, values: list[known.Known]) -> None:
        self._redactor = redactor
        self._known = values
        self._items = _MOST_ITEMS
        self.recording = False
        self.taken: list[Taken] = []

    def text(self, text: str, *, limit: int | None = -1, place: str = "") -> str:
        """Redact a text; cut it at ``limit`` characters, by default `max_string`."""
        if limit == -1:
            limit = self._redactor.max_string
        if limit is None:
            limit = sys.maxsize - _MARGIN
        if not self._redactor.enabled:
            return text if len(text) <= limit else _cut([text], limit)
        if len(text) <= limit and self._is_harmless(text):
            return text
        for _ in range(_MOST_PASSES):
            before, text = text, self._pass(text, limit, place)
            # What was replaced may have hidden where something else begins.
            if text == before or self._redactor.replacement not in text:
                break
        return text

    def _is_harmless(self, text: str) -> bool:
        """Say whether there is nothing to replace in a text that was not cut."""
        for _, value in self._known:
            if value in text:
                return False
        return not text.endswith(CUT) and self._redactor.is_harmless(text)

    def _pass(self, text: str, limit: int, place: str) -> str:
        end = ""
        if text.endswith(CUT):
            text, end = text[: -len(CUT)], CUT
        text = text[: limit + _MARGIN]
        spans = [*_merged(self._spans(text))]
        stop = max([limit, *(last for _, first, last in spans if first < limit)])
        out = self._replaced(text, spans, stop, place)
        if len(text) > stop or sum(map(len, out)) + len(end) > limit:
            return _cut(out, limit)
        return "".join(out) + end

    def code(self, line: str) -> str:
        """Redact a line of source: literals after sensitive names, and known forms."""
        if not self._redactor.enabled:
            return line
        spans = [*_merged(self._spans(line, code=True))]
        return "".join(self._replaced(line, spans, len(line), ""))

    def _spans(self, text: str, *, code: bool = False) -> list[scanning.Span]:
        found: list[scanning.Span] = []
        for source, value in self._known:
            at = text.find(value) if value in text else -1
            while at >= 0:
                found.append((source, at, at + len(value)))
                at = text.find(value, at + len(value))
        return found + self._redactor.by_rule(text, code=code)

    def _replaced(
        self, text: str, spans: list[Merged], stop: int, place: str
    ) -> list[str]:
        """Give the text up to ``stop`` in pieces, the replaced ones at odd places."""
        out: list[str] = []
        at = 0
        for names, start, end in spans:
            if start >= stop:
                break
            out += (text[at:start], self._redactor.replacement)
            at = end
            if self.recording and text[start:end] != self._redactor.replacement:
                where = place or _line_and_column(text, start)
                self.taken.append(Taken(names, where, end - start))
        out.append(text[at:stop])
        return out

    def query(self, query: str) -> str:
        """Redact a query string as ``[redact] query`` has it; "" to leave it out."""
        mode = self._redactor.query_mode
        if not self._redactor.enabled:
            return self.text(query)
        if mode == "drop" or not query:
            return ""
        kept = []
        for part in query[: self._redactor.max_string].split("&"):
            name, equals, value = part.partition("=")
            secret = mode == "keys" or self._redactor.sensitive(known.unquoted(name))
            if not equals and mode == "keys":
                name, value = "", part
            name = self.text(name)
            value = self._redactor.replacement if secret and value else self.text(value)
            kept.append(f"{name}{equals}{value}")
        return "&".join(kept)

    def data(self, value: object, place: str = "$", depth: int = 0) -> Any:
        """Redact a nested value; give what JSON has, bounded in depth and number.

        No method of a foreign class is called: what is no string, number, mapping,
        list, tuple or set is told by its class alone.
        """
        self._items -= 1
        if self._items < 0 or depth > self._redactor.max_depth:
            return CUT
        kind = type(value)
        if issubclass(kind, dict):
            items = list(dict.items(value))[:_MOST_ITEMS]  # type: ignore[arg-type, var-annotated]
            return {
                self._name(key): self._under(key, each, place, depth)
                for key, each in items
            }
        if issubclass(kind, (list, tuple, set, frozenset)):
            return self._sequence(value, place, depth)
        return self._scalar(value, kind, place)

    def _scalar(self, value: Any, kind: type, place: str) -> Any:
        if value is None or kind in (bool, float):
            return value
        if kind is int:
            return value if abs(value) < _LARGEST else CUT
        if issubclass(kind, str):
            return self.text(str.__str__(value), place=place)
        if issubclass(kind, (bytes, bytearray)):
            head = bytes(value[: self._redactor.max_string + _MARGIN])
            return self.text(head.decode("utf-8", "backslashreplace"), place=place)
        return f"<{class_name(kind)}>"

    def _name(self, key: object) -> str:
        if issubclass(type(key), (str, int, float)):
            return self.text(str(self.data(key)))
        return f"<{class_name(type(key))}>"

    def _under(self, key: object, value: object, place: str, depth: int) -> Any:
        """Redact what stands under a name."""
        name = key if type(key) is str else ""
        place = f"{place}.{name}"
        telling = value is not None and type(value) is not bool
        if telling and self._redactor.enabled and self._redactor.sensitive(name):
            if self.recording:
                self.taken.append(Taken((f"name {name[:80]}",), place, 0))
            return self._redactor.replacement
        return self.data(value, place, depth + 1)

    def _sequence(self, value: Any, place: str, depth: int) -> list[Any]:
        kind = list if issubclass(type(value), list) else tuple
        iterate = kind if issubclass(type(value), (list, tuple)) else frozenset
        items = list(iterate.__iter__(value))[:_MOST_ITEMS]
        if len(items) == 2 and type(items[0]) is str:  # noqa: PLR2004 - a header
            return [self.text(items[0]), self._under(items[0], items[1], place, depth)]
        return [
            self.data(each, f"{place}[{index}]", depth + 1)
            for index, each in enumerate(items)
        ]


def _merged(spans: list[scanning.Span]) -> Iterator[Merged]:
    """Join what overlaps."""
    spans.sort(key=lambda span: span[1:])
    names: list[str] = []
    start = end = -1
    for name, begin, stop in spans:
        if begin >= end:
            if names:
                yield tuple(names), start, end
            names, start, end = [], begin, stop
        end = max(end, stop)
        if name not in names:
            names.append(name)
    if names:
        yield tuple(names), start, end


def _cut(pieces: list[str], limit: int) -> str:
    """Join pieces up to a length; what was replaced is whole, or is not there."""
    room = limit - len(CUT)
    out: list[str] = []
    for index, piece in enumerate(pieces):
        if len(piece) > room:
            if index % 2 == 0:
                out.append(piece[:room])
            break
        out.append(piece)
        room -= len(piece)
    return "".join(out) + CUT


def _line_and_column(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    return f"{line}:{at - (text.rfind(chr(10), 0, at) + 1) + 1}"
