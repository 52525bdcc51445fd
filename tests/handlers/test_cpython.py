"""CPython's own tests of wsgiref.handlers, run against handlerkit's classes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLDEST = (3, 11)

RUN = """
import sys
sys.path.insert(0, sys.argv[1])
try:
    from test.support import verbose
except ImportError:
    sys.exit(77)
import wsgiref.handlers
import handlerkit.handlers
for name in wsgiref.handlers.__all__:
    setattr(wsgiref.handlers, name, getattr(handlerkit.handlers, name))
import unittest
from test import test_wsgiref
from wsgiref import simple_server
assert issubclass(simple_server.ServerHandler, handlerkit.handlers.SimpleHandler)
load = unittest.defaultTestLoader.loadTestsFromTestCase
suite = unittest.TestSuite()
suite.addTests(load(test_wsgiref.HandlerTests))
suite.addTests(load(test_wsgiref.IntegrationTests))
result = unittest.TextTestRunner().run(suite)
assert result.testsRun >= 20, result
sys.exit(not result.wasSuccessful())
"""
VERSION = "import sys; print(*sys.version_info[:3], sys.executable)"


def candidates():
    """Give programs that may be a Python: this one, on PATH, and pyenv's."""
    yield sys.executable
    for minor in range(OLDEST[1], 20):
        found = shutil.which(f"python3.{minor}")
        if found:
            yield found
    pyenv = os.environ.get("PYENV_ROOT")
    homes = [Path(pyenv) / "versions"] if pyenv else []
    homes.append(Path(sys.base_prefix).parent)
    for home in homes:
        for found in sorted(home.glob("*/bin/python3")):
            yield str(found)


def interpreters():
    """Give each Python at hand, once per version, that is not too old."""
    found = {}
    for program in candidates():
        try:
            said = subprocess.run(
                [program, "-I", "-c", VERSION],
                capture_output=True,
                text=True,
                timeout=100,
                check=True,
            ).stdout.split(maxsplit=3)
        except (OSError, subprocess.SubprocessError):
            continue  # a shim of a version that is not installed
        version = tuple(map(int, said[:3]))
        if version >= OLDEST:
            found.setdefault(version, said[3].strip())
    return [
        pytest.param(program, id=".".join(map(str, version)))
        for version, program in sorted(found.items())
    ]


@pytest.mark.parametrize("program", interpreters())
def test_handler_and_integration_tests_of_cpython_pass(program):
    done = subprocess.run(
        [program, "-I", "-W", "error", "-c", RUN, str(ROOT)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip(f"{program} HAS NO TEST PACKAGE: CPython's tests did not run")

    assert done.returncode == 0, done.stderr
