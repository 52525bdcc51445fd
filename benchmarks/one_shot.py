"""One CGI process per request, from start to end: ours, frozen, and wsgiref's."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import handlerkit
from benchmarks.figures import Figure, paired

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 41

APP = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
SCRIPTS = {
    "handlerkit.cgi": "import handlerkit\n"
    "raise SystemExit(handlerkit.run_cgi({config!r}))\n",
    "wsgiref.cgi": "from wsgiref.handlers import CGIHandler\n"
    "from shop import application\nCGIHandler().run(application)\n",
    "bare.py": "",
}
# proxy-headers has something to do: the peer is trusted, and says who the client is.
CONFIG = """
[app]
target = "shop:application"

[proxies]
trusted = ["10.0.0.0/8"]

[plugins.proxy-headers]

[plugins.request-id]
"""
REQUEST = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "/app.cgi",
    "PATH_INFO": "/",
    "QUERY_STRING": "a=b",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "10.0.0.5",
    "HTTP_HOST": "localhost",
    "HTTP_ACCEPT": "*/*",
    "HTTP_X_FORWARDED_FOR": "192.0.2.1",
    "HTTP_X_FORWARDED_PROTO": "https",
}


def install(place: Path) -> None:
    """Put handlerkit where pip would: what is edited in place is hashed each time."""
    package = Path(handlerkit.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, place / "handlerkit", ignore=ignored)
    version = handlerkit.__version__
    metadata = place / f"handlerkit-{version}.dist-info"
    metadata.mkdir()
    text = f"Metadata-Version: 2.1\nName: handlerkit\nVersion: {version}\n"
    (metadata / "METADATA").write_text(text)
    (metadata / "RECORD").write_text(f"{metadata.name}/METADATA,,\n")


def cpu() -> float:
    """Give the seconds, of user and system, that ended children have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timer(
    script: Path, environ: dict[str, str], clock: Callable[[], float] = perf_counter
) -> Callable[[], float]:
    """Time a whole process, in milliseconds."""

    def run() -> float:
        start = clock()
        process = subprocess.Popen(
            [sys.executable, str(script)],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        output, _ = process.communicate(timeout=60)
        seconds = clock() - start
        if process.returncode or (script.suffix == ".cgi" and b"hello" not in output):
            raise RuntimeError(f"{script}: {output!r}")
        return seconds * 1e3

    return run


def freeze(config: Path, environ: dict[str, str]) -> None:
    """Freeze with the handlerkit of the place, not with that of where we are.

    Raises:
        RuntimeError: it was another one, whose files every process would hash.
    """
    command = [sys.executable, "-m", "handlerkit", "freeze", "-c", str(config)]
    place = config.parent
    subprocess.run(
        command, env=environ, cwd=place, check=True, stdout=subprocess.DEVNULL
    )
    text = (place / "handlerkit_frozen.py").read_text(encoding="utf-8")
    if '"files": None' not in text:
        raise RuntimeError("what was frozen is no installed handlerkit")


def figures(rounds: int = ROUNDS) -> list[Figure]:
    """Measure with proxy-headers, request-id and text-log; and Python alone."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        install(place)
        config = place / "handlerkit.toml"
        config.write_text(CONFIG)
        (place / "shop.py").write_text(APP)
        for script, text in SCRIPTS.items():
            (place / script).write_text(text.format(config=str(config)))
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": name, **REQUEST}
        freeze(config, environ)
        ours, peer, bare = (timer(place / script, environ) for script in SCRIPTS)
        computed = [timer(place / script, environ, cpu) for script in SCRIPTS]
        what = "one CGI process, frozen, three plugins, against wsgiref's CGIHandler"
        within = "the same in CPU time, user and system"
        shares = "of that: Python that does nothing"
        return [
            Figure(what, "ms", *paired(ours, peer, rounds), "≤ 1.0", "≤ 0.8"),
            Figure(within, "ms", *paired(*computed[:2], rounds), "-", "-"),
            Figure(shares, "ms", *paired(bare, peer, rounds), "-", "-"),
        ]


if __name__ == "__main__":
    for figure in figures():
        print(figure.row())
