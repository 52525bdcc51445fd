"""SIGHUP to `handlerkit serve` on the built-in server, with exchanges around it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import handlerkit
from tests.conftest import Connection
from tests.gateways.fronted.wire import STDIN, Front, head, record

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGHUP"), reason="this platform has no SIGHUP"
)

APP = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield environ["shop.colour"].encode()
    yield environ["wsgi.input"].read()
"""
PLUGIN = r"""
import pydantic
from handlerkit import hookimpl

class Settings(pydantic.BaseModel):
    colour: str

class Paint:
    Settings = Settings

    def __init__(self, settings):
        self.colour = settings.colour

    def start(self):
        if self.colour == "none":
            raise OSError("out of paint")

    def close(self):
        print(f"closed {self.colour}\n", end="", flush=True)

    @hookimpl
    def setup_environ(self, environ):
        environ["shop.colour"] = self.colour

    @hookimpl
    def request_finished(self, handler):
        print(f"finished {handler.kit_generation} {self.colour}\n", end="", flush=True)
"""
# Of a body that waits to be asked for, the exchange begins before any of it has come.
HELD = {"Transfer-Encoding": "chunked", "Expect": "100-continue"}
# What of a body has to be there for its exchange to begin, behind a front.
BEGUN = b"b" * (1 << 16)
CONFIG = """
[app]
target = "shop:application"

[plugins.paint]
use = "./paint.py:Paint"
colour = "{}"
"""


@pytest.fixture
def shop(serve, measured):
    serve.environ = measured
    serve.write("shop.py", APP)
    serve.write("paint.py", PLUGIN)
    return serve


def reload(shop, serving, config):
    new = shop.write("new.toml", config)
    new.replace(shop.directory / "handlerkit.toml")  # at once: it is read at any time
    serving.signal(signal.SIGHUP)


def said(serving, *texts):
    serving.wait_until(lambda: all(text in serving.log for text in texts))


def test_an_exchange_that_runs_is_finished_as_it_was_begun(shop):
    serving = shop(CONFIG.format("red"), "unix")
    begun = Connection(serving.bind)
    begun.request("POST", "/", headers=HELD)
    assert begun.sock.recv(4096).endswith(b"red\r\n")

    reload(shop, serving, CONFIG.format("blue"))
    said(serving, "handlerkit: reloaded: ", ", generation 2")
    assert serving.request().body == b"blue"
    assert "closed red" not in serving.log
    begun.send(b"5\r\n ends\r\n0\r\n\r\n")
    rest = b""
    while not rest.endswith(b"0\r\n\r\n"):
        rest += begun.sock.recv(4096)
    begun.close()

    assert rest == b"5\r\n ends\r\n0\r\n\r\n"
    said(serving, "finished 2 blue", "finished 1 red", "closed red")
    assert serving.log.index("finished 1 red") < serving.log.index("closed red")
    assert serving.stop() == 0
    assert serving.log.count("closed") == 2


def test_a_connection_that_is_kept_has_the_new_kit_with_its_next_request(shop):
    config = f"{CONFIG}[server]\nkeep_alive_timeout = 600\n"
    serving = shop(config.format("red"), "unix")
    kept = Connection(serving.bind)
    kept.request("GET", "/")
    assert kept.getresponse().read() == b"red"
    sock = kept.sock

    reload(shop, serving, config.format("blue"))
    said(serving, "generation 2")
    kept.request("GET", "/")

    assert kept.getresponse().read() == b"blue"
    assert kept.sock is sock
    kept.close()


@pytest.mark.parametrize(
    "wrong", ["[plugins.paint", CONFIG.replace("colour", "coluor"), "[server]\nx = 1"]
)
def test_a_bad_file_keeps_the_old_kit_in_the_words_of_check(shop, wrong):
    serving = shop(CONFIG.format("red"), "unix")
    reload(shop, serving, wrong)
    config = str(shop.directory / "handlerkit.toml")
    command = [sys.executable, "-m", "handlerkit", "check", "--load", "--for", "serve"]
    check = subprocess.run(
        [*command, "--config", config],
        env={**os.environ, "PYTHONPATH": str(Path(handlerkit.__file__).parents[1])},
        cwd=shop.directory,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    said(serving, f"handlerkit: not reloaded:\n{check.stderr}")
    assert serving.request().body == b"red"


def test_a_plugin_that_does_not_start_keeps_the_old_kit(shop):
    serving = shop(CONFIG.format("red"), "unix")

    reload(shop, serving, CONFIG.format("none"))

    said(serving, "not reloaded:\n", "did not start: OSError: out of paint")
    assert serving.request().body == b"red"


def test_what_waits_for_a_restart_is_a_line_each(shop):
    serving = shop(CONFIG.format("red"), "unix")
    shop.write("shop.py", APP + "# more\n")

    reload(
        shop,
        serving,
        CONFIG.format("blue").replace("shop:", "store:")
        + '[server]\nbind = "127.0.0.1:1"\nthreads = 4\nmax_body = 7\n',
    )

    said(serving, "generation 2")
    lines = [line for line in serving.log.splitlines() if "takes a restart" in line]
    codes = ["HK522", "HK523", "HK523", "HK521"]
    assert sorted(codes) == sorted(line.split("[")[1].split("]")[0] for line in lines)
    assert all(line.startswith("handlerkit: ") for line in lines)
    assert "127.0.0.1:1" not in serving.log  # --bind has told it otherwise
    assert serving.request("/", b"more than 7 bytes").body == b"bluemore than 7 bytes"


def test_a_hangup_during_the_start_is_a_reload_after_it(shop):
    fifo = shop.directory / "fifo"
    os.mkfifo(fifo)
    shop.write("shop.py", f"open({str(fifo)!r}).read()\n{APP}")
    serving = shop.launch(CONFIG.format("red"), shop.bind("unix"))

    with fifo.open("w"):  # opens once the application is being imported
        serving.signal(signal.SIGHUP)
    serving.wait_until_ready()

    said(serving, "generation 2")
    assert serving.request().body == b"red"


def test_a_hangup_before_anything_is_imported_is_one_too(shop):
    shop.write("handlerkit.toml", CONFIG.format("red"))
    program = f"""
import signal, sys
from handlerkit.__main__ import main

class Hangup:
    def find_spec(name, *_):
        if name in ("handlerkit.cli", "pydantic"):
            signal.raise_signal(signal.SIGHUP)

sys.meta_path.insert(0, Hangup)
sys.path.insert(0, {str(shop.directory)!r})
sys.argv = ["handlerkit", "serve", "--bind", "127.0.0.1:0"]
main()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=shop.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(handlerkit.__file__).parent.parent)},
    ) as process:
        try:
            found = any("closed red" in line for line in process.stdout)
        finally:
            process.kill()

    assert found


def test_a_hangup_during_the_stop_is_ignored(shop):
    serving = shop(CONFIG.format("red"), "unix")
    begun = Connection(serving.bind)
    begun.request("POST", "/", headers=HELD)
    assert begun.sock.recv(4096).endswith(b"red\r\n")
    serving.signal(signal.SIGTERM)
    serving.wait_until(lambda: not Path(serving.bind.removeprefix("unix:")).exists())

    reload(shop, serving, CONFIG.format("blue"))
    begun.send(b"5\r\n ends\r\n0\r\n\r\n")
    assert b" ends" in begun.sock.recv(4096)
    begun.close()

    assert serving.wait() == 0
    assert "reloaded" not in serving.log
    assert "closed red" in serving.log
    assert "blue" not in serving.log


def test_hangups_in_a_row_end_with_the_last_file(shop):
    serving = shop(CONFIG.format("red"), "unix")
    for number in range(20):
        reload(shop, serving, CONFIG.format(f"colour {number}"))

    serving.wait_until(lambda: serving.request().body == b"colour 19")
    assert serving.stop() == 0
    log = serving.log
    assert log.count("reloaded:") == log.count("closed") - 1 <= 20


@pytest.mark.parametrize("kind", ["SCGIHandler", "FastCGIHandler"])
def test_the_servers_behind_a_front_reload_too(shop, kind):
    config = f'[handler]\nclass = "{kind}"\n' + CONFIG
    serving = shop(config.format("red"), "unix")

    reload(shop, serving, config.format("blue"))
    said(serving, ", generation 2", "closed red")

    assert serving.stop() == 0
    assert "closed blue" in serving.log


def test_an_exchange_of_scgi_is_finished_as_it_was_begun(shop):
    config = '[handler]\nclass = "SCGIHandler"\n' + CONFIG
    serving = shop(config.format("red"), "unix")
    length = b"%d" % (len(BEGUN) + len(b"ends"))
    head = b"CONTENT_LENGTH\x00%b\x00SCGI\x001\x00REQUEST_METHOD\x00POST\x00" % length
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(serving.bind.removeprefix("unix:"))
        client.sendall(b"%d:%b,%b" % (len(head), head, BEGUN))
        received = client.recv(4096)
        while not received.endswith(b"red"):
            received += client.recv(4096)
        reload(shop, serving, config.format("blue"))
        said(serving, ", generation 2")
        assert "closed red" not in serving.log
        client.sendall(b"ends")
        received = b""
        while not received.endswith(b"ends"):
            received += client.recv(65536)
        assert received == BEGUN + b"ends"

    said(serving, "finished 1 red", "closed red")


def test_exchanges_of_fastcgi_are_finished_as_they_were_begun(shop):
    """One is held across the reload; a kept connection has the new kit after it."""
    config = '[handler]\nclass = "FastCGIHandler"\n' + CONFIG
    serving = shop(config.format("red"), "unix")
    front = Front(serving.bind)
    held, kept = front.client(), front.client()
    assert kept.ask(keep=True).body == b"red"
    held.send(head(keep=True, CONTENT_LENGTH=str(len(BEGUN) + len(b" ends"))))
    for at in range(0, len(BEGUN), 1 << 15):
        held.send(record(STDIN, 1, BEGUN[at : at + (1 << 15)]))
    _, _, content = held.record()
    assert content.endswith(b"red")

    reload(shop, serving, config.format("blue"))
    said(serving, ", generation 2")
    assert "closed red" not in serving.log
    assert kept.ask(keep=True).body == b"blue"
    held.send(record(STDIN, 1, b" ends") + record(STDIN, 1))
    data = held.record()[2]
    while not data.endswith(b" ends"):
        data += held.record()[2]

    assert data == BEGUN + b" ends"
    said(serving, "finished 1 red", "closed red")
    front.close()
    assert serving.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="systemd's")
@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_of_start_reloads_and_stop(shop, abstract):
    name = f"{os.getpid()}-notify" if abstract else str(shop.directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(60)
        manager.bind(f"\0{name}" if abstract else name)
        place = f"@{name}" if abstract else name
        serving = shop(CONFIG.format("red"), "unix", NOTIFY_SOCKET=place)
        assert manager.recv(100) == b"READY=1"

        for config in (CONFIG.format("blue"), "["):
            reload(shop, serving, config)
            began, at = manager.recv(100).split(b"\n")
            assert began == b"RELOADING=1"
            assert int(at.removeprefix(b"MONOTONIC_USEC=")) <= time.monotonic() * 1e6
            assert manager.recv(100) == b"READY=1"

        assert serving.stop() == 0
        assert manager.recv(100) == b"STOPPING=1"


def test_a_server_whose_terminal_is_gone_ends(shop):
    main, terminal = os.openpty()
    bind = shop.bind("unix")
    config = shop.write("handlerkit.toml", CONFIG.format("red"))
    arguments = ["-m", "handlerkit", "serve", "--config", str(config), "--bind", bind]
    program = (
        "import fcntl, os, sys, termios\n"
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        f"os.execv(sys.executable, [sys.executable, *{arguments!r}])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=terminal,
        stdout=subprocess.PIPE,
        cwd=shop.directory,
        env={**os.environ, "PYTHONPATH": str(Path(handlerkit.__file__).parents[1])},
        start_new_session=True,
        text=True,
    )
    os.close(terminal)
    try:
        assert process.stdout.readline().startswith("address")
        process.send_signal(signal.SIGHUP)  # by hand, with the terminal there
        while process.stdout.readline() != "closed red\n":
            pass
        os.close(main)

        assert process.wait(100) == 0
        assert process.stdout.read() == "closed red\n"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_server_goes_on_while_it_loads(shop):
    """A slow plugin of the new file keeps nobody waiting."""
    fifo = shop.directory / "fifo"
    os.mkfifo(fifo)
    shop.write("slow.py", f"def start():\n    open({str(fifo)!r}).read()\n")
    serving = shop(CONFIG.format("red"), "unix")

    reload(shop, serving, CONFIG.format("blue") + '[plugins.s]\nuse = "./slow.py"\n')
    with fifo.open("w"):  # opens once the plugin is being started
        assert [serving.request().body for _ in range(10)] == [b"red"] * 10

    said(serving, "generation 2")
    assert serving.request().body == b"blue"
