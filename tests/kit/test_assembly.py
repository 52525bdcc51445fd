"""`load`: from a configuration to a kit, or to every mistake in it."""

import socket
from pathlib import Path

import pytest

import handlerkit
from handlerkit.kit.describing import review
from handlerkit.plan import BARE

PAGE = b"A server error occurred.  Please contact the administrator."
APP = '[app]\ntarget = "shop:application"\n'
FAILING = '[app]\ntarget = "shop:failing"\n'


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


# --- sources -----------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_loaded(site, kind):
    kit = handlerkit.load(kind(site.toml(APP)))

    assert site.ask(kit).body == b"the shop"


def test_a_path_is_relative_to_the_working_directory(site, monkeypatch):
    site.toml(APP)
    monkeypatch.chdir(site.directory)

    assert site.ask(handlerkit.load("handlerkit.toml")).body == b"the shop"


def test_pyproject_is_loaded(site):
    path = site.write(
        "pyproject.toml", '[tool.handlerkit.app]\ntarget = "shop:application"\n'
    )

    assert site.ask(handlerkit.load(path)).body == b"the shop"


def test_a_mapping_is_loaded(site):
    app = {"target": "shop:application", "path": [site.directory]}

    assert site.ask(handlerkit.load({"app": app})).body == b"the shop"


def test_a_config_is_loaded(site):
    config = handlerkit.load(site.toml(APP + '[handler]\nerror_body = "x"\n')).config

    kit = handlerkit.load(config, hello)

    assert kit.config == config
    assert kit.handler_class.error_body == b"x"
    assert site.ask(kit).body == b"hello"


def test_an_application_may_be_given_in_place_of_the_target(site):
    """The target is not even imported."""
    kit = site.load('[app]\ntarget = "no_such_module:application"\n', hello)

    assert site.ask(kit).body == b"hello"


@pytest.mark.parametrize("entry", ["handler", "wsgi", "cgi", "serve"])
def test_what_is_given_for_an_application_must_be_one(site, entry):
    (mistake,) = site.mistakes(app="shop:application", entry=entry)

    assert mistake == (
        "app: what was given as app is str, not a WSGI callable: "
        "a name belongs in target of [app]"
    )


def test_a_kit_without_application_says_so_when_it_is_asked_for(site):
    kit = site.load("")

    with pytest.raises(handlerkit.ConfigError, match="there is no application"):
        _ = kit.application


# --- the application ---------------------------------------------------------


def test_a_factory_is_called(site):
    assert site.serve('[app]\ntarget = "shop:create_app()"\n').body == b"made"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no_such_module:application", "No module named 'no_such_module'"),
        ("shop:aplication", "no attribute 'aplication'"),
        ("shop:not_callable", "int, not a WSGI callable"),
        ("shop:not_callable()", "'int' object is not callable"),
        ("broken:application", "of the module"),
        ("leaving:application", "SystemExit: 7"),
    ],
)
def test_an_application_that_cannot_be_had_is_a_mistake_with_its_cause(
    site, target, said
):
    site.write("broken.py", "raise ValueError('of the module')")
    site.write("leaving.py", "raise SystemExit(7)")

    (mistake,) = site.mistakes(f'[app]\ntarget = "{target}"\n')

    assert mistake.startswith("app.target: ")
    assert said in mistake


def test_a_module_that_fails_is_told_with_its_own_frames_only(site):
    site.write("broken.py", "import helper\n")
    site.write("helper.py", "value = 1\nraise ValueError('of the helper')\n")

    (mistake,) = site.mistakes('[app]\ntarget = "broken:application"\n')

    assert "broken.py" in mistake
    assert 'helper.py", line 2' in mistake
    assert "handlerkit" not in mistake.partition("Traceback")[2]


def test_an_interrupt_while_the_application_is_imported_passes(site):
    site.write("cut.py", "raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        site.load('[app]\ntarget = "cut:application"\n')


def test_the_path_counts_for_plugins_and_classes_too(site):
    (site.directory / "lib").mkdir()
    site.write(
        "lib/parts.py",
        "import handlerkit\n"
        "class Handler(handlerkit.SimpleHandler):\n    pass\n"
        "class Plugin:\n"
        "    @handlerkit.hookimpl\n"
        "    def error_output(self, start_response):\n"
        "        start_response('503 Later', [('Content-Type', 'text/plain')])\n"
        "        return [b'later']\n",
    )

    response = site.serve(
        '[app]\ntarget = "shop:failing"\npath = ["lib", "."]\n'
        '[handler]\nclass = "parts:Handler"\n'
        '[plugins.parts]\nuse = "parts:Plugin"\n'
    )

    assert (response.status, response.body) == ("503 Later", b"later")


# --- the handler class -------------------------------------------------------

CALLS = [
    ("SimpleHandler", "wsgi", "serve()"),
    ("SimpleHandler", "cgi", "serve()"),
    ("HostedHandler", "cgi", "wsgi()"),
    ("HostedHandler", "serve", "wsgi()"),
    ("CGIHandler", "serve", "run_cgi()"),
    ("IISCGIHandler", "wsgi", "run_cgi()"),
    ("BaseHandler", "serve", "kit.handler()"),
    ("BaseCGIHandler", "cgi", "kit.handler()"),
]


@pytest.mark.parametrize(("kind", "entry", "call"), CALLS)
def test_a_class_that_does_not_fit_is_told_the_right_call(site, kind, entry, call):
    (mistake,) = site.mistakes(f'{APP}[handler]\nclass = "{kind}"\n', entry=entry)

    assert f"{kind} does not fit" in mistake
    assert call in mistake


@pytest.mark.parametrize(("kind", "entry", "call"), CALLS)
def test_a_class_of_ones_own_fits_where_its_nearest_does(site, kind, entry, call):
    site.write(
        "mine.py",
        f"import handlerkit\nclass Near(handlerkit.{kind}):\n    pass\n"
        "class Mine(Near):\n    pass\n",
    )

    (mistake,) = site.mistakes(f'{APP}[handler]\nclass = "mine:Mine"\n', entry=entry)

    assert f"mine:Mine, a {kind}, does not fit" in mistake
    assert call in mistake


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("mine:Missing", "no attribute 'Missing'"),
        ("mine:function", "not a subclass of handlerkit.BaseHandler"),
        ("mine:Stdlib", "not a subclass of handlerkit.BaseHandler"),
        ("unthere:Class", "No module named 'unthere'"),
        ("leaving:Class", "SystemExit"),
    ],
)
def test_a_class_that_cannot_be_had_is_a_mistake(site, kind, said):
    site.write("leaving.py", "raise SystemExit")
    site.write(
        "mine.py",
        "from wsgiref.handlers import SimpleHandler as Stdlib\n"
        "def function():\n    pass\n",
    )

    (mistake,) = site.mistakes(f'{APP}[handler]\nclass = "{kind}"\n')

    assert mistake.startswith("handler.class: ")
    assert said in mistake


def test_a_class_of_ones_own_keeps_its_overrides(site):
    site.write(
        "mine.py",
        "import handlerkit\n"
        "class Mine(handlerkit.SimpleHandler):\n"
        "    error_status = '500 Mine'\n"
        "    error_body = b'mine'\n",
    )

    response = site.serve(
        f'{FAILING}[handler]\nclass = "mine:Mine"\nerror_body = "of the file"\n'
    )

    assert (response.status, response.body) == ("500 Mine", b"of the file")


def test_the_class_is_not_changed_by_a_kit():
    handlerkit.load({"handler": {"error_body": "changed"}})

    assert handlerkit.SimpleHandler.error_body == PAGE
    assert handlerkit.SimpleHandler.plan is BARE


def test_attributes_reach_the_response(site):
    response = site.serve(
        FAILING + "[handler]\n"
        'error_status = "503 Closed"\n'
        'error_headers = [["Content-Type", "text/html; charset=utf-8"]]\n'
        'error_body = "geschlossen: \u00fc"\n'
        'server_software = "shop/1"\n'
        'http_version = "1.1"\n'
    )

    assert response.status == "503 Closed"
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Server"] == "shop/1"
    assert response.body.decode() == "geschlossen: \u00fc"


def test_the_traceback_limit_holds_in_the_log(site):
    frames = [
        site.serve(f"{FAILING}[handler]\ntraceback_limit = {limit}\n").log.count("File")
        for limit in (0, 1, 50)
    ]

    assert frames == [0, 1, 2]


def test_flags_of_the_configuration_stand_above_the_arguments(site):
    response = site.serve(
        '[app]\ntarget = "shop:environ"\n[handler]\n'
        "wsgi_multithread = false\nwsgi_multiprocess = true\nwsgi_run_once = true\n"
    )

    lines = response.body.decode().splitlines()
    assert {
        "wsgi.multithread=False",
        "wsgi.multiprocess=True",
        "wsgi.run_once=True",
    } <= set(lines)


@pytest.mark.parametrize(
    ("setting", "passed"),
    [
        ('"none"', set()),
        ('"inherit"', {"SHOP_A=a", "SHOP_B=b"}),
        ('["SHOP_B", "SHOP_MISSING"]', {"SHOP_B=b"}),
    ],
)
def test_the_process_environment_passes_as_configured(
    site, monkeypatch, setting, passed
):
    """And never as a request header."""
    for name, value in [("SHOP_A", "a"), ("SHOP_B", "b"), ("HTTP_SHOP", "evil")]:
        monkeypatch.setenv(name, value)

    response = site.serve(
        f'[app]\ntarget = "shop:environ"\n[handler]\nos_environ = {setting}\n'
    )

    lines = response.body.decode().splitlines()
    assert {line for line in lines if "SHOP" in line} == passed


# --- all mistakes at once ----------------------------------------------------

TEN = """\
[app]
target = "no_such_module:application"
pth = ["."]

[handler]
class = "mine:Missing"
traceback_limit = "ten"

[server]
bind = "nowhere"

[hooks.setup_enviro]
order = []

[plugins.mistyped]
use = "./mistyped.py"

[plugins.text-logg]

[plugins.environ]
sett = { a = "b" }

[plugins.strict]
use = "./strict.py:Strict"
level = "high"
"""


def write_ten_mistakes(site):
    site.write("mine.py", "")
    site.write(
        "mistyped.py",
        "from handlerkit import hookimpl\n@hookimpl\ndef log_exeption():\n    pass\n",
    )
    site.write(
        "strict.py",
        "from pydantic import BaseModel\nfrom handlerkit import hookimpl\n"
        "class Strict:\n"
        "    class Settings(BaseModel):\n        level: int\n"
        "    def __init__(self, settings):\n        raise AssertionError\n"
        "    @hookimpl\n    def log_exception(self):\n        pass\n",
    )


def test_ten_different_mistakes_are_ten_errors_in_the_order_of_the_file(site):
    """Of the file, the application, the class, the plugins and their settings."""
    write_ten_mistakes(site)

    mistakes = site.mistakes(TEN)

    assert [mistake.partition(":")[0] for mistake in mistakes] == [
        "app.target",
        "app.pth",
        "handler.class",
        "handler.traceback_limit",
        "server.bind",
        "hooks.setup_enviro",
        "plugins.mistyped",
        "plugins.text-logg",
        "plugins.environ.sett",
        "plugins.strict.level",
    ]


@pytest.mark.parametrize("entry", ["serve", "cgi", "wsgi"])
def test_every_way_of_running_finds_them_all(site, entry):
    write_ten_mistakes(site)

    assert len(site.mistakes(TEN, entry=entry)) == 10


def test_serve_finds_them_all_and_listens_to_nobody(site, monkeypatch):
    write_ten_mistakes(site)

    def listens(*_):
        raise AssertionError("it listens")

    monkeypatch.setattr(socket.socket, "listen", listens)
    with pytest.raises(handlerkit.ConfigError) as caught:
        handlerkit.serve(site.toml(TEN))

    assert len(caught.value.faults) == 10
    assert str(caught.value).endswith("\n10 errors; handlerkit explain HK402 says more")


def test_a_key_at_fault_hides_no_mistake_of_its_table(site):
    mistakes = site.mistakes(
        '[app]\ntarget = "no_such_module:application"\npath = 3\n'
        '[handler]\nclass = "no_such_module:Class"\nerror_body = 3\n'
        "[plugins.environ]\nenabled = 3\nset = 3\n"
    )

    assert len(mistakes) == 6


def test_two_items_at_fault_hide_no_mistake_of_the_table_that_their_array_is_in(site):
    mistakes = site.mistakes(
        "[handler]\n"
        'error_headers = [["a b", "x"], ["c d", "x"]]\n'
        'class = "no_such_module:Class"\n'
    )

    assert [mistake.partition(":")[0] for mistake in mistakes] == [
        "handler.error_headers.0",
        "handler.error_headers.1",
        "handler.class",
    ]


def test_what_handler_names_and_cannot_be_imported_is_told_with_the_rest(site):
    mistakes = site.mistakes(
        '[app]\ntarget = "no_such_module:application"\n'
        '[handler]\nheaders_class = "no_such_module:Class"\n'
    )

    assert [mistake.partition(":")[0] for mistake in mistakes] == [
        "app.target",
        "handler.headers_class",
    ]


# --- warnings ----------------------------------------------------------------


def test_an_override_that_takes_a_hook_off_is_warned_of(site):
    site.write(
        "mine.py",
        "import handlerkit\n"
        "class Mine(handlerkit.SimpleHandler):\n"
        "    def log_exception(self, exc_info):\n        pass\n"
        "    def error_output(self, environ, start_response):\n"
        "        return super().error_output(environ, start_response)\n",
    )
    site.write(
        "page.py",
        "from handlerkit import hookimpl\n@hookimpl\ndef error_output():\n    pass\n",
    )

    kit = site.load(
        f'{APP}[handler]\nclass = "mine:Mine"\n[plugins.page]\nuse = "./page.py"\n'
    )

    assert [fault.message.partition(" and")[0] for fault in review(kit)] == [
        "Mine.log_exception overrides log_exception"
    ]
