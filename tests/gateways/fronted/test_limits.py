"""Every limit of FastCGI and SCGI is a key of ``[server]``, and is told of."""

import inspect
import struct

import pytest

from handlerkit.config.model import ServerSettings
from handlerkit.protocols import scgi as scgi_protocol
from handlerkit.protocols.fastcgi_limits import Limits
from tests.gateways.fronted.wire import (
    BEGIN,
    END,
    PARAMS,
    STDIN,
    Front,
    head,
    parse,
    record,
    request,
    scgi,
)

APP = """
import threading

GO = threading.Event()


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/wait":
        GO.wait(5)
    return [b"hello"]
"""
CONFIG = """
[app]
target = "app:application"

[handler]
class = "{}Handler"

[server]
threads = 4
{}
"""
# The protocol's own name, where it is another one.
KEYS = {"max_params_size": "max_header_size"}


@pytest.mark.parametrize(
    "limits", [Limits, scgi_protocol.Limits], ids=["FastCGI", "SCGI"]
)
def test_every_limit_is_a_key_with_the_same_default(limits):
    fields = ServerSettings.model_fields
    for name, parameter in inspect.signature(limits).parameters.items():
        key = KEYS.get(name, name)
        assert key in fields
        if key == name:
            assert fields[key].default == parameter.default


@pytest.fixture
def limited(program):
    """Give a client of a server with a limit, as its file has it."""
    fronts = []

    def start(protocol, limit):
        program.write("app.py", APP)
        serving = program(CONFIG.format(protocol, limit), "unix")
        fronts.append(Front(serving.bind))
        return fronts[-1].client(), serving

    yield start
    for front in fronts:
        front.close()


@pytest.mark.parametrize(
    ("limit", "params", "status", "said"),
    [
        ("max_header_size = 300", {"A": "x" * 300}, 431, "over 300 bytes"),
        ("max_params = 4", {"A": "", "B": ""}, 431, "more than 4 "),
        ("max_body = 10", {"CONTENT_LENGTH": "11"}, 413, "over 10 bytes"),
    ],
)
@pytest.mark.parametrize("protocol", ["FastCGI", "SCGI"])
def test_a_limit_of_both_is_told(limited, protocol, limit, params, status, said):
    client, _ = limited(protocol, limit)
    client.send(scgi(**params) if protocol == "SCGI" else request(**params))
    answer = parse(client.rest()[0]) if protocol == "SCGI" else client.answer()

    assert answer.status.startswith(str(status))
    assert said.encode() in answer.body


@pytest.mark.parametrize(
    ("limit", "params", "said"),
    [
        ("max_param_name = 200", {"A" * 201: ""}, "name is over 200 bytes"),
        ("max_param_value = 200", {"A": "x" * 201}, "value is over 200 bytes"),
    ],
)
def test_a_limit_of_one_variable_is_told(limited, limit, params, said):
    client, _ = limited("FastCGI", limit)
    answer = client.ask(**params)

    assert answer.status.startswith("431 ")
    assert said.encode() in answer.body


def test_requests_at_one_time_have_a_limit(limited):
    client, _ = limited("FastCGI", "max_requests = 1")
    client.send(request(1, keep=True, PATH_INFO="/wait") + request(2, keep=True))
    kind, number, content = client.record()

    assert (kind, number) == (END, 2)
    assert struct.unpack("!IB3x", content) == (0, 1)  # FCGI_CANT_MPX_CONN


def test_records_that_bring_nothing_have_a_limit(limited):
    client, serving = limited("FastCGI", "max_idle_records = 3")
    client.send(record(BEGIN, 1, struct.pack("!HB5x", 3, 1)) * 4 + record(PARAMS, 1))
    client.rest()

    serving.wait_until(lambda: "4 records in a row brought nothing" in serving.log)


def test_what_waits_to_be_read_has_a_limit(limited):
    """With less than is collected before an exchange begins, it begins earlier."""
    client, _ = limited("FastCGI", "max_unread = 1000")
    client.send(head(CONTENT_LENGTH="5000") + record(STDIN, 1, b"x" * 1000))

    assert client.answer().body == b"hello"
