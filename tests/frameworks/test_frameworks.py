"""Applications of real frameworks, with upload and stream, under `handlerkit serve`."""

import hashlib
import uuid

import pytest

FLASK = """
import hashlib
from flask import Flask, Response, request

application = Flask(__name__)


@application.get("/hello/<name>")
def hello(name):
    return f"hello {name}, {request.args['q']}"


@application.post("/upload")
def upload():
    content = request.files["file"].read()
    return f"{request.form['title']} {hashlib.sha256(content).hexdigest()}"


@application.get("/stream")
def stream():
    lines = (b"%d\\n" % number for number in range(1000))
    return Response(lines, mimetype="text/plain")


@application.get("/redirect")
def redirect():
    return "", 303, {"Location": "/hello", "Set-Cookie": "a=b"}


application.config["PROPAGATE_EXCEPTIONS"] = True


@application.get("/fail")
def fail():
    raise ValueError("asked to fail")
"""

DJANGO = """
import hashlib
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DEBUG_PROPAGATE_EXCEPTIONS=True,
    ROOT_URLCONF=__name__,
    SECRET_KEY="not one",
)


def hello(request, name):
    return HttpResponse(f"hello {name}, {request.GET['q']}")


def upload(request):
    content = request.FILES["file"].read()
    return HttpResponse(
        f"{request.POST['title']} {hashlib.sha256(content).hexdigest()}"
    )


def stream(request):
    return StreamingHttpResponse(
        (b"%d\\n" % number for number in range(1000)), content_type="text/plain"
    )


def redirect(request):
    response = HttpResponse(status=303, headers={"Location": "/hello"})
    response.set_cookie("a", "b")
    return response


def fail(request):
    raise ValueError("asked to fail")


urlpatterns = [
    path("hello/<str:name>", hello),
    path("upload", upload),
    path("stream", stream),
    path("redirect", redirect),
    path("fail", fail),
]
application = get_wsgi_application()
"""

BOTTLE = """
import hashlib
from bottle import Bottle, HTTPResponse, request, response

application = Bottle(catchall=False)


@application.get("/hello/<name>")
def hello(name):
    return f"hello {name}, {request.query.getunicode('q')}"


@application.post("/upload")
def upload():
    content = request.files["file"].file.read()
    return f"{request.forms.getunicode('title')} {hashlib.sha256(content).hexdigest()}"


@application.get("/stream")
def stream():
    response.content_type = "text/plain"
    for number in range(1000):
        yield b"%d\\n" % number


@application.get("/redirect")
def redirect():
    return HTTPResponse(status=303, headers={"Location": "/hello", "Set-Cookie": "a=b"})


@application.get("/fail")
def fail():
    raise ValueError("asked to fail")
"""

APPS = {"flask": FLASK, "django": DJANGO, "bottle": BOTTLE}

CONFIG = """
[app]
target = "site_{name}:application"
path = ["."]

[handler]
error_status = "503 Service Unavailable"
error_body = "We are sorry."

[server]
engine = "{engine}"

[plugins.request-id]
"""

VALIDATED = """
from wsgiref.validate import validator

application = validator(application)
"""

MEBIBYTE = bytes(range(256)) * 4096


def multipart(title, content):
    """Give the body of a form with a text and a file, and its headers (RFC 7578)."""
    boundary = uuid.uuid4().hex
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\n{title}'
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="file"; '
        'filename="a.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'
    ).encode()
    body += content + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


@pytest.fixture(params=["builtin", "granian", "gunicorn"])
def engine(request):
    return request.param


@pytest.fixture(params=sorted(APPS))
def framework(request):
    return request.param


@pytest.fixture(params=["", VALIDATED], ids=["plain", "validated"])
def site(request, serve, framework, engine):
    """Serve the site of a framework, with or without the validator around it."""
    serve.write(f"site_{framework}.py", APPS[framework] + request.param)
    return serve(CONFIG.format(name=framework, engine=engine))


def test_a_site_works_as_under_its_own_server(site):
    body, headers = multipart("größer", MEBIBYTE)

    hello = site.request("/hello/w%C3%B6rld?q=%C3%BC")
    upload = site.request("/upload", body, headers)
    stream = site.request("/stream")
    redirect = site.request("/redirect")

    assert (hello.status, hello.body.decode()) == (200, "hello wörld, ü")
    digest = hashlib.sha256(MEBIBYTE).hexdigest()
    assert (upload.status, upload.body.decode()) == (200, f"größer {digest}")
    assert stream.body == b"".join(b"%d\n" % number for number in range(1000))
    assert (redirect.status, redirect.headers["location"]) == (303, "/hello")
    assert redirect.headers["set-cookie"].startswith("a=b")
    assert all(
        "x-request-id" in answer.headers for answer in (hello, upload, stream, redirect)
    )
    assert site.stop() == 0
    assert "Traceback" not in site.log


@pytest.mark.parametrize("framework", ["flask"], indirect=True)
def test_an_upload_in_chunks_arrives_whole(site):
    """Not in Django or Bottle, which read CONTENT_LENGTH bytes on every server."""
    body, headers = multipart("t", MEBIBYTE)
    pieces = (body[at : at + 50_000] for at in range(0, len(body), 50_000))

    answer = site.request(
        "/upload",
        pieces,
        {**headers, "Transfer-Encoding": "chunked"},
        chunked=True,
    )

    assert answer.body.decode() == f"t {hashlib.sha256(MEBIBYTE).hexdigest()}"


def test_an_error_of_a_site_is_answered_with_the_configured_page(site):
    answer = site.request("/fail")

    assert (answer.status, answer.body) == (503, b"We are sorry.")
    assert "x-request-id" in answer.headers
    site.wait_until(lambda: "ValueError: asked to fail" in site.log)
