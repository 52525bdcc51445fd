"""Each rule, taken out of a copy of the package, makes the tests of its D fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import handlerkit

PACKAGE = Path(handlerkit.__file__).parent
TESTS = Path(__file__).parent
PLUGINS = ("cacheprovider", "hypothesispytest", "pytest_cov", "timeout", "xdist")

# The departure; the file; the rule, as it stands there; what to put in its place.
MUTATIONS = (
    (
        "D1",
        "recovery.py",
        "if exc is self._gone or isinstance(exc, ClientDisconnected):",
        "if isinstance(exc, ConnectionError):",
    ),
    (
        "D2",
        "reporting.py",
        "except BaseException as failure:  # noqa: BLE001 - reporting changes nothing",
        "except ZeroDivisionError as failure:",
    ),
    ("D2", "recovery.py", "            self._page_failed(exc)", "            raise"),
    (
        "D3",
        "recovery.py",
        'elif not self._concluded:\n            self.ended = "aborted"',
        'elif not self._concluded:\n            self.ended = "ok"',
    ),
    ("D4", "response.py", "            self._report_handed(exc_info)\n", ""),
    (
        "D5",
        "recovery.py",
        "return None if isinstance(exc, Exception) else exc",
        "return None",
    ),
    ("D6", "response.py", "elif self._bodiless:", "elif False:"),
    (
        "D6",
        "response.py",
        "if not self._bodiless:\n                self.headers.setdefault",
        "if True:\n                self.headers.setdefault",
    ),
    ("D6", "response.py", 'del self.headers["Content-Length"]', "pass"),
    ("D7", "response.py", "return self._cut(data)", "return data"),
    ("D7", "response.py", 'self.ended = "aborted"', "pass"),
    ("D7", "../pep3333.py", "if length is not None:\n", "if False:\n"),
    (
        "D7",
        "../pep3333.py",
        'raise ApplicationError(f"Content-Length must be digits',
        'return 5  # (f"',
    ),
    (
        "D8",
        "../pep3333.py",
        "if not value.isprintable() or not value.isascii():",
        "if 0:",
    ),
    ("D8", "../pep3333.py", 'check_text("the status"', '() and check_text(""'),
    (
        "D8",
        "../pep3333.py",
        'raise AssertionError("Status must be at least 4 characters")',
        "assert False, 'Status must be at least 4 characters'",
    ),
    ("D9", "../pep3333.py", "if lower in _HOP_BY_HOP:", "if __debug__ and lower == 0:"),
    ("D10", "response.py", "return self._cut(data)", "return data"),
    ("D10", "response.py", "if self.result_is_file():", "if False:"),
    (
        "D11",
        "base.py",
        'BoundedInput(env["wsgi.input"], length)',
        'env["wsgi.input"]',
    ),
    ("D11", "base.py", 'env["wsgi.input"] = NOTHING', "pass"),
    ("D11", "cgi.py", 'env["wsgi.input_terminated"] = True', "pass"),
    ("D12", "base.py", 'env.pop("HTTP_PROXY", None)', "pass"),
    ("D12", "environ.py", 'if not k.startswith("HTTP_")', ""),
    ("D12", "hosted.py", "taken = leaks.take(env)", "taken = leaks.usual"),
    ("D13", "../gateways/cgi.py", "        os.dup2(2, 1)\n", ""),
    (
        "D14",
        "recovery.py",
        "except BaseException as exc:  # noqa: BLE001 - must mask nothing",
        "except ZeroDivisionError as exc:",
    ),
    (
        "D14",
        "recovery.py",
        "if result is None or result is self._closed:",
        "if result is None:",
    ),
    (
        "D15",
        "response.py",
        "kind(headers if kind is Headers else headers[:])",
        "kind(headers)",
    ),
    (
        "D16",
        "base.py",
        '.setdefault("SERVER_PROTOCOL", "HTTP/1.0")',
        '["SERVER_PROTOCOL"]',
    ),
    ("D17", "response.py", 'headers["Transfer-Encoding"] = "chunked"', "pass"),
    ("D17", "response.py", 'self._put(b"0\\r\\n\\r\\n")', "pass"),
    ("D17", "response.py", "self._length = self.bytes_sent  # the iterable", "#"),
    (
        "D6",
        "response.py",
        "elif not self.bytes_sent or pep3333.is_bodiless(str(self.status)):",
        "elif not self.bytes_sent:",
    ),
    (
        "D17",
        "response.py",
        'and (not framed or str(self.status).startswith("1"))',
        "and False",
    ),
    (
        "D18",
        "base.py",
        "if result is None or isinstance(result, (bytes, str)):",
        "if 0:",
    ),
    ("D18", "response.py", "if self.headers is None:", "if False:"),
)


@pytest.mark.parametrize(
    ("departure", "file", "rule", "instead"),
    MUTATIONS,
    ids=[f"{each[0]}-{place}" for place, each in enumerate(MUTATIONS)],
)
def test_departure_is_noticed(tmp_path, departure, file, rule, instead):
    package = tmp_path / "handlerkit"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "test_departures.py"):
        shutil.copy(TESTS / name, tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    mutated = package / "handlers" / file
    text = mutated.read_text(encoding="utf-8")
    assert text.count(rule) == 1, f"{rule!r} is not (once) in {file}"
    text = text.replace(rule, instead)
    mutated.write_text(text, encoding="utf-8")

    selected = f"Test{departure} and not test_old"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-x", "-q"),
            "--assert=plain",  # quicker; nobody reads what it says
            *(f"-pno:{plugin}" for plugin in PLUGINS),
            *("test_departures.py", "-k", selected),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 1, done.stdout
    assert " failed" in done.stdout
    print(done.stdout)
