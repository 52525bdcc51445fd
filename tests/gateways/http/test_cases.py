"""The parser's wire cases, sent to a real server over a real socket."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CASES = Path(__file__).parents[2] / "protocols" / "http1_cases"
EXPECTED = {
    path.stem: tomllib.loads(path.read_text("utf-8")) for path in CASES.glob("*.toml")
}
REFUSED = sorted(name for name, case in EXPECTED.items() if "error" in case)
BROKEN = sorted(name for name, case in EXPECTED.items() if "body_error" in case)
WITH_BODY = sorted(
    name for name, case in EXPECTED.items() if "body" in case and name not in BROKEN
)
WITH_ENVIRON = sorted(name for name, case in EXPECTED.items() if "environ" in case)


def wire_of(name: str) -> bytes:
    text = (CASES / f"{name}.http").read_text("ascii").replace("\n", "")
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_head_is_answered_with_its_status_and_closed(
    serve: Callable[..., Any], name: str
) -> None:
    called: list[Any] = []
    served = serve(
        lambda *args: called.append(args), **EXPECTED[name].get("limits", {})
    )
    client = served.client()

    client.send(wire_of(name))
    answer = client.answer()

    assert answer.status == EXPECTED[name]["error"]
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["date"].endswith("GMT")
    assert answer.body.startswith(answer.status.encode())
    assert client.ended()
    assert called == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_body_ends_the_exchange_with_its_status(
    serve: Callable[..., Any], echo: Any, name: str
) -> None:
    served = serve(echo, **EXPECTED[name].get("limits", {}))
    client = served.client()

    client.send(wire_of(name))
    answer = client.answer()

    assert answer.status == EXPECTED[name]["body_error"]
    assert answer.headers["connection"] == "close"
    assert client.ended()


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_body_reaches_the_application_whole(
    serve: Callable[..., Any], echo: Any, name: str
) -> None:
    served = serve(echo, **EXPECTED[name].get("limits", {}))
    client = served.client()

    client.send(wire_of(name))

    assert client.answer().body == EXPECTED[name]["body"].encode("latin-1")


@pytest.mark.parametrize("name", WITH_ENVIRON)
def test_environ_has_the_variables_of_the_request(
    serve: Callable[..., Any], name: str
) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        found = {key: each for key, each in environ.items() if isinstance(each, str)}
        return [json.dumps(found).encode()]

    served = serve(application, **EXPECTED[name].get("limits", {}))
    client = served.client()
    client.send(wire_of(name))

    found = json.loads(client.answer().body)

    local = client.socket.getsockname()
    assert found == EXPECTED[name]["environ"] | {
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(served.port),
        "REMOTE_ADDR": local[0],
        "REMOTE_PORT": str(local[1]),
        "wsgi.url_scheme": "http",
    }
