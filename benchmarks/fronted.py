"""FastCGI and SCGI behind nginx, one process, against uWSGI and flup6, by wrk.

Of each load three things are told: requests per second, the processor time of the
server's process for each of them, which other loads of the machine disturb less, and
within what time 99 of 100 were answered.
"""

from __future__ import annotations

import os
import socket
import statistics
import sys
import tempfile
from contextlib import ExitStack
from time import monotonic, perf_counter, sleep
from typing import TYPE_CHECKING

from benchmarks.built_in import memory
from benchmarks.figures import Figure, paired
from benchmarks.files import MEBIBYTES, discard
from benchmarks.fronts import (
    FILE,
    LOOP,
    THREADS,
    Backend,
    flup,
    free_port,
    fronted,
    ours,
    processor_time,
    running,
    uwsgi,
    wait_for_path,
)
from benchmarks.hosted import need_wrk, wait_for
from handlerkit.protocols.fastcgi_params import write_pairs
from handlerkit.protocols.fastcgi_records import (
    BEGIN_BODY,
    BEGIN_REQUEST,
    KEEP_CONN,
    PARAMS,
    RESPONDER,
    STDIN,
    header,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTIONS = 200  # of which memory is measured
ENVIRON = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
}
UPLOAD = """\
wrk.method = "POST"
wrk.body = string.rep("x", 1048576)
"""


def compare(
    own: Backend,
    peers: dict[str, tuple[Backend, str, str]],
    what: str,
    path: str,
    *options: str,
    rounds: int = 5,
) -> list[Figure]:
    """Load each in turn; give rates, then processor times, then the slowest."""
    backends = [own, *(peer for peer, *_ in peers.values())]
    for backend in backends:
        backend.cost, backend.latency = [], []
    rates = [[each.load(path, *options) for each in backends] for _ in range(rounds)]
    found = []
    for number, (name, (_, must, goal)) in enumerate(peers.items(), 1):
        pairs = [(each[0], each[number]) for each in rates]
        found.append(_figure(f"{what}, against {name}", "req/s", pairs, must, goal))
    for name, (peer, *_) in peers.items():
        costs = list(zip(own.cost, peer.cost, strict=True))
        times = list(zip(own.latency, peer.latency, strict=True))
        found += [
            _figure(f"the same, its processor time, against {name}", "µs", costs),
            _figure(f"the same, 99 of 100 within, against {name}", "ms", times),
        ]
    return found


def _figure(
    what: str,
    unit: str,
    pairs: list[tuple[float, float]],
    must: str = "-",
    goal: str = "-",
) -> Figure:
    mine, others = zip(*pairs, strict=True)
    ratios = tuple(a / b for a, b in pairs)
    medians = statistics.median(mine), statistics.median(others)
    return Figure(what, unit, *medians, ratios, must, goal)


def figures(rounds: int = 5) -> list[Figure]:
    """Measure a short answer: FastCGI without and with kept connections, and SCGI."""
    need_wrk()
    found = []
    for protocol, keep, title, must, goal in (
        ("fastcgi", False, "FastCGI", "≥ 0.85", "≥ 1.0"),
        ("fastcgi", True, "FastCGI, fastcgi_keep_conn", "≥ 0.85", "≥ 1.0"),
        ("scgi", False, "SCGI", "≥ 0.75", "≥ 0.9"),
    ):
        own = ours(protocol, keep=keep)
        threads = f"uWSGI, {THREADS} threads"
        peers = {
            threads: (uwsgi(protocol, THREADS, keep=keep), must, goal),
            "uWSGI, no threads": (uwsgi(protocol, 1, keep=keep), "-", "-"),
        }
        if protocol == "fastcgi":
            peers["flup6"] = (flup(keep=keep), "-", "≥ 7")
        with fronted(own, *(peer for peer, *_ in peers.values())):
            found += compare(own, peers, f"{title}, hello", "/", rounds=rounds)
    return found


def size_figures(rounds: int = 3) -> list[Figure]:
    """Measure 10 KiB and 1 MiB out, and 1 MiB in."""
    need_wrk()
    found = []
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(UPLOAD)
        script.flush()
        for protocol, title in (("fastcgi", "FastCGI"), ("scgi", "SCGI")):
            own, peer = ours(protocol), uwsgi(protocol, THREADS)
            peers = {f"uWSGI, {THREADS} threads": (peer, "-", "-")}
            with fronted(own, peer):
                for path, what, options in (
                    ("/10k", "10 KiB out", ()),
                    ("/1m", "1 MiB out", ()),
                    ("/upload", "1 MiB in", ("-s", script.name)),
                ):
                    found += compare(
                        own, peers, f"{title}, {what}", path, *options, rounds=rounds
                    )
    return found


def memory_figures(rounds: int = 3) -> list[Figure]:
    """Measure what a connection costs; uWSGI keeps none, so against flup6."""
    found = []
    for what, request in (
        ("an idle connection", _request("/", flags=KEEP_CONN)),
        ("a connection with half of 128 KiB in", _request("/upload", length=1 << 17)),
    ):
        mine, peer, ratios = paired(
            lambda request=request: _memory_each(ours("fastcgi"), request),  # type: ignore[misc]
            lambda request=request: _memory_each(flup(), request),  # type: ignore[misc]
            rounds,
        )
        title = f"memory of {what} of FastCGI, against flup6"
        found.append(Figure(title, "KiB", mine, peer, ratios, "-", "-"))
    return found


def _request(path: str, *, length: int = 0, flags: int = 0) -> bytes:
    """Give a FastCGI request, with half of its body."""
    environ = ENVIRON | {"PATH_INFO": path, "CONTENT_LENGTH": str(length or "")}
    pairs = write_pairs((a.encode(), b.encode()) for a, b in environ.items())
    parts = [header(BEGIN_REQUEST, 1, 8), BEGIN_BODY.pack(RESPONDER, flags)]
    parts += [header(PARAMS, 1, len(pairs)), pairs, header(PARAMS, 1, 0)]
    record = header(STDIN, 1, length // 4) + bytes(length // 4)
    parts += [record, record] if length else [record]
    return b"".join(parts)


def _memory_each(backend: Backend, request: bytes) -> float:
    """Give the KiB that one of many connections costs."""
    with ExitStack() as stack:
        run = stack.enter_context(tempfile.TemporaryDirectory())
        path = f"{run}/socket"
        command = [each.replace("{path}", path) for each in backend.command]
        process = stack.enter_context(running(command))
        wait_for_path(path, process)
        before = _settled(process.pid)
        for _ in range(CONNECTIONS):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(10)
            client.connect(path)
            client.sendall(request)
            if len(request) < 1 << 16:
                client.recv(1 << 16)  # it is answered
        return (_settled(process.pid) - before) * 1024 / CONNECTIONS


def _settled(pid: int) -> float:
    """Give the memory of a process once it does nothing more."""
    now = processor_time(pid)
    deadline = monotonic() + 20
    while monotonic() < deadline:
        before = now
        sleep(0.5)
        now = processor_time(pid)
        if now == before:
            break
    return memory(pid)


def file_figures(rounds: int = 7) -> list[Figure]:
    """Measure a file of 256 MiB: behind nginx against uWSGI, and at the socket."""
    found = []
    with tempfile.NamedTemporaryFile() as file:
        file.writelines(os.urandom(1 << 20) for _ in range(MEBIBYTES))
        file.flush()
        os.environ[FILE] = file.name
        for protocol, title in (("fastcgi", "FastCGI"), ("scgi", "SCGI")):
            own, peer = ours(protocol), uwsgi(protocol, THREADS)
            what = f"{title}, a file of {MEBIBYTES} MiB behind nginx, against uWSGI"
            with fronted(own, peer):
                found.append(_rate(what, _getting(own), _getting(peer), rounds))
            what = f"{title}, the same at the socket, against os.sendfile in a loop"
            ports = free_port(), free_port()
            mine = ours(protocol, bind=f"127.0.0.1:{ports[0]}").command
            loop = [sys.executable, "-c", LOOP, str(ports[1])]
            with running(list(mine)) as one, running(loop) as other:
                wait_for(ports[0], one)
                wait_for(ports[1], other)
                make = _scgi_request if protocol == "scgi" else _request
                times = [_taking(port, make("/file")) for port in ports]
                found.append(_rate(what, *times, rounds, "≥ 0.9", "≥ 0.95"))
    return found


def _rate(
    what: str,
    own: Callable[[], float],
    peer: Callable[[], float],
    rounds: int,
    must: str = "-",
    goal: str = "-",
) -> Figure:
    mine, other, ratios = paired(own, peer, rounds)
    return Figure(what, "MiB/s", mine, other, ratios, must, goal)


def _getting(backend: Backend) -> Callable[[], float]:
    """Give what gets the file through nginx, and says how many MiB/s came."""
    request = b"GET /file HTTP/1.0\r\nHost: localhost\r\n\r\n"
    return _taking(backend.port, request)


def _taking(port: int, request: bytes) -> Callable[[], float]:
    def run() -> float:
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(request)
        start = perf_counter()
        discard(client)
        return MEBIBYTES / (perf_counter() - start)

    return run


def _scgi_request(path: str) -> bytes:
    environ = {"CONTENT_LENGTH": "0", "SCGI": "1", **ENVIRON, "PATH_INFO": path}
    head = "".join(f"{name}\0{value}\0" for name, value in environ.items())
    return f"{len(head)}:{head},".encode()


if __name__ == "__main__":
    for measure in (figures, size_figures, memory_figures, file_figures):
        for figure in measure():
            print(figure.row(), flush=True)
