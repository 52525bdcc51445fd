"""The settings of the engines are checked against the engines installed."""

import inspect
import subprocess
import sys
import textwrap

import pytest
from granian.cli import cli as granian_cli
from granian.server import Server
from gunicorn.config import make_settings

from handlerkit.errors import Fault
from handlerkit.gateways import engines, granian, gunicorn

GRANIAN = {parameter.name: parameter for parameter in granian_cli.params}
DEFAULTS = {
    name: getattr(parameter.default, "value", parameter.default)
    for name, parameter in GRANIAN.items()
    if name not in granian._OURS and parameter.to_info_dict()["default"] is not None
}


def told(fault: Fault) -> tuple[str, str, str]:
    return ".".join(map(str, fault.path)), fault.code, fault.hint


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_each_default_of_granian_is_accepted(name):
    assert engines.check_options("granian", {name: DEFAULTS[name]}) == []


@pytest.mark.parametrize(
    "name", sorted(set(GRANIAN) - set(granian._OURS) - {"log_config"})
)
def test_each_option_of_granian_is_an_argument_of_its_server(name):
    value = DEFAULTS.get(name)
    known = set(inspect.signature(Server.__init__).parameters)

    options = {} if value is None else {name: value}

    assert set(granian._keywords(options)) <= known
    assert granian._KEYWORDS.get(name, name) in known or name.startswith("http")


def test_what_handlerkit_sets_are_options_of_granian():
    assert set(granian._OURS) <= set(GRANIAN)


def test_what_handlerkit_sets_are_settings_of_gunicorn():
    assert set(gunicorn._OURS) <= set(make_settings())


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name, setting in make_settings().items()
        if name not in gunicorn._OURS and isinstance(setting.default, (str, int, bool))
    ),
)
def test_each_default_of_gunicorn_is_accepted(name):
    value = make_settings()[name].default

    assert engines.check_options("gunicorn", {name: value}) == []


@pytest.mark.parametrize(
    ("engine", "name", "hint"),
    [
        ("granian", "acess_log", 'did you mean "access_log"?'),
        ("granian", "backpresure", 'did you mean "backpressure"?'),
        ("granian", "ssl_cert", 'did you mean "ssl_certificate"?'),
        ("granian", "log-level", 'did you mean "log_level"?'),
        ("granian", "quite_unlike", ""),
        ("gunicorn", "acesslog", 'did you mean "accesslog"?'),
        ("gunicorn", "max_request", 'did you mean "max_requests"?'),
        ("gunicorn", "quite_unlike", ""),
    ],
)
def test_an_unknown_option_is_reported_with_the_nearest_one(engine, name, hint):
    faults = engines.check_options(engine, {name: 1})

    assert [told(each) for each in faults] == [
        (f"server.{engine}.{name}", "HK201", hint)
    ]
    assert faults[0].on == "key"


@pytest.mark.parametrize(
    ("engine", "name", "key"),
    [
        ("granian", "host", "bind in [server]"),
        ("granian", "port", "bind in [server]"),
        ("granian", "uds", "bind in [server]"),
        ("granian", "uds_permissions", "unix_mode in [server]"),
        ("granian", "workers", "workers in [server]"),
        ("granian", "blocking_threads", "threads in [server]"),
        ("granian", "backlog", "backlog in [server]"),
        ("granian", "workers_kill_timeout", "graceful_timeout in [server]"),
        ("granian", "interface", "WSGI"),
        ("granian", "ws", "WSGI"),
        ("gunicorn", "bind", "bind in [server]"),
        ("gunicorn", "workers", "workers in [server]"),
        ("gunicorn", "threads", "threads in [server]"),
        ("gunicorn", "backlog", "backlog in [server]"),
        ("gunicorn", "graceful_timeout", "graceful_timeout in [server]"),
        ("gunicorn", "wsgi_app", "target in [app]"),
        ("gunicorn", "pythonpath", "path in [app]"),
        ("gunicorn", "check_config", "handlerkit check"),
    ],
)
def test_an_option_that_handlerkit_sets_is_refused_naming_its_own_key(
    engine, name, key
):
    (fault,) = engines.check_options(engine, {name: "1"})

    assert fault.code == "HK205"
    assert name in fault.message
    assert key in fault.hint


@pytest.mark.parametrize(
    ("engine", "name", "value", "said"),
    [
        ("granian", "log_level", "loud", "is not one of"),
        ("granian", "http1_buffer_size", 1, "range"),
        ("granian", "backpressure", True, "must be an integer"),
        ("granian", "backpressure", "many", "must be an integer"),
        ("granian", "access_log", "yes", "must be true or false"),
        ("granian", "static_path_route", "/static", "must be an array"),
        ("granian", "ssl_certificate", "missing.pem", "does not exist"),
        ("granian", "workers_lifetime", "1 hour", "not a valid duration"),
        ("granian", "log_config", 5, "must be a table"),
        ("granian", "log_config", __file__, "is not JSON"),
        ("gunicorn", "max_requests", -1, "must be positive"),
        ("gunicorn", "preload_app", 1, "Invalid type"),
        ("gunicorn", "on_starting", "no_such_module.function", "no_such_module"),
        ("gunicorn", "user", "no such user", "No such user"),
    ],
)
def test_a_value_that_the_engine_refuses_is_a_fault_of_the_value(
    engine, name, value, said
):
    (fault,) = engines.check_options(engine, {name: value})

    assert (fault.code, fault.on) == ("HK204", "value")
    assert said in fault.message


def test_every_mistake_is_reported_at_once():
    options = {"acess_log": True, "workers": 2, "log_level": "loud"}

    faults = engines.check_options("granian", options)

    assert [each.code for each in faults] == ["HK201", "HK205", "HK204"]


def test_an_option_of_granian_goes_by_its_command_line_name(tmp_path):
    """Durations, choices and arrays come as granian's own command line reads them."""
    keywords = granian._keywords(
        {
            "access_log": True,
            "workers_lifetime": "2m",
            "loop": "asyncio",
            "http1_keep_alive": False,
            "http1_buffer_size": 10_000,
            "http2_max_frame_size": 20_000,
            "static_path_mount": [str(tmp_path)],
        }
    )

    assert keywords["log_access"] is True
    assert keywords["workers_lifetime"] == 120
    assert keywords["loop"].value == "asyncio"
    assert keywords["http1_settings"].keep_alive is False
    assert keywords["http1_settings"].max_buffer_size == 10_000
    assert keywords["http2_settings"].max_frame_size == 20_000
    assert keywords["static_path_mount"] == [tmp_path]


@pytest.mark.parametrize("bind", ["systemd", "fd:3", "127.0.0.1:0"])
def test_granian_is_refused_an_address_that_it_cannot_serve(bind):
    (fault,) = engines.check_engine("granian", bind)

    assert (fault.code, fault.path) == ("HK411", ("server", "bind"))


@pytest.mark.parametrize("engine", ["granian", "gunicorn"])
@pytest.mark.parametrize("bind", ["127.0.0.1:8000", "[::1]:80", "unix:/run/a:0"])
def test_an_engine_takes_a_port_or_a_unix_socket(engine, bind):
    assert engines.check_engine(engine, bind) == []


@pytest.mark.parametrize(
    ("engine", "module", "said"),
    [
        ("granian", "granian", "granian is not installed: pip install"),
        ("gunicorn", "gunicorn", "gunicorn is not installed: pip install"),
        ("granian", "click", "granian cannot be used: click is blocked"),
        ("gunicorn", "fcntl", "gunicorn cannot be used: fcntl is blocked"),
    ],
)
def test_an_engine_that_cannot_be_imported_is_one_fault(engine, module, said):
    code = f"""
        import sys

        class Blocked:
            def find_spec(self, name, path=None, target=None):
                if name == {module!r}:
                    raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

        sys.modules.pop({module!r}, None)
        sys.meta_path.insert(0, Blocked())
        from handlerkit.gateways import engines

        for fault in engines.check_engine({engine!r}, "127.0.0.1:8000"):
            print(fault)
        print(engines.check_options({engine!r}, {{"nonsense": 1}}))
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )

    fault, options = result.stdout.splitlines()
    assert fault.startswith(f"server.engine: error[HK410]: {said}")
    assert options == "[]"
