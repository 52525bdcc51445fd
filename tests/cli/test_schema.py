"""`handlerkit schema`: what it prints, writes, and warns of."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import handlerkit
from handlerkit.kit.schemas import schema

ROOT = str(Path(handlerkit.__file__).parent.parent)
DISTRIBUTION = "stranger-1.0.dist-info"


@pytest.fixture
def shell(tmp_path, measured):
    """Run handlerkit in a directory, that is a place of plugins too."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "handlerkit", *arguments],
            cwd=tmp_path,
            env={**os.environ, **measured, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run


@pytest.fixture
def install(tmp_path):
    """Write a module, and say that it is an installed plugin, `stranger`."""

    def write(text: str) -> None:
        (tmp_path / "stranger.py").write_text(text)
        info = tmp_path / DISTRIBUTION
        info.mkdir()
        (info / "METADATA").write_text("Name: stranger\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[handlerkit.plugins]\nstranger = stranger:Stranger\n"
        )

    return write


GOOD = '''
print("loud")
from pydantic import BaseModel


class Stranger:
    """Does ``strange`` things.

    At night.
    """

    class Settings(BaseModel):
        word: str
'''


def test_it_has_the_plugins_of_this_environment(shell, install):
    install(GOOD)

    done = shell("schema")

    table = json.loads(done.stdout)["$defs"]["plugin-stranger"]
    assert (done.returncode, done.stderr) == (0, "loud\n")
    assert table["description"] == "Does `strange` things."
    assert table["required"] == ["word"]


def test_it_is_the_same_whenever_it_is_made(shell):
    assert shell("schema").stdout == shell("schema").stdout


def test_core_has_what_is_built_in_alone(shell, install):
    install(GOOD)

    done = shell("schema", "--core")

    found = json.loads(done.stdout)
    assert done.stderr == ""
    assert "plugin-request-id" in found["$defs"]
    assert "stranger" not in done.stdout
    assert found == schema(core=True)[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("", 'stranger has no "Stranger"'),
        (
            'class Stranger:\n    Settings = "no_such_module:Settings"\n',
            '"no_such_module:Settings" cannot be imported',
        ),
        ("class Stranger:\n    Settings = dict\n", "must be a pydantic model"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_plugin_that_cannot_be_described_may_hold_anything(
    shell, install, text, said
):
    install(text)

    done = shell("schema")

    plugins = json.loads(done.stdout)["properties"]["plugins"]
    assert done.returncode == 0
    assert done.stderr.startswith("warning: [plugins.stranger] may hold anything: ")
    assert said in done.stderr
    assert plugins["properties"]["stranger"]["additionalProperties"] is True


def test_it_is_written_to_a_file(shell, tmp_path):
    done = shell("schema", "--output", "handlerkit.schema.json")

    text = (tmp_path / "handlerkit.schema.json").read_text("utf-8")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert text == shell("schema").stdout


def test_a_file_that_cannot_be_written_is_one_line(shell):
    done = shell("schema", "--output", "none/handlerkit.schema.json")

    assert done.returncode == 1
    assert done.stderr == (
        "handlerkit: none/handlerkit.schema.json cannot be written: "
        "No such file or directory\n"
    )


# --- check -------------------------------------------------------------------

HEAD = "# The shop.\n#:schema ./s.json\n\n"
CONFIG = '[app]\ntarget = "wsgiref.simple_server:demo_app"\n'


@pytest.fixture
def warned(shell, tmp_path):
    """Say whether `check --load` warns of the schema."""

    def check(*, head: str = HEAD, text: str | None = None) -> str:
        (tmp_path / "handlerkit.toml").write_text(head + CONFIG)
        if text is not None:
            (tmp_path / "s.json").write_text(text)
        done = shell("check", "--load")
        assert done.returncode == 0, done
        return done.stderr

    return check


@pytest.mark.parametrize("options", [[], ["--core"]])
def test_a_schema_of_this_environment_is_fine(shell, warned, options):
    shell("schema", "--output", "s.json", *options)

    assert warned() == ""


def test_a_schema_of_another_environment_is_warned_of(shell, warned, install):
    shell("schema", "--output", "s.json")
    assert warned() == ""

    install(GOOD.replace('print("loud")', ""))

    assert "warning[HK701]" in warned()
    assert "handlerkit schema --output ./s.json" in warned()


@pytest.mark.parametrize(
    "text", [None, "no json", "[]", '{"title": "of somebody else"}']
)
def test_what_is_no_schema_of_ours_is_let_be(warned, text):
    assert warned(text=text) == ""


@pytest.mark.parametrize(
    "head",
    [
        "#:schema https://example.org/s.json\n",
        "[server]\nthreads = 3\n#:schema ./s.json\n",
        "",
    ],
)
def test_only_a_file_named_at_the_head_is_looked_at(warned, head):
    assert warned(head=head, text='{"title": "handlerkit.toml"}') == ""
