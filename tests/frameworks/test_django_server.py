"""Django's development server, with nothing but the base of its handler swapped."""

import hashlib
import os
import sys

import pytest

SCRIPT = """
import sys
import wsgiref.handlers

import handlerkit.handlers

wsgiref.handlers.SimpleHandler = handlerkit.handlers.SimpleHandler

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.servers import basehttp
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

if not issubclass(basehttp.ServerHandler, handlerkit.handlers.BaseHandler):
    sys.exit("Django's handler is not ours")

settings.configure(
    ALLOWED_HOSTS=["*"], DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY="not one"
)


def upload(request):
    import hashlib

    return HttpResponse(hashlib.sha256(request.body).hexdigest())


def stream(request):
    return StreamingHttpResponse(b"%d\\n" % number for number in range(1000))


def fail(request):
    raise ValueError("asked to fail")


urlpatterns = [path("upload", upload), path("stream", stream), path("fail", fail)]

django.setup()
execute_from_command_line(["manage.py", "runserver", "--noreload", *sys.argv[1:]])
"""


@pytest.fixture(params=["threading", "nothreading"])
def server(request, serve):
    bind = serve.bind("tcp")
    script = serve.write("manage.py", SCRIPT)
    arguments = [bind] if request.param == "threading" else ["--nothreading", bind]
    serving = serve.run([sys.executable, str(script), *arguments], bind)
    serving.wait_until_ready()
    return serving


def test_django_runs_on_our_handler(server):
    content = os.urandom(1_000_000)

    upload = server.request("/upload", content)
    stream = server.request("/stream")
    head = server.request("/stream", method="HEAD")
    missing = server.request("/missing")
    failed = server.request("/fail")

    assert upload.body.decode() == hashlib.sha256(content).hexdigest()
    assert stream.body == b"".join(b"%d\n" % number for number in range(1000))
    assert (head.status, head.body) == (200, b"")
    assert missing.status == 404
    assert (failed.status, b"asked to fail" in failed.body) == (500, True)
    server.wait_until(lambda: '"GET /stream HTTP/1.1" 200' in server.log)
