"""What the text of a setting may be: each check gives the value, or a mistake.

A message never repeats the value: it may come from a secret. Whoever turns the
mistake into a `Fault` adds what was got, where that may be shown.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic_core import PydanticCustomError

from handlerkit import pep3333
from handlerkit.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Iterable

CLASSES = (
    "BaseHandler",
    "SimpleHandler",
    "BaseCGIHandler",
    "CGIHandler",
    "IISCGIHandler",
    "HostedHandler",
    "FastCGIHandler",
    "SCGIHandler",
)

_PORTS = 1 << 16
_DESCRIPTORS = 1 << 31  # an int, in C
_SCALARS = (str, int, float)


def mistake(code: str, text: str, hint: str = "") -> PydanticCustomError:
    """Make the error that a validator raises; ``code`` is a key of `CODES`."""
    return PydanticCustomError(code, "{text}", {"text": text, "hint": hint})


def closest(name: str, names: Iterable[str]) -> str:
    """Give a hint with the name that was probably meant, or nothing."""
    known = {each.lower().replace("-", "_"): each for each in names}
    asked = name.lower().replace("-", "_")
    found = difflib.get_close_matches(asked, known, n=1, cutoff=0.7)
    return f'did you mean "{known[found[0]]}"?' if found else ""


def check_target(text: str) -> str:
    """Check ``module:attribute``, or ``module:factory()``."""
    _check_reference(text.removesuffix("()"), "module:attribute or module:factory()")
    return text


def check_directory(text: str) -> str:
    """Check a path; whether it is there is for Python to see, when it imports."""
    if "\0" in text:
        raise mistake("HK204", "must not have a NUL character")
    return text


def check_object(text: str) -> str:
    """Check ``package.module:Class``."""
    _check_reference(text, "package.module:Class")
    return text


def check_use(text: str) -> str:
    """Check what plugin to use: a name, ``module:attribute`` or ``./file.py:Class``.

    ``module:`` is a plugin that is a module itself.
    """
    if not text.isprintable():
        raise mistake("HK204", "must be printable")
    file, dot_py, attribute = text.rpartition(".py:")
    if dot_py and not attribute.isidentifier():
        raise mistake(
            "HK204", "must have a name after the colon", f'as "{file}.py:Class"'
        )
    if ":" in text and not dot_py and not text.endswith(".py"):
        whole = f"{text}it" if text.endswith(":") else text
        _check_reference(whole, "a name, module:attribute or ./file.py:Class")
    return text


def _check_reference(text: str, form: str) -> None:
    module, colon, attribute = text.partition(":")
    names = [*module.split("."), *attribute.split(".")]
    if not colon or not all(name.isidentifier() for name in names):
        dotted, dot, last = text.rpartition(".")
        meant = f'did you mean "{dotted}:{last}"?' if dot and not colon else ""
        raise mistake("HK204", f"must be {form}", meant)


def check_class(text: str) -> str:
    """Check a handler class: auto, one of handlerkit's, or ``package.module:Class``."""
    if ":" in text:
        return check_object(text)
    if text != "auto" and text not in CLASSES:
        raise mistake(
            "HK404",
            'must be "auto", a class of handlerkit, or package.module:Class',
            closest(text.rpartition(".")[2], ("auto", *CLASSES)),
        )
    return text


def check_bind(text: str) -> str:
    """Check an address to listen at; a bare port is one of this machine.

    ``host:port``, ``[ipv6]:port``, ``unix:/path``, ``fd:3``, or ``systemd``.
    """
    if text.isascii() and text.isdigit():
        text = f"127.0.0.1:{text}"
    kind, _, rest = text.partition(":")
    if text == "systemd" or (kind == "unix" and rest and "\0" not in rest):
        return text
    if kind == "fd":
        if not _is_number(rest, below=_DESCRIPTORS):
            raise mistake("HK204", "must be fd: and the number of a descriptor")
        return text
    host, _, port = text.rpartition(":")
    if not _is_host(host) or not (port.isascii() and port.isdigit()):
        form = '"host:port", "unix:/path", "fd:3" or "systemd"'
        raise mistake("HK204", f"must be {form}", _whole_address(host, port))
    if not _is_number(port, below=_PORTS):
        raise mistake("HK204", "must have a port from 0 to 65535")
    return text


def _is_number(text: str, *, below: int) -> bool:
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(below))
    return digits and int(text) < below


def _whole_address(host: str, port: str) -> str:
    """Say what an address was meant to be that lacks a half."""
    if not host and port.isdigit():
        return f'every address of this machine is "0.0.0.0:{port}"'
    if not host and _is_host(port):
        return f'with a port, as "{port}:8000"'
    return ""


def _is_host(host: str) -> bool:
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return False
        return True
    return bool(host) and host.isprintable() and not set(host) & set(":/[] ")


def check_owner(text: str) -> str:
    """Check ``user``, ``user:group`` or ``:group``; whether they exist shows later."""
    user, colon, group = text.partition(":")
    if "\0" in text or ":" in group or not (user or group) or (colon and not group):
        raise mistake("HK204", 'must be "user", "user:group" or ":group"')
    return text


def check_status(text: str) -> str:
    """Check the status of an error page (PEP 3333; RFC 9110, 15)."""
    try:
        bodiless = pep3333.check_status(text)
    except (AssertionError, ApplicationError):
        raise mistake(
            "HK204",
            'must be a status as "500 Internal Server Error", in latin-1 without '
            "control characters",
        ) from None
    if bodiless:
        raise mistake("HK204", "must be a status that allows a body")
    return text


def check_pair(value: object) -> object:
    """Check that a header is a name and a value."""
    if not isinstance(value, list | tuple) or [type(v) for v in value] != [str, str]:
        raise mistake("HK203", "must be a [name, value] pair of strings")
    return value


def check_header(pair: tuple[str, str]) -> tuple[str, str]:
    """Check one header of an error page (PEP 3333; RFC 9110, 5)."""
    if pair[0].lower() == "content-length":
        raise mistake("HK204", "must not be Content-Length, which is worked out")
    try:
        pep3333.check_headers([pair])
    except AssertionError:
        raise mistake("HK204", "must not be a hop-by-hop header") from None
    except ApplicationError:
        raise mistake(
            "HK204",
            "must be a token and a value, in latin-1 without control characters",
        ) from None
    return pair


def check_software(text: str) -> str:
    """Check the value of a Server header (RFC 9110, 10.2.4)."""
    try:
        pep3333.check_headers([("Server", text)])
    except (AssertionError, ApplicationError):
        raise mistake(
            "HK204", "must be in latin-1 without control characters"
        ) from None
    return text


def check_environ(value: object) -> object:
    """Check which variables of the process pass: none, inherit, or a list of names."""
    if isinstance(value, str) and value not in ("none", "inherit"):
        raise mistake(
            "HK204",
            'must be "none", "inherit" or an array of names',
            closest(value, ("none", "inherit")),
        )
    if not isinstance(value, str | list | tuple):
        raise mistake("HK203", 'must be "none", "inherit" or an array of names')
    return value


def check_variable(name: str) -> str:
    """Check the name of an environment variable that is to pass."""
    if name.startswith("HTTP_"):
        raise mistake("HK204", "must not begin with HTTP_, as request headers do")
    if not name or "=" in name or "\0" in name:
        raise mistake("HK204", "must be the name of an environment variable")
    return name


def check_wrapper(value: object) -> object:
    """Check a file wrapper: ``package.module:Class``, or false for none."""
    if value is False:
        return value
    if not isinstance(value, str):
        raise mistake("HK203", "must be package.module:Class, or false for none")
    return check_object(value)


def check_mode(text: str) -> str:
    """Check permissions in octal."""
    if not 3 <= len(text) <= 4 or not set(text) <= set("01234567"):  # noqa: PLR2004 - octal digits of a mode
        raise mistake("HK204", 'must be permissions in octal, as "660"')
    return text


def check_trusted(text: str) -> str:
    """Check whom to believe: unix, an address, or a network."""
    if text == "unix":
        return text
    try:
        ipaddress.ip_network(text)
    except ValueError:
        hint = ""
        try:
            hint = f'did you mean "{ipaddress.ip_network(text, strict=False)}"?'
        except ValueError:
            hint = closest(text, ("unix",))
        raise mistake(
            "HK204", 'must be "unix", an IP address or a network as "10.0.0.0/8"', hint
        ) from None
    return text


def check_engine_value(value: object) -> object:
    """Check what an engine may be given, and freeze it: anything but dates."""
    if isinstance(value, list | tuple):
        return tuple(map(check_engine_value, value))
    if isinstance(value, Mapping):
        items = {key: check_engine_value(item) for key, item in value.items()}
        return MappingProxyType(items)
    if not isinstance(value, _SCALARS):
        raise mistake("HK203", "must be a string, number, boolean, array or table")
    return value
