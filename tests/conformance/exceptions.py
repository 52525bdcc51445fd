"""Where an engine or a front server has a fault that a handler cannot reach.

Each row names the fault as the suite sees it. Of an engine, it has the case in which
the bare engine shows the same one: the application there has done all that a handler
could do. Of a front server, it has what that sends to any responder.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Excepted:
    host: str
    case: str
    fault: str
    reason: str
    evidence: str = ""

    @property
    def shown_by(self) -> str:
        return self.evidence or self.case


_COOKIES = "the engine has joined the Cookie headers; where, cannot be told any more"
_QUIET = "the engine ends the response as if it were whole when the iterable raises"
_NAMES = "the engine has mapped both names to one variable, and joined the values"
_POSED = "the engine has copied the process environment; a header may look the same"
_CHUNKED = "the engine does not decode a chunked request body"
_EXPECT = "the engine never sends 100 Continue"
_FRAMED = "the engine marks the end of the body by closing the connection"
_HEAD = "the engine sends the final chunk of a chunked body on HEAD"

EXCEPTIONS = (
    Excepted("granian", "process-posed", "body", _POSED),
    Excepted(
        "granian",
        "header-latin-1",
        "X-Name: caf\xc3\xa9\there",
        "the engine encodes header values as UTF-8",
    ),
    Excepted("granian", "error-late", "looks whole", _QUIET),
    Excepted("granian", "exc-info-late", "looks whole", _QUIET, "error-late"),
    Excepted("gunicorn sync", "cookies-joined", "body", _COOKIES),
    Excepted("gunicorn gthread", "cookies-joined", "body", _COOKIES),
    Excepted("waitress", "cookies-joined", "body", _COOKIES),
    Excepted(
        "waitress", "close-head", "5 bytes after the response", _HEAD, "head-empty"
    ),
    Excepted(
        "waitress", "head-generator", "5 bytes after the response", _HEAD, "head-empty"
    ),
    Excepted("waitress", "head-empty", "5 bytes after the response", _HEAD),
    Excepted(
        "waitress", "head-write", "5 bytes after the response", _HEAD, "head-empty"
    ),
    Excepted(
        "waitress", "file-head", "5 bytes after the response", _HEAD, "head-empty"
    ),
    Excepted(
        "cheroot",
        "headers-joined",
        "body",
        "the engine keeps the last of several headers only",
    ),
    Excepted(
        "cheroot",
        "cookies-joined",
        "body",
        "the engine keeps the last of several headers only",
    ),
    Excepted("uWSGI", "cookies-joined", "body", _COOKIES),
    Excepted("uWSGI", "underscore-header", "body", _NAMES),
    Excepted("uWSGI", "input-chunked", "body", _CHUNKED),
    Excepted("uWSGI", "expect-continue", "no 100 Continue", _EXPECT),
    Excepted("uWSGI", "framed", "framed by close", _FRAMED),
    Excepted("uWSGI", "error-late", "looks whole", _QUIET),
    Excepted("uWSGI", "exc-info-late", "looks whole", _QUIET, "error-late"),
    Excepted(
        "simple_server", "content-type-absent", "body", "the engine makes up text/plain"
    ),
    Excepted("simple_server", "cookies-joined", "body", _COOKIES),
    Excepted("simple_server", "underscore-header", "body", _NAMES),
    Excepted("simple_server", "process-posed", "body", _POSED),
    Excepted("simple_server", "input-chunked", "body", _CHUNKED),
    Excepted("simple_server", "expect-continue", "no 100 Continue", _EXPECT),
    Excepted("simple_server", "framed", "framed by close", _FRAMED),
    Excepted("simple_server", "error-late", "looks whole", _QUIET),
    Excepted("simple_server", "exc-info-late", "looks whole", _QUIET, "error-late"),
)


@dataclass(frozen=True)
class Changed:
    """What a front server does to a request before any responder sees it.

    ``sends`` is what it sends among the variables, by FastCGI or SCGI without what is
    between names and values; nothing where it sends no request at all.
    """

    host: str
    case: str
    fault: str
    reason: str
    sends: tuple[bytes, ...] = ()


_JOINED = "httpd joins repeated headers with a comma, Cookie too"
_PATH = "httpd sends its own PATH, as to a CGI program"
_BOTH = "lighttpd sends both names as one variable, twice"
_NO_LENGTH = "httpd refuses a chunked request by SCGI, of which it must say the length"

_COOKIE = (b"HTTP_COOKIEa=1, b=2",)
_NAME = (b"HTTP_X_NAMEfalse", b"HTTP_X_NAMEtrue")

FRONTS = (
    Changed("Apache FastCGI", "cookies-joined", "body", _JOINED, _COOKIE),
    Changed("Apache FastCGI", "process-secrets", "body", _PATH, (b"PATH/",)),
    Changed("Apache SCGI", "cookies-joined", "body", _JOINED, _COOKIE),
    Changed("Apache SCGI", "process-secrets", "body", _PATH, (b"PATH/",)),
    Changed("Apache SCGI", "input-chunked", "status 411", _NO_LENGTH),
    Changed("lighttpd FastCGI", "underscore-header", "body", _BOTH, _NAME),
    Changed("lighttpd SCGI", "underscore-header", "body", _BOTH, _NAME),
)


def excepted(host: str, case: str) -> Excepted | Changed | None:
    for row in (*EXCEPTIONS, *FRONTS):
        if (row.host, row.case) == (host, case):
            return row
    return None
