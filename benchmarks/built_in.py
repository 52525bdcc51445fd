"""The built-in HTTP server against waitress, gunicorn and cheroot, by wrk."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, paired
from benchmarks.hosted import granian, need_wrk, wait_for, wrk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
THREADS = 4

APPLICATION = "benchmarks.in_process:application"
WAITRESS = f"""
import waitress
from benchmarks.in_process import application
waitress.serve(application, listen="127.0.0.1:{{port}}", threads={THREADS})
"""
CHEROOT = f"""
from cheroot.wsgi import Server
from benchmarks.in_process import application
Server(("127.0.0.1", {{port}}), application, numthreads={THREADS}).start()
"""
WSGIREF = """
from wsgiref.simple_server import WSGIRequestHandler, make_server
from benchmarks.in_process import application
WSGIRequestHandler.log_message = lambda *_: None
make_server("127.0.0.1", {port}, application).serve_forever()
"""
OURS = f"""
import handlerkit
from benchmarks.in_process import application
config = {{{{"server": {{{{"bind": "127.0.0.1:{{port}}", "threads": {THREADS}}}}}}}}}
handlerkit.serve(config, application)
"""
GUNICORN = ("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--log-level", "error")
GUNICORN += ("--threads", str(THREADS), "--keep-alive", "75", APPLICATION)

PEERS = {
    "waitress": ("-c", WAITRESS),
    "gunicorn (gthread)": GUNICORN,
    "cheroot": ("-c", CHEROOT),
}


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[str, int]]:
    """Run a server; give its address and its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, *(each.format(port=port) for each in arguments)]
    with subprocess.Popen(
        command,
        cwd=HERE.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}/", process.pid
        finally:
            process.terminate()


def figures(rounds: int = 5) -> list[Figure]:
    """Measure the same application on each, with as many threads."""
    need_wrk()
    found = []
    with serving("-c", OURS) as (own, _):
        for name, arguments in PEERS.items():
            with serving(*arguments) as (other, _):
                ours, peer, ratios = paired(
                    lambda: wrk(own),
                    lambda url=other: wrk(url),  # type: ignore[misc]
                    rounds,
                )
            what = f"built-in HTTP, {THREADS} threads, against {name}"
            found.append(Figure(what, "req/s", ours, peer, ratios, "-", "-"))
    return found


def memory(pid: int) -> float:
    """Give the proportional memory of a process and its children, in MiB."""
    total = 0.0
    for each in (pid, *children(pid)):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) / 1024
    return total


def children(pid: int) -> list[int]:
    """Give the processes that a process has started, and those of theirs."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for each in (task / "children").read_text().split():
            found += [int(each), *children(int(each))]
    return found


def memory_figures(rounds: int = 3) -> list[Figure]:
    """Measure all processes of a server after some load, against wsgiref's."""
    if not Path("/proc/self/smaps_rollup").exists():
        raise SystemExit("benchmarks: memory is read in /proc, which is Linux's")
    need_wrk()
    found = []
    servers = _servers()
    wsgiref = servers.pop("wsgiref.simple_server")
    for name, started in servers.items():

        def loaded(started: Callable[[], object] = started) -> float:
            with ExitStack() as stack:
                url, pid = stack.enter_context(started())  # type: ignore[arg-type]
                if url:
                    wrk(url, seconds=1)
                return memory(pid)

        ours, peer, ratios = paired(
            loaded,
            lambda started=wsgiref: loaded(started),
            rounds,  # type: ignore[misc]
        )
        what = f"memory of {name}, all its processes, against wsgiref.simple_server"
        found.append(Figure(what, "MiB", ours, peer, ratios, "-", "-"))
    return found


def _servers() -> dict[str, Callable[[], object]]:
    own, bare = "handlerkit.hosted:application", APPLICATION
    commands = {
        "wsgiref.simple_server": ("-c", WSGIREF),
        "the built-in server": ("-c", OURS),
        **PEERS,
    }
    return {
        **{name: lambda a=each: serving(*a) for name, each in commands.items()},  # type: ignore[misc]
        "granian with the bare application": lambda: _granian(bare),
        "granian with handlerkit and three plugins": lambda: _granian(own),
    }


@contextmanager
def _granian(target: str) -> Iterator[tuple[str, int]]:
    with granian(target, "--blocking-threads", "1") as url:
        found = [each for each in children(os.getpid()) if _runs_granian(each)]
        yield url, found[0]


def _runs_granian(pid: int) -> bool:
    return b"granian" in Path(f"/proc/{pid}/cmdline").read_bytes()


if __name__ == "__main__":
    for figure in [*figures(), *memory_figures()]:
        print(figure.row())
