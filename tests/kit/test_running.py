"""`wsgi`: a kit under a WSGI server, its plugins started and closed there."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import pytest

import handlerkit

ROOT = str(Path(handlerkit.__file__).parent.parent)
LIFE = """
import os
import pathlib
import time

LOG = pathlib.Path(__file__).with_name("life")


def tell(what):
    with LOG.open("a") as log:
        log.write(f"{what} {os.getpid()}\\n")


def start():
    time.sleep(0)  # gives others their turn
    tell("starts")


def close():
    tell("closes")
"""
CONFIG = """
[app]
target = "shop:application"

[plugins.life]
use = "./life.py"
"""


@pytest.fixture
def life(site):
    """Give what the plugin has told so far, line by line."""
    site.write("life.py", LIFE)
    path = site.directory / "life"
    return lambda: path.read_text().splitlines() if path.exists() else []


def ask(application):
    environ = {}
    setup_testing_defaults(environ)
    heads = []
    body = application(environ, lambda *head: heads.append(head))
    return heads[0][0], b"".join(body)


def test_plugins_start_with_the_first_exchange_and_once(site, life):
    """Not before: an engine may fork in between."""
    application = handlerkit.wsgi(site.toml(CONFIG))
    assert life() == []

    assert ask(application) == ("200 OK", b"the shop")
    assert ask(application) == ("200 OK", b"the shop")
    assert life() == [f"starts {os.getpid()}"]

    application.close()
    assert life()[1:] == [f"closes {os.getpid()}"]


def test_first_exchanges_on_many_threads_start_plugins_once(site, life):
    application = handlerkit.wsgi(site.toml(CONFIG))
    barrier = threading.Barrier(8)

    def first():
        barrier.wait()
        ask(application)

    threads = [threading.Thread(target=first) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(life()) == 1
    application.close()


def test_a_plugin_that_does_not_start_fails_each_exchange_until_it_does(site):
    site.write("life.py", "def start():\n    raise OSError('no queue')\n")
    application = handlerkit.wsgi(site.toml(CONFIG))

    for _ in range(2):
        with pytest.raises(handlerkit.HandlerkitError, match="no queue"):
            ask(application)


def test_plugins_are_closed_when_the_process_ends(site, life):
    program = (
        "import handlerkit\n"
        "from wsgiref.util import setup_testing_defaults\n"
        f"application = handlerkit.wsgi({str(site.toml(CONFIG))!r})\n"
        "environ = {}\n"
        "setup_testing_defaults(environ)\n"
        "print(application(environ, lambda *head: None))\n"
    )

    output = subprocess.check_output(
        [sys.executable, "-c", program], env={"PYTHONPATH": ROOT}, text=True
    )

    assert output == "[b'the shop']\n"
    assert [line.partition(" ")[0] for line in life()] == ["starts", "closes"]


def test_the_hosted_application_is_that_of_the_environment(site, life):
    """``handlerkit.hosted:application``, as engines import it."""
    site.toml(CONFIG)
    program = "from handlerkit.hosted import application; print(application.kit.config)"

    for place, environ in [
        (site.directory, {}),
        (Path("/"), {"HANDLERKIT_CONFIG": str(site.directory / "handlerkit.toml")}),
    ]:
        output = subprocess.check_output(
            [sys.executable, "-c", program],
            cwd=place,
            env={"PYTHONPATH": ROOT, **environ},
            text=True,
        )
        assert "shop:application" in output


def test_a_mistake_is_found_before_anything_is_served(site):
    with pytest.raises(handlerkit.ConfigError):
        handlerkit.wsgi(site.toml("[app]\ntarget = 3\n"))


def test_no_application_is_found_before_anything_is_served(site):
    with pytest.raises(handlerkit.ConfigError, match="there is no application"):
        handlerkit.wsgi(site.toml(""))
