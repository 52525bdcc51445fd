"""`check` warns of what is valid and dangerous, and of nothing beside it."""

import os
from typing import Any

import pytest

from handlerkit.config import CODES
from handlerkit.kit.checking import check

PUBLIC = '[server]\nbind = "0.0.0.0:8000"\n'
PROXY = '[proxies]\ntrusted = ["10.0.0.0/8"]\n[plugins.proxy-headers]\n'
GRANIAN = f'[server]\nengine = "granian"\n{PROXY}'
SCGI = '[handler]\nclass = "SCGIHandler"\n'
OPEN = '[server]\nbind = "unix:/run/s"\nunix_mode = "666"\n'

# Per code: what is dangerous, and what differs from it by being harmless.
DANGEROUS = {
    "HK502": [
        '[proxies]\ntrusted = ["0.0.0.0/0"]\n',
        '[proxies]\ntrusted = ["::/0"]\n',
        '[proxies]\ntrusted = ["10.0.0.1", "0.0.0.0/1", "128.0.0.0/1"]\n',
        '[server]\nengine = "gunicorn"\n[server.gunicorn]\nforwarded_allow_ips = "*"\n',
        (
            '[server]\nengine = "gunicorn"\n'
            '[server.gunicorn]\nproxy_protocol = true\nproxy_allow_ips = "*"\n'
        ),
    ],
    "HK503": [
        f"{PUBLIC}max_body = 0\n",
        '[server]\nbind = "[::]:8000"\nmax_body = 0\n',
        '[server]\nbind = "shop.example:8000"\nmax_body = 0\n',
        f'{PUBLIC}engine = "gunicorn"\n[server.gunicorn]\nlimit_request_line = 0\n',
    ],
    "HK504": [GRANIAN, f'{GRANIAN.replace("headers]", "x]")}use = "proxy-headers"\n'],
    "HK506": ["[redact]\nenabled = false\nlocals = true\n"],
    "HK507": ['[handler]\nos_environ = "inherit"\n'],
    "HK508": [
        f'{PUBLIC}[plugins.page]\nuse = "shop:Page"\ndebug = true\n',
        f'{PUBLIC}[plugins.page]\nuse = "shop:Page"\nshow_traceback = true\n',
    ],
    "HK509": [f'{OPEN}[proxies]\ntrusted = ["unix"]\n', f"{SCGI}{OPEN}"],
    "HK511": [
        f"{SCGI}{PUBLIC}",
        f"{SCGI}{PUBLIC}".replace("SCGI", "FastCGI"),
    ],
    "HK512": [
        '[handler]\nerror_status = "200 OK"\n',
        '[handler]\nerror_status = "302 Found"\n',
    ],
}
HARMLESS = {
    "HK512": [
        '[handler]\nerror_status = "503 Service Unavailable"\n',
        '[handler]\nerror_status = "404 Not Found"\n',
    ],
    "HK502": [
        '[proxies]\ntrusted = ["unix", "10.0.0.0/8", "0.0.0.0/1"]\n',
        '[proxies]\ntrusted = ["0.0.0.0/1", "8000::/1"]\n',
        (
            '[server]\nengine = "gunicorn"\n'
            '[server.gunicorn]\nforwarded_allow_ips = "10.0.0.1"\n'
        ),
        '[server]\nengine = "gunicorn"\n[server.gunicorn]\nproxy_allow_ips = "*"\n',
    ],
    "HK503": [
        f"{PUBLIC}max_body = 1\n",
        "[server]\nmax_body = 0\n",
        '[server]\nbind = "[::1]:8000"\nmax_body = 0\n',
        '[server]\nbind = "localhost:8000"\nmax_body = 0\n',
        '[server]\nbind = "unix:/run/s"\nmax_body = 0\n',
        f'{PUBLIC}engine = "gunicorn"\n[server.gunicorn]\nlimit_request_line = 1\n',
    ],
    "HK504": [
        PROXY,
        GRANIAN.replace("granian", "gunicorn"),
        GRANIAN.replace('"10.0.0.0/8"', ""),
        f"{GRANIAN}enabled = false\n",
        GRANIAN.replace("proxy-headers", "request-id"),
    ],
    "HK506": ["[redact]\nlocals = true\n", "[redact]\nenabled = false\n"],
    "HK507": [
        '[handler]\nos_environ = ["LANG"]\n',
        '[handler]\nos_environ = "inherit"\nclass = "CGIHandler"\n',
    ],
    "HK508": [
        '[plugins.page]\nuse = "shop:Page"\ndebug = true\n',
        f'{PUBLIC}[plugins.page]\nuse = "shop:Page"\ndebug = false\n',
        f'{PUBLIC}[plugins.page]\nuse = "shop:Page"\ndebug = "no"\n',
        f'{PUBLIC}[plugins.page]\nuse = "shop:Page"\nenabled = false\ndebug = true\n',
    ],
    "HK509": [OPEN, f'{OPEN}[proxies]\ntrusted = ["unix"]\n'.replace("666", "660")],
    "HK511": [PUBLIC, f"{SCGI}{PUBLIC}".replace("0.0.0.0", "127.0.0.1")],
}
SECRETS = {
    "of its name": '[plugins.a]\nuse = "a:A"\napi_key = "x"\n',
    "deep inside": '[plugins.a]\nuse = "a:A"\nsend = { to = { password = "x" } }\n',
    "of an engine": '[server.granian]\nssl_keyfile_password = "x"\n',
    "in a URL": '[plugins.a]\nuse = "a:A"\nsend_to = "https://bob:pw@db.example/"\n',
    "in an array": '[plugins.a]\nuse = "a:A"\napi_keys = ["x"]\n',
    "in an array of arrays": '[plugins.a]\nuse = "a:A"\napi_keys = [[], ["x"]]\n',
    "in a table of an array": '[[plugins.a.to]]\npassword = "x"\n',
    "in a URL of an array": (
        '[plugins.a]\nuse = "a:A"\nto = ["https://bob:pw@db.example/"]\n'
    ),
    "of a variable": '[server.gunicorn]\nraw_env = ["API_KEY=x"]\n',
    "of the file's words": (
        '[redact]\nkeys = ["pin"]\n[plugins.a]\nuse = "a:A"\npin = "1"\n'
    ),
}
NO_SECRETS = {
    "from outside": '[plugins.a]\nuse = "a:A"\napi_key = { env = "KEY" }\n',
    "empty": '[plugins.a]\nuse = "a:A"\napi_key = ""\n',
    "a number": '[plugins.a]\nuse = "a:A"\nmax_key = 3\n',
    "its file": '[plugins.a]\nuse = "a:A"\ntoken_file = "x"\n',
    "names from outside": '[plugins.a]\nuse = "a:A"\napi_keys = [{ env = "KEY" }]\n',
    "empty in an array": '[plugins.a]\nuse = "a:A"\napi_keys = [""]\n',
    "numbers": '[plugins.a]\nuse = "a:A"\nmax_keys = [3]\n',
    "a variable without value": '[server.gunicorn]\nraw_env = ["API_KEY="]\n',
    "a harmless variable": '[server.gunicorn]\nraw_env = ["LANG=C"]\n',
    "a sentence": '[plugins.a]\nuse = "a:A"\nsay = ["the api_key = x"]\n',
    "its header": '[plugins.a]\nuse = "a:A"\ntoken-header = "X-Token"\n',
    "the file of an engine": '[server.gunicorn]\nkeyfile = "key.pem"\n',
    "a harmless URL": '[plugins.a]\nuse = "a:A"\nsend_to = "https://bob@db.example/"\n',
    "excused": (
        '[redact]\nallow_keys = ["api_key"]\n[plugins.a]\nuse = "a:A"\napi_key = "x"\n'
    ),
}

posix = pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")


def cases(table: dict[str, list[str]]) -> list[Any]:
    return [
        pytest.param(code, text, id=f"{code} {at}")
        for code, texts in table.items()
        for at, text in enumerate(texts)
    ]


@pytest.fixture
def codes(tmp_path):
    """Give the codes that `check` warns with."""

    def codes(text: str, mode: int = 0o600, **options: Any) -> list[str]:
        path = tmp_path / "handlerkit.toml"
        path.write_text(text)
        path.chmod(mode)
        found = check(path, **options)
        assert all(fault.hint or fault.code == "HK506" for fault in found.warnings)
        return [fault.code for fault in found.warnings if fault.code[:3] == "HK5"]

    return codes


def test_each_code_of_a_lint_has_a_harmless_neighbour():
    assert DANGEROUS.keys() == HARMLESS.keys()
    lints = {code for code in CODES if "HK502" <= code <= "HK519"}
    assert lints - DANGEROUS.keys() == {"HK505", "HK510"}  # of files: below


@pytest.mark.parametrize(("code", "text"), cases(DANGEROUS))
def test_what_is_dangerous_is_warned_of(codes, code, text):
    assert codes(text) == [code]


@pytest.mark.parametrize(("code", "text"), cases(HARMLESS))
def test_the_harmless_neighbour_is_not(codes, code, text):
    assert codes(text) == []


@pytest.mark.parametrize("code", ["HK503", "HK504", "HK507", "HK508", "HK509"])
@pytest.mark.parametrize("entry", ["cgi", "wsgi"])
def test_what_concerns_a_server_is_not_said_of_others(codes, code, entry):
    text = DANGEROUS[code][0]

    assert codes(text, entry=entry) == []
    assert codes(text, entry="serve") == [code]


@posix
@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_secret_in_a_file_that_everybody_may_read_is_warned_of(codes, text):
    assert codes(text, 0o644) == ["HK505"]
    assert codes(text, 0o640) == []


@posix
@pytest.mark.parametrize("text", NO_SECRETS.values(), ids=NO_SECRETS)
def test_what_is_no_secret_may_be_read(codes, text):
    assert codes(text, 0o644) == []


@posix
@pytest.mark.parametrize("load", [True, False])
def test_a_model_that_is_loaded_says_itself_what_is_secret(codes, tmp_path, load):
    (tmp_path / "lock.py").write_text(
        "from handlerkit import hookimpl\n"
        "from pydantic import BaseModel, SecretStr\n"
        "class Door(BaseModel):\n"
        "    combination: SecretStr\n"
        "class Lock:\n"
        "    class Settings(BaseModel):\n"
        "        combination: SecretStr\n"
        "        door: Door\n"
        "        old: list[SecretStr | int] = []\n"
        "        doors: list[Door] = []\n"
        "    def __init__(self, settings): pass\n"
        "    @hookimpl\n"
        "    def setup_environ(self): pass\n"
    )
    text = (
        '[app]\ntarget = "wsgiref.simple_server:demo_app"\n'
        '[plugins.lock]\nuse = "./lock.py:Lock"\ncombination = "4711"\n'
        'old = ["4713", 4714, { env = "PATH" }]\n'
        '[plugins.lock.door]\ncombination = "4712"\n'
        '[[plugins.lock.doors]]\ncombination = "4715"\n'
    )

    assert codes(text, 0o644, loading=load) == (["HK505"] * 4 if load else [])


@posix
def test_the_file_of_a_secret_is_looked_at_too(codes, tmp_path, monkeypatch):
    key = tmp_path / "key"
    key.write_text("x")
    text = '[server.granian]\nssl_keyfile_password = { file = "key" }\n'

    key.chmod(0o604)
    assert codes(text) == ["HK505"]
    key.chmod(0o600)
    assert codes(text) == []


@posix
def test_code_that_everybody_may_write_is_warned_of(codes, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.touch()
    modules = tmp_path / "modules"
    modules.mkdir()
    text = '[app]\npath = ["modules"]\n[plugins.mine]\nuse = "./mine.py:Mine"\n'

    assert codes(text) == []
    assert codes(text, 0o602) == ["HK510"]
    plugin.chmod(0o646)
    assert codes(text) == ["HK510"]
    modules.chmod(0o777)
    assert codes(text) == ["HK510", "HK510"]


def test_a_mapping_has_no_file_to_look_at():
    assert check({"server": {"granian": {"ssl_keyfile_password": "x"}}}).warnings == []
