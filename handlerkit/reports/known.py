"""Secrets that are known by value: of the process, of the request, of the file.

They are taken out wherever they occur, under whatever name, or none.
"""

from __future__ import annotations

from handlerkit.reports.rules import (
    HARMLESS_ENDINGS,
    HARMLESS_EXACTLY,
    HARMLESS_VALUES,
    HARMLESS_VARIABLES,
    SHORTEST,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_LONGEST = 4096
_LONG_LINE = 20
_MOST = 500
_UNRESERVED = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)

Known = tuple[str, str]


def of_variables(
    variables: Mapping[str, str], sensitive: Callable[[str], bool]
) -> list[Known]:
    """Give the secrets among process variables, each with where it is from."""
    found: list[Known] = []
    for name, value in variables.items():
        if type(value) is not str or len(value) < SHORTEST:
            continue
        if "://" in value and "@" in value:
            found += _spelled(f"variable {name}", url_password(value))
        if sensitive(name) and not _harmless(name):
            found += _spelled(f"variable {name}", value)
    return found[:_MOST]


def _harmless(name: str) -> bool:
    return (
        name in HARMLESS_EXACTLY
        or name.startswith(HARMLESS_VARIABLES)
        or name.endswith(HARMLESS_ENDINGS)
    )


def of_environ(
    environ: Mapping[str, object], sensitive: Callable[[str], bool], without: set[str]
) -> list[Known]:
    """Give the secrets of a request: headers, cookies, sensitive query values.

    ``without`` are names that never have one; those that are found out are added.
    """
    found: list[Known] = []
    names = [name for name in {*environ}.difference(without) if type(name) is str]
    for name in sorted(names):
        value = environ[name]
        if name == "QUERY_STRING":
            if type(value) is str:
                found += _of_query(value, sensitive)
        elif not sensitive(name) or _plain(name):
            if len(without) < _MOST:
                without.add(name)
        elif type(value) is str and len(value) >= SHORTEST:
            for part in _parts(name, value):
                found += _spelled(f"environ {name}", part)
    return found[:_MOST]


def _plain(name: str) -> bool:
    """Say whether a key of environ is none of a secret, whatever it contains."""
    if name.startswith("HTTP_"):
        return False
    return "." in name or name == "AUTH_TYPE" or _harmless(name)


def _of_query(query: str, sensitive: Callable[[str], bool]) -> Iterator[Known]:
    for name, value in parameters(query):
        if sensitive(name):
            yield from _spelled(f"query {name}", value)
            yield from _spelled(f"query {name}", unquoted(value))


def of_values(values: Iterable[str], source: str) -> list[Known]:
    """Give secrets that somebody else has found.

    What has several lines and is no PEM block is a document, as an error page is.
    """
    found: list[Known] = []
    for value in values:
        if "\n" not in value.strip() or "-----BEGIN" in value:
            found += _spelled(source, value)
    return found[:_MOST]


def _parts(name: str, value: str) -> Iterator[str]:
    yield value
    if name == "HTTP_COOKIE":
        for cookie in value.split(";"):
            yield cookie.partition("=")[2].strip().strip('"')
    if name.endswith("AUTHORIZATION"):
        scheme, _, rest = value.partition(" ")
        yield rest.strip()
        if scheme.lower() == "basic":
            yield _basic_password(rest.strip())


def _basic_password(text: str) -> str:
    from binascii import Error, a2b_base64  # only a failing request needs it

    try:
        pair = a2b_base64(text.encode("ascii", "replace")).decode("utf-8", "replace")
    except Error:
        return ""
    return pair.partition(":")[2]


def url_password(url: str) -> str:
    """Give the password in a URL's authority; "" where it has none."""
    _, _, rest = url.partition("://")
    userinfo, at, _ = rest.rpartition("@")
    return userinfo.partition(":")[2] if at else ""


def parameters(query: str) -> Iterator[tuple[str, str]]:
    """Give name and value of each parameter, as they were sent."""
    for part in query.replace(";", "&").split("&", _MOST):
        name, _, value = part.partition("=")
        yield unquoted(name), value


def unquoted(text: str) -> str:
    """Undo percent-encoding; urllib.parse would cost a CGI process its time."""
    if "%" not in text and "+" not in text:
        return text
    first, *rest = text.replace("+", " ").encode("utf-8", "replace").split(b"%")
    out = [first]
    for part in rest:
        try:
            out.append(bytes((int(part[:2], 16),)) + part[2:])
        except ValueError:
            out.append(b"%" + part)
    return b"".join(out).decode("utf-8", "replace")


def _spelled(source: str, value: str) -> Iterator[Known]:
    """Give a secret in the forms that it may take in a text."""
    value = value.strip()
    if not SHORTEST <= len(value) <= _LONGEST or value.lower() in HARMLESS_VALUES:
        return
    yield source, value
    if value.isalnum() and value.isascii():
        return
    encoded = "".join(
        chr(byte) if byte in _UNRESERVED else f"%{byte:02X}"
        for byte in value.encode("utf-8", "replace")
    )
    forms = {encoded, repr(value)[1:-1]}
    if '"' in value or value not in forms:
        from json import dumps  # few secrets need it

        forms |= {dumps(value)[1:-1], dumps(value, ensure_ascii=False)[1:-1]}
    for form in forms - {value}:
        yield source, form
    if "\n" in value:
        for line in value.splitlines():
            if len(line) >= _LONG_LINE:
                yield source, line
