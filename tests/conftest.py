"""`handlerkit serve` as a real process, for whoever needs one."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.fronts import free_port

# How long anything takes says nothing about it: the machine may be busy.
settings.register_profile(
    "busy", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")

ROOT = Path(__file__).parent.parent
DEADLINE = 60.0  # seconds until a process must have done what a test waits for


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three for two processors: half of the time of a test is of those it waits for."""
    return (os.cpu_count() or 1) * 3 // 2


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def __repr__(self) -> str:
        return f"Answer({self.status}, {self.headers}, {self.body[:2000]!r})"


class Connection(http.client.HTTPConnection):
    """An HTTP connection to ``host:port`` or ``unix:/path``."""

    def __init__(self, bind: str, timeout: float = DEADLINE) -> None:
        self.bind = bind
        host, _, port = bind.rpartition(":")
        unix = bind.startswith("unix:")
        super().__init__(
            "localhost" if unix else host, None if unix else int(port), timeout=timeout
        )

    def connect(self) -> None:
        if not self.bind.startswith("unix:"):
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.bind.removeprefix("unix:"))


class Serving:
    """A process that serves; ``log`` is all that it has said."""

    def __init__(
        self, command: list[str], bind: str, directory: Path, **environ: str
    ) -> None:
        self.bind = bind
        self.measures = any("COVERAGE" in name for name in environ)
        self._log = directory / f"log-{len(list(directory.glob('log-*')))}"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "PYTHONDONTWRITEBYTECODE": "1",  # a file may change twice a second
                    **environ,
                },
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until(self, true: Callable[[], Any]) -> Any:
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            value = true()
            if value:
                return value
            time.sleep(0.02)
        pytest.fail(f"it did not happen within {DEADLINE} s:\n{self.log}")

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            if self.process.poll() is not None:
                pytest.fail(f"ended with {self.process.returncode}:\n{self.log}")
            connection = Connection(self.bind)
            try:
                connection.connect()
            except OSError:
                return False
            finally:
                connection.close()
            return True

        self.wait_until(ready)

    def request(
        self,
        path: str = "/",
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        method: str | None = None,
        chunked: bool = False,
    ) -> Answer:
        connection = Connection(self.bind)
        try:
            connection.request(
                method or ("GET" if body is None else "POST"),
                path,
                body,
                headers or {},
                encode_chunked=chunked,
            )
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(DEADLINE)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End whatever is left of it, workers included.

        One that measures coverage writes at its end what it has found.
        """
        if self.measures and self.process.poll() is None:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(DEADLINE)


class Serve:
    """Starts `handlerkit serve` in a directory of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ: dict[str, str] = {}
        self.started: list[Serving] = []

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def bind(self, transport: str) -> str:
        """Give a unix socket of the test's own, or a port that is free now."""
        if transport == "unix":
            return f"unix:{self.directory / 's'}"
        return f"127.0.0.1:{free_port()}"

    def launch(self, config: str, bind: str, **environ: str) -> Serving:
        """Start it, whatever becomes of it."""
        path = self.write("handlerkit.toml", config)
        command = [sys.executable, "-m", "handlerkit", "serve", "--config", str(path)]
        return self.run([*command, "--bind", bind], bind, **environ)

    def run(self, command: list[str], bind: str, **environ: str) -> Serving:
        serving = Serving(command, bind, self.directory, **self.environ, **environ)
        self.started.append(serving)
        return serving

    def __call__(self, config: str, transport: str = "tcp", **environ: str) -> Serving:
        """Start it, and wait until it can be connected to."""
        serving = self.launch(config, self.bind(transport), **environ)
        serving.wait_until_ready()
        return serving


def pytest_configure() -> None:
    """Let Ctrl-C reach child processes: a job in the background ignores it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def measured() -> Iterator[dict[str, str]]:
    """Give the variables that have a child process measure coverage.

    They are given to those whose code does not run in process: any other would take
    nearly twice the time to start, for nothing.
    """
    names = [name for name in os.environ if "COVERAGE" in name]
    found = {name: os.environ.pop(name) for name in names}
    yield found
    os.environ.update(found)


@pytest.fixture(scope="session")
def serving_in() -> type[Serve]:
    """For those whose server outlives a test: they end it themselves."""
    return Serve


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`handlerkit serve`, ended with the test."""
    starter = Serve(tmp_path)
    yield starter
    for serving in starter.started:
        serving.kill()
