"""FastCGI name-value pairs (FastCGI specification 1.0, 3.4), and environ from them."""

from __future__ import annotations

import struct

from handlerkit.errors import RequestError
from handlerkit.protocols.fastcgi_limits import Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import NoReturn

TOO_LARGE = "413 Content Too Large"
PARAMS_TOO_LARGE = "431 Request Header Fields Too Large"

_LONG = struct.Struct("!I")
_LONG_FORM = 0x80  # the first bit of a length of four bytes
_LENGTH = 0x7FFFFFFF
_USUAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"
_VISIBLE = bytes(range(0x21, 0x7F))
_MAX_DIGITS = 18
_NO_LIMIT = 10**_MAX_DIGITS
_RESERVED = ("wsgi.", "handlerkit.")


def read_params(content: bytes | bytearray, limits: Limits) -> dict[str, str]:
    """Give the parameters of a request, for environ (PEP 3333).

    Of a name that is repeated the last value counts: a front's configuration sets
    one that an included file has set already.

    Raises:
        RequestError: a pair is cut off, a name is malformed or poses as one of the
            server's own keys, or there is more than the limits allow.
    """
    environ = read_pairs(content, limits)
    if len(environ) > limits.max_params:
        _refuse(f"there are more than {limits.max_params} parameters", PARAMS_TOO_LARGE)
    # Nearly always all of them are good.
    if "" in environ or "".join(environ).encode("latin-1").translate(None, _USUAL):
        for name in environ:
            _check_name(name)
    return environ


def read_pairs(content: bytes | bytearray, limits: Limits) -> dict[str, str]:
    """Decode name-value pairs; bytes become latin-1.

    Raises:
        RequestError: a pair is cut off, or over a limit.
    """
    text = content.decode("latin-1")
    size = len(content)
    pairs: dict[str, str] = {}
    at = 0
    try:
        while at < size:
            name_size = content[at]
            value_size = content[at + 1]
            if name_size < _LONG_FORM > value_size:
                at += 2
            else:
                name_size, value_size, at = _lengths(content, at, limits)
            value_at = at + name_size
            end = value_at + value_size
            pairs[text[at:value_at]] = text[value_at:end]
            at = end
    except (IndexError, struct.error):
        at = -1
    if at != size:
        _refuse("the parameters end in the middle of a pair")
    return pairs


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


def _check_name(name: str) -> None:
    if not name:
        _refuse("a parameter has no name")
    if name.encode("latin-1").translate(None, _VISIBLE):
        _refuse(f"a parameter's name has characters that none may have: {name!a}")
    if name.startswith(_RESERVED):
        _refuse(f"the parameter {name} poses as one of the server's own")


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
    asked = read_pairs(content, Limits())
    return write_pairs(
        (name.encode("latin-1"), b"%d" % values[name])
        for name in asked
        if name in values
    )
