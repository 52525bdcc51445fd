"""Files as bodies, by FastCGI and by SCGI: sent by the system, in records or plain."""

import os
import threading

import pytest

from tests.gateways.fronted.wire import PATIENCE, request

TCP = "127.0.0.1:0"
NO_SENDFILE = not hasattr(os, "sendfile")


@pytest.fixture
def application(tmp_path):
    content = os.urandom(1_000_003)
    (tmp_path / "file").write_bytes(content)

    def serving(environ, start_response):
        file = (tmp_path / "file").open("rb")
        file.seek(int(environ["PATH_INFO"].lstrip("/") or 0))
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return environ["wsgi.file_wrapper"](file)

    serving.content = content
    return serving


@pytest.fixture
def calls(monkeypatch):
    """Count what the system is asked to send."""
    if NO_SENDFILE:
        pytest.skip("this platform has no os.sendfile")
    seen, real = [], os.sendfile

    def counting(*args):
        seen.append(args)
        return real(*args)

    monkeypatch.setattr(os, "sendfile", counting)
    return seen


@pytest.mark.parametrize("protocol", ["FastCGI", "SCGI"])
@pytest.mark.parametrize("bind", ["", TCP], ids=["unix", "tcp"])
@pytest.mark.parametrize("start", [0, 7, 999_999])
def test_a_file_is_sent_by_the_system(serve, application, calls, protocol, bind, start):
    client = serve(application, protocol, bind).client()
    params = {"PATH_INFO": f"/{start}"}

    answer = client.scgi(**params) if protocol == "SCGI" else client.ask(**params)

    assert answer.body == application.content[start:]
    assert answer.headers["content-length"] == str(len(answer.body))
    assert calls


@pytest.mark.skipif(NO_SENDFILE, reason="this platform has no os.sendfile")
def test_a_file_that_the_system_does_not_send_is_sent_all_the_same(
    serve, application, monkeypatch
):
    def refusing(*args):
        raise OSError(22, "not this one")

    monkeypatch.setattr(os, "sendfile", refusing)

    assert serve(application).client().ask().body == application.content


def test_records_of_a_file_are_not_mixed_with_those_of_other_requests(
    serve, application
):
    together = threading.Barrier(3)

    def meeting(environ, start_response):
        together.wait(PATIENCE)
        return application(environ, start_response)

    client = serve(meeting, threads=4).client()
    client.send(b"".join(request(n, keep=True) for n in (1, 2, 3)))

    answers = client.answers(1, 2, 3)

    assert [answers[n].body == application.content for n in answers] == [True] * 3


@pytest.mark.skipif(NO_SENDFILE, reason="this platform has no os.sendfile")
def test_a_file_that_shrinks_breaks_the_response_off(serve, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    real = os.sendfile

    def shrinking(*args):
        os.truncate(tmp_path / "file", 5000)
        return real(*args)

    def application(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"]((tmp_path / "file").open("rb"))

    monkeypatch.setattr(os, "sendfile", shrinking)
    served = serve(application)
    client = served.client()
    client.send(request())
    data, _ = client.rest()

    assert len(data) < 10_000
    assert served.outcome() == "aborted"
    assert "shorter than it was" in served.stderr.getvalue()
