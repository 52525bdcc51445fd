"""The hosts of the conformance suite: real processes, asked over real connections."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.conformance import mutants
from tests.conformance.app import FILE, SECRET
from tests.conformance.client import Answer, Broken, Connection
from tests.conformance.engines import COMMANDS
from tests.conformance.exceptions import excepted
from tests.fronts import free_port

ROOT = Path(__file__).parents[2]
STARTED = 60.0  # seconds until a server must answer
GONE = 30.0  # seconds until a server must have stopped
EXTRA = b"bytes that are no part of the request"

CONFIG = """\
[app]
target = "tests.conformance.app:application"
path = [{root}]

[server]
bind = "{bind}"

[plugins.witness]
use = "tests.conformance.witness:Witness"

[plugins.access-log]
format = "json"
path = {access}
query = true
"""

# The rules that are asserts in wsgiref, and gone under -O.
CHECKED = frozenset({"D7", "D8", "D9", "D18"})

SCRIPTS = {
    True: "import handlerkit\nraise SystemExit(handlerkit.run_cgi({config}))\n",
    False: "from tests.conformance.app import application\n"
    "from tests.conformance.engines import FragileCGIHandler\n"
    "FragileCGIHandler().run(application)\n",
}


@dataclass
class Seen:
    """What came of one case: the answer, and what the server left behind."""

    token: str
    answer: Answer
    output: bytes = b""  # of a CGI process
    log: str = ""
    events: dict[str, list[object]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


class Host:
    """One host, in a directory of its own, and what it writes there.

    ``ours`` says that handlerkit is in it, ``seconds`` is how long one case may
    take: a bare engine hangs in some, and is not waited for. ``only`` limits the
    cases to those of some rules, ``watched`` says that `wsgiref.validate` looks on.
    """

    speaks: frozenset[str]
    only: frozenset[str] | None = None
    watched = True

    def __init__(self, name: str, *, ours: bool, directory: Path) -> None:
        self.name = name
        self.ours = ours
        self.seconds = 15.0 if ours else 2.5
        self.directory = directory
        self.log_file = directory / "log"
        self.trace_file = directory / "trace"
        self.access_file = directory / "access"
        self.config_file = directory / "handlerkit.toml"
        self.variables_of_process: dict[str, str] = {}
        self.asked = 0
        self.logs: dict[str, str] = {}
        self.seen: list[Seen] = []

    def config(self, port: int = 0) -> str:
        return CONFIG.format(
            root=json.dumps(str(ROOT)),
            bind=f"127.0.0.1:{port}",
            access=json.dumps(str(self.access_file)),
        )

    def prepare(self, port: int = 0) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "file").write_bytes(FILE)
        self.log_file.touch()
        self.trace_file.touch()
        self.config_file.write_text(self.config(port))

    def start(self) -> None:
        self.prepare()

    def stop(self) -> None:
        """Stop what `start` started."""

    def environment(self) -> dict[str, str]:
        return {
            **self.variables_of_process,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HANDLERKIT_CONFIG": str(self.config_file),
            "CONFORMANCE_DIR": str(self.directory),
            "CONFORMANCE_TRACE": str(self.trace_file),
            # A bare engine that keeps blocks back is not waited for.
            "CONFORMANCE_PATIENCE": "10" if self.ours else "2",
            SECRET: "a secret of the process",
        }

    def ask(self, case) -> Seen:
        """Run one case, and wait until what must be written is written."""
        self.asked += 1
        token = f"{case.id}.{self.asked}"
        before = self.log_file.stat().st_size
        seen = Seen(token, Answer())
        self.exchange(case, seen)
        wait = 15.0 if self.ours else 0.2
        end = time.monotonic() + (max(wait, 4.5) if case.client == "leaving" else wait)
        while True:
            seen.log = self.log(before)
            seen.events = self.events(token)
            if self.settled(case, seen) or time.monotonic() > end:
                return seen
            time.sleep(0.01)

    def settled(self, case, seen) -> bool:
        wanted = {name for name, values in case.events.items() if values}
        if self.ours and None not in case.outcome():
            wanted.add("outcome")
        if not wanted <= set(seen.events):
            return False
        return not told(case, seen)

    def log(self, start: int = 0) -> str:
        with self.log_file.open("rb") as log:
            log.seek(start)
            return log.read().decode("utf-8", "replace")

    def events(self, token: str) -> dict[str, list[object]]:
        found: dict[str, list[object]] = {}
        for line in self.trace_file.read_bytes().splitlines():
            entry = json.loads(line)
            if entry["t"] == token:
                found.setdefault(entry["event"], []).append(entry["value"])
        return found

    def access_lines(self) -> dict[str, list[dict[str, object]]]:
        """Give the lines of the access log, by the token of the request."""
        found: dict[str, list[dict[str, object]]] = {}
        for text in self.access_file.read_text().splitlines():
            line = json.loads(text)
            token = line.get("url.query", "").partition("t=")[2].partition("&")[0]
            found.setdefault(token, []).append(line)
        return found

    def exchange(self, case, seen: Seen) -> None:
        raise NotImplementedError

    def first_seen(self, seen: Seen):
        """Make a watcher that tells the app that its first block has arrived."""

        def watch(body: bytes) -> None:
            if body == b"first ":
                (self.directory / seen.token).touch()

        return watch


def told(case, seen: Seen) -> list[str]:
    """Say what the log lacks."""
    faults = []
    if case.logged and f"private {seen.token}" not in seen.log:
        faults.append("not reported")
    if case.says and not re.search(case.says, seen.log):
        faults.append("the log does not name the fault")
    return faults


def end(process: subprocess.Popen | None) -> None:
    """End a server with all its workers."""
    if process is None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GONE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with suppress(ProcessLookupError):  # workers that outlived their master
        os.killpg(process.pid, signal.SIGKILL)


class Server(Host):
    """A server that listens on a port."""

    process: subprocess.Popen | None = None
    traces = True  # whether it runs the suite's application

    def __init__(self, name, command, speaks, *, ours, directory):
        super().__init__(name, ours=ours, directory=directory)
        self.command = command
        self.speaks = speaks
        self.port = 0

    def start(self) -> None:
        """Start, on another port where the first was taken in the meantime."""
        for _ in range(3):
            self.port = free_port()
            self.prepare(self.port)
            with self.log_file.open("ab") as log:
                self.process = subprocess.Popen(
                    self.command(self),
                    cwd=self.directory,
                    env={**self.environment(), "HTTP_X_POSED": "of the process"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            if self.ready():
                return
            end(self.process)
        raise RuntimeError(f"{self.name} does not start:\n{self.log()[-4000:]}")

    def ready(self) -> bool:
        """Wait until it answers: it, and not another who has taken its port."""
        end = time.monotonic() + STARTED
        request = b"GET /closes?t=ready HTTP/1.0\r\nHost: localhost\r\n\r\n"
        while time.monotonic() < end and self.process.poll() is None:
            with suppress(OSError), Connection(self.port, 5) as connection:
                connection.send(request)
                answered = connection.answer().status == 200
                if answered and (self.events("ready") or not self.traces):
                    return True
            time.sleep(0.02)
        return False

    def stop(self) -> None:
        end(self.process)
        self.process = None

    def exchange(self, case, seen: Seen) -> None:
        if self.process.poll() is not None:
            if self.ours:
                seen.faults.append("the server has died")
                return
            self.start()
        try:
            with Connection(self.port, self.seconds) as connection:
                CLIENTS[case.client](self, connection, case, seen)
        except OSError as error:
            seen.faults.append(f"no connection: {type(error).__name__}")
        if case.client == "leaving":
            return
        if not self.ours and self.process.poll() is not None:
            seen.faults.append("the server has died")


def head_of(case, token: str, *, last: bool = True, path: str = "") -> bytes:
    """Make the head of a request."""
    query = f"?t={token}" + (f"&{case.query}" if case.query and not path else "")
    lines = [f"{case.method} {path or case.path}{query} HTTP/{case.version}"]
    lines += ["Host: localhost"]
    lines += [f"{name}: {value}" for name, value in case.headers]
    if case.client == "chunked":
        lines.append("Transfer-Encoding: chunked")
    elif case.body:
        lines.append(f"Content-Length: {len(case.body)}")
    if last:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def next_request(token: str, path: str = "/hello") -> bytes:
    text = f"GET {path}?t={token}.next HTTP/1.1\r\nHost: localhost\r\n"
    return f"{text}Connection: close\r\n\r\n".encode()


def ask_plain(host, connection, case, seen):
    connection.send(head_of(case, seen.token) + case.body)
    seen.answer = connection.answer(case.method)
    seen.answer.extra = connection.rest()
    if connection.ended == "timeout":
        seen.answer.faults.append("the connection stays open")


def ask_streaming(host, connection, case, seen):
    connection.send(head_of(case, seen.token))
    seen.answer = connection.answer(case.method, host.first_seen(seen))
    seen.answer.extra = connection.rest()


def ask_chunked(host, connection, case, seen):
    """Send the body in two chunks, with an extension and a trailer."""
    half = len(case.body) // 2
    first, second = case.body[:half], case.body[half:]
    body = b"%x;a=b\r\n%b\r\n%x\r\n%b\r\n0\r\nX-Trailer: a\r\n\r\n"
    coded = body % (len(first), first, len(second), second)
    connection.send(head_of(case, seen.token) + coded)
    seen.answer = connection.answer(case.method)
    seen.answer.extra = connection.rest()


def ask_half(host, connection, case, seen):
    connection.send(head_of(case, seen.token) + case.body[: len(case.body) // 2])
    connection.finish()
    seen.answer = connection.answer(case.method)


def ask_leaving(host, connection, case, seen):
    connection.send(head_of(case, seen.token))
    with suppress(Broken):
        while len(connection.buffer) < 100000:
            connection.more()
    connection.reset()


def ask_expecting(host, connection, case, seen):
    connection.send(head_of(case, seen.token))
    with suppress(Broken):
        none_comes = excepted(host.name, case.id)
        patience = min(host.seconds, 3) if none_comes else host.seconds
        connection.end = time.monotonic() + patience
        while b"\r\n\r\n" not in connection.buffer:
            connection.more()
    connection.end = time.monotonic() + host.seconds
    if not connection.buffer.startswith(b"HTTP/1.1 100"):
        seen.faults.append("no 100 Continue")
        return
    connection.send(case.body)
    seen.answer = connection.answer(case.method)
    seen.answer.extra = connection.rest()


def ask_keeping(host, connection, case, seen):
    """Ask again, on the same connection if the server keeps it.

    A server may close even a connection that it has not said it would; then a
    client asks anew (RFC 9112, 9.3.1).
    """
    connection.send(head_of(case, seen.token, last=False) + case.body)
    seen.answer = connection.answer(case.method)
    if seen.answer.persistent and seen.answer.complete:
        connection.send(next_request(seen.token))
        with suppress(Broken):
            connection.buffer or connection.more()
        if connection.ended in ("", "timeout"):
            take_next(connection, seen)
            return
    seen.answer.extra = connection.rest()
    if connection.ended == "timeout":
        seen.answer.faults.append("the connection stays open")
    with Connection(host.port, host.seconds) as again:
        again.send(next_request(seen.token))
        take_next(again, seen)


def ask_kept(host, connection, case, seen):
    ask_keeping(host, connection, case, seen)
    if not seen.answer.persistent or connection.ended == "reset":
        seen.faults.append("the server closes the connection")


def ask_pipelining(host, connection, case, seen):
    first = head_of(case, seen.token, last=False)
    connection.send(first + next_request(seen.token))
    seen.answer = connection.answer(case.method)
    take_next(connection, seen)


def take_next(connection, seen):
    answer = connection.answer()
    if (answer.status, answer.body, answer.complete) != (200, b"hello", True):
        seen.faults.append(f"the next request: {answer.status} {answer.body[:40]!r}")
    elif answer.faults or connection.rest():
        seen.faults.append(f"the next request: {answer.faults}, or bytes after it")


def ask_raw(host, connection, case, seen):
    connection.send(case.body)
    seen.answer = connection.answer()


CLIENTS = {
    name.removeprefix("ask_"): function
    for name, function in list(globals().items())
    if name.startswith("ask_")
}


class Process(Host):
    """CGI: one process for each request (RFC 3875), which loads the kit for it."""

    speaks = frozenset({"cgi", "own", "hooks"})
    watched = False  # the frozen one is, and answers the same in a tenth of the time

    def __init__(self, name, *flags, ours, directory):
        super().__init__(name, ours=ours, directory=directory)
        if not ours:
            self.speaks = frozenset({"cgi", "hooks"})
        self.only = CHECKED if "-O" in flags else None
        script = directory / "conformance.cgi"
        self.command = [sys.executable, *flags, str(script)]
        self.script = script

    def start(self) -> None:
        self.prepare()
        config = repr(str(self.config_file))
        self.script.write_text(SCRIPTS[self.ours].format(config=config))

    def variables(self, case, token: str) -> dict[str, str]:
        """Give the meta-variables of a request (RFC 3875, 4.1)."""
        path = urllib.parse.unquote_to_bytes(case.path)
        query = f"t={token}" + (f"&{case.query}" if case.query else "")
        variables = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_SOFTWARE": "conformance",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": f"HTTP/{case.version}",
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": case.method,
            "SCRIPT_NAME": "/conformance.cgi",
            "PATH_INFO": os.fsdecode(path),
            "QUERY_STRING": query,
            "HTTP_HOST": "localhost",
        }
        for name, value in case.headers:
            key = name.upper().replace("-", "_")
            key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
            variables[key] = os.fsdecode(value.encode("latin-1"))
        if case.client == "chunked":
            variables["HTTP_TRANSFER_ENCODING"] = "chunked"
        elif case.body:
            variables["CONTENT_LENGTH"] = str(len(case.body))
        variables |= {k: v for k, v in case.variables.items() if v is not None}
        return {
            k: v for k, v in variables.items() if case.variables.get(k, v) is not None
        }

    def exchange(self, case, seen: Seen) -> None:
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                self.command,
                cwd=self.directory,
                env={**self.environment(), **self.variables(case, seen.token)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        with process:
            try:
                output = self.talk(process, case, seen)
                status = process.wait(self.seconds)
            except subprocess.TimeoutExpired:
                seen.faults.append("no end within the deadline")
                process.kill()
                return
        seen.output = output
        if case.client != "leaving":
            seen.answer = parse_cgi(output, case.method, status)

    def talk(self, process, case, seen: Seen) -> bytes:
        """Feed the request and drain the response, both at once."""
        body = case.body
        if case.client == "half":
            body = body[: len(body) // 2]
        elif case.client != "chunked":
            body += EXTRA
        watch = self.first_seen(seen)
        output = b""
        end = time.monotonic() + self.seconds
        process.stdin = feed(process.stdin, body)
        fd = process.stdout.fileno()
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise subprocess.TimeoutExpired(process.args, self.seconds)
            block = os.read(fd, 262144)
            output += block
            if not block or (case.client == "leaving" and len(output) > 100000):
                process.stdout.close()
                return output
            if case.client == "streaming":
                watch(output.partition(b"\r\n\r\n")[2])


class Frozen(Process):
    """CGI, by a kit that `handlerkit freeze` has written down."""

    watched = True

    def start(self) -> None:
        super().start()
        self.freeze()

    def stop(self) -> None:
        """See that what was frozen has been used: of one that is not, the log tells."""
        self.freeze("--check")
        assert "handlerkit_frozen.py" not in self.log()

    def freeze(self, *options: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "handlerkit", "freeze", *options],
            cwd=self.directory,
            env=self.environment(),
            check=True,
            timeout=100,
        )


def feed(stream, body: bytes) -> None:
    """Write a request body in the background, for a script may not read it."""

    def write() -> None:
        with suppress(OSError), stream:
            stream.write(body)

    threading.Thread(target=write, daemon=True).start()


def parse_cgi(output: bytes, method: str, exit_status: int) -> Answer:
    """Read a CGI response (RFC 3875, 6) as a front server does."""
    answer = Answer(exit_status=exit_status, framing="exit")
    head, mark, body = output.replace(b"\r\n", b"\n").partition(b"\n\n")
    if not mark:
        answer.faults.append(f"no head: {output[:60]!r}")
        return answer
    body = output[len(output) - len(body) :] if b"\r\n\r\n" not in output else body
    body = output.partition(b"\r\n\r\n")[2] if b"\r\n\r\n" in output else body
    answer.take_fields(head.split(b"\n"))
    status = "".join(answer.values("Status")) or "200"
    answer.reason = status[4:]
    if status[:3].isdigit():
        answer.status = int(status[:3])
    else:
        answer.faults.append(f"Status: {status}")
    length = answer.length()
    if method == "HEAD" or answer.status in (103, 204, 304):
        answer.body, answer.extra = b"", body
    else:
        cut = len(body) if length is None else length
        answer.body, answer.extra = body[:cut], body[cut:]
        answer.complete = length is None or length <= len(body)
    answer.complete = (answer.complete or not answer.body) and not answer.faults
    return answer


MUTANTS = (sys.executable, "-m", "tests.conformance.mutants")
EVERY = frozenset({"http", "parser"})
HOSTED = "tests.conformance.hosted:application"
BARE = "tests.conformance.app:application"


def our_hosts(directory: Path) -> list[Host]:
    """Make the hosts with handlerkit in them; nothing is started yet."""
    hosts: list[Host] = [
        # An answer may tell of its place: these two have equally long names.
        Process("CGI", ours=True, directory=directory / "cgi-loaded"),
        Frozen("CGI frozen", ours=True, directory=directory / "cgi-frozen"),
        Process("CGI -O", "-O", ours=True, directory=directory / "cgi-O"),
        Server(
            "built-in",
            lambda host: [
                *(sys.executable, "-m", "handlerkit", "serve"),
                *("--config", str(host.config_file)),
            ],
            EVERY | {"own", "hooks"},
            ours=True,
            directory=directory / "built-in",
        ),
    ]
    hosts += [
        Server(
            name,
            lambda host, command=command: command(host.port, HOSTED),
            frozenset({"http", "hooks"}),
            ours=True,
            directory=directory / f"hosted {name}",
        )
        for name, command in COMMANDS.items()
    ]
    return hosts


def bare_hosts(directory: Path) -> list[Host]:
    """Make the same servers without handlerkit."""
    hosts: list[Host] = [
        Process("wsgiref CGI", ours=False, directory=directory / "wsgiref"),
        Process("wsgiref CGI -O", "-O", ours=False, directory=directory / "wsgiref-O"),
    ]
    hosts += [
        Server(
            name,
            lambda host, command=command: command(host.port, BARE),
            EVERY | {"hooks"} if name == "simple_server" else EVERY,
            ours=False,
            directory=directory / f"bare {name}",
        )
        for name, command in COMMANDS.items()
    ]
    return hosts


def mutant(case_id: str, directory: Path) -> Host:
    """Make a host whose handler lacks the rule of one case; "none" lacks none."""
    place = directory / f"without {case_id}"
    if case_id in mutants.CARELESS:
        host = Server(
            case_id,
            lambda host: [*MUTANTS, str(host.port)],
            frozenset({"http"}),
            ours=False,
            directory=place,
        )
        host.traces = False
        return host
    if case_id in mutants.HOSTED:
        host = Server(
            case_id,
            lambda host: COMMANDS["waitress"](
                host.port, "tests.conformance.mutants:hosted"
            ),
            frozenset({"http"}),
            ours=False,
            directory=place,
        )
        host.variables_of_process["CONFORMANCE_MUTANT"] = case_id
        return host
    process = Process(case_id, ours=False, directory=place)
    process.command = [*MUTANTS, case_id]
    process.seconds = 15.0
    return process
