"""The fixture for pytest, in a pytest of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

CONFTEST = """
pytest_plugins = ["handlerkit.testing.fixtures"]
"""
TESTS = """
import plugin

def shop(environ, start_response):
    start_response("200 OK", [])
    return [b"the shop"]

def test_it_runs(handlerkit_running):
    kit = handlerkit_running("plugins.mine.use = 'plugin:Mine'\\n", shop, kind="hosted")
    assert kit.run("/").body == b"the shop"
    assert plugin.alive == 1

def test_it_was_closed():
    assert plugin.alive == 0
"""
PLUGIN = """
alive = 0

class Mine:
    def start(self):
        global alive
        alive += 1

    def close(self):
        global alive
        alive -= 1
"""


def test_the_fixture_runs_kits_and_closes_them_with_the_test(tmp_path, measured):
    files = {"conftest.py": CONFTEST, "test_it.py": TESTS, "plugin.py": PLUGIN}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    program = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]\n"
        "import pytest; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, **measured},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
