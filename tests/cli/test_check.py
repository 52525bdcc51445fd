"""`handlerkit check`: its levels, and how it ends."""

import os
import sys

import pytest

from handlerkit.cli.main import run

APP = '[app]\ntarget = "wsgiref.simple_server:demo_app"\n'
PLUGINS = """
import handlerkit


class Fine:
    def probe(self):
        print("loud")


class Refused:
    def probe(self):
        raise OSError("refused")


class Unsure:
    def probe(self):
        raise handlerkit.HandlerkitError("no such address")


class Leaving:
    def probe(self):
        raise SystemExit(3)


class Silent:
    def probe(self):
        raise handlerkit.HandlerkitError

    def start(self):
        raise AssertionError("check starts nothing")
"""


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Run the command on a text; give code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "probing.py").write_text(PLUGINS)

    def check(text, *options):
        (tmp_path / "handlerkit.toml").write_text(text)
        (tmp_path / "handlerkit.toml").chmod(0o600)
        code = run(["check", *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return check


def plugins(*names):
    return APP + "".join(
        f'[plugins.{name}]\nuse = "./probing.py:{name}"\n' for name in names
    )


def test_by_default_neither_plugins_nor_application_are_imported(check):
    text = '[app]\ntarget = "none:none"\n[plugins.none]\nuse = "none:None"\n'

    assert check(text) == (0, "handlerkit.toml: fine\n", "")


def test_settings_of_built_in_plugins_are_checked_without_loading(check):
    text = (
        '[plugins.access-log]\nfromat = "json"\n'
        '[plugins.log]\nuse = "access-log"\npath = "here"\n'
        '[plugins.off]\nuse = "access-log"\nenabled = false\nanything = 1\n'
    )

    code, _, err = check(text)

    assert code == 2
    assert 'did you mean "format"?' in err
    assert "must be an absolute path" in err
    assert "anything" not in err


@pytest.mark.parametrize("load", [[], ["--load"]])
def test_what_an_engine_refuses_is_told_with_everything_else(check, load):
    text = '[app]\n[server]\nengine = "granian"\nbind = "fd:3"\n'
    text += "[plugins.text-log]\nnone = 1\n"

    code, _, err = check(text, "--for", "serve", *load)

    assert code == 2
    assert "error[HK411]" in err
    assert 'unknown key "none" in [plugins.text-log]' in err
    assert ("error[HK401]" in err) == bool(load)
    assert err.count("error[") == (3 if load else 2)


def test_a_missing_application_is_told_with_everything_else(check):
    code, out, err = check("[plugins.none]\n", "--load")

    assert (code, out) == (2, "")
    assert "error[HK401]" in err
    assert "error[HK309]" in err


def test_an_application_that_is_wrong_is_not_missing_too(check):
    code, _, err = check("[app]\ntarget = 3\n[plugins.none]\n", "--load")

    assert code == 2
    assert "HK401" not in err
    assert "error[HK309]" in err


def test_means_that_are_in_order_are_told(check):
    code, out, err = check(plugins("Fine"), "--probe")

    assert code == 0
    assert (
        out == "handlerkit.toml: Fine: its means are in order\nhandlerkit.toml: fine\n"
    )
    assert err == "loud\n"


def test_each_plugin_is_asked_whatever_others_say(check):
    names = ("Refused", "Unsure", "Leaving", "Silent", "Fine")

    code, out, err = check(plugins(*names), "--probe")

    assert code == 1
    assert out == "handlerkit.toml: Fine: its means are in order\n"
    failed = [line for line in err.splitlines() if "[HK501]" in line]
    assert [line.partition("not in order: ")[2] for line in failed] == [
        "OSError: refused",
        "no such address",
        "SystemExit: 3",
        "it does not say what is wrong",
    ]


def test_nothing_is_probed_unless_asked_for(check):
    assert check(plugins("Refused"), "--load")[0] == 0


def test_an_invalid_file_is_not_probed(check):
    code, _, err = check(f"{plugins('Refused')}[plugins.none]\n", "--probe")

    assert code == 2
    assert "HK501" not in err


def test_what_a_probe_says_is_without_the_secrets_of_the_file(check, monkeypatch):
    monkeypatch.setenv("DSN", "hush-hush")
    text = f'{APP}[plugins.leaky]\nuse = "./leaky.py:Leaky"\ndsn = {{ env = "DSN" }}\n'
    with open("leaky.py", "w") as file:  # noqa: PTH123 - in the directory of the test
        file.write(
            "from pydantic import BaseModel\n"
            "class Leaky:\n"
            "    class Settings(BaseModel):\n        dsn: str\n"
            "    def __init__(self, settings): self.dsn = settings.dsn\n"
            "    def probe(self): raise OSError(f'cannot reach {self.dsn}')\n"
        )

    code, out, err = check(text, "--probe")

    assert code == 1
    assert "cannot reach ***" in err
    assert "hush" not in out + err


ACCESS = f'{APP}[plugins.access-log]\npath = "{{}}"\n'


def test_the_access_log_probes_its_place_and_leaves_no_file(check, tmp_path):
    path = tmp_path / "access.log"

    assert check(ACCESS.format(path), "--probe")[0] == 0
    assert not path.exists()
    path.touch()
    assert check(ACCESS.format(path), "--probe")[0] == 0


@pytest.mark.parametrize("place", ["none/access.log", ".", "closed/access.log"])
def test_the_access_log_tells_of_a_place_it_cannot_write(check, tmp_path, place):
    (tmp_path / "closed").mkdir(mode=0o500)
    if place.startswith("closed") and os.geteuid() == 0:
        pytest.skip("root may write everywhere")

    code, _, err = check(ACCESS.format(tmp_path / place), "--probe")

    assert code == 1
    assert 'error[HK501]: plugin "access-log"' in err


def test_without_plugins_there_is_nothing_to_probe(check, monkeypatch):
    monkeypatch.setenv("HANDLERKIT_SAFE", "1")

    assert check(plugins("Refused"), "--probe")[:2] == (0, "handlerkit.toml: fine\n")


DANGEROUS = '[handler]\nos_environ = "inherit"\n'


def test_a_warning_fails_only_if_it_is_to(check):
    code, out, err = check(DANGEROUS)
    assert (code, out) == (0, "handlerkit.toml: fine\n")
    assert ":2:14: warning[HK507]" in err

    code, out, err = check(DANGEROUS, "--strict")
    assert (code, out) == (1, "")
    assert ":2:14: warning[HK507]" in err


@pytest.mark.parametrize("code", ["HK507", "hk507", "507"])
def test_a_warning_that_was_judged_is_not_told_again(check, code):
    expected = (0, "handlerkit.toml: fine\n", "")

    assert check(DANGEROUS, "--strict", "--allow", code) == expected
    assert check(DANGEROUS, "--strict", "--allow", "HK508")[0] == 1


def test_only_a_code_can_be_allowed(check, capsys):
    with pytest.raises(SystemExit, match="2"):
        check(DANGEROUS, "--allow", "HK999")

    assert 'no code "HK999"' in capsys.readouterr().err


def test_a_mistake_cannot_be_allowed(check):
    code, _, err = check("[handler]\nnone = 1\n", "--allow", "HK201")

    assert code == 2
    assert "error[HK201]" in err
