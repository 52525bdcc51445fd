"""The CGI variables of an HTTP/1.x request (RFC 3875, 4.1; PEP 3333)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handlerkit.protocols.http1_request import Request


def environ(request: Request) -> dict[str, str]:
    """Give the CGI variables of a request (RFC 3875, 4.1; PEP 3333).

    The names that two headers could share are left out: those with an underscore,
    and ``Proxy``, which would pose as HTTP_PROXY (httpoxy). A header that is
    repeated is joined with ",", Cookie with "; ".
    """
    env = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(request.path),
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
    }
    for name, value in request.headers:
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        if key in env:
            joint = "; " if key == "HTTP_COOKIE" else ","
            value = f"{env[key]}{joint}{value}"  # noqa: PLW2901 - the joined value
        env[key] = value
    env.pop("HTTP_PROXY", None)
    if request.host is not None:
        env["HTTP_HOST"] = request.host
    return env


def unquote(path: str) -> str:
    """Decode percent-encoded bytes, latin-1 standing for bytes (PEP 3333).

    A ``%`` that no two hexadecimal digits follow stays as it is.
    """
    first, *others = path.split("%")
    if not others:
        return path
    parts = [first]
    for part in others:
        byte = _BYTES.get(part[:2])
        parts.append(f"%{part}" if byte is None else byte + part[2:])
    return "".join(parts)


_DIGITS = "0123456789abcdefABCDEF"
_BYTES = {a + b: chr(int(a + b, 16)) for a in _DIGITS for b in _DIGITS}
