"""The vocabulary of PEP 3333: what a status, a header and a response head may be.

Where `wsgiref` raises AssertionError, so does this module, with the same text, but
without the ``assert`` statement, which ``python -O`` takes away. What `wsgiref`
lets through (CR, LF, NUL, a bad Content-Length) raises `ApplicationError`.
"""

from __future__ import annotations

from time import gmtime

from handlerkit.errors import ApplicationError, RequestError

_TOKEN = frozenset(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
    )
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("-", "Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)

# What a head already has, as `check_headers` gives it.
HAS_LENGTH = 1
HAS_DATE = 2
HAS_SERVER = 4
HAS_LISTS = 8  # pairs that are no tuples, and could change
HAS_STATUS = 16  # which is the status to a CGI server, and nothing to any other
_MARKS = {
    "content-length": HAS_LENGTH,
    "date": HAS_DATE,
    "server": HAS_SERVER,
    "status": HAS_STATUS,
}

# A length of more digits is no length; int() itself takes no more under every limit.
_DIGITS = 640

# Names and statuses are few: each is checked once, and remembered up to this many. With
# a name goes the value that it had each time so far: None before the first, "" once it
# had two.
_REMEMBERED = 512
_known_names: dict[str, tuple[str, int, str | None]] = {}
known_statuses: dict[str, bool] = {}  # and whether each has no body


def format_date_time(timestamp: float) -> str:
    """Give seconds since the epoch as an IMF-fixdate (RFC 9110, 5.6.7)."""
    year, month, day, hour, minute, second, weekday, _, _ = gmtime(timestamp)
    return (
        f"{_DAYS[weekday]}, {day:02d} {_MONTHS[month]} {year:4d} "
        f"{hour:02d}:{minute:02d}:{second:02d} GMT"
    )


_date = (-1, "")


def date_line(now: float) -> str:
    """Give the Date header line for seconds since the epoch; made once a second."""
    global _date  # noqa: PLW0603 - one tuple, swapped whole
    second = int(now)
    made, line = _date
    if made != second:
        line = f"Date: {format_date_time(second)}\r\n"
        _date = (second, line)
    return line


def check_status(status: str) -> bool:
    """Refuse a status that is not ``NNN reason`` in latin-1; say if it has no body.

    Raises:
        AssertionError: what wsgiref asserts.
        ApplicationError: control characters, or characters beyond latin-1.
    """
    if len(status) < len("NNN "):
        raise AssertionError("Status must be at least 4 characters")
    if not status[:3].isdigit():
        raise AssertionError("Status message must begin w/3-digit code")
    if status[3] != " ":
        raise AssertionError("Status message must have a space after code")
    if not status[:3].isascii() or status[0] == "0":
        raise ApplicationError(f"the status must begin with 100 to 999: {status!r}")
    check_text("the status", status)
    bodiless = is_bodiless(status)
    if len(known_statuses) < _REMEMBERED:
        known_statuses[status] = bodiless
    return bodiless


def is_bodiless(status: str) -> bool:
    """Say whether a status has no body whatever the method (RFC 9110, 6.4.1)."""
    return status[0] == "1" or status[:3] in ("204", "304")


def check_headers(  # noqa: C901, PLR0912, PLR0915 - the hot path, uncut
    headers: list[tuple[str, str]],
) -> tuple[int, int | None]:
    """Refuse headers that must not go out; give marks, and the Content-Length.

    Raises:
        AssertionError: a name or value that is no str, a hop-by-hop header.
        ApplicationError: a name that is no token, control characters, characters
            beyond latin-1, an invalid or repeated Content-Length.
    """
    marks = 0
    length: int | None = None
    for pair in headers:
        name, value = pair
        try:
            known, mark, last = _known_names[name]
        except (KeyError, TypeError):
            known, mark, last = _check_name(name, value)
        if type(pair) is not tuple:
            marks |= HAS_LISTS
        if name is not known:
            _checked(name)
        if value is last and not mark:
            continue
        if type(value) is not str:
            _checked(value)
        if mark:
            marks |= mark
            if mark == HAS_LENGTH:
                if length is not None:
                    raise ApplicationError("more than one Content-Length header")
                length = parse_content_length(value)
                continue
        elif value == last:
            continue
        if not value.isprintable() or not value.isascii():
            check_text(f"header {name}", value)
        elif last != "":
            _remember(known, value, last)
    return marks, length


def _remember(name: str, value: str, last: str | None) -> None:
    """Note the value of a header that has had no other."""
    if name in _known_names:
        alone = last is None and len(value) <= _REMEMBERED
        _known_names[name] = name, 0, value if alone else ""


def check_cleaned(headers: list[tuple[str, str]]) -> tuple[int, int | None]:
    """As `check_headers`, after an override that may set headers of the connection."""
    ours = []
    for name, value in headers:
        if str(name).lower() in _HOP_BY_HOP:
            check_text(f"header {name}", value)
        else:
            ours.append((name, value))
    return check_headers(ours)


def _check_name(name: str, value: object) -> tuple[str, int, str | None]:
    """Refuse a bad header name; give it, the mark that it leaves, and its value."""
    _checked(name)
    if not name or not _TOKEN.issuperset(name):
        said = f"a header name must be a token (RFC 9110): {name!r}"
        raise ApplicationError(said) from None
    lower = name.lower()
    if lower in _HOP_BY_HOP:
        said = f"Hop-by-hop header, '{name}: {value}', not allowed"
        raise AssertionError(said) from None
    mark = _MARKS.get(lower, 0)
    known = name, mark, "" if mark else None
    if len(_known_names) < _REMEMBERED:
        _known_names[name] = known
    return known


def check_text(what: str, text: str) -> None:
    """Refuse what must not go into a head.

    Raises:
        ApplicationError: control characters, or characters beyond latin-1.
    """
    for character in text:
        if (character < " " and character != "\t") or character == "\x7f":
            raise ApplicationError(f"{what} has a control character: {text!r}")
        if character > "\xff":
            raise ApplicationError(f"{what} is not latin-1 (PEP 3333): {text!r}")


def parse_content_length(value: str) -> int:
    """Read a response's Content-Length (RFC 9110, 8.6).

    Raises:
        ApplicationError: it is not a row of digits.
    """
    if value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        return int(value)
    raise ApplicationError(f"Content-Length must be digits: {value!r}")


def request_length(value: str) -> int:
    """Read CONTENT_LENGTH of a request (RFC 3875, 4.1.2).

    Raises:
        RequestError: it is not a row of digits.
    """
    if value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        return int(value)
    raise RequestError(f"CONTENT_LENGTH must be digits: {value!r}")


def head_lines(headers: list[tuple[str, str]]) -> str:
    """Give header lines, each with its line end."""
    lines = ""
    for name, value in headers:
        lines = f"{lines}{name}: {value}\r\n"
    return lines


class Headers(list):  # type: ignore[type-arg]  # of pairs, but asked by name
    """Response headers in order, found by name without regard to case.

    A copy of the list it is made from, with the methods of
    `wsgiref.headers.Headers`, whose module imports `re`: a third of the start of a
    CGI process.
    """

    __slots__ = ()

    def __setitem__(self, name: str, value: str) -> None:  # type: ignore[override]
        del self[name]
        self.append((_checked(name), _checked(value)))

    def __delitem__(self, name: str) -> None:  # type: ignore[override]
        name = name.lower()
        kept = [pair for pair in self if pair[0].lower() != name]
        self.clear()
        self.extend(kept)

    def __getitem__(self, name: str) -> str | None:  # type: ignore[override]
        return self.get(name)

    def __contains__(self, name: object) -> bool:
        return self.get(str(name)) is not None

    def get_all(self, name: str) -> list[str]:
        """Give every value of a header, in order."""
        name = name.lower()
        return [value for key, value in self if key.lower() == name]

    def get(self, name: str, default: str | None = None) -> str | None:
        """Give a header's first value."""
        name = name.lower()
        for key, value in self:
            if key.lower() == name:
                return str(value)
        return default

    def keys(self) -> list[str]:
        """Give the names, in order, repeated where the header is."""
        return [key for key, _ in self]

    def values(self) -> list[str]:
        """Give the values, in order."""
        return [value for _, value in self]

    def items(self) -> list[tuple[str, str]]:
        """Give a copy of the (name, value) pairs, in order."""
        return list(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.items()!r})"

    def __str__(self) -> str:
        return f"{head_lines(self)}\r\n"

    def __bytes__(self) -> bytes:
        return str(self).encode("iso-8859-1")

    def setdefault(self, name: str, value: str) -> str:
        """Add a header unless there is one of that name; give the value in force."""
        found = self.get(name)
        if found is None:
            self.append((_checked(name), _checked(value)))
            return value
        return found

    def add_header(self, _name: str, _value: str | None, **_params: str | None) -> None:
        """Add a header with parameters: ``add_header("X", "a", b="c")``."""
        parts = [] if _value is None else [_checked(_value)]
        for name, value in _params.items():
            key = name.replace("_", "-")  # Python has no dashes
            parts.append(f'{key}="{_escaped(value)}"' if value else key)
        self.append((_checked(_name), "; ".join(parts)))


def _checked(text: str) -> str:
    if type(text) is str:
        return text
    said = f"Header names/values must be of type str (got {text!r})"
    raise AssertionError(said) from None


def _escaped(value: str) -> str:
    return _checked(value).replace("\\", "\\\\").replace('"', r"\"")
