"""Every mistake of a file is reported, at once, at its place, in plain words."""

from pathlib import Path

import pytest

from handlerkit import config
from handlerkit.errors import ConfigError, Fault

TEN_MISTAKES = """\
traceback_limit = 10

[app]
target = "shop"

[handler]
class = "CGIHandlr"
traceback_limt = 5
error_status = "oops"
threads = 4
traceback_limit = "ten"

[sever]
bind = "127.0.0.1:8000"

[server]
workers = 0

[hooks.setup_enviro]
order = ["environ"]

[plugins.environ]
on_error = "ignore"
"""


TEN_FAULTS = """\
traceback_limit: HK205 "traceback_limit" is not a key of the top level: \
it belongs in [handler]
app.target: HK204 target must be module:attribute or module:factory(), got "shop"
handler.class: HK404 class must be "auto", a class of handlerkit, or \
package.module:Class, got "CGIHandlr": did you mean "CGIHandler"?
handler.traceback_limt: HK201 unknown key "traceback_limt" in [handler]: \
did you mean "traceback_limit"?
handler.error_status: HK204 error_status must be a status as \
"500 Internal Server Error", in latin-1 without control characters, got "oops"
handler.threads: HK205 "threads" is not a key of [handler]: it belongs in [server]
handler.traceback_limit: HK203 traceback_limit must be an integer, got "ten"
sever: HK206 unknown table [sever]: did you mean [server]?
server.workers: HK204 workers must be at least 1, got 0
hooks.setup_enviro: HK301 unknown hook "setup_enviro": did you mean "setup_environ"?
plugins.environ.on_error: HK204 on_error must be "fail" or "skip", got "ignore"
"""


def faults_of(text: str, directory: Path, **environ: str) -> list[Fault]:
    path = directory / "handlerkit.toml"
    path.write_text(text, encoding="utf-8")
    document = config.read(path, environ=environ)
    found, faults = config.validate(document)
    assert (found is None) == bool(faults)
    return faults


def said(fault: Fault) -> str:
    place = ".".join(map(str, fault.path))
    hint = f": {fault.hint}" if fault.hint else ""
    return f"{place}: {fault.code} {fault.message}{hint}"


def test_ten_mistakes_are_ten_faults_in_the_order_of_the_file(tmp_path: Path) -> None:
    faults = faults_of(TEN_MISTAKES, tmp_path)

    assert [said(fault) for fault in faults] == TEN_FAULTS.splitlines()


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="HK101"):
        config.read(tmp_path / "none.toml")
