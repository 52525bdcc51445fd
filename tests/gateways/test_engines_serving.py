"""`handlerkit serve` on the engines: what a client, a signal and a mistake meet."""

import contextlib
import http.client
import os
import signal
import socket
import stat
import sys
import threading

import pytest

APP = """
import os
import time
from pathlib import Path

VERSION = 1
HERE = Path(__file__).parent


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise ValueError("asked to fail")
    if path == "/fail-late":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return late()
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"%d\\n" % number for number in range(1000))
    if path == "/wait":
        (HERE / "entered").touch()
        while not (HERE / "go").exists():
            time.sleep(0.01)
    if path == "/echo":
        body = environ["wsgi.input"].read()
    else:
        lines = [f"{name}={value}" for name, value in environ.items()]
        body = "\\n".join(lines).encode()
        body += b"\\npid=%d\\nversion=%d\\n" % (os.getpid(), VERSION)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


def late():
    yield b"so far so good"
    raise ValueError("asked to fail late")
"""

PLUGIN = """
import os
from pathlib import Path

from handlerkit import hookimpl

HERE = Path(__file__).parent


class Life:
    def start(self):
        if (HERE / "refuse").exists():
            raise RuntimeError("the queue is not there")
        (HERE / f"started-{os.getpid()}").touch(exist_ok=False)

    def close(self):
        (HERE / f"closed-{os.getpid()}").touch(exist_ok=False)

    @hookimpl
    def request_finished(self, outcome):
        with (HERE / "outcomes").open("a") as file:
            file.write(f"{outcome.kind}\\n")
"""

CONFIG = """
[app]
target = "shop:application"
path = ["."]

[handler]
error_status = "503 Service Unavailable"
error_body = "We are sorry."

[server]
{server}

[plugins.request-id]

[plugins.environ]
set = {{ "shop.name" = "Corner" }}

[plugins.life]
use = "./life.py:Life"
"""

GRANIAN = 'engine = "granian"'
GUNICORN = 'engine = "gunicorn"'
ENGINES = {
    "granian": f"{GRANIAN}\nthreads = 2",
    "gunicorn-sync": f"{GUNICORN}\nthreads = 1",
    "gunicorn-gthread": f"{GUNICORN}\nthreads = 2",
}


@pytest.fixture
def shop(serve, measured):
    """Start the shop under one of the engines, whose workers are processes."""
    serve.environ = measured
    serve.write("shop.py", APP)
    serve.write("life.py", PLUGIN)

    def start(server, transport="tcp", **environ):
        return serve(CONFIG.format(server=server), transport, **environ)

    start.serve = serve
    return start


@pytest.fixture
def launch(shop):
    """Start the shop, whatever becomes of it, and give its exit code and its log."""

    def start(server, bind=None, config=CONFIG):
        serve = shop.serve
        serving = serve.launch(config.format(server=server), bind or serve.bind("tcp"))
        return serving.wait(), serving.log

    return start


@pytest.fixture(params=["tcp", "unix"])
def transport(request):
    return request.param


@pytest.fixture(params=sorted(ENGINES))
def server(request):
    return ENGINES[request.param]


@pytest.fixture(params=[GRANIAN, GUNICORN], ids=["granian", "gunicorn"])
def engine(request):
    return request.param


def fields(answer):
    return dict(line.split("=", 1) for line in answer.body.decode().splitlines())


def answered(serving, wanted):
    """Ask until an answer is as wanted; give its fields.

    The worker before may answer still, or be gone with a request in its hand.
    """

    def ask():
        try:
            found = fields(serving.request())
        except (OSError, http.client.HTTPException):
            return None
        return found if wanted(found) else None

    return serving.wait_until(ask)


def files(directory, pattern):
    return sorted(path.name.partition("-")[2] for path in directory.glob(pattern))


def test_an_engine_serves_with_plugins_active(shop, server, transport, tmp_path):
    serving = shop(server, transport)

    answer = serving.request("/a%20b?c=d")
    post = serving.request("/echo", b"x" * 1_000_000)
    chunked = serving.request("/echo", iter([b"ab", b"cd"]), chunked=True)
    stream = serving.request("/stream")
    error = serving.request("/fail")

    found = fields(answer)
    assert (answer.status, found["PATH_INFO"], found["QUERY_STRING"]) == (
        (200, "/a b", "c=d")
    )
    assert found["shop.name"] == "Corner"
    assert found["handlerkit.request_id"] == answer.headers["x-request-id"]
    assert post.body == b"x" * 1_000_000
    assert chunked.body == b"abcd"
    assert stream.body == b"".join(b"%d\n" % number for number in range(1000))
    assert (error.status, error.body) == (503, b"We are sorry.")
    assert "x-request-id" in error.headers
    assert "ValueError: asked to fail" in serving.log
    assert serving.stop() == 0
    # Of two exchanges, the second may end before the first has been told of.
    outcomes = (tmp_path / "outcomes").read_text().split()
    assert sorted(outcomes) == ["error"] + ["ok"] * 4


def test_what_runs_where_is_said_at_the_start(shop, server):
    serving = shop(server)
    serving.wait_until(lambda: "request-id" in serving.log)

    assert serving.bind in serving.log
    assert "HostedHandler" in serving.log
    assert "shop:application" in serving.log


def test_a_request_that_runs_at_sigterm_is_answered(shop, server, transport, tmp_path):
    serving = shop(server, transport)
    answers = []
    client = threading.Thread(target=lambda: answers.append(serving.request("/wait")))
    client.start()
    serving.wait_until((tmp_path / "entered").exists)

    serving.signal(signal.SIGTERM)
    serving.wait_until(lambda: "hutting down" in serving.log or "term" in serving.log)
    still_running = serving.process.poll() is None
    (tmp_path / "go").touch()
    client.join()

    assert still_running
    assert [answer.status for answer in answers] == [200]
    assert "version=1" in answers[0].body.decode()
    assert serving.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_workers_of_granian_that_are_still_loading(
    shop, number, tmp_path
):
    """A terminal sends it to the whole process group."""
    slow = """
if (HERE / "checked").exists():
    (HERE / "loading").touch()
    while True:
        time.sleep(0.01)
(HERE / "checked").touch()
"""
    serve = shop.serve
    serve.write("shop.py", f"{APP}{slow}")
    patient = f"{GRANIAN}\ngraceful_timeout = 600"
    serving = serve.launch(CONFIG.format(server=patient), serve.bind("tcp"))
    serving.wait_until((tmp_path / "loading").exists)

    os.killpg(serving.process.pid, number)

    # Well before graceful_timeout, at which a worker that has not heard is killed.
    assert serving.wait() == 0
    assert "Traceback" not in serving.log


def test_plugins_start_and_close_once_in_each_worker(shop, engine, tmp_path):
    serving = shop(f"{engine}\nworkers = 2")
    serving.wait_until(lambda: len(files(tmp_path, "started-*")) == 2)
    serving.request("/")

    assert serving.stop() == 0
    started = files(tmp_path, "started-*")
    assert str(serving.process.pid) not in started
    assert files(tmp_path, "closed-*") == started


def test_a_hangup_loads_configuration_and_code_anew(shop, engine):
    serving = shop(engine)
    assert fields(serving.request())["version"] == "1"
    shop.serve.write("shop.py", APP.replace("VERSION = 1", "VERSION = 2"))
    shop.serve.write(
        "handlerkit.toml", CONFIG.format(server=engine).replace("Corner", "Market")
    )

    serving.signal(signal.SIGHUP)

    found = answered(serving, lambda found: found["version"] == "2")
    assert found["shop.name"] == "Market"


def test_a_hangup_with_a_mistake_is_refused_and_the_workers_stay(shop, engine):
    serving = shop(engine)
    before = fields(serving.request())["pid"]
    shop.serve.write("shop.py", "import no_such_module")

    serving.signal(signal.SIGHUP)
    serving.wait_until(lambda: "no_such_module" in serving.log)

    assert "not reloaded" in serving.log
    assert fields(serving.request())["pid"] == before
    assert serving.stop() == 0


def test_a_hangup_says_what_of_the_server_waits_for_a_restart(shop, engine):
    serving = shop(f"{engine}\nworkers = 1")
    assert fields(serving.request())["shop.name"] == "Corner"
    config = CONFIG.format(server=f"{engine}\nworkers = 2").replace("Corner", "Market")
    shop.serve.write("handlerkit.toml", config)

    serving.signal(signal.SIGHUP)
    answered(serving, lambda found: found["shop.name"] == "Market")

    said = (
        "warning[HK523]: server.workers has changed from 1 to 2: that takes a restart"
    )
    assert said in serving.log
    assert fields(serving.request())["wsgi.multiprocess"] == "False"


def test_a_hangup_with_another_engine_is_refused(shop, engine):
    serving = shop(engine)
    assert serving.request().status == 200
    shop.serve.write("handlerkit.toml", CONFIG.format(server='engine = "builtin"'))

    serving.signal(signal.SIGHUP)
    serving.wait_until(lambda: "not reloaded" in serving.log)

    assert "server.engine has changed from" in serving.log
    assert serving.request().status == 200


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_gunicorn_hands_over_to_its_successor(shop, transport):
    """USR2 starts a second arbiter on the same sockets, TERM ends the first."""
    serving = shop(GUNICORN, transport)
    first = fields(serving.request())["pid"]

    serving.signal(signal.SIGUSR2)
    serving.wait_until(lambda: serving.log.count("Booting worker") == 2)
    code = serving.stop()

    assert code == 0
    assert fields(serving.request())["pid"] != first


def test_a_worker_that_dies_is_replaced(shop, engine):
    serving = shop(engine)
    before = fields(serving.request())["pid"]

    os.kill(int(before), signal.SIGKILL)

    answered(serving, lambda found: found["pid"] != before)


def test_an_error_after_the_head_does_not_end_the_engine(shop, server):
    serving = shop(server)

    # Where the engine can, it breaks the connection off.
    with contextlib.suppress(OSError, http.client.HTTPException):
        serving.request("/fail-late")

    assert serving.request("/").status == 200


@pytest.mark.parametrize(
    ("server", "mode"),
    [(GRANIAN, "660"), (GUNICORN, "660"), (GRANIAN, "600"), (GUNICORN, "600")],
)
def test_a_unix_socket_has_the_permissions_of_the_configuration(
    shop, server, mode, tmp_path
):
    shop(f'{server}\nunix_mode = "{mode}"', "unix")

    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == int(mode, 8)


def test_the_unix_socket_of_a_server_that_died_is_replaced(shop, engine, tmp_path):
    with socket.socket(socket.AF_UNIX) as died:
        died.bind(str(tmp_path / "s"))

    serving = shop(engine, "unix")

    # The stale one refuses; so whoever answers is the new one.
    assert serving.request("/").status == 200
    serving.stop()
    assert not (tmp_path / "s").exists()


def test_an_address_in_use_is_one_line_and_exit_code_1(launch, engine):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"

        code, log = launch(engine, bind)

    assert code == 1
    assert f"cannot listen at {bind}" in log
    assert "shop:application" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (
            f'{GRANIAN}\n[server.granian]\nbackpresure = 1\nlog_level = "loud"',
            ['did you mean "backpressure"?', "is not one of"],
        ),
        (
            f"{GUNICORN}\n[server.gunicorn]\nworkers = 2\nmax_requests = -1",
            ["workers in [server]", "must be positive"],
        ),
    ],
)
def test_mistakes_in_the_options_of_an_engine_stop_the_start(launch, server, expected):
    code, log = launch(server)

    assert code == 2
    assert all(each in log for each in expected), log
    assert "Traceback" not in log


def test_a_mistake_in_the_options_is_reported_beside_one_in_a_plugin(launch):
    config = CONFIG.replace("./life.py:Life", "./life.py:Deaf")

    code, log = launch(f"{GRANIAN}\n[server.granian]\nbackpresure = 1", config=config)

    assert code == 2
    assert "backpresure" in log
    assert "Deaf" in log


def test_an_application_that_does_not_import_stops_the_start(launch, shop, engine):
    shop.serve.write("shop.py", "import no_such_module")

    code, log = launch(engine)

    assert code == 2
    assert "no_such_module" in log
    assert "istening at" not in log


def test_a_plugin_that_does_not_start_ends_the_engine(launch, engine, tmp_path):
    (tmp_path / "refuse").touch()

    code, log = launch(f"{engine}\nworkers = 2")

    assert code == 1
    assert "the queue is not there" in log


def test_options_reach_granian(shop):
    serving = shop(f"{GRANIAN}\n[server.granian]\naccess_log = true")

    serving.request("/seen")

    serving.wait_until(lambda: "GET /seen" in serving.log)


def test_options_reach_gunicorn(shop):
    serving = shop(
        f'{GUNICORN}\n[server.gunicorn]\naccesslog = "-"\npreload_app = true'
    )

    serving.request("/seen")

    serving.wait_until(lambda: "GET /seen" in serving.log)


def test_a_table_of_options_reaches_granian(shop):
    config = """
[server.granian.log_config.loggers._granian]
level = "CRITICAL"
"""
    serving = shop(f"{GRANIAN}\n{config}")

    assert serving.request().status == 200
    assert "Started worker" not in serving.log


def test_a_table_of_options_reaches_gunicorn(shop):
    config = """
[server.gunicorn]
forwarded_allow_ips = "127.0.0.1"
secure_scheme_headers = { X-FORWARDED-SSL = "on" }
"""
    serving = shop(f"{GUNICORN}\n{config}")

    plain = serving.request()
    secure = serving.request(headers={"X-Forwarded-Ssl": "on"})

    assert fields(plain)["wsgi.url_scheme"] == "http"
    assert fields(secure)["wsgi.url_scheme"] == "https"


def test_preloading_starts_plugins_in_the_worker_all_the_same(shop, tmp_path):
    serving = shop(f"{GUNICORN}\n[server.gunicorn]\npreload_app = true")

    pid = fields(serving.request())["pid"]
    serving.stop()

    assert files(tmp_path, "started-*") == files(tmp_path, "closed-*") == [pid]


@pytest.mark.parametrize(("workers", "expected"), [(1, "False"), (2, "True")])
def test_multiprocess_is_told_as_it_is(shop, engine, workers, expected):
    serving = shop(f"{engine}\nworkers = {workers}")

    assert fields(serving.request())["wsgi.multiprocess"] == expected


HAND_OVER = """
import os, socket, sys

path, bind, config = sys.argv[1:]
sock = socket.socket(socket.AF_UNIX)
sock.bind(path)
sock.listen()
os.dup2(sock.fileno(), 3)
os.set_inheritable(3, True)
if bind == "systemd":
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
arguments = ["serve", "--config", config, "--bind", bind]
os.execv(sys.executable, [sys.executable, "-m", "handlerkit", *arguments])
"""


@pytest.mark.parametrize("bind", ["fd:3", "systemd"])
def test_gunicorn_serves_a_socket_that_it_was_given(shop, bind, tmp_path):
    path = tmp_path / "given"
    shop.serve.write("shop.py", APP)
    config = shop.serve.write("given.toml", CONFIG.format(server=GUNICORN))
    serving = shop.serve.run(
        [sys.executable, "-c", HAND_OVER, str(path), bind, str(config)],
        f"unix:{path}",
    )
    serving.wait_until_ready()

    assert fields(serving.request())["version"] == "1"
    assert serving.stop() == 0


def test_a_kit_from_a_mapping_is_served_too(shop, engine, tmp_path):
    serve = shop.serve
    bind = serve.bind("tcp")
    name = engine.split('"')[1]
    script = serve.write(
        "run.py",
        f"""
import handlerkit
if __name__ == "__main__":
    handlerkit.serve({{
        "app": {{"target": "shop:application", "path": [{str(tmp_path)!r}]}},
        "server": {{"engine": {name!r}, "bind": {bind!r}}},
    }})
""",
    )
    serving = serve.run([sys.executable, str(script)], bind)
    serving.wait_until_ready()

    assert fields(serving.request())["version"] == "1"
    assert serving.stop() == 0


SPAWNED = """
import multiprocessing
import sys

import handlerkit


def main(config, bind, given):
    multiprocessing.set_start_method("spawn")
    app = (lambda *_: []) if given == "app" else None
    try:
        sys.exit(handlerkit.serve(config, app, bind=bind))
    except handlerkit.HandlerkitError as exc:
        sys.exit(str(exc))


if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@pytest.fixture
def spawned(shop):
    """Serve on granian where processes are spawned, as on macOS and Windows."""

    def start(given):
        serve = shop.serve
        bind = serve.bind("tcp")
        config = serve.write("handlerkit.toml", CONFIG.format(server=GRANIAN))
        script = serve.write("run.py", SPAWNED)
        return serve.run([sys.executable, str(script), str(config), bind, given], bind)

    return start


def test_granian_serves_where_processes_are_spawned(spawned):
    serving = spawned("target")
    serving.wait_until_ready()

    assert fields(serving.request())["shop.name"] == "Corner"
    assert serving.stop() == 0


def test_granian_says_so_where_a_spawned_worker_cannot_have_the_application(spawned):
    serving = spawned("app")

    assert serving.wait() == 1
    assert "set target in [app]" in serving.log
    assert "Traceback" not in serving.log
