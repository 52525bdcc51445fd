"""Faults with their lines: in files that are no TOML, with secrets, for embedders."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

import handlerkit
from handlerkit import config
from handlerkit.carets import where
from handlerkit.config.hiding import is_secret
from handlerkit.config.sources import parse
from handlerkit.errors import ConfigError

PIECES = st.sampled_from(
    [
        *("[a]", "[[a]]", "[a.b]", "a", "b", ".", "=", " ", "\n", "\t", "# x\n"),
        *('"', "'", '"""', "'''", "\\", "\\n", "{", "}", "[", "]", ",", "1", "x"),
        *("true", "1979-05-27", "127.0.0.1", "日本", "\x00", "\r", "password"),
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_whatever_is_not_toml_has_one_fault_with_a_place_in_the_text(text):
    try:
        tomli.loads(text)
    except tomli.TOMLDecodeError:
        with pytest.raises(ConfigError) as caught:
            parse(text, "a.toml")
        [fault] = caught.value.faults
        assert fault.code == "HK104"
        assert fault.span[0] <= len(text)
        assert where(fault).line <= text.count("\n") + 1
        assert str(caught.value)


@pytest.mark.parametrize(
    "text", ["[app]\rtarget = 'a:b'\r", "[app]\nx = 1\ry = 2\r", "# x\r[app]\r"]
)
def test_lines_of_an_old_macintosh_are_told(text):
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.toml")

    assert caught.value.faults[0].hint == "a line ends in LF, or in CR LF"


@given(st.binary(max_size=40))
def test_whatever_is_not_utf8_is_shown_at_its_first_byte(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("utf8") / "a.toml"
    path.write_bytes(data)
    good = len(data.decode(errors="ignore").encode())
    if good == len(data):
        return

    with pytest.raises(ConfigError) as caught:
        config.read(path)

    [fault] = caught.value.faults
    start, end = fault.span
    assert fault.source.text[start:end] == "\ufffd"
    before = fault.source.text[:start].encode()
    assert (
        data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")[: len(before)]
        == before
    )


def test_utf16_is_recognized(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes("[app]".encode("utf-16"))

    with pytest.raises(ConfigError, match="it is UTF-16, save it as UTF-8"):
        config.read(path)


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (("plugins", "mail", "password"), True),
        (("plugins", "mail", "accounts", 0, "api_key"), True),
        (("plugins", "mail", "password", "default"), True),
        (("plugins", "mail", "password", "env"), False),
        (("plugins", "mail", "password", "file"), False),
        (("plugins", "auth-token", "level"), False),
        (("plugins", "mail", "password_file"), False),
        (("server", "granian", "ssl_key_password"), True),
        (("server", "granian", "ssl_keyfile"), False),
        (("server", "bind"), False),
        (("redact", "allow_keys"), False),
        (("redact", "keys", 0), False),
        (("secret",), True),
        (("handler", "password"), True),
        (("server", "password"), True),
        (("hooks", "log_exception", "token"), True),
        (("hooks", "log_exception", "order", 0), False),
        (("tool", "handlerkit", "plugins", "mail", "token"), True),
        (("tool", "handlerkit", "redact", "keys"), False),
        (("tool", "handlerkit"), False),
    ],
)
def test_a_value_is_secret_by_the_names_of_its_keys(path, secret):
    assert is_secret(path) == secret


PLUGIN = """
from pydantic import BaseModel, SecretStr
from handlerkit import hookimpl

class Mail:
    class Settings(BaseModel):
        pin: SecretStr
        level: int
    @hookimpl
    def log_exception(self):
        pass
"""


@pytest.mark.parametrize(
    "table",
    [
        'password = "planted-secret"\nlevel = 1',
        'pin = "planted-secret"\nlevel = 1\nlevl = 2',
        '"planted-secret-x" = 1 # password = "planted-secret"',
        "dsn = 'https://me:planted-secret@example.org'",
        'token = """\nplanted-secret"""',
        'token = ["a", "planted-secret"]',
        'token = { a = { b = "planted-secret" } }',
        'token = "planted-secret',
        'token = "\\planted-secret"',
        "token = planted-secret",
        'token "planted-secret"',
        'token = "planted-secret"\ntoken = "planted-secret"',
        'token = ["planted-secret", ',
        'level = "x" # bearer planted-secret',
    ],
)
def test_a_secret_in_the_file_is_shown_nowhere(tmp_path, table):
    (tmp_path / "mail.py").write_text(PLUGIN)
    path = tmp_path / "handlerkit.toml"
    lines = table.replace('"planted-secret-x"', '"x"')
    text = f'[plugins.mail]\nuse = "./mail.py:Mail"\n{lines}\n'
    path.write_text(text)

    with pytest.raises(ConfigError) as caught:
        handlerkit.load(str(path), app=lambda *_: [])

    assert "planted-secret" not in str(caught.value)
    assert all("planted-secret" not in each.message for each in caught.value.faults)


@pytest.mark.parametrize(
    "table",
    [
        {"handler": {"error_status": "https://me:planted-secret@example.org"}},
        {"handler": {"password": "planted-secret"}},
        {"server": {"bind": "https://me:planted-secret@example.org"}},
        {"server": {"password": "planted-secret"}},
        {"plugins": {"x": {"password": "planted-secret", "use": 5}}},
    ],
)
def test_a_secret_in_a_table_of_ours_is_shown_nowhere(tmp_path, table):
    path = tmp_path / "handlerkit.toml"
    path.write_text(config.to_toml(table))

    for source in (table, path):
        with pytest.raises(ConfigError) as caught:
            handlerkit.load(source)

        assert "planted-secret" not in str(caught.value)


def test_what_a_plugin_raises_does_not_tell_its_secret(tmp_path):
    (tmp_path / "mail.py").write_text(
        PLUGIN.replace(
            "    @hookimpl",
            "    def __init__(self, settings):\n"
            "        raise ValueError(f'refused: {settings.pin}')\n"
            "    @hookimpl",
        )
    )
    path = tmp_path / "handlerkit.toml"
    path.write_text(
        '[plugins.mail]\nuse = "./mail.py:Mail"\npin = "planted-secret"\nlevel = 1\n'
    )

    with pytest.raises(ConfigError) as caught:
        handlerkit.load(str(path), app=lambda *_: [])

    assert "ValueError: refused: ***" in str(caught.value)


def test_what_an_optional_plugin_raises_does_not_tell_its_secret(tmp_path, capfd):
    (tmp_path / "mail.py").write_text(
        PLUGIN.replace(
            "    @hookimpl",
            "    def __init__(self, settings):\n"
            "        self.settings = settings\n"
            "        if settings.level:\n"
            "            raise ValueError(f'refused: {settings.pin}')\n"
            "    def start(self):\n"
            "        raise ValueError(f'not there: {self.settings.pin}')\n"
            "    @hookimpl",
        )
    )
    path = tmp_path / "handlerkit.toml"
    table = '\nuse = "./mail.py:Mail"\nrequired = false\npin = "planted-secret"\n'
    path.write_text(
        f"[plugins.made]{table}level = 0\n[plugins.refused]{table}level = 1\n"
    )

    kit = handlerkit.load(str(path), app=lambda *_: [])
    [warning] = kit.warnings
    kit.start()

    assert "ValueError: refused: ***" in warning.message
    assert "ValueError: refused: ***" in kit.plugins.inactive["refused"]
    assert "ValueError: not there: ***" in kit.plugins.inactive["made"]
    assert "planted-secret" not in capfd.readouterr().err


def test_a_secret_in_what_is_passed_on_is_not_shown(tmp_path):
    path = tmp_path / "handlerkit.toml"
    path.write_text(
        '[server]\ngunicorn = { raw_env = ["TOKEN=planted"], day = 1979-05-27 }\n'
    )

    with pytest.raises(ConfigError) as caught:
        handlerkit.load(str(path))

    assert '2 | gunicorn = { raw_env = ["TOKEN=***"], day' in str(caught.value)


def test_a_one_line_table_hides_only_the_secrets(tmp_path):
    (tmp_path / "mail.py").write_text(PLUGIN)
    path = tmp_path / "handlerkit.toml"
    path.write_text(
        '[plugins]\nmail = { use = "./mail.py:Mail", pin = "1234", level = "x" }\n'
    )

    with pytest.raises(ConfigError) as caught:
        handlerkit.load(str(path), app=lambda *_: [])

    lines = str(caught.value).splitlines()
    assert lines[2] == '2 | mail = { use = "./mail.py:Mail", pin = ***, level = "x" }'
    assert lines[3] == f"  | {' ' * 52}^^^"


def run(program, directory):
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(handlerkit.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_a_cgi_process_tells_its_log_with_carets(tmp_path):
    (tmp_path / "handlerkit.toml").write_text("[app]\ntarget = 3\n")

    done = run("import handlerkit; handlerkit.run_cgi('handlerkit.toml')", tmp_path)

    assert "\n2 | target = 3\n  |          ^\n" in done.stderr
    assert done.stdout.startswith("Status: 500 ")


def test_what_only_a_fault_needs_is_not_imported_without_one(tmp_path):
    """A warning that nobody asks for is none to show."""
    (tmp_path / "handlerkit.toml").write_text(
        '[app]\ntarget = "wsgiref.simple_server:demo_app"\n[redact]\nenabled = false\n'
    )
    program = """
import sys, handlerkit
kit = handlerkit.load("handlerkit.toml")
assert kit.warnings
names = ("carets", "locator", "syntax", "explanations", "unicodedata")
print([name for name in sys.modules if name.rpartition(".")[2] in names])
"""

    done = run(program, tmp_path)

    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    "data",
    [b"[app]\ntarget " + b"a" * 5000, b"\xff " + b"a-" * 5000],
    ids=["toml", "utf8"],
)
def test_a_long_word_is_no_reason_to_search_for_long(tmp_path, data):
    (tmp_path / "handlerkit.toml").write_bytes(data)
    program = "import handlerkit; handlerkit.load('handlerkit.toml')"

    done = run(program, tmp_path)

    assert "error[HK10" in done.stderr


def steps(function):
    """Count the instructions of Python in a call: the same on every machine."""
    count = 0

    def tracer(frame, event, _):
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return tracer

    before = sys.gettrace()
    # In the frame that traces, too: else Python 3.12 tells of none the first time.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(tracer)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    ("text", "each"),
    [
        ("[handler]\n{}", "stray{} = 1\n"),
        ("[handler]\n{}", "password{} = 'planted-secret-{}'\n"),
        ("[handler]\nerror_headers = [\n{}]\n", "['a b', '{}'],\n"),
        ("[handler]\nerror_headers = [{}]\n", "['a b', '{}'],"),
    ],
    ids=["keys", "secrets", "items", "one line"],
)
def test_twice_as_many_faults_are_twice_the_work(tmp_path, text, each):
    path = tmp_path / "handlerkit.toml"

    def complain():
        with pytest.raises(ConfigError) as caught:
            handlerkit.load(str(path))
        return str(caught.value)

    counts = []
    for number in (100, 200):
        path.write_text(text.format("".join(each.format(n, n) for n in range(number))))
        assert f"{number} errors;" in complain()
        counts.append(steps(complain))

    assert counts[1] < counts[0] * 2.2


def test_an_error_can_be_sent_to_another_process(tmp_path):
    import pickle

    path = tmp_path / "handlerkit.toml"
    path.write_text("[app]\ntarget = 3\n")
    with pytest.raises(ConfigError) as caught:
        handlerkit.load(str(path))

    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
