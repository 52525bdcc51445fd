"""kill -9 of workers behind nginx, and what nginx must be told to hide it.

A short form by default; for the whole one, of a minute, set in the environment
HANDLERKIT_KILLS=20 and HANDLERKIT_GETS=2000.
"""

import os
import threading
from collections import Counter
from itertools import count

import pytest

from tests.gateways.fronted.nginx import KEPT_CONNECTIONS, nginx

KILLS = int(os.environ.get("HANDLERKIT_KILLS", "3"))
GETS = int(os.environ.get("HANDLERKIT_GETS", "400"))
CLIENTS = 4

# /die kills the worker that runs it, but only as often as there are files to take.
APP = """
import os
import signal
import threading
from pathlib import Path

HERE = Path(__file__).parent
PAUSE = threading.Event()


def application(environ, start_response):
    path = environ["PATH_INFO"]
    with (HERE / "tries").open("a") as file:
        file.write(f"{path}\\n")
    if path.startswith("/die") and take(path):
        os.kill(os.getpid(), signal.SIGKILL)
    PAUSE.wait(0.002)  # so that others are under way when it does
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()}".encode()]


def take(path):
    try:
        (HERE / path.removeprefix("/")).unlink()
    except FileNotFoundError:
        return False
    return True
"""
CONFIG = """
[app]
target = "app:application"

[handler]
class = "{}Handler"

[server]
workers = 2
threads = 4
"""
# A worker that dies is no sign that the socket is dead: without max_fails=0, nginx
# would have nowhere to go after one failure at each entry.
ENTRY = "server {} max_fails=0;"


class Workers:
    """Two workers, and the nginx that is run before them."""

    def __init__(self, program, kind):
        self.protocol, _, self.kept = kind.partition(" ")
        self.directory = program.directory
        program.write("app.py", APP)
        self.serving = program(CONFIG.format(self.protocol), "unix")

    @property
    def enough(self):
        """How often the socket is to be listed.

        Each entry is good for one try, and before nginx connects anew, it tries what
        connections it kept to the dead worker.
        """
        return 2 + KEPT_CONNECTIONS * bool(self.kept)

    def nginx(self, times):
        lines = ENTRY.format(self.serving.bind) * times
        retry = f"{self.protocol.lower()}_next_upstream error timeout invalid_header;"
        kept = bool(self.kept)
        return nginx(self.directory, self.protocol, lines, kept=kept, more=retry)

    def deadly(self, number=0):
        """Let the next request for a path be deadly to its worker; give the path."""
        (self.directory / f"die-{number}").touch()
        return f"/die-{number}"

    def tries(self, path):
        return (self.directory / "tries").read_text().splitlines().count(path)

    def wait_until_back(self, killed):
        self.serving.wait_until(
            lambda: self.serving.log.count("Booting worker") == 2 + killed
        )


@pytest.fixture(params=["FastCGI", "FastCGI kept", "SCGI"])
def workers(request, program):
    return Workers(program, request.param)


def test_no_get_fails_where_the_socket_is_listed_again(workers):
    numbers, answers, failures = count(), [], []

    def load(ask):
        while next(numbers) < GETS:
            answer = ask()
            (answers if answer.status == 200 else failures).append(answer)

    with workers.nginx(workers.enough) as server:
        threads = [
            threading.Thread(target=load, args=(server.ask,)) for _ in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for number in range(KILLS):
            due = number * GETS // (KILLS + 1)
            workers.serving.wait_until(lambda due=due: len(answers) >= due or failures)
            answer = server.ask(workers.deadly(number))
            assert (answer.status, answer.tries > 1) == (200, True)
            workers.wait_until_back(number + 1)
        for thread in threads:
            thread.join()
        pids = {server.ask().body for _ in range(20)}

    retried = sum(answer.tries > 1 for answer in answers)
    print(f"{KILLS} kills, {len(answers)} GETs of others, {retried} of them retried")
    assert failures == []
    assert len(answers) == GETS
    assert len({answer.body for answer in answers} | pids) <= 2 + KILLS
    assert [workers.tries(f"/die-{number}") for number in range(KILLS)] == [2] * KILLS


def test_a_get_fails_where_the_socket_is_listed_once(workers):
    with workers.nginx(1) as server:
        answer = server.ask(workers.deadly())
        workers.wait_until_back(1)
        statuses = Counter(server.ask().status for _ in range(20))

    assert (answer.status, answer.tries) == (502, 1)
    assert statuses == {200: 20}


def test_a_post_is_not_sent_twice(workers):
    with workers.nginx(workers.enough) as server:
        path = workers.deadly()
        answer = server.ask(path, "POST")

    assert answer.status == 502
    assert workers.tries(path) == 1
