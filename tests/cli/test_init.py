"""`handlerkit init`: what it prints, where it writes, and what it refuses."""

import itertools
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import handlerkit
from handlerkit.cli.main import run
from handlerkit.cli.snippets import ways

ROOT = str(Path(handlerkit.__file__).parent.parent)


@pytest.fixture
def shell(tmp_path, measured):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "handlerkit", *arguments],
            cwd=tmp_path,
            env={**os.environ, **measured, "PYTHONPATH": ROOT},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run


def test_it_is_a_valid_file_with_a_comment_for_each_key(shell, tmp_path):
    text = shell("init", "--target", "shop:app").stdout
    (tmp_path / "handlerkit.toml").write_text(text)

    assert shell("check").returncode == 0
    assert tomllib.loads(text)["app"]["target"] == "shop:app"
    for above, line in itertools.pairwise(text.splitlines()):
        if " = " in line and not line.startswith("#"):
            assert above.startswith("# ")


def test_it_is_written_to_a_file_but_never_over_one_unasked(shell, tmp_path):
    first = shell("init", "--output", "handlerkit.toml")
    again = shell("init", "--output", "handlerkit.toml", "--target", "b:c")
    forced = shell("init", "--output", ".", "--target", "b:c", "--force")

    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    assert again.returncode == 1
    assert again.stderr == (
        "handlerkit: handlerkit.toml is there already: --force writes over it\n"
    )
    assert forced.returncode == 0
    assert '"b:c"' in (tmp_path / "handlerkit.toml").read_text()


def test_a_link_that_leads_nowhere_is_a_file_that_is_there(shell, tmp_path):
    (tmp_path / "handlerkit.toml").symlink_to(tmp_path / "elsewhere")

    assert shell("init", "--output", "handlerkit.toml").returncode == 1
    assert not (tmp_path / "elsewhere").exists()


def test_of_two_files_none_is_written_if_one_is_there(shell, tmp_path):
    (tmp_path / "units").mkdir()
    taken = tmp_path / "units" / f"{tmp_path.name}.socket"
    taken.touch()

    done = shell("init", "--for", "systemd", "--output", "units")

    assert done.returncode == 1
    assert list((tmp_path / "units").iterdir()) == [taken]


def test_a_file_that_cannot_be_written_is_one_line(shell):
    done = shell("init", "--output", "none/handlerkit.toml")

    assert done.returncode == 1
    assert done.stderr == (
        "handlerkit: none/handlerkit.toml cannot be written: "
        "No such file or directory\n"
    )


@pytest.mark.parametrize("server", ways())
def test_it_prints_for_every_server_with_absolute_paths(shell, tmp_path, server):
    done = shell("init", "--for", server)

    assert (done.returncode, done.stderr) == (0, "")
    assert str(tmp_path / "handlerkit.toml") in done.stdout
    assert "@" not in done.stdout.replace("=@system-service", "")


@pytest.mark.parametrize("server", ways())
def test_nothing_of_a_condition_is_left(tmp_path, monkeypatch, capsys, server):
    monkeypatch.chdir(tmp_path)
    for via in ways()[server]:
        for url in ("/", "/app"):
            assert run(["init", "--for", server, "--via", via, "--url", url]) == 0
            text = capsys.readouterr().out
            assert text
            assert not [line for line in text.splitlines() if line[:1] == "{"]


def test_only_a_script_is_executable(shell, tmp_path):
    shell("init", "--for", "cgi", "--output", "shop.cgi")
    shell("init", "--for", "nginx", "--output", "nginx.conf")

    assert os.access(tmp_path / "shop.cgi", os.X_OK)
    assert not stat.S_IMODE((tmp_path / "nginx.conf").stat().st_mode) & 0o111


def test_the_address_is_that_of_the_file(shell, tmp_path):
    (tmp_path / "handlerkit.toml").write_text('[server]\nbind = "unix:/run/a.sock"\n')

    assert "http://unix:/run/a.sock;" in shell("init", "--for", "nginx").stdout
    assert (
        "unix:/run/b.sock"
        in shell("init", "--for", "nginx", "--socket", "/run/b.sock").stdout
    )


@pytest.mark.parametrize("bind", ['"systemd"', '"fd:3"'])
def test_an_address_that_is_passed_on_is_the_default(shell, tmp_path, bind):
    (tmp_path / "handlerkit.toml").write_text(f"[server]\nbind = {bind}\n")

    done = shell("init", "--for", "nginx")

    assert "http://127.0.0.1:8000;" in done.stdout
    assert done.stderr == ""


FROM = "handlerkit: [server] bind is "


@pytest.mark.parametrize(
    ("bind", "address", "said"),
    [
        ('{ file = "port" }', "127.0.0.1:81", 'from file port, which has "81" here\n'),
        (
            '{ env = "NO_BIND", default = "10.0.0.1:82" }',
            "10.0.0.1:82",
            'from env NO_BIND, which has "10.0.0.1:82" here\n',
        ),
        (
            '{ env = "NO_BIND" }',
            "127.0.0.1:8000",
            (
                "not known here, 127.0.0.1:8000 stands for it: "
                "env NO_BIND: the variable is not set\n"
            ),
        ),
        (
            "3",
            "127.0.0.1:8000",
            "not known here, 127.0.0.1:8000 stands for it: handlerkit check says why\n",
        ),
    ],
)
def test_an_address_that_is_not_in_the_file_is_said_to_be_taken(
    shell, tmp_path, bind, address, said
):
    """The one who reads the snippet may not have what the service has."""
    (tmp_path / "handlerkit.toml").write_text(f"[server]\nbind = {bind}\n")
    (tmp_path / "port").write_text("81\n")

    done = shell("init", "--for", "nginx")

    assert (done.returncode, done.stderr) == (0, FROM + said)
    assert f"http://{address};" in done.stdout


@pytest.mark.parametrize(
    "options",
    [("nginx", "--socket", "/run/a.sock"), ("apache", "--via", "cgi"), ("cgi",)],
)
def test_nothing_is_said_of_an_address_that_is_not_needed(shell, tmp_path, options):
    (tmp_path / "handlerkit.toml").write_text('[server]\nbind = { env = "NO_BIND" }\n')

    done = shell("init", "--for", *options)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_handler_class_from_outside_decides_the_way(shell, tmp_path):
    (tmp_path / "handlerkit.toml").write_text(
        '[handler]\nclass = { env = "NO_CLASS", default = "SCGIHandler" }\n'
    )

    assert "scgi_pass" in shell("init", "--for", "nginx").stdout


def test_an_address_of_ipv6_is_written_as_each_server_has_it(shell, tmp_path):
    (tmp_path / "handlerkit.toml").write_text('[server]\nbind = "[::1]:80"\n')

    assert "http://[::1]:80;" in shell("init", "--for", "nginx").stdout
    assert '"host" => "::1", "port" => 80' in shell("init", "--for", "lighttpd").stdout
    assert "ListenStream=[::1]:80\n" in shell("init", "--for", "systemd").stdout


@pytest.mark.parametrize(
    ("name", "server", "asked"),
    [
        ("auto", "nginx", "proxy_pass "),
        ("HostedHandler", "nginx", "proxy_pass "),
        ("shop:Handler", "nginx", "proxy_pass "),
        ("FastCGIHandler", "nginx", "fastcgi_pass "),
        ("SCGIHandler", "apache", "proxy:scgi://"),
        ("CGIHandler", "apache", "ScriptAlias "),
        ("SCGIHandler", "lighttpd", "scgi.server"),
        ("FastCGIHandler", "systemd", "[Service]"),
    ],
)
def test_the_way_is_the_one_that_the_handler_class_is_for(
    shell, tmp_path, name, server, asked
):
    (tmp_path / "handlerkit.toml").write_text(f'[handler]\nclass = "{name}"\n')

    assert asked in shell("init", "--for", server).stdout


def test_a_class_that_does_not_fit_the_way_is_told_with_its_place(shell, tmp_path):
    (tmp_path / "handlerkit.toml").write_text('[handler]\nclass = "SimpleHandler"\n')

    done = shell("init", "--for", "nginx", "--via", "fastcgi")

    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "handlerkit.toml:2:9: error[HK407]: SimpleHandler does not fit --via fastcgi: "
        'class = "FastCGIHandler", or --via http\n'
    ) in done.stderr


@pytest.mark.parametrize("via", ["fastcgi", "scgi"])
def test_lighttpd_gives_who_it_starts_a_socket_where_it_may_write(shell, tmp_path, via):
    (tmp_path / "handlerkit.toml").write_text('[server]\nbind = "fd:0"\n')

    text = shell("init", "--for", "lighttpd", "--via", via).stdout

    assert f'"socket" => "/run/lighttpd/{tmp_path.name}.sock"' in text
    assert f"serve --config {tmp_path}/handlerkit.toml" in text


def test_a_file_that_is_no_toml_is_told(shell, tmp_path):
    (tmp_path / "handlerkit.toml").write_text("[server")

    done = shell("init", "--for", "nginx")

    assert done.returncode == 2
    assert "error[HK104]" in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--for", "iis"], 2, "invalid choice: 'iis'"),
        (["--for", "nginx", "--via", "cgi"], 2, "is --via http, fastcgi or scgi, not"),
        (["--for", "nginx", "--url", "app"], 2, 'must be "/", or like "/app"'),
        (["--for", "nginx", "--url", "/app/"], 2, 'must be "/", or like "/app"'),
        (["--for", "nginx", "--url", "/a;b"], 2, 'must be "/", or like "/app"'),
        (["--for", "cgi", "--config", "a b.toml"], 1, "characters that servers take"),
        (["--for", "cgi", "--config", 'a".toml'], 1, "characters that servers take"),
        (["--for", "systemd", "--config", "a%n.toml"], 1, "characters that servers"),
        (["--for", "nginx", "--socket", "$a"], 1, "characters that servers take"),
        (["--for", "apache", "--script", "a\nb"], 1, "characters that servers take"),
        (["--for", "systemd", "--group", "a\nb"], 1, "characters that servers take"),
    ],
)
def test_what_no_server_could_be_told_is_refused(shell, options, code, said):
    done = shell("init", *options)

    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
