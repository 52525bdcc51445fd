"""The command line, as a user types it: what it prints, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tomli

import handlerkit
from handlerkit.cli.main import run

ROOT = str(Path(handlerkit.__file__).parent.parent)
COMMANDS = ["serve", "cgi", "check", "show", "plugins", "why", "trace", "init"]
DEADLINE = 30.0  # seconds

SHOP = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the shop"]
"""
CONFIG = """\
[app]
target = "shop:application"

[server]
bind = "127.0.0.1:0"
threads = 3

[plugins.request-id]

[plugins.environ]
set = { "shop.name" = "Z\u00fcrich" }
"""


APP = '[app]\ntarget = "shop:application"\n'


class Shell:
    """Runs `python -m handlerkit` in a directory with an application."""

    def __init__(self, directory: Path, measured: dict[str, str]) -> None:
        self.directory = directory
        self.measured = measured
        self.write("shop.py", SHOP)
        self.write("handlerkit.toml", CONFIG)

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, *arguments: str, **options) -> subprocess.Popen[str]:
        streams = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": ROOT,
            "PYTHONIOENCODING": "utf-8",
            **(self.measured if options.pop("measured", True) else {}),
            **options.pop("environ", {}),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "handlerkit", *arguments],
            cwd=self.directory,
            env=environ,
            text=True,
            encoding="utf-8",
            errors="replace",
            **streams | options,
        )

    def __call__(self, *arguments: str, **options):
        process = self.start(*arguments, **options)
        output, errors = process.communicate(timeout=DEADLINE)
        return subprocess.CompletedProcess(
            arguments, process.returncode, output, errors
        )

    def refusal(self, *arguments: str, **options) -> str:
        """Give what a command says that fails as a command should.

        What it is refused for is found in process, too, by tests of each mistake.
        """
        done = self(*arguments, measured=False, **options)
        assert done.returncode in (1, 2), done
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        return f"{done.returncode} {done.stderr}"


@pytest.fixture
def shell(tmp_path: Path, measured: dict[str, str]) -> Shell:
    return Shell(tmp_path, measured)


def until(process: subprocess.Popen[str], start: str) -> list[str]:
    """Give the lines of a process, up to the first that starts so."""
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith(start):
            return lines
    pytest.fail(f"no {start!r} in {lines}: {process.stderr.read()}")


# --- help and wrong use ------------------------------------------------------


def test_help_names_every_command(shell):
    done = shell("--help")

    assert done.returncode == 0
    assert all(f"    {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_an_example(shell, command):
    done = shell(command, "-h")

    assert done.returncode == 0
    assert f"example: handlerkit {command}" in done.stdout


def test_the_version_is_that_of_the_package(shell):
    assert shell("--version").stdout == f"{handlerkit.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["bogus"], ["check", "--bogus"], ["check", "extra"], ["check", "-c"]],
    ids=" ".join,
)
def test_wrong_use_is_exit_code_2(shell, arguments):
    said = shell.refusal(*arguments)

    assert said.startswith("2 usage: handlerkit")


# --- mistakes are lines ------------------------------------------------------

ONE = "1 error; handlerkit explain"
READING = ["serve", "check", "show", "plugins"]


@pytest.mark.parametrize("command", READING)
def test_a_missing_file_is_one_line(shell, command):
    said = shell.refusal(command, "-c", "none.toml")

    assert (
        said
        == f"2 none.toml: error[HK101]: there is no such file\n{ONE} HK101 says more\n"
    )


@pytest.mark.parametrize("command", READING)
def test_every_mistake_is_told_and_exit_code_2(shell, command):
    shell.write(
        "handlerkit.toml",
        '[app]\ntarget = 3\n[handler]\neror_status = "500 Oops"\n'
        '[server]\nworkers = "two"\n[hooks.setup_enviro]\n',
    )

    lines = shell.refusal(command).splitlines()

    assert len([line for line in lines if "handlerkit.toml:" in line]) == 4
    assert lines[-1].startswith("4 errors; ")


WRONG_FILES = {
    "empty key": b"= 3\n",
    "no TOML": b"[app\n",
    "binary": bytes(range(256)),
    "not UTF-8": b'[app]\ntarget = "\xff"\n',
    "NUL": b"\0",
    "BOM of UTF-16": "[app]".encode("utf-16"),
    "deep": b"a = " + b"[" * 5000,
    "duplicate": b"[app]\n[app]\n",
    "scalar tables": b"app = 1\nhandler = 2\nserver = []\nplugins = 'x'\nhooks = 1\n",
    "scalar plugin": b"[plugins]\nenviron = 3\n[hooks]\nlog_exception = 3\n",
    "dates": b"[handler]\nerror_status = 1979-05-27\n[server]\nbind = 07:32:00\n",
    "huge": b"[server]\nthreads = " + b"9" * 400 + b"\n",
    "infinite": b"[server]\nheader_timeout = inf\nwrite_timeout = nan\n",
    "names": b'["\\u0000"]\n[plugins.""]\n[plugins."a.b c"]\n["tool.handlerkit"]\n',
    "references": b'[app]\ntarget = { env = "NONE" }\n[server]\nbind={file="none"}\n',
    "NUL in paths": b'[app]\npath = ["\\u0000"]\n[plugins.a]\nuse = "./\\u0000.py"\n',
    "odd targets": b'[app]\ntarget = "a b:c d"\npath = ["\\u0000"]\n',
}


@pytest.mark.parametrize("command", ["check", "check --load", "serve", "show"])
@pytest.mark.parametrize("content", WRONG_FILES.values(), ids=WRONG_FILES)
def test_whatever_is_in_a_file_no_command_ends_in_a_traceback(
    tmp_path, monkeypatch, capsys, command, content
):
    (tmp_path / "handlerkit.toml").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])

    code = run(command.split())

    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert "error[HK" in said.err


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("file", ["", ".", "/dev/null/x", "a" * 300, "shop.py"])
def test_whatever_is_given_for_a_file_no_command_ends_in_a_traceback(
    shell, command, file
):
    assert "error[HK10" in shell.refusal(command, "--config", file)


def test_a_file_that_may_not_be_read_is_one_line(shell):
    (shell.directory / "handlerkit.toml").chmod(0)
    if os.geteuid() == 0:
        pytest.skip("root may read everything")

    assert "Permission denied" in shell.refusal("check")


def test_a_name_that_is_no_unicode_is_one_line(shell):
    assert "error[HK101]" in shell.refusal("check", "-c", "\udcff.toml")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_name_beyond_the_encoding_of_the_terminal_is_escaped(shell, encoding):
    shell.write("\u65e5.toml", "")

    done = shell("check", "-c", "\u65e5.toml", environ={"PYTHONIOENCODING": encoding})

    assert (done.returncode, done.stdout) == (0, "\\u65e5.toml: fine\n")


def test_without_a_file_of_our_own_pyproject_is_read(shell):
    (shell.directory / "handlerkit.toml").unlink()
    shell.write("pyproject.toml", "[tool.handlerkit.server]\nthreads = 3\n")

    assert shell("check").stdout == "pyproject.toml: fine\n"


def test_a_file_of_our_own_goes_before_pyproject(shell):
    shell.write("pyproject.toml", "[tool.handlerkit.server]\nthreads = 3\n")

    assert shell("check").stdout == "handlerkit.toml: fine\n"


@pytest.mark.parametrize("text", [None, "[tool.ruff]\n", "no toml"])
def test_without_any_file_the_way_to_one_is_told(shell, text):
    (shell.directory / "handlerkit.toml").unlink()
    if text is not None:
        shell.write("pyproject.toml", text)

    said = shell.refusal("check")

    assert "handlerkit.toml: error[HK101]: there is no such file: name one" in said
    assert "handlerkit init" in said


# --- check -------------------------------------------------------------------


def test_check_says_so_if_all_is_fine(shell):
    done = shell("check")

    assert (done.returncode, done.stdout) == (0, "handlerkit.toml: fine\n")
    assert done.stderr == ""


def test_check_imports_the_application_only_if_told_to(shell):
    shell.write("shop.py", "raise ValueError('of the shop')\n")

    assert shell("check").returncode == 0
    assert "ValueError: of the shop" in shell("check", "--load").stderr


def test_check_warns_on_stderr_and_is_fine_all_the_same(shell):
    shell.write("handlerkit.toml", f'{APP}[handler]\nerror_body = "\u00fc"\n')

    done = shell("check", "--load")

    assert (done.returncode, done.stdout) == (0, "handlerkit.toml: fine\n")
    assert "handlerkit.toml:4:14: warning[HK204]: error_body" in done.stderr


@pytest.mark.parametrize("load", [[], ["--load"]])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[handler]\nclass = "CGIHandler"\n', "CGIHandler does not fit"),
        ("[server]\nworkers = 2\n", "workers must be 1"),
        ('[server]\nengine = "granian"\nbind = "fd:3"\n', "granian cannot take over"),
    ],
)
def test_check_tells_what_serve_would_refuse(shell, load, text, said):
    shell.write("handlerkit.toml", f"{APP}{text}")

    done = shell("check", *load)

    assert done.returncode == 0
    assert f"]: serve would refuse this: {said}" in done.stderr
    assert done.stderr.count("warning[") == 1
    assert f"]: {said}" in shell.refusal("check", "--for", "serve", *load)
    assert shell("check", "--for", "cgi", *load).stderr == ""


@pytest.mark.parametrize("load", [[], ["--load"]])
def test_check_for_a_way_of_running_finds_what_does_not_fit_it(shell, load):
    shell.write("handlerkit.toml", f'{APP}[handler]\nclass = "SimpleHandler"\n')

    assert "a CGI process" in shell.refusal("check", "--for", "cgi", *load)
    assert "a hosting server" in shell.refusal("check", "--for", "wsgi", *load)
    assert shell("check", "--for", "serve", *load).stderr == ""


def test_check_that_loads_demands_an_application(shell):
    shell.write("handlerkit.toml", "[server]\n")

    assert "error[HK401]" in shell.refusal("check", "--load")
    assert shell("check").returncode == 0


@pytest.mark.parametrize("engine", ["granian", "gunicorn"])
def test_check_knows_the_options_of_an_engine_without_loading(shell, engine):
    shell.write("handlerkit.toml", f"[server.{engine}]\nblocklog = 1\n")

    assert f"error[HK201]: {engine} has no " in shell.refusal("check")


# --- show --------------------------------------------------------------------


def test_show_is_toml_that_means_the_same(shell):
    shown = shell("show").stdout
    shell.write("shown.toml", shown)

    assert shell("check", "--load", "-c", "shown.toml").returncode == 0
    again = shell("show", "-c", "shown.toml").stdout
    assert tomli.loads(again) == tomli.loads(shown)


def test_show_tells_where_each_value_is_from(shell):
    lines = shell("show").stdout.splitlines()

    assert "threads = 3  # handlerkit.toml:6" in lines
    assert "workers = 1  # default" in lines
    assert 'header = "X-Request-ID"  # default of plugin request-id' in lines
    assert 'set = { "shop.name" = "Z\u00fcrich" }  # handlerkit.toml:11' in lines


def test_show_is_json_for_machines(shell):
    rows = json.loads(shell("show", "--json", "--bind", "80").stdout)

    found = {tuple(row["path"]): (row["value"], row["source"]) for row in rows}
    assert found["server", "threads"] == (3, "handlerkit.toml:6")
    assert found["server", "bind"] == ("127.0.0.1:80", "--bind")
    assert found["handler", "traceback_limit"] == (None, "default")
    assert found["plugins", "environ", "drop"] == ([], "default of plugin environ")


def test_show_of_an_address_that_is_none_is_wrong_use(shell):
    assert shell.refusal("show", "--bind", "nowhere").startswith("2 ")


def test_show_shows_no_secret(shell):
    shell.write(
        "handlerkit.toml", '[plugins.environ]\nset = { a = { env = "SECRET" } }\n'
    )

    done = shell("show", environ={"SECRET": "hush"})

    assert done.returncode == 0
    assert "hush" not in done.stdout
    assert "# handlerkit.toml:2, environment SECRET" in done.stdout


# --- plugins -----------------------------------------------------------------


def test_plugins_lists_them_in_the_order_of_the_file(shell):
    done = shell("plugins")

    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["text-log", "active"],
        ["request-id", "active"],
        ["environ", "active"],
    ]


def test_plugins_needs_no_application(shell):
    (shell.directory / "shop.py").unlink()

    assert shell("plugins").returncode == 0


def test_plugins_is_json_for_machines(shell):
    shell.write(
        "handlerkit.toml",
        "[plugins.text-log]\nenabled = false\n[plugins.gone]\nrequired = false\n"
        "[plugins.request-id]\n",
    )

    rows = {row["name"]: row for row in json.loads(shell("plugins", "--json").stdout)}

    assert rows["request-id"]["status"] == "active"
    assert rows["request-id"]["hooks"] == ["setup_environ", "response_starting"]
    assert rows["request-id"]["distribution"] == "handlerkit"
    assert rows["text-log"]["status"] == "disabled"
    assert rows["gone"]["status"].startswith("failed: ")


@pytest.mark.parametrize(
    "command",
    [
        *("plugins --json", "show", "check --load", "why sendfile"),
        "explain-proxy --peer ::1",
    ],
)
def test_what_a_plugin_prints_is_no_part_of_the_output(shell, command):
    shell.write(
        "loud.py",
        "from handlerkit import hookimpl\n"
        "print('loud')\n"
        "@hookimpl\n"
        "def setup_environ():\n    pass\n",
    )
    shell.write(
        "handlerkit.toml",
        f'{CONFIG}[plugins.loud]\nuse = "./loud.py"\n[plugins.proxy-headers]\n',
    )

    done = shell(*command.split())

    assert "loud\n" in done.stderr
    assert "\nloud\n" not in f"\n{done.stdout}"
    assert done.stdout


# --- serve -------------------------------------------------------------------


def test_serve_says_what_runs_where(shell):
    process = shell.start("serve")
    with process:
        lines = until(process, "plugin    environ")
        process.send_signal(signal.SIGTERM)

    assert lines[0].startswith("address   http://127.0.0.1:")
    assert lines[1:] == [
        "engine    builtin, 1 x 3 threads",
        "handler   handlerkit.handlers.simple.SimpleHandler",
        "app       shop:application",
        "plugin    text-log (handlerkit): log_exception",
        "plugin    request-id (handlerkit): setup_environ, response_starting",
        "plugin    environ (handlerkit): add_cgi_vars",
    ]
    assert process.returncode == 0


@pytest.mark.parametrize("protocol", ["FastCGI", "SCGI"])
def test_serve_says_what_it_speaks_and_who_may_ask(shell, protocol):
    shell.write("handlerkit.toml", f'{CONFIG}[handler]\nclass = "{protocol}Handler"\n')
    process = shell.start("serve", "--bind", "127.0.0.1:0")
    with process:
        lines = until(process, "engine ")
        process.send_signal(signal.SIGTERM)

    assert lines[0].startswith(f"address   {protocol.lower()}://127.0.0.1:")
    assert lines[1].startswith(f"speaks    {protocol}: handlerkit init --for nginx")
    assert process.returncode == 0


def test_safe_mode_is_told(shell):
    process = shell.start("serve", environ={"HANDLERKIT_SAFE": "1"})
    with process:
        until(process, "plugin    none: HANDLERKIT_SAFE is set")
        process.send_signal(signal.SIGTERM)

    assert process.returncode == 0


def test_bind_stands_in_place_of_the_files(shell):
    path = shell.directory / "s"
    process = shell.start("serve", "--bind", f"unix:{path}")
    with process:
        (line,) = until(process, "address")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        process.send_signal(signal.SIGTERM)

    assert str(path) in line
    assert answer.endswith(b"\r\n\r\nthe shop")


@pytest.mark.parametrize(
    ("bind", "code", "said"),
    [
        ("nowhere", 2, 'must be "host:port"'),
        ("", 2, 'must be "host:port"'),
        ("127.0.0.1:99999", 2, "port"),
        ("127.0.0.1:-1", 2, "port"),
        ("unix:", 2, "unix"),
        ("192.0.2.1:8000", 1, "this machine does not have that address"),
        ("no-such-host.invalid:80", 1, "cannot listen"),
        ("unix:none/s", 1, "its directory does not exist"),
        (f"unix:{'a' * 200}", 1, "cannot listen"),
        ("fd:77", 1, "descriptor 77"),
        ("fd:0", 1, "descriptor 0"),
        ("systemd", 1, "no sockets"),
    ],
)
def test_an_address_that_cannot_be_had_is_one_line(shell, bind, code, said):
    refusal = shell.refusal("serve", "--bind", bind)

    assert refusal.startswith(f"{code} ")
    assert said in refusal
    assert len(refusal.splitlines()) == (1 if code == 1 else 2)


def test_a_port_in_use_is_one_line(shell):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        said = shell.refusal("serve", "--bind", f"127.0.0.1:{port}")

    assert said.startswith(f"1 handlerkit: cannot listen at 127.0.0.1:{port}: ")
    assert said.count("\n") == 1


def test_serve_without_an_application_is_one_mistake(shell):
    shell.write("handlerkit.toml", '[server]\nbind = "127.0.0.1:0"\n')

    assert "app.target: error[HK401]: there is no application" in shell.refusal("serve")


def test_an_engine_that_is_not_installed_is_told_how_to_be(shell):
    """An empty module stands in the way of the installed one."""
    shell.write("handlerkit.toml", f"{CONFIG}".replace("3", '3\nengine = "granian"'))
    (shell.directory / "shadow").mkdir()
    shell.write("shadow/granian.py", "raise ModuleNotFoundError(name='granian')\n")
    path = os.pathsep.join([str(shell.directory / "shadow"), ROOT])

    said = shell.refusal("serve", environ={"PYTHONPATH": path})

    assert "pip install" in said
    assert "handlerkit[granian]" in said


# --- how it ends -------------------------------------------------------------


def test_who_reads_may_stop_at_any_time(shell):
    process = shell.start("show")
    process.stdout.close()

    errors = process.stderr.read()

    assert process.wait(DEADLINE) == 1
    process.stderr.close()
    assert errors == ""


def test_a_full_disk_is_one_line(shell):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = shell("show", stdout=full)

    assert done.returncode == 1
    assert done.stderr.startswith("handlerkit: ")
    assert done.stderr.count("\n") == 1


def test_a_mistake_is_one_though_nobody_can_read_of_it(shell):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    shell.write("handlerkit.toml", "[app]\ntarget = 3\n")
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = shell("check", stderr=full)

    assert done.returncode == 2


@pytest.mark.parametrize("command", ["redact -", "trace POST / --data-file -"])
def test_without_standard_input_there_is_none_to_read(shell, command):
    line = f"exec {sys.executable} -m handlerkit {command} <&-"

    done = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=shell.directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )

    assert (done.returncode, done.stderr) == (
        1,
        "handlerkit: there is no standard input\n",
    )


@pytest.mark.parametrize("output", ["/dev/full", "a reader that has gone"])
def test_serve_goes_on_if_nobody_can_read_its_announcement(shell, output):
    path = shell.directory / "s"
    arguments = ("serve", "--bind", f"unix:{path}")
    if output != "/dev/full":
        process = shell.start(*arguments)
        process.stdout.close()
    elif Path(output).exists():
        with open(output, "w") as full:  # noqa: PTH123 - a device
            process = shell.start(*arguments, stdout=full)
    else:
        pytest.skip("there is no /dev/full here")
    with process:
        end = time.monotonic() + DEADLINE
        with socket.socket(socket.AF_UNIX) as client:
            while client.connect_ex(str(path)) and time.monotonic() < end:
                time.sleep(0.01)
            client.settimeout(DEADLINE)
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        process.send_signal(signal.SIGTERM)
        errors = process.stderr.read()

    assert answer.endswith(b"\r\n\r\nthe shop")
    assert (process.returncode, errors) == (0, "")


def test_an_interrupt_while_loading_ends_with_130_and_no_traceback(shell):
    shell.write(
        "shop.py",
        "import pathlib, time\npathlib.Path('loading').touch()\n"
        "while True:\n    time.sleep(0.01)\n",
    )
    process = shell.start("check", "--load")
    end = time.monotonic() + DEADLINE
    while not (shell.directory / "loading").exists() and time.monotonic() < end:
        time.sleep(0.01)

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE)

    assert (process.returncode, errors) == (130, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_serving_and_closes_plugins(shell, number):
    """As soon as the address is told."""
    shell.write("life.py", "def close():\n    print('plugin closed', flush=True)\n")
    shell.write("handlerkit.toml", f'{CONFIG}[plugins.life]\nuse = "./life.py"\n')
    process = shell.start("serve")
    with process:
        until(process, "address")
        process.send_signal(number)
        output, errors = process.communicate(timeout=DEADLINE)

    assert (process.returncode, errors) == (0, "")
    assert output.endswith("plugin closed\n")
