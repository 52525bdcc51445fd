"""error-page in a real server, and in the browser that people have."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
from html import escape

import pytest

from tests.conftest import Serve

pytestmark = pytest.mark.timeout(600)  # a browser starts slowly on a busy machine

CONFIG = """
[app]
target = "handlerkit.demo:application"

[plugins.error-page]
home = "/"
contact = "mailto:help@example.org"
"""
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# What it would do on its own is no business of a test: update, sync, call home.
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    *("--enable-logging=stderr", "--v=0", "--hide-scrollbars"),
)
LIGHT, DARK = (f"--blink-settings=preferredColorScheme={n}" for n in (1, 0))
# A page that the policy must stop, to see that it would be noticed.
FORBIDDEN = "<!doctype html><title>x</title><p style='color:red'>x<script>1</script>"

SCREEN = """<!doctype html><title></title>
<iframe width=320 height=640 frameborder=0 srcdoc="{page}"></iframe>
<script>
onload = () => {{
  const it = frames[0].document.documentElement;
  document.title = it.scrollWidth + " of " + it.clientWidth;
}};
</script>
"""


@pytest.fixture
def served(tmp_path):
    """Start `handlerkit serve` with a configuration; end it with the test."""
    starter = Serve(tmp_path)
    yield starter
    for serving in starter.started:
        serving.kill()


class Browser:
    """Chromium, started anew for each page."""

    def __init__(self, program, directory):
        self.program = program
        self.directory = directory

    def open(self, url, *flags):
        """Give what it prints, and what the page's console says."""
        profile = self.directory / "profile"
        done = subprocess.run(
            [self.program, *FLAGS, f"--user-data-dir={profile}", *flags, url],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=280,
            check=True,
        )
        shutil.rmtree(profile, ignore_errors=True)
        return done.stdout, re.findall(r".*CONSOLE.*", done.stderr)

    def picture(self, url, size, *flags):
        """Give a PNG of a page, and what its console says."""
        path = self.directory / "page.png"
        width, height = size
        _, said = self.open(
            url, f"--screenshot={path}", f"--window-size={width},{height}", *flags
        )
        return path.read_bytes(), said


@pytest.fixture
def browser(tmp_path):
    for name in PROGRAMS:
        if shutil.which(name):
            return Browser(name, tmp_path)
    if os.environ.get("CI") == "true":
        pytest.fail("Chromium is missing: apt-get install chromium")
    pytest.skip("Chromium is missing, so nobody has LOOKED at the error page")


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("path", ["/fail", "/fail?x=<script>"])
def test_the_page_opens_without_a_word_on_the_console(browser, served, path, scheme):
    serving = served(CONFIG)

    page, said = browser.open(f"http://{serving.bind}{path}", "--dump-dom", scheme)

    assert said == []
    assert "<h1" in page
    assert "Something went wrong" in page
    assert re.search(r"<code>[0-9a-f]{32}</code>", page)


def test_the_console_is_watched_and_the_policy_holds(browser, served):
    """The control: what the policy forbids is stopped, and would be noticed."""
    (served.directory / "500.html").write_text(FORBIDDEN)
    table = 'static = { "500" = { file = "500.html" } }\nstatic_policy = "{}"\n'
    serving = served(CONFIG + table.replace("{}", "default-src 'none'"))

    _, said = browser.open(f"http://{serving.bind}/fail", "--dump-dom")

    assert len([line for line in said if "Content Security Policy" in line]) == 2


def test_light_dark_and_a_small_screen_each_have_their_look(browser, served):
    serving = served(CONFIG)
    url = f"http://{serving.bind}/fail"
    looks = {
        "light": browser.picture(url, (800, 560), LIGHT),
        "dark": browser.picture(url, (800, 560), DARK),
        "small": browser.picture(url, (360, 560), LIGHT),
    }

    assert [said for _, said in looks.values()] == [[], [], []]
    pictures = {name: picture for name, (picture, _) in looks.items()}
    assert len(set(pictures.values())) == 3
    assert struct.unpack(">II", pictures["small"][16:24]) == (360, 560)


def test_the_page_is_no_wider_than_a_small_screen(browser, served):
    """As of WCAG 2.2, 1.4.10: nothing to scroll sideways at 320 pixels."""
    serving = served(CONFIG)
    page = serving.request("/fail", headers={"Accept": "text/html"}).body.decode()
    screen = served.directory / "screen.html"
    screen.write_text(SCREEN.format(page=escape(page)))

    dumped, _ = browser.open(screen.as_uri(), "--dump-dom")

    assert "<title>320 of 320</title>" in dumped


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_a_server_answers_in_the_format_that_is_asked_for(served, transport):
    serving = served(CONFIG, transport)

    for accept, kind in (
        ("text/html", "text/html; charset=utf-8"),
        ("application/problem+json", "application/problem+json"),
        ("application/json", "application/json"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("\xff" * 900, "text/plain; charset=utf-8"),
    ):
        answer = serving.request("/fail", headers={"Accept": accept})
        assert (answer.status, answer.headers["content-type"]) == (500, kind)
        assert answer.headers["x-error-id"].encode() in answer.body
        assert b"asked to fail" not in answer.body


def test_a_server_answers_head_without_a_body(served):
    serving = served(CONFIG)

    answer = serving.request("/fail", method="HEAD", headers={"Accept": "text/html"})

    assert (answer.status, answer.body) == (500, b"")
    assert int(answer.headers["content-length"]) > 1000


def test_a_request_that_a_server_refuses_is_answered_by_the_page(served):
    serving = served(CONFIG + "\n[server]\nmax_body = 10\n")

    answer = serving.request(
        "/echo",
        iter([b"x" * 11]),
        {"Accept": "application/problem+json", "Transfer-Encoding": "chunked"},
        chunked=True,
    )

    assert answer.status == 413
    assert json.loads(answer.body)["title"] == "Content Too Large"
