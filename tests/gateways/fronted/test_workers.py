"""Several processes of FastCGI or SCGI, under gunicorn's arbiter."""

import contextlib
import grp
import os
import re
import signal
import socket
import stat

import pytest

from tests.gateways.fronted.wire import Front, scgi

BOOTING = re.compile(r"Booting worker with pid: (\d+)")
APP = """
import os

def application(environ, start_response):
    start_response("200 OK", [])
    flags = environ["wsgi.multiprocess"], environ["wsgi.multithread"]
    return [f"{os.getpid()} {flags}".encode()]
"""
CONFIG = """
[app]
target = "app:application"

[handler]
class = "{protocol}Handler"

[server]
workers = 2
threads = 1
"""


@pytest.fixture(params=["FastCGI", "SCGI"])
def ask(request, tmp_path, serving_in, measured):
    """Give what asks a server with two workers, and the server."""
    starter = serving_in(tmp_path)
    starter.environ = measured
    starter.write("app.py", APP)
    serving = starter(CONFIG.format(protocol=request.param), "unix")
    front = Front(serving.bind)

    def asking() -> tuple[int, str]:
        client = front.client()
        answer = client.scgi() if request.param == "SCGI" else client.ask()
        number, _, flags = answer.body.decode().partition(" ")
        return int(number), flags

    yield asking, serving
    front.close()
    serving.kill()


def test_a_worker_that_is_killed_is_replaced(ask):
    asking, serving = ask
    first, flags = asking()
    assert flags == "(True, False)"
    os.kill(first, signal.SIGKILL)

    def replaced():
        return serving.log.count("Booting worker") == 3

    serving.wait_until(replaced)
    assert {asking()[0] for _ in range(20)} - {first}


def is_gone(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_reload_has_new_workers(ask):
    asking, serving = ask
    asking()
    serving.wait_until(lambda: len(BOOTING.findall(serving.log)) == 2)
    old = [int(each) for each in BOOTING.findall(serving.log)]
    serving.signal(signal.SIGHUP)

    serving.wait_until(lambda: all(map(is_gone, old)))
    assert asking()[0] not in old


def test_a_worker_that_has_had_its_requests_is_replaced(tmp_path, serving_in):
    """Its threads run them at the same time, and each of them counts."""
    starter = serving_in(tmp_path)
    starter.write("app.py", APP)
    limits = "threads = 4\n[server.gunicorn]\nmax_requests = 20\n"
    config = CONFIG.format(protocol="SCGI").replace("threads = 1\n", limits)
    serving = starter(config, "unix")
    front = Front(serving.bind)
    try:

        def replaced():
            with contextlib.suppress(OSError):  # it is held up, and the worker ends
                front.client().scgi()
            return serving.log.count("Booting worker") > 2

        serving.wait_until(replaced)
    finally:
        front.close()
        serving.kill()


def test_sigterm_ends_all(ask):
    asking, serving = ask
    asking()

    assert serving.stop() == 0


HOOKS = """
import time
from pathlib import Path

def hold(arbiter, worker):
    Path(f"held-{worker.age}").touch()
    while worker.age == 2:
        time.sleep(0.01)
"""
HELD = (
    CONFIG
    + """
graceful_timeout = 300

[server.gunicorn]
post_fork = "hooks.hold"
"""
)


def test_sigterm_ends_a_worker_that_has_only_been_forked(program):
    """It has the arbiter's handlers then, to whom SIGTERM is for the arbiter."""
    program.write("app.py", APP)
    program.write("hooks.py", HOOKS)
    serving = program(HELD.format(protocol="SCGI"), "unix")
    serving.wait_until((program.directory / "held-2").exists)

    assert serving.stop() == 0


LONG = """
from pathlib import Path
from threading import Event

def application(environ, start_response):
    Path("begun").touch()
    Event().wait(300)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_sigint_ends_workers_at_once(program, number):
    """Well before graceful_timeout, and by no SIGKILL of the arbiter's."""
    program.write("app.py", LONG)
    config = CONFIG.format(protocol="SCGI") + "graceful_timeout = 300\n"
    serving = program(config, "unix")
    front = Front(serving.bind)
    client = front.client()
    client.send(scgi())
    serving.wait_until((program.directory / "begun").exists)
    serving.signal(number)

    assert serving.wait() == 0
    assert client.ended()
    assert "SIGKILL" not in serving.log
    front.close()


def is_stale(path):
    """Say whether nobody listens at a socket that is there."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(path)
        except ConnectionRefusedError:
            return True
    return False


@pytest.mark.parametrize("protocol", ["FastCGI", "SCGI"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_socket_has_its_mode_and_replaces_a_stale_one(program, protocol, workers):
    program.write("app.py", APP)
    config = CONFIG.format(protocol=protocol).replace("= 2", f"= {workers}")
    own = grp.getgrgid(os.getgid())
    group = grp.getgrall()[-1] if os.geteuid() == 0 else own
    config += f'unix_mode = "600"\nunix_owner = ":{group.gr_name}"\n'
    for _ in range(2):
        serving = program(config, "unix")
        path = serving.bind.removeprefix("unix:")
        client = Front(serving.bind).client()
        answer = client.scgi() if protocol == "SCGI" else client.ask()
        found = os.stat(path)  # noqa: PTH116 - as it was given
        serving.kill()
        serving.wait_until(lambda path=path: is_stale(path))  # its workers died, too
        client.close()

        assert answer.status == "200 OK"
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o600, group.gr_gid)
