"""handlerkit hosted on granian against the bare application there, by wrk."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, paired

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
SECONDS = 3


@contextmanager
def granian(target: str, *options: str) -> Iterator[str]:
    """Run granian with one worker; give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "wsgi"]
    command += [
        "--port",
        str(port),
        "--workers",
        "1",
        "--no-access-log",
        *options,
        target,
    ]
    # As of a systemd service: some 30 keys of environ in all, with the request's.
    service = ("HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "USER")
    environ = {name: os.environ[name] for name in service if name in os.environ}
    environ["HANDLERKIT_CONFIG"] = str(HERE / "hosted.toml")
    with subprocess.Popen(
        command,
        cwd=HERE.parent,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    deadline = monotonic() + 20
    while monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            continue
    raise RuntimeError("the server did not start")


def need_wrk() -> None:
    """Say what is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit("this benchmark needs wrk (Debian: apt-get install wrk)")


def wrk(url: str, seconds: int = SECONDS) -> float:
    """Give requests per second, 16 connections."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if found is None:
        raise RuntimeError(said)
    return float(found[1])


def figures(rounds: int = 5) -> list[Figure]:
    """Measure three plugins hosted against none of us."""
    need_wrk()
    found = []
    for threads, options, must, goal in (
        ("one thread", ("--blocking-threads", "1"), "≥ 0.75", "≥ 0.85"),
        ("granian's default of threads", (), "-", "-"),
    ):
        with (
            granian("handlerkit.hosted:application", *options) as ours,
            granian("benchmarks.in_process:application", *options) as bare,
        ):
            a, b, ratios = paired(lambda: wrk(ours), lambda: wrk(bare), rounds)
        what = (
            f"hosted on granian, three plugins, {threads}, against the bare app there"
        )
        found.append(Figure(what, "req/s", a, b, ratios, must, goal))
    return found


if __name__ == "__main__":
    for figure in figures():
        print(figure.row())
