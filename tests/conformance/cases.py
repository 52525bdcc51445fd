"""The cases of the conformance suite: a request, the expected answer, and its source.

A source is a section of PEP 3333, of RFC 9110, 9112 or 3875, or a departure from
wsgiref, D1 to D18 of docs/explanation/differences.md.
"""

from dataclasses import dataclass, field

from tests.conformance.app import FILE

# What a host can be asked, hence which cases run on it: "cgi" is a process for one
# request; "http" any server; "parser" a server whose HTTP parser is under test,
# which a hosted handler never sees; "own" a server of the package under test;
# "hooks" a host into whose error reporting a fault can be put.
ANYWHERE = frozenset({"cgi", "http"})
CGI = frozenset({"cgi"})
HTTP = frozenset({"http"})
PARSER = frozenset({"parser"})
HOOKS = frozenset({"hooks"})
OWN = frozenset({"cgi", "own"})

ERROR = 500
LARGE = 1 << 20


@dataclass(frozen=True)
class Case:
    """One row: what is sent, what must come, and why.

    ``client`` names the way of asking (see `tests.conformance.hosts`), ``proper``
    says that the app obeys PEP 3333, so that `wsgiref.validate` may watch. Where more
    than one answer is right, a tuple has them all. ``events`` are what the app must
    have noted, each as often as it is listed; ``...`` stands for any value.
    """

    id: str
    promise: str
    source: str
    covers: tuple[str, ...] = ()
    where: frozenset[str] = ANYWHERE

    path: str = "/hello"
    query: str = ""
    method: str = "GET"
    version: str = "1.1"
    headers: tuple[tuple[str, str], ...] = ()
    variables: dict[str, str | None] = field(default_factory=dict)
    body: bytes = b""
    client: str = "plain"
    proper: bool = False

    status: int | tuple[int, ...] | None = 200
    has: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    text: bytes | tuple[bytes, ...] | None = None
    ends: str = "whole"
    framings: tuple[str, ...] = ()
    exits: int = 0
    logged: bool = False
    says: str = ""
    events: dict[str, list[object]] = field(default_factory=dict)
    outcomes: tuple[str | None, ...] = ()

    def outcome(self) -> tuple[str | None, ...]:
        """How the exchange must have ended, where a plugin can tell."""
        if self.outcomes:
            return self.outcomes
        if self.ends == "broken":
            return ("aborted",)
        return ("error",) if self.logged or self.says else ("ok",)


def good(name: str, promise: str, source: str, path: str, **more: object) -> Case:
    """An app that obeys PEP 3333; validators watch it too."""
    return Case(name, promise, source, path=path, proper=True, **more)


def error(name: str, promise: str, source: str, path: str, **more: object) -> Case:
    """An app that fails before anything is out: a 500 page, and a report."""
    more = {"status": ERROR, "logged": not more.get("says"), **more}
    return Case(name, promise, source, path=path, **more)


def broken(name: str, promise: str, source: str, path: str, **more: object) -> Case:
    """An app that fails after its head is out: a visible abort, and a report."""
    more = {"ends": "broken", "logged": not more.get("says"), **more}
    return Case(name, promise, source, path=path, **more)


def fields(*pairs: tuple[str, str]) -> dict[str, object]:
    return {"headers": pairs}


def posts(body: bytes, **more: object) -> dict[str, object]:
    return {"method": "POST", "body": body, **more}


ENVIRON = (
    good(
        "environ-required",
        "every variable that PEP 3333 requires is there",
        "PEP 3333, environ Variables",
        "/required",
        text=b"missing [] empty []",
    ),
    good(
        "environ-native",
        "CGI variables are str, and hold bytes as latin-1",
        "PEP 3333, Unicode Issues",
        "/native",
        text=b"wrong []",
        **fields(("X-Name", "caf\xe9")),
    ),
    good(
        "environ-dict",
        "environ is a dict, and the app may change it",
        "PEP 3333, Specification Details",
        "/environ-type",
        text=b"dict",
    ),
    good(
        "wsgi-version",
        "wsgi.version is (1, 0)",
        "PEP 3333, environ Variables",
        "/variable",
        query="v=wsgi.version",
        text=b"wsgi.version=(1, 0)",
    ),
    good(
        "scheme-http",
        "wsgi.url_scheme is http on a plain connection",
        "PEP 3333, environ Variables",
        "/variable",
        query="v=wsgi.url_scheme",
        text=b"wsgi.url_scheme='http'",
    ),
    good(
        "scheme-https",
        "wsgi.url_scheme is https where the front says HTTPS=on",
        "PEP 3333, URL Reconstruction",
        "/variable",
        query="v=wsgi.url_scheme",
        where=CGI,
        variables={"HTTPS": "on"},
        text=b"wsgi.url_scheme='https'",
    ),
    good(
        "flags",
        "wsgi.multithread, multiprocess and run_once are booleans",
        "PEP 3333, environ Variables",
        "/flags",
        text=b"bool bool bool",
    ),
    good(
        "run-once-cgi",
        "wsgi.run_once is true in a process for one request",
        "PEP 3333, environ Variables",
        "/variable",
        query="v=wsgi.run_once,wsgi.multithread,wsgi.multiprocess",
        where=CGI,
        text=b"wsgi.run_once=True\nwsgi.multithread=False\nwsgi.multiprocess=True",
    ),
    good(
        "run-once-server",
        "wsgi.run_once is false in a server",
        "PEP 3333, environ Variables",
        "/variable",
        query="v=wsgi.run_once",
        where=HTTP,
        text=b"wsgi.run_once=False",
    ),
    good(
        "path-decoded",
        "PATH_INFO is decoded, its bytes kept as latin-1",
        "PEP 3333, Unicode Issues; RFC 3875, 4.1.5",
        "/path/%E2%82%AC%20%C3%A9",
        text="\u20ac \xe9".encode(),
    ),
    good(
        "query-raw",
        "QUERY_STRING stays as it was sent",
        "RFC 3875, 4.1.7",
        "/query",
        query="a=%20%41&b=1+2",
        text=b"a=%20%41&b=1+2",
    ),
    Case(
        "method",
        "REQUEST_METHOD is the client's, known or not",
        "RFC 3875, 4.1.12",
        path="/method",
        method="PROPFIND",
        text=b"PROPFIND",
    ),
    good(
        "header-variable",
        "a request header becomes HTTP_ and its name",
        "RFC 3875, 4.1.18",
        "/variable",
        query="v=HTTP_X_NAME",
        text=b"HTTP_X_NAME='a, b'",
        **fields(("X-Name", "a, b")),
    ),
    good(
        "content-type",
        "Content-Type is CONTENT_TYPE",
        "RFC 3875, 4.1.3",
        "/variable",
        query="v=CONTENT_TYPE",
        text=b"CONTENT_TYPE='text/x-y; a=b'",
        **fields(("Content-Type", "text/x-y; a=b")),
        **posts(b"body"),
    ),
    good(
        "content-type-absent",
        "no CONTENT_TYPE is made up",
        "RFC 3875, 4.1.3; RFC 9110, 8.3",
        "/variable",
        query="v=CONTENT_TYPE",
        text=(b"CONTENT_TYPE=None", b"CONTENT_TYPE=''"),
    ),
    good(
        "content-length",
        "Content-Length is CONTENT_LENGTH",
        "RFC 3875, 4.1.2",
        "/variable",
        query="v=CONTENT_LENGTH",
        text=b"CONTENT_LENGTH='4'",
        **posts(b"body"),
    ),
    Case(
        "headers-joined",
        "a header sent twice arrives as one list",
        "RFC 9110, 5.2",
        where=HTTP,
        path="/variable",
        query="v=HTTP_X_NAME",
        text=(b"HTTP_X_NAME='a,b'", b"HTTP_X_NAME='a, b'"),
        **fields(("X-Name", "a"), ("X-Name", "b")),
    ),
    Case(
        "cookies-joined",
        "Cookie headers are joined with a semicolon",
        "RFC 9110, 5.3; RFC 6265, 4.2.1",
        where=HTTP,
        path="/variable",
        query="v=HTTP_COOKIE",
        text=(b"HTTP_COOKIE='a=1; b=2'", b"HTTP_COOKIE='a=1;b=2'"),
        **fields(("Cookie", "a=1"), ("Cookie", "b=2")),
    ),
    Case(
        "underscore-header",
        "a name with an underscore cannot pose as one with a hyphen",
        "RFC 3875, 4.1.18; D12",
        where=HTTP,
        path="/variable",
        query="v=HTTP_X_NAME",
        text=b"HTTP_X_NAME='true'",
        **fields(("X_Name", "false"), ("X-Name", "true")),
    ),
    Case(
        "httpoxy",
        "a Proxy header does not become HTTP_PROXY",
        "RFC 3875, 4.1.18; D12",
        ("D12",),
        path="/variable",
        query="v=HTTP_PROXY",
        text=b"HTTP_PROXY=None",
        **fields(("Proxy", "http://evil.example")),
    ),
    Case(
        "process-secrets",
        "the process environment is not in environ",
        "D12",
        ("D12",),
        where=HTTP,
        path="/secrets",
        text=b"found []",
    ),
    Case(
        "process-posed",
        "a variable of the process does not pose as a request header",
        "RFC 3875, 4.1.18; D12",
        ("D12",),
        where=HTTP,
        path="/variable",
        query="v=HTTP_X_POSED",
        text=b"HTTP_X_POSED=None",
    ),
    Case(
        "protocol-missing",
        "SERVER_PROTOCOL has a default where the front leaves it out",
        "RFC 3875, 4.1.16; D16",
        ("D16",),
        where=CGI,
        path="/variable",
        query="v=SERVER_PROTOCOL",
        variables={"SERVER_PROTOCOL": None},
        text=b"SERVER_PROTOCOL='HTTP/1.0'",
    ),
    Case(
        "errors-stream",
        "what is written to wsgi.errors is in the log",
        "PEP 3333, Input and Error Streams",
        path="/errors",
        proper=True,
        text=b"written",
        logged=True,
        outcomes=("ok",),
    ),
)

INPUT = (
    good(
        "input-length",
        "read(CONTENT_LENGTH) gives the body",
        "PEP 3333, Input and Error Streams",
        "/read-length",
        text=b"two\nlines",
        **posts(b"two\nlines"),
    ),
    Case(
        "input-all",
        "read() gives the body, and ends with it",
        "PEP 3333, Input and Error Streams; RFC 3875, 4.2; D11",
        ("D11",),
        path="/read",
        text=b"two\nlines",
        **posts(b"two\nlines"),
    ),
    Case(
        "input-none",
        "read() of a request without a body gives nothing, at once",
        "PEP 3333, Input and Error Streams; RFC 3875, 4.2; D11",
        ("D11",),
        path="/read",
        text=b"",
    ),
    Case(
        "input-pieces",
        "read(n) gives up to n bytes, and nothing past the end",
        "PEP 3333, Input and Error Streams; D11",
        ("D11",),
        path="/read-pieces",
        text=b"two|\nli|nes",
        **posts(b"two\nlines"),
    ),
    Case(
        "input-readline",
        "readline() keeps the newline, and stops at the end",
        "PEP 3333, Input and Error Streams; D11",
        ("D11",),
        path="/readline",
        text=b"two\n|lines||",
        **posts(b"two\nlines"),
    ),
    good(
        "input-readline-size",
        "readline(n) gives n bytes of a line at the most",
        "PEP 3333, Input and Error Streams",
        "/readline-size",
        text=b"tw|o\n|li|ne",
        **posts(b"two\nlines"),
    ),
    Case(
        "input-readlines",
        "readlines() gives all lines, and stops at the end",
        "PEP 3333, Input and Error Streams; D11",
        ("D11",),
        path="/readlines",
        text=b"two\n|lines",
        **posts(b"two\nlines"),
    ),
    Case(
        "input-iter",
        "iteration gives all lines, and stops at the end",
        "PEP 3333, Input and Error Streams; D11",
        ("D11",),
        path="/input-lines",
        text=b"two\n|lines",
        **posts(b"two\nlines"),
    ),
    Case(
        "input-terminated",
        "wsgi.input_terminated says that wsgi.input ends with the body",
        "D11",
        ("D11",),
        path="/terminated",
        text=b"True",
        **posts(b"body"),
    ),
    Case(
        "input-large",
        "a body of 1 MiB arrives whole",
        "PEP 3333, Input and Error Streams",
        path="/count",
        text=b"1048576",
        **posts(b"x" * LARGE),
    ),
    Case(
        "input-unread",
        "an app that does not read the body is heard all the same",
        "PEP 3333, Input and Error Streams; RFC 9112, 9.6",
        path="/unread",
        proper=True,
        text=b"not read",
        **posts(b"x" * 1000),
    ),
    Case(
        "input-chunked",
        "a chunked request body arrives decoded",
        "RFC 9112, 7.1; D11, D17",
        ("D11", "D17"),
        path="/read",
        client="chunked",
        text=b"two\nlines",
        **posts(b"two\nlines"),
    ),
    Case(
        "input-cut",
        "half a body never passes for a whole one",
        "RFC 9112, 8; RFC 3875, 4.2",
        path="/count",
        client="half",
        status=None,
        ends="any",
        events={"whole": []},
        outcomes=("disconnected", None),
        **posts(b"x" * 1000),
    ),
    Case(
        "expect-continue",
        "100 Continue comes before the body is sent",
        "PEP 3333, HTTP 1.1 Expect/Continue; RFC 9110, 10.1.1; D17",
        ("D17",),
        where=HTTP,
        path="/read",
        client="expecting",
        text=b"two\nlines",
        **posts(b"two\nlines"),
        headers=(("Expect", "100-continue"),),
    ),
)

BODIES = (
    good(
        "body-list",
        "a list of one block",
        "PEP 3333, The Server/Gateway Side",
        "/hello",
        text=b"hello",
        has={"Content-Type": "text/plain"},
    ),
    good(
        "status-unusual",
        "a status code that no standard names",
        "PEP 3333, The start_response() Callable",
        "/unusual",
        status=299,
        text=b"hello",
    ),
    good(
        "header-repeated",
        "a header given twice is sent twice",
        "PEP 3333, The start_response() Callable; RFC 9110, 5.3",
        "/cookies",
        has={"Set-Cookie": "a=1, b=2"},
    ),
    Case(
        "header-latin-1",
        "a value may hold latin-1 and tabs, and arrives byte for byte",
        "PEP 3333, Unicode Issues; RFC 9110, 5.5",
        path="/latin",
        has={"X-Name": "caf\xe9\there"},
    ),
    good(
        "body-generator",
        "a generator",
        "PEP 3333, Buffering and Streaming",
        "/generator",
        text=b"one two three",
    ),
    Case(
        "start-late",
        "start_response called by the first next()",
        "PEP 3333, The start_response() Callable",
        path="/late-start",
        status=203,
        has={"X-Late": "yes"},
        text=b"late",
    ),
    error(
        "start-after-empty",
        "an empty block does not send the head yet",
        "PEP 3333, The start_response() Callable",
        "/after-empty",
        status=503,
        lacks=("X-Old",),
        text=b"sorry",
    ),
    good(
        "body-holes",
        "an empty block does not end the body",
        "PEP 3333, Buffering and Streaming; RFC 9112, 7.1",
        "/holes",
        text=b"abc",
    ),
    good(
        "body-empty",
        "no block at all is a whole, empty response",
        "PEP 3333, The Server/Gateway Side",
        "/nothing",
        text=b"",
    ),
    good(
        "body-only-empty",
        "empty blocks only are a whole, empty response",
        "PEP 3333, The start_response() Callable",
        "/only-empty",
        text=b"",
    ),
    good(
        "body-tuple",
        "a tuple of blocks",
        "PEP 3333, The Application/Framework Side",
        "/sequence",
        text=b"one two",
    ),
    Case(
        "body-getitem",
        "an iterable that has only __getitem__",
        "PEP 3333, The Application/Framework Side",
        path="/old-iterable",
        text=b"one two",
    ),
    Case(
        "app-class",
        "a class as the application, its instance the iterable",
        "PEP 3333, The Application/Framework Side",
        path="/instance",
        text=b"an instance",
    ),
    good(
        "write-callable",
        "what write() is given comes before the iterable",
        "PEP 3333, The write() Callable",
        "/writes",
        text=b"one two three",
    ),
    good(
        "write-only",
        "write() alone, and an empty iterable",
        "PEP 3333, The write() Callable",
        "/writes-only",
        text=b"written",
    ),
    good(
        "streaming",
        "a block is sent before the next is asked for",
        "PEP 3333, Buffering and Streaming",
        "/stream",
        client="streaming",
        text=b"first in time",
    ),
    good(
        "body-large",
        "2 MiB in blocks arrive whole, and are closed",
        "PEP 3333, Buffering and Streaming",
        "/large",
        text=b"x" * (2 * LARGE),
        events={"closed": ["ended"]},
    ),
    good(
        "framed",
        "the end of a body without Content-Length can be told from a break",
        "RFC 9112, 6.3; D17",
        "/generator",
        covers=("D17",),
        where=HTTP,
        text=b"one two three",
        framings=("chunked", "length"),
    ),
    good(
        "length-kept",
        "the app's own Content-Length frames the body",
        "PEP 3333, Handling the Content-Length Header",
        "/length",
        where=HTTP,
        text=b"hello",
        has={"Content-Length": "5"},
        framings=("length",),
    ),
    Case(
        "http-1.0",
        "an HTTP/1.0 client gets no chunked body",
        "RFC 9112, 6.1",
        where=HTTP,
        path="/generator",
        version="1.0",
        text=b"one two three",
        framings=("close", "length"),
    ),
    Case(
        "keep-alive",
        "where the server keeps the connection, it serves a second request",
        "RFC 9112, 9.3; D17",
        where=HTTP,
        path="/generator",
        client="keeping",
        text=b"one two three",
    ),
    Case(
        "keep-alive-unread",
        "a body that the app did not read is not taken for a request",
        "RFC 9112, 9.3",
        where=HTTP,
        path="/unread",
        client="keeping",
        text=b"not read",
        **posts(b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"),
    ),
    Case(
        "keep-alive-offered",
        "an HTTP/1.1 connection stays open after a framed response",
        "RFC 9112, 9.3; D17",
        ("D17",),
        where=PARSER,
        path="/generator",
        client="kept",
        text=b"one two three",
    ),
    Case(
        "keep-alive-head",
        "nothing of a HEAD response is taken for the next one",
        "RFC 9112, 9.3; RFC 9110, 9.3.2; D6, D17",
        ("D6", "D17"),
        where=PARSER,
        path="/generator",
        method="HEAD",
        client="kept",
        text=b"",
    ),
    Case(
        "pipelined",
        "requests sent at once are answered in order",
        "RFC 9112, 9.3.2; D17",
        ("D17",),
        where=PARSER,
        path="/generator",
        client="pipelining",
        text=b"one two three",
    ),
)

CLOSE = (
    good(
        "close-once",
        "close() of the iterable is called once, after the last block",
        "PEP 3333, Specification Details",
        "/closes",
        text=b"one two",
        events={"closed": ["ended"]},
    ),
    good(
        "close-list",
        "close() of a list is called too",
        "PEP 3333, Specification Details",
        "/closes-list",
        text=b"hello",
        events={"closed": [True]},
    ),
    Case(
        "close-head",
        "close() is called where no body is sent",
        "PEP 3333, Specification Details",
        path="/closes",
        method="HEAD",
        text=b"",
        events={"closed": [...]},
    ),
    Case(
        "close-after-error",
        "close() is called once when the iterable raises",
        "PEP 3333, Specification Details",
        path="/fail-first",
        status=ERROR,
        logged=True,
        events={"closed": ["early"]},
    ),
    Case(
        "close-fails",
        "an error in close() is reported, and spoils nothing",
        "PEP 3333, Specification Details; D14",
        ("D14",),
        path="/close-fails",
        text=b"one two",
        logged=True,
        events={"closed": ["ended"]},
    ),
    Case(
        "close-fails-too",
        "an error in close() does not mask the one before it",
        "PEP 3333, Specification Details; D14",
        path="/close-fails-too",
        status=ERROR,
        logged=True,
        events={"closed": ["early"]},
    ),
    Case(
        "client-gone",
        "a client that goes away ends the exchange, and close() is called",
        "PEP 3333, Specification Details; D1",
        path="/endless",
        client="leaving",
        ends="any",
        events={"closed": ["early"]},
        outcomes=("disconnected",),
    ),
    Case(
        "headers-own",
        "the app's list of headers stays as it was",
        "PEP 3333, The start_response() Callable; D15",
        ("D15",),
        path="/own-list",
        text=b"hello",
        events={"headers": [[["Content-Type", "text/plain"]]]},
    ),
)

ERRORS = (
    error(
        "error-before",
        "an error in the call of the app is answered with 500, and reported",
        "PEP 3333, Error Handling",
        "/fail",
    ),
    error(
        "error-started",
        "nothing of the response that failed is left in the error page",
        "PEP 3333, Error Handling",
        "/fail-started",
        lacks=("X-Old",),
    ),
    error(
        "error-first",
        "an error before the first block is answered with 500, and reported",
        "PEP 3333, Error Handling",
        "/fail-first",
        lacks=("X-Old",),
    ),
    error(
        "reset-before",
        "the app's own ConnectionResetError is an error like any other",
        "PEP 3333, Error Handling; D1",
        "/fail",
        covers=("D1",),
        query="k=connection",
    ),
    error(
        "pipe-first",
        "the app's own BrokenPipeError is an error like any other",
        "PEP 3333, Error Handling; D1",
        "/fail-first",
        covers=("D1",),
        query="k=pipe",
        events={"closed": ["early"]},
    ),
    broken(
        "aborted-late",
        "the app's own ConnectionAbortedError, late, breaks the response off",
        "PEP 3333, Error Handling; RFC 9112, 8; D1",
        "/fail-late-length",
        covers=("D1",),
        query="k=aborted",
        events={"closed": ["early"]},
    ),
    error(
        "error-unprintable",
        "an error whose traceback cannot be made is answered",
        "PEP 3333, Error Handling; D2",
        "/unprintable",
        covers=("D2",),
        logged=False,
        outcomes=("error",),
    ),
    error(
        "reporter-fails",
        "a reporter that raises does not take the answer away, nor the report",
        "PEP 3333, Error Handling; D2",
        "/fail",
        covers=("D2",),
        where=HOOKS,
        query="break=log",
    ),
    error(
        "page-fails",
        "an error page that raises is replaced by the built-in one",
        "PEP 3333, Error Handling; D2",
        "/fail",
        covers=("D2",),
        where=HOOKS,
        query="break=page",
    ),
    broken(
        "error-late",
        "an error after the head is reported, and seen as an incomplete response",
        "PEP 3333, Error Handling; RFC 9112, 8; D3",
        "/fail-late",
        covers=("D3",),
        events={"closed": ["early"]},
    ),
    broken(
        "error-late-length",
        "the same, under a Content-Length",
        "PEP 3333, Error Handling; RFC 9112, 8; D3",
        "/fail-late-length",
        events={"closed": ["early"]},
    ),
    error(
        "exc-info",
        "start_response with exc_info replaces status and headers; it is reported",
        "PEP 3333, Error Handling; D4",
        "/handed",
        covers=("D4",),
        status=503,
        lacks=("X-Old",),
        text=b"sorry",
    ),
    broken(
        "exc-info-late",
        "start_response with exc_info raises it when the head is out",
        "PEP 3333, Error Handling; D3",
        "/handed-late",
        covers=("D3",),
        events={"closed": ["early"], "went on": []},
    ),
    error(
        "start-twice",
        "a second start_response without exc_info is an error",
        "PEP 3333, The start_response() Callable",
        "/twice",
        says="already set|twice|already",
    ),
    error(
        "system-exit",
        "SystemExit gets the page, and the server lives on",
        "PEP 3333, Error Handling; D5",
        "/fail",
        where=HTTP,
        client="keeping",
        query="k=exit",
    ),
    error(
        "system-exit-cgi",
        "SystemExit gets the page, then ends the process",
        "PEP 3333, Error Handling; D5",
        "/fail",
        covers=("D5",),
        where=CGI,
        query="k=exit",
        exits=1,
    ),
    error(
        "interrupt",
        "KeyboardInterrupt gets the page, is reported, and is not swallowed",
        "PEP 3333, Error Handling; D5",
        "/fail-first",
        covers=("D5",),
        where=OWN,
        query="k=interrupt",
        exits=-2,
        events={"closed": ["early"]},
    ),
    error(
        "never-started",
        "an app that never calls start_response is told so",
        "PEP 3333, The start_response() Callable; D18",
        "/leaves",
        covers=("D18",),
        says=r"(?m)^[\w.]*Error: .*start_response",
    ),
    error(
        "never-started-body",
        "the same, where it gives a body",
        "PEP 3333, The start_response() Callable; D18",
        "/leaves-body",
        says=r"(?m)^[\w.]*Error: .*start_response",
    ),
    error(
        "gives-none",
        "an app that returns None is told so",
        "PEP 3333, The Application/Framework Side; D18",
        "/gives-none",
        covers=("D18",),
        says=r"(?m)^[\w.]*Error: .*return.*None",
    ),
    error(
        "gives-bytes",
        "an app that returns bytes is told so",
        "PEP 3333, The Application/Framework Side; D18",
        "/gives-bytes",
        covers=("D18",),
        says=r"(?m)^[\w.]*Error: .*return.*bytes",
    ),
    error(
        "gives-str",
        "an app that returns str is told so",
        "PEP 3333, The Application/Framework Side; D18",
        "/gives-str",
        covers=("D18",),
        says=r"(?m)^[\w.]*Error: .*return.*str",
    ),
    error(
        "yields-str",
        "a block that is no bytes is an error",
        "PEP 3333, Unicode Issues; D8",
        "/yields-str",
        covers=("D8",),
        says=r"(?m)^[\w.]*Error: .*bytes",
    ),
    error(
        "writes-str",
        "write() of what is no bytes is an error",
        "PEP 3333, Unicode Issues; D8",
        "/writes-str",
        covers=("D8",),
        says=r"(?m)^[\w.]*Error: .*bytes",
    ),
)

BODILESS = (
    good(
        "head",
        "HEAD is answered without a body, the app's Content-Length stays",
        "RFC 9110, 9.3.2; RFC 3875, 4.3.3; D6",
        "/length",
        covers=("D6",),
        method="HEAD",
        has={"Content-Length": "5"},
        text=b"",
    ),
    Case(
        "head-list",
        "HEAD of a body of one block: no body, no other length than that of GET",
        "RFC 9110, 9.3.2; RFC 3875, 4.3.3; D6",
        ("D6",),
        path="/hello",
        method="HEAD",
        has={"Content-Length": ("", "5")},
        text=b"",
    ),
    good(
        "head-write",
        "HEAD of an app that uses write(): no body",
        "RFC 9110, 9.3.2; RFC 3875, 4.3.3; D6",
        "/writes",
        covers=("D6",),
        method="HEAD",
        text=b"",
    ),
    good(
        "head-generator",
        "HEAD of a body of unknown length: no body",
        "RFC 9110, 9.3.2; RFC 3875, 4.3.3; D6",
        "/generator",
        covers=("D6",),
        method="HEAD",
        text=b"",
    ),
    good(
        "head-empty",
        "HEAD of an app that gives nothing makes up no Content-Length",
        "RFC 9110, 8.6; D6",
        "/nothing",
        covers=("D6",),
        method="HEAD",
        lacks=("Content-Length",),
        text=b"",
    ),
    good(
        "204",
        "204 has neither a body nor a Content-Length",
        "RFC 9110, 8.6 and 15.3.5; D6",
        "/no-content",
        covers=("D6",),
        status=204,
        lacks=("Content-Length", "Transfer-Encoding"),
        text=b"",
    ),
    Case(
        "204-body",
        "a body under 204 is dropped, and its Content-Length with it",
        "RFC 9110, 8.6 and 15.3.5; D6",
        ("D6",),
        path="/no-content-body",
        status=204,
        lacks=("Content-Length", "Transfer-Encoding"),
        text=b"",
    ),
    Case(
        "1xx-body",
        "a body under 1xx is dropped, and its Content-Length with it",
        "RFC 9110, 8.6 and 15.2; D6",
        ("D6",),
        where=CGI,
        path="/early-hints",
        status=103,
        lacks=("Content-Length",),
        text=b"",
    ),
    good(
        "304",
        "304 gets no Content-Length that is made up",
        "RFC 9110, 8.6 and 15.4.5; D6",
        "/not-modified",
        covers=("D6",),
        status=304,
        has={"ETag": '"x"'},
        lacks=("Content-Length", "Transfer-Encoding"),
        text=b"",
    ),
    Case(
        "304-body",
        "a body under 304 is dropped",
        "RFC 9110, 15.4.5; D6",
        ("D6",),
        path="/not-modified-body",
        status=304,
        has={"ETag": '"x"'},
        text=b"",
    ),
)

LENGTHS = (
    *(
        error(
            f"length-{kind}",
            promise,
            "RFC 9110, 8.6; D7",
            "/claims",
            covers=("D7",),
            query=f"k={kind}",
            says="Content-Length",
        )
        for kind, promise in (
            ("word", "a Content-Length that is no number is an error"),
            ("negative", "a negative Content-Length is an error"),
            ("signed", "a Content-Length with a sign is an error"),
            ("two", "two Content-Length headers are an error"),
        )
    ),
    Case(
        "length-excess",
        "a body longer than its Content-Length is cut, and reported",
        "PEP 3333, Handling the Content-Length Header; RFC 9110, 8.6; D7",
        ("D7",),
        path="/claims",
        query="k=short",
        text=b"hel",
        says="Content-Length",
    ),
    Case(
        "length-excess-pieces",
        "the same, in blocks; close() is called",
        "PEP 3333, Handling the Content-Length Header; RFC 9110, 8.6; D7",
        ("D7",),
        path="/claims-pieces",
        query="k=short",
        text=b"hel",
        says="Content-Length",
        events={"closed": ["early"]},
    ),
    Case(
        "length-shortfall",
        "a body shorter than its Content-Length is broken off, and reported",
        "PEP 3333, Handling the Content-Length Header; RFC 9112, 8; D7",
        ("D7",),
        path="/claims",
        query="k=long",
        status=(200, ERROR),
        ends="broken or 500",
        says="Content-Length",
        outcomes=("aborted",),
    ),
    broken(
        "length-shortfall-pieces",
        "the same, in blocks; close() is called",
        "PEP 3333, Handling the Content-Length Header; RFC 9112, 8; D7",
        "/claims-pieces",
        covers=("D7",),
        query="k=long",
        says="Content-Length",
        events={"closed": ["ended"]},
    ),
    Case(
        "length-empty",
        "an empty body under a Content-Length never looks whole",
        "PEP 3333, Handling the Content-Length Header; RFC 9112, 8; D7",
        ("D7",),
        path="/claims-empty",
        status=(200, ERROR),
        ends="broken or 500",
        says="Content-Length",
        outcomes=("aborted",),
    ),
)

_HEADS = (
    ("value-crlf", "CR LF in a header value", "RFC 9110, 5.5", "D8"),
    ("value-lf", "LF in a header value", "RFC 9110, 5.5", "D8"),
    ("value-nul", "NUL in a header value", "RFC 9110, 5.5", "D8"),
    ("value-wide", "a header value beyond latin-1", "PEP 3333, Unicode Issues", "D8"),
    ("value-int", "a header value that is no str", "PEP 3333, Unicode Issues", "D8"),
    ("name-crlf", "CR LF in a header name", "RFC 9110, 5.1", "D8"),
    ("name-space", "a space in a header name", "RFC 9110, 5.1", "D8"),
    ("name-empty", "an empty header name", "RFC 9110, 5.1", "D8"),
    ("name-bytes", "a header name that is no str", "PEP 3333, Unicode Issues", "D8"),
    ("status-crlf", "CR LF in the status", "RFC 9112, 4", "D8"),
    ("status-wide", "a status beyond latin-1", "PEP 3333, Unicode Issues", "D8"),
    ("status-short", "a status of two digits", "RFC 9110, 15", "D8"),
    ("status-word", "a status without a code", "RFC 9110, 15", "D8"),
    ("status-int", "a status that is no str", "PEP 3333, Unicode Issues", ""),
    ("headers-tuple", "headers that are no list", "PEP 3333, start_response()", ""),
    ("hop-connection", "a Connection header", "PEP 3333, Other HTTP Features", "D9"),
    ("hop-coding", "a Transfer-Encoding header", "PEP 3333, Other HTTP Features", "D9"),
    ("hop-keep", "a Keep-Alive header", "PEP 3333, Other HTTP Features", "D9"),
)

HEADS = tuple(
    error(
        name,
        f"{what} is an error, and nothing of it goes out",
        f"{source}; {rule}" if rule else source,
        "/head",
        covers=(rule,) if rule else (),
        query=f"k={name}",
        lacks=("X-A", "X A", "Injected", "Keep-Alive"),
        says=r"(?m)^[\w.]*Error: ",
    )
    for name, what, source, rule in _HEADS
)

FILES = (
    good(
        "file",
        "a file is sent whole",
        "PEP 3333, Optional Platform-Specific File Handling",
        "/file",
        text=FILE,
    ),
    good(
        "file-position",
        "a file is sent from its current position",
        "PEP 3333, Optional Platform-Specific File Handling; D10",
        "/file-position",
        text=FILE[1000:],
    ),
    Case(
        "file-length",
        "a file is sent up to the Content-Length",
        "PEP 3333, Optional Platform-Specific File Handling; D10",
        ("D10",),
        path="/file-length",
        has={"Content-Length": "1500"},
        text=FILE[1000:2500],
        ends="whole",
        outcomes=("ok", "error"),
    ),
    good(
        "file-head",
        "a file is not sent on HEAD",
        "RFC 9110, 9.3.2; D6",
        "/file",
        method="HEAD",
        text=b"",
    ),
    good(
        "file-like",
        "what has only read() is sent, and closed",
        "PEP 3333, Optional Platform-Specific File Handling",
        "/file-like",
        text=b"one two three",
        events={"closed": [True]},
    ),
)

PROCESS = (
    Case(
        "print",
        "print() in the app does not get into the response",
        "RFC 3875, 6; D13",
        ("D13",),
        where=CGI,
        path="/prints",
        lacks=("Printed",),
        text=b"hello",
    ),
    Case(
        "child-output",
        "the output of a child process does not get into the response",
        "RFC 3875, 6; D13",
        ("D13",),
        where=CGI,
        path="/child",
        lacks=("Child",),
        text=b"hello",
    ),
    Case(
        "child-input",
        "a child process does not take the request body",
        "RFC 3875, 4.2; D13",
        ("D13",),
        where=CGI,
        path="/child-input",
        text=b"two\nlines",
        **posts(b"two\nlines"),
    ),
)


def refused(name: str, promise: str, source: str, request: bytes) -> Case:
    """A request that no server may take: 400, at the latest when its body is read."""
    return Case(
        name,
        promise,
        source,
        where=PARSER,
        client="raw",
        body=request,
        status=400,
        ends="any",
        outcomes=(None, "error"),
    )


_HOST = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n"
_POST = b"POST /read HTTP/1.1\r\nHost: localhost\r\n"

REQUESTS = (
    refused(
        "lengths-conflict",
        "two Content-Length headers that differ are refused",
        "RFC 9112, 6.3",
        _POST + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nhello",
    ),
    refused(
        "length-invalid",
        "a Content-Length with a sign is refused",
        "RFC 9110, 8.6",
        _POST + b"Content-Length: +5\r\n\r\nhello",
    ),
    refused(
        "length-and-coding",
        "Content-Length beside Transfer-Encoding is refused",
        "RFC 9112, 6.1",
        _POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    refused(
        "space-before-colon",
        "a space before the colon of a header is refused",
        "RFC 9112, 5.1",
        _HOST + b"X-Name : a\r\n\r\n",
    ),
    refused(
        "host-missing",
        "an HTTP/1.1 request without Host is refused",
        "RFC 9112, 3.2",
        b"GET /hello HTTP/1.1\r\n\r\n",
    ),
    refused(
        "chunk-invalid",
        "a chunk size that is no number is refused",
        "RFC 9112, 7.1",
        _POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
    ),
    refused(
        "header-control",
        "NUL in a header value is refused",
        "RFC 9110, 5.5",
        _HOST + b"X-Name: a\0b\r\n\r\n",
    ),
)

CASES = (
    *ENVIRON,
    *INPUT,
    *BODIES,
    *CLOSE,
    *ERRORS,
    *BODILESS,
    *LENGTHS,
    *HEADS,
    *FILES,
    *PROCESS,
    *REQUESTS,
)
RULES = tuple(f"D{number}" for number in range(1, 19))
