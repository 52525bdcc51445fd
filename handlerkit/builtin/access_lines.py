"""Lines of an access log: combined, as Apache has it, and JSON.

A line is made of fields, by their names in OpenTelemetry's semantic conventions;
None stands for what is not known. No value, whatever is in it, can end a line, or
leave its own place in it.
"""

from __future__ import annotations

from time import gmtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Value: TypeAlias = str | int | float | list[str] | None
    Fields: TypeAlias = dict[str, Value]

# What the name of an extra in the configuration means.
EXTRAS = {
    "outcome": "handlerkit.outcome",
    "first_byte": "handlerkit.time_to_first_byte",
    "duration": "handlerkit.duration",
    "report_id": "handlerkit.report_id",
    "request_id": "handlerkit.request_id",
}

_MONTHS = "- Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905 - to be read
_QUOTED = {code: f"\\x{code:02x}" for code in (*range(32), *b'"\\', 127)}
_WORD = {**_QUOTED, 32: "\\x20"}
_BARE = {**_WORD, **{code: f"\\x{code:02x}" for code in b"[]"}}
_URL = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/!$&'()*+,;=:@[]"
)


class _Percent(dict[int, str]):
    """How each character is written in a URL; those beyond latin-1 as UTF-8."""

    def __init__(self, allowed: frozenset[int]) -> None:
        super().__init__(
            (code, chr(code) if code in allowed else f"%{code:02X}")
            for code in range(256)
        )

    def __missing__(self, code: int) -> str:
        return "".join(f"%{b:02X}" for b in chr(code).encode("utf-8", "surrogatepass"))


_PATH = _Percent(_URL)
_QUERY = _Percent(_URL | frozenset(b"%?"))


def path_of(text: str) -> str:
    """Percent-encode a decoded path, whose bytes are latin-1 in environ."""
    return text.translate(_PATH)


def query_of(text: str) -> str:
    """Percent-encode what may not be in a query string, which is encoded already."""
    return text.translate(_QUERY)


def combined(extras: tuple[str, ...] = ()) -> Callable[[Fields, float], str]:
    """Give a maker of combined lines, of fields and seconds since the epoch."""
    named = [(extra, EXTRAS[extra]) for extra in extras]

    def line(fields: Fields, started: float) -> str:
        query = fields["url.query"]
        target = _escaped(fields["url.path"], _WORD)
        if query is not None:
            target += f"?{_escaped(query, _WORD)}"
        method = _escaped(fields["http.request.method"], _WORD)
        protocol = _escaped(str(fields["network.protocol.name"] or "").upper(), _WORD)
        version = fields["network.protocol.version"]
        if version is not None:
            protocol += f"/{_escaped(version, _WORD)}"
        referer = fields["http.request.header.referer"]
        referer = referer[0] if isinstance(referer, list) else None
        text = (
            f"{_escaped(fields['client.address'], _BARE)} - "
            f"{_escaped(fields['user.name'], _BARE)} [{_apache_time(started)}] "
            f'"{method} {target} {protocol}" '
            f"{_escaped(fields['http.response.status_code'], _BARE)} "
            f"{fields['http.response.body.size'] or '-'} "
            f'"{_escaped(referer, _QUOTED)}" '
            f'"{_escaped(fields["user_agent.original"], _QUOTED)}"'
        )
        for name, field in named:
            text += f" {name}={_escaped(fields[field], _BARE)}"
        return text

    return line


def _escaped(value: Value, table: dict[int, str]) -> str:
    """Show a value in ASCII, "-" for none."""
    if isinstance(value, float):
        return f"{value:.6f}"
    if value is None or value == "":
        return "-"
    text = str(value).translate(table)
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _apache_time(seconds: float) -> str:
    year, month, day, hour, minute, second, *_ = gmtime(seconds)
    date = f"{day:02d}/{_MONTHS[month]}/{year:04d}"
    return f"{date}:{hour:02d}:{minute:02d}:{second:02d} +0000"


def json_line(fields: Fields, started: float) -> str:
    """Make a line of JSON (RFC 8259); what is not known is left out."""
    year, month, day, hour, minute, second, *_ = gmtime(seconds := int(started))
    clock = f"{hour:02d}:{minute:02d}:{second:02d}"
    milliseconds = int((started - seconds) * 1000)
    parts = [
        f'"timestamp": "{year:04d}-{month:02d}-{day:02d}T{clock}.{milliseconds:03d}Z"'
    ]
    parts += [f'"{k}": {_json(v)}' for k, v in fields.items() if v is not None]
    return f"{{{', '.join(parts)}}}"


def _json(value: Value) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    if isinstance(value, float):
        return f"{value:.6f}"
    text = str(value)
    if isinstance(value, int):
        return text
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    # Only for what is strange: json costs as much as a CGI process that serves well.
    import json

    return json.dumps(text)
