"""The CGI variables of a request, as FastCGI and SCGI fronts send them (RFC 3875)."""

from __future__ import annotations

from handlerkit.errors import RequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_USUAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"
_VISIBLE = bytes(range(0x21, 0x7F))
_RESERVED = ("wsgi.", "handlerkit.")


def join_repeated(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give one value for each name.

    A header that the client repeated, which nginx before 1.23 passes on as often, is
    joined with ",", Cookie with "; ". Of other names the last value counts: a front's
    configuration sets one that an included file has set already.
    """
    variables: dict[str, str] = {}
    for name, value in pairs:
        if name in variables and name.startswith("HTTP_"):
            joint = "; " if name == "HTTP_COOKIE" else ","
            variables[name] += joint + value
        else:
            variables[name] = value
    return variables


def lack_a_path(variables: Mapping[str, str]) -> bool:
    """Say whether no application could tell which path of it is asked for.

    There is no PATH_INFO, and SCRIPT_NAME is not where an application is: it ends with
    a slash, or is missing though there is a path. nginx does so by its own files.
    """
    if "PATH_INFO" in variables:
        return False
    place = variables.get("SCRIPT_NAME")
    if place is None:
        return variables.get("REQUEST_URI", "").startswith("/")
    return place.endswith("/")


def check_names(variables: dict[str, str]) -> None:
    """Refuse names that no CGI variable has, and those that are the server's own.

    Raises:
        RequestError: a name is empty, has characters that are not visible ASCII, or
            poses as one of PEP 3333 or of ours.
    """
    unusual = "".join(variables).encode("latin-1").translate(None, _USUAL)
    if not unusual and "" not in variables:
        return  # as nearly always
    for name in variables:
        if not name:
            raise RequestError("a variable has no name")
        if name.encode("latin-1").translate(None, _VISIBLE):
            raise RequestError(
                f"a variable's name has characters that none may have: {name!a}"
            )
        if name.startswith(_RESERVED):
            raise RequestError(f"the variable {name} poses as one of the server's own")
