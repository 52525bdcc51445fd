"""The application of the conformance suite: one small WSGI app per first path segment.

Pure PEP 3333, standard library only, so that any server can run it. What a client
cannot see (that close() was called, say) is written as lines of JSON to the file
that CONFORMANCE_TRACE names; ``t=TOKEN`` in the query says which request it was.
"""

import hashlib
import json
import os
import sys
import time
from itertools import islice
from pathlib import Path
from wsgiref.validate import validator

TEXT = [("Content-Type", "text/plain")]
BYTES = [("Content-Type", "application/octet-stream")]
FILE = bytes(range(256)) * 400
SECRET = "CONFORMANCE_SECRET"

APPS = {}


def application(environ, start_response):
    """Run the app that the path names; below /validated/, inside the validator."""
    name = environ.get("PATH_INFO", "").lstrip("/")
    if name.startswith("validated/"):
        app = APPS[name.split("/")[1]]
        return validator(app)(environ, start_response)
    return APPS[name.split("/")[0]](environ, start_response)


def app(function):
    APPS[function.__name__.lower().replace("_", "-")] = function
    return function


def token(environ):
    query = environ.get("QUERY_STRING", "")
    return query.partition("t=")[2].partition("&")[0]


def note(environ, event, value=True):
    """Write one line for the runner; one write() of an appending file is atomic."""
    line = json.dumps({"t": token(environ), "event": event, "value": value})
    with Path(os.environ["CONFORMANCE_TRACE"]).open("ab", buffering=0) as trace:
        trace.write(line.encode() + b"\n")


def failure(environ, kind=RuntimeError):
    """Make an exception that can be found in a log, and must not reach the client."""
    return kind(f"private {token(environ)}")


class Body:
    """An iterable that notes its close(), and whether all of it had been taken."""

    def __init__(self, environ, chunks, fails=False):
        self.environ = environ
        self.chunks = iter(chunks)
        self.fails = fails
        self.ended = False

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return next(self.chunks)
        except StopIteration:
            self.ended = True
            raise

    def close(self):
        note(self.environ, "closed", "ended" if self.ended else "early")
        if self.fails:
            raise failure(self.environ)


class ClosableList(list):
    """A list with a close(): a body of known length that wants to be closed."""

    environ = None

    def close(self):
        note(self.environ, "closed")


def plainly(environ, start_response, text):
    start_response("200 OK", TEXT[:])
    return [text if isinstance(text, bytes) else str(text).encode("latin-1")]


# --- environ ------------------------------------------------------------------


@app
def required(environ, start_response):
    cgi = "REQUEST_METHOD SCRIPT_NAME PATH_INFO SERVER_NAME SERVER_PORT SERVER_PROTOCOL"
    wsgi = "version url_scheme input errors multithread multiprocess run_once"
    names = cgi.split() + [f"wsgi.{name}" for name in wsgi.split()]
    missing = [name for name in names if name not in environ]
    empty = [name for name in ("SERVER_NAME", "SERVER_PORT") if not environ.get(name)]
    return plainly(environ, start_response, f"missing {missing} empty {empty}")


@app
def native(environ, start_response):
    wrong = [
        name
        for name, value in environ.items()
        if type(name) is not str
        or (
            "." not in name
            and (type(value) is not str or max(value, default="") > "\xff")
        )
    ]
    return plainly(environ, start_response, f"wrong {wrong}")


@app
def environ_type(environ, start_response):
    environ["conformance.changed"] = True
    return plainly(environ, start_response, type(environ).__name__)


@app
def variable(environ, start_response):
    """Show the variables that the query names."""
    names = environ["QUERY_STRING"].partition("v=")[2].split(",")
    shown = [f"{name}={environ.get(name)!r}" for name in names]
    return plainly(environ, start_response, "\n".join(shown).encode("ascii", "replace"))


@app
def flags(environ, start_response):
    names = ("wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once")
    shown = [type(environ[name]).__name__ for name in names]
    return plainly(environ, start_response, " ".join(shown))


@app
def path(environ, start_response):
    joined = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
    return plainly(environ, start_response, joined.rpartition("path/")[2])


@app
def query(environ, start_response):
    return plainly(environ, start_response, environ["QUERY_STRING"].partition("&")[2])


@app
def method(environ, start_response):
    return plainly(environ, start_response, environ["REQUEST_METHOD"])


@app
def secrets(environ, start_response):
    """Say what of the process environment is in environ."""
    found = [n for n in (SECRET, "PATH", "PYTHONPATH") if n in environ]
    return plainly(environ, start_response, f"found {found}")


@app
def errors(environ, start_response):
    stream = environ["wsgi.errors"]
    stream.write(f"private {token(environ)}")
    stream.writelines(["\n", "lines\n"])
    stream.flush()
    return plainly(environ, start_response, "written")


# --- wsgi.input ---------------------------------------------------------------


@app
def read(environ, start_response):
    return plainly(environ, start_response, environ["wsgi.input"].read())


@app
def read_length(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length) if length else b""
    return plainly(environ, start_response, body)


@app
def read_pieces(environ, start_response):
    pieces = iter(lambda: environ["wsgi.input"].read(3), b"")
    return plainly(environ, start_response, b"|".join(pieces))


@app
def readline(environ, start_response):
    stream = environ["wsgi.input"]
    lines = [stream.readline() for _ in range(4)]
    return plainly(environ, start_response, b"|".join(lines))


@app
def readline_size(environ, start_response):
    stream = environ["wsgi.input"]
    lines = [stream.readline(2) for _ in range(4)]
    return plainly(environ, start_response, b"|".join(lines))


@app
def readlines(environ, start_response):
    lines = environ["wsgi.input"].readlines()
    return plainly(environ, start_response, b"|".join(lines))


@app
def input_lines(environ, start_response):
    return plainly(environ, start_response, b"|".join(environ["wsgi.input"]))


@app
def count(environ, start_response):
    """Read in blocks, as an upload handler does, and say how much there was."""
    total = 0
    while block := environ["wsgi.input"].read(65536):
        total += len(block)
    note(environ, "whole", total)
    return plainly(environ, start_response, total)


@app
def terminated(environ, start_response):
    return plainly(environ, start_response, environ.get("wsgi.input_terminated"))


# --- answers ------------------------------------------------------------------


@app
def hello(environ, start_response):
    start_response("200 OK", TEXT[:])
    return [b"hello"]


@app
def unusual(environ, start_response):
    start_response("299 Fairly Good", TEXT[:])
    return [b"hello"]


@app
def cookies(environ, start_response):
    start_response("200 OK", [*TEXT, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b"hello"]


@app
def latin(environ, start_response):
    start_response("200 OK", [*TEXT, ("X-Name", "caf\xe9\there")])
    return [b"hello"]


@app
def generator(environ, start_response):
    start_response("200 OK", TEXT[:])
    yield b"one "
    yield b"two "
    yield b"three"


@app
def late_start(environ, start_response):
    """A generator function calls start_response only when it is first iterated."""
    start_response("203 Late", [*TEXT, ("X-Late", "yes")])
    yield b"late"


@app
def after_empty(environ, start_response):
    """Start again after an empty block, which must not have sent the head."""

    def chunks():
        start_response("200 OK", [*TEXT, ("X-Old", "yes")])
        yield b""
        try:
            raise failure(environ)
        except RuntimeError:
            start_response("503 Sorry", TEXT[:], sys.exc_info())
        yield b"sorry"

    return chunks()


@app
def holes(environ, start_response):
    start_response("200 OK", TEXT[:])
    return iter([b"a", b"", b"b", b"", b"c"])


@app
def nothing(environ, start_response):
    start_response("200 OK", TEXT[:])
    return []


@app
def only_empty(environ, start_response):
    start_response("200 OK", TEXT[:])
    return iter([b"", b""])


@app
def sequence(environ, start_response):
    start_response("200 OK", TEXT[:])
    return (b"one ", b"two")


class Old:
    """Iterable by __getitem__ alone, which iter() accepts."""

    def __getitem__(self, place):
        return [b"one ", b"two"][place]


@app
def old_iterable(environ, start_response):
    start_response("200 OK", TEXT[:])
    return Old()


@app
class Instance:
    """A class as the application: its instance is the iterable (PEP 3333)."""

    def __init__(self, environ, start_response):
        self.start = start_response

    def __iter__(self):
        self.start("200 OK", TEXT[:])
        yield b"an instance"


@app
def writes(environ, start_response):
    write = start_response("200 OK", TEXT[:])
    write(b"one ")
    write(b"two ")
    return [b"three"]


@app
def writes_only(environ, start_response):
    start_response("200 OK", TEXT[:])(b"written")
    return []


@app
def length(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "5")])
    return iter([b"he", b"llo"])


@app
def large(environ, start_response):
    start_response("200 OK", BYTES[:])
    return Body(environ, [b"x" * 65536] * 32)


@app
def stream(environ, start_response):
    """Wait, after the first chunk, until the client has seen it."""
    seen = Path(os.environ["CONFORMANCE_DIR"], token(environ))
    start_response("200 OK", TEXT[:])

    def chunks():
        yield b"first "
        end = time.monotonic() + float(os.environ["CONFORMANCE_PATIENCE"])
        while not seen.exists() and time.monotonic() < end:
            time.sleep(0.005)
        yield b"in time" if seen.exists() else b"late"

    return chunks()


def wait_until_seen(environ):
    """Wait for the file of the exchange's token, which the client makes."""
    seen = Path(os.environ["CONFORMANCE_DIR"], token(environ))
    end = time.monotonic() + 30
    while not seen.exists() and time.monotonic() < end:
        time.sleep(0.005)


def hundred_mib():
    """Give a hundred MiB, in blocks that differ; nobody keeps them."""
    for number in range(1600):
        yield number.to_bytes(4) * 16384


@app
def pours(environ, start_response):
    start_response("200 OK", [*BYTES, ("Content-Length", str(100 << 20))])
    return hundred_mib()


@app
def pours_seen(environ, start_response):
    """Send a MiB, and the rest of a hundred when the client says so."""
    blocks = hundred_mib()

    def chunks():
        yield from islice(blocks, 16)
        wait_until_seen(environ)
        yield from blocks

    start_response("200 OK", [*BYTES, ("Content-Length", str(100 << 20))])
    return chunks()


@app
def drinks(environ, start_response):
    """Tell the digest of the request body, which is read in small pieces."""
    digest = hashlib.sha256()
    note(environ, "begun")
    while block := environ["wsgi.input"].read(50000):
        digest.update(block)
    return plainly(environ, start_response, digest.hexdigest())


@app
def memory(environ, start_response):
    """Tell the most that this process ever had in memory, in KiB (Linux)."""
    status = Path("/proc/self/status").read_text()
    peak = status.partition("VmHWM:")[2].split()[0]
    return plainly(environ, start_response, peak)


@app
def fail_seen(environ, start_response):
    """Fail when the client has the head, and the first block."""

    def chunks():
        yield b"first "
        wait_until_seen(environ)
        raise failure(environ)

    start_response("200 OK", TEXT[:])
    return chunks()


@app
def endless(environ, start_response):
    """Send until the client is gone, for four seconds at the most."""
    start_response("200 OK", BYTES[:])

    def chunks():
        end = time.monotonic() + 4
        while time.monotonic() < end:
            yield b"x" * 65536

    return Body(environ, chunks())


@app
def unread(environ, start_response):
    """Answer without a look at the body."""
    return plainly(environ, start_response, "not read")


@app
def own_list(environ, start_response):
    """Note, at the end, what became of the list of headers given away."""
    headers = TEXT[:]
    start_response("200 OK", headers)
    body = Body(environ, [b"hello"])
    body.__class__ = SizedBody
    body.headers = headers
    return body


class SizedBody(Body):
    """A body of one block, to which wsgiref adds a Content-Length."""

    headers = ()

    def __len__(self):
        return 1

    def close(self):
        note(self.environ, "headers", self.headers)


# --- close() ------------------------------------------------------------------


@app
def closes(environ, start_response):
    start_response("200 OK", TEXT[:])
    return Body(environ, [b"one ", b"two"])


@app
def closes_list(environ, start_response):
    start_response("200 OK", TEXT[:])
    body = ClosableList([b"hello"])
    body.environ = environ
    return body


@app
def close_fails(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "7")])
    return Body(environ, [b"one ", b"two"], fails=True)


@app
def close_fails_too(environ, start_response):
    """Fail in the iterable, and again in its close()."""

    def chunks():
        raise failure(environ)
        yield b""

    start_response("200 OK", TEXT[:])
    return Body(environ, chunks(), fails=True)


# --- errors -------------------------------------------------------------------

KINDS = {
    "connection": ConnectionResetError,
    "pipe": BrokenPipeError,
    "aborted": ConnectionAbortedError,
    "exit": SystemExit,
    "interrupt": KeyboardInterrupt,
    "value": ValueError,
}


def kind(environ):
    """Choose the exception that ``k=`` in the query asks for."""
    chosen = environ["QUERY_STRING"].partition("k=")[2].partition("&")[0]
    return KINDS.get(chosen, RuntimeError)


@app
def fail(environ, start_response):
    raise failure(environ, kind(environ))


@app
def fail_started(environ, start_response):
    """Fail after start_response, before the first byte: nothing is out yet."""
    start_response("200 OK", [*TEXT, ("X-Old", "yes")])
    raise failure(environ, kind(environ))


@app
def fail_first(environ, start_response):
    """Fail when asked for the first chunk."""

    def chunks():
        raise failure(environ, kind(environ))
        yield b""

    start_response("200 OK", [*TEXT, ("X-Old", "yes")])
    return Body(environ, chunks())


@app
def fail_late(environ, start_response):
    """Fail after part of a body of unknown length is out."""

    def chunks():
        yield b"part"
        raise failure(environ, kind(environ))

    start_response("200 OK", TEXT[:])
    return Body(environ, chunks())


@app
def fail_late_length(environ, start_response):
    """Fail after part of a body of declared length is out."""

    def chunks():
        yield b"part"
        raise failure(environ, kind(environ))

    start_response("200 OK", [*TEXT, ("Content-Length", "10")])
    return Body(environ, chunks())


@app
def unprintable(environ, start_response):
    """Raise what the standard library's traceback cannot format."""
    raise SyntaxError(f"private {token(environ)}", ("f", 1, 1, 5))


@app
def handed(environ, start_response):
    """Handle an error as PEP 3333 shows: start again, with exc_info."""
    start_response("200 OK", [*TEXT, ("X-Old", "yes")])
    try:
        raise failure(environ)
    except RuntimeError:
        start_response("503 Sorry", TEXT[:], sys.exc_info())
    return [b"sorry"]


@app
def handed_late(environ, start_response):
    """Start again after the first bytes: start_response must raise the error."""

    def chunks():
        start_response("200 OK", TEXT[:])
        yield b"part"
        try:
            raise failure(environ)
        except RuntimeError:
            start_response("503 Sorry", TEXT[:], sys.exc_info())
            note(environ, "went on")
        yield b"sorry"

    return Body(environ, chunks())


@app
def twice(environ, start_response):
    start_response("200 OK", TEXT[:])
    start_response("201 Created", TEXT[:])
    return [b"twice"]


@app
def leaves(environ, start_response):
    """Never call start_response, and give no body either."""
    return []


@app
def leaves_body(environ, start_response):
    return [b"a body without a head"]


@app
def gives_none(environ, start_response):
    start_response("200 OK", TEXT[:])


@app
def gives_bytes(environ, start_response):
    start_response("200 OK", TEXT[:])
    return b"bytes"


@app
def gives_str(environ, start_response):
    start_response("200 OK", TEXT[:])
    return "str"


@app
def yields_str(environ, start_response):
    start_response("200 OK", TEXT[:])
    return iter(["str"])


@app
def writes_str(environ, start_response):
    start_response("200 OK", TEXT[:])("str")
    return []


# --- responses without a body -------------------------------------------------


@app
def no_content(environ, start_response):
    start_response("204 No Content", [])
    return []


@app
def no_content_body(environ, start_response):
    start_response("204 No Content", [*TEXT, ("Content-Length", "4")])
    return [b"body"]


@app
def early_hints(environ, start_response):
    start_response("103 Early Hints", [("Link", "</a>"), ("Content-Length", "4")])
    return [b"body"]


@app
def not_modified(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"x"')])
    return []


@app
def not_modified_body(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"x"'), ("Content-Length", "4")])
    return [b"body"]


# --- Content-Length -----------------------------------------------------------

LENGTHS = {
    "word": ["five"],
    "negative": ["-5"],
    "signed": ["+5"],
    "two": ["5", "6"],
    "short": ["3"],
    "long": ["9"],
}


@app
def claims(environ, start_response):
    """Send hello under the Content-Length that ``k=`` in the query names."""
    chosen = environ["QUERY_STRING"].partition("k=")[2]
    headers = [("Content-Length", value) for value in LENGTHS[chosen]]
    start_response("200 OK", TEXT + headers)
    return [b"hello"]


@app
def claims_pieces(environ, start_response):
    chosen = environ["QUERY_STRING"].partition("k=")[2]
    headers = [("Content-Length", value) for value in LENGTHS[chosen]]
    start_response("200 OK", TEXT + headers)
    return Body(environ, [b"he", b"ll", b"o"])


@app
def claims_empty(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "5")])
    return []


# --- heads that must not go out -----------------------------------------------

HEADS = {
    "value-crlf": ("200 OK", [("X-A", "a\r\nInjected: yes")]),
    "value-lf": ("200 OK", [("X-A", "a\nInjected: yes")]),
    "value-nul": ("200 OK", [("X-A", "a\0b")]),
    "value-wide": ("200 OK", [("X-A", "\u20ac")]),
    "value-int": ("200 OK", [("X-A", 5)]),
    "name-crlf": ("200 OK", [("X-A: a\r\nInjected", "yes")]),
    "name-space": ("200 OK", [("X A", "a")]),
    "name-empty": ("200 OK", [("", "a")]),
    "name-bytes": ("200 OK", [(b"X-A", "a")]),
    "status-crlf": ("200 OK\r\nInjected: yes", []),
    "status-wide": ("200 \u20ac", []),
    "status-short": ("20", []),
    "status-word": ("abc Wrong", []),
    "status-int": (200, []),
    "headers-tuple": ("200 OK", (("X-A", "a"),)),
    "hop-connection": ("200 OK", [("Connection", "x-a")]),
    "hop-coding": ("200 OK", [("Transfer-Encoding", "chunked")]),
    "hop-keep": ("200 OK", [("Keep-Alive", "timeout=5")]),
}


@app
def head(environ, start_response):
    """Start with what ``k=`` in the query names."""
    status, headers = HEADS[environ["QUERY_STRING"].partition("k=")[2]]
    if isinstance(headers, list):
        headers = TEXT + headers
    start_response(status, headers)
    return [b"body"]


# --- files --------------------------------------------------------------------


class Reader:
    """No file, but it has a read() and a close()."""

    def __init__(self, environ):
        self.environ = environ
        self.blocks = [b"one ", b"two ", b"three"]

    def read(self, size=-1):
        return self.blocks.pop(0) if self.blocks else b""

    def close(self):
        note(self.environ, "closed")


def wrapped(environ, source):
    """Use wsgi.file_wrapper as PEP 3333 shows, hence do without where there is none."""
    if "wsgi.file_wrapper" in environ:
        return environ["wsgi.file_wrapper"](source, 8192)
    return iter(lambda: source.read(8192), b"")


def opened(position=0):
    source = Path(os.environ["CONFORMANCE_DIR"], "file").open("rb")  # noqa: SIM115
    source.seek(position)
    return source


@app
def file(environ, start_response):
    start_response("200 OK", BYTES[:])
    return wrapped(environ, opened())


@app
def file_position(environ, start_response):
    start_response("200 OK", BYTES[:])
    return wrapped(environ, opened(1000))


@app
def file_length(environ, start_response):
    start_response("200 OK", [*BYTES, ("Content-Length", "1500")])
    return wrapped(environ, opened(1000))


@app
def file_like(environ, start_response):
    start_response("200 OK", TEXT[:])
    if "wsgi.file_wrapper" not in environ:
        note(environ, "closed")
    return wrapped(environ, Reader(environ))


# --- the process --------------------------------------------------------------


@app
def prints(environ, start_response):
    print("Printed: yes")
    sys.stdout.flush()
    return hello(environ, start_response)


@app
def child(environ, start_response):
    """Let a child process write to the standard output that it inherits."""
    os.system("echo Child: yes")
    return hello(environ, start_response)


@app
def child_input(environ, start_response):
    """Let a child process read the standard input that it inherits."""
    os.system("cat >&2")
    return read_length(environ, start_response)
