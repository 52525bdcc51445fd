"""FastCGI name-value pairs (FastCGI specification 1.0, 3.4), and environ from them."""

from __future__ import annotations

import struct

from handlerkit.errors import RequestError
from handlerkit.protocols.fastcgi_limits import Limits
from handlerkit.protocols.variables import check_names, join_repeated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import NoReturn

    from handlerkit.protocols.fastcgi_opening import Opening

TOO_LARGE = "413 Content Too Large"
PARAMS_TOO_LARGE = "431 Request Header Fields Too Large"

_LONG = struct.Struct("!I")
_LONG_FORM = 0x80  # the first bit of a length of four bytes
_LENGTH = 0x7FFFFFFF
_CUT_OFF = "the parameters end in the middle of a pair"
_MAX_DIGITS = 18
_NO_LIMIT = 10**_MAX_DIGITS


def read_params(
    content: bytes | bytearray, limits: Limits, opening: Opening | None = None
) -> dict[str, str]:
    """Give the parameters of a request, for environ (PEP 3333); bytes become latin-1.

    For names that are repeated see `join_repeated`. An ``opening`` is what the front
    has begun other requests with.

    Raises:
        RequestError: a pair is cut off, a name is malformed or poses as one of the
            server's own, or there is more than the limits allow.
    """
    text = content.decode("latin-1")
    environ, start = ({}, 0) if opening is None else opening.match(text)
    count = _read_on(content, text, start, environ, limits)
    if len(environ) != count:
        environ = join_repeated(_pairs(content, limits))
        opening = None
    check_names(environ)
    if opening is not None and not start:
        opening.learn(environ)
    return environ


def _read_on(
    content: bytes | bytearray,
    text: str,
    at: int,
    environ: dict[str, str],
    limits: Limits,
) -> int:
    """Read pairs into environ; give how many there are, with those it had.

    What `_pairs` does, without a step for each.
    """
    count, size = 0, len(content)
    try:
        for count in range(len(environ), limits.max_params + 1):  # noqa: B007 - counts them
            if at >= size:
                break
            name_size = content[at]
            value_size = content[at + 1]
            if name_size < _LONG_FORM > value_size:
                name_at = at + 2
            else:
                name_size, value_size, name_at = _lengths(content, at, limits)
            value_at = name_at + name_size
            at = value_at + value_size
            environ[text[name_at:value_at]] = text[value_at:at]
        else:
            limit = limits.max_params
            _refuse(f"there are more than {limit} parameters", PARAMS_TOO_LARGE)
    except (IndexError, struct.error):
        _refuse(_CUT_OFF)
    if at != size:
        _refuse(_CUT_OFF)
    return count


def _pairs(content: bytes | bytearray, limits: Limits) -> Iterator[tuple[str, str]]:
    """Give name-value pairs, one after the other."""
    at = 0
    while at < len(content):
        try:
            name_size, value_size, name_at = _lengths(content, at, limits)
        except (IndexError, struct.error):
            _refuse(_CUT_OFF)
        value_at = name_at + name_size
        at = value_at + value_size
        if at > len(content):
            _refuse(_CUT_OFF)
        yield (
            content[name_at:value_at].decode("latin-1"),
            content[value_at:at].decode("latin-1"),
        )


def _lengths(
    content: bytes | bytearray, at: int, limits: Limits
) -> tuple[int, int, int]:
    """Read the lengths of a name and its value, and where the name begins."""
    name_size, at = _length_at(content, at)
    value_size, at = _length_at(content, at)
    if name_size > limits.max_param_name:
        limit = limits.max_param_name
        _refuse(f"a parameter's name is over {limit} bytes", PARAMS_TOO_LARGE)
    if value_size > limits.max_param_value:
        limit = limits.max_param_value
        _refuse(f"a parameter's value is over {limit} bytes", PARAMS_TOO_LARGE)
    return name_size, value_size, at


def _length_at(content: bytes | bytearray, at: int) -> tuple[int, int]:
    """Read one length, of one byte or of four, and where the next thing is."""
    size = content[at]
    if size < _LONG_FORM:
        return size, at + 1
    return _LONG.unpack_from(content, at)[0] & _LENGTH, at + _LONG.size


def body_length(environ: dict[str, str], limits: Limits) -> int:
    """Give CONTENT_LENGTH, which is there (RFC 3875, 4.1.2).

    Raises:
        RequestError: it is no number, or over the limit of a body.
    """
    text = environ["CONTENT_LENGTH"]
    if not (text.isascii() and text.isdigit()):
        _refuse(f"CONTENT_LENGTH must be digits: {text!r}")
    digits = text.lstrip("0")
    length = int(digits or "0") if len(digits) <= _MAX_DIGITS else _NO_LIMIT
    limit = limits.max_body or _NO_LIMIT - 1
    if length > limit:
        _refuse(f"the body is over {limit} bytes", TOO_LARGE)
    return length


def _refuse(message: str, status: str = "400 Bad Request") -> NoReturn:
    raise RequestError(message, status)


def write_pairs(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encode name-value pairs."""
    return b"".join(
        _length(name) + _length(value) + name + value for name, value in pairs
    )


def _length(text: bytes) -> bytes:
    size = len(text)
    if size < _LONG_FORM:
        return bytes((size,))
    return _LONG.pack(size | _LENGTH + 1)


def answer_values(content: bytearray, values: Mapping[str, int]) -> bytes:
    """Give the pairs that answer GET_VALUES: of the names asked for, those known (4.1).

    Raises:
        RequestError: the content is malformed.
    """
    asked = join_repeated(_pairs(content, Limits()))
    return write_pairs(
        (name.encode("latin-1"), b"%d" % values[name])
        for name in asked
        if name in values
    )
