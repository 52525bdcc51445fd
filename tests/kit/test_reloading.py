"""A reload: what is new in the next kit, what stays, and what it says of the rest."""

import gc
import threading
import weakref

import pytest

import handlerkit
from handlerkit.gateways.kits import Kits
from handlerkit.kit.checking import check
from handlerkit.kit.reloading import Reloading

PLUGIN = """
import pydantic
from handlerkit import hookimpl

class Settings(pydantic.BaseModel):
    colour: str = "red"

class Paint:
    Settings = Settings
    life = []

    def __init__(self, settings):
        self.settings = settings

    def start(self):
        if self.settings.colour == "none":
            raise OSError("out of paint")
        self.life.append(f"start {self.settings.colour}")

    def close(self):
        self.life.append(f"close {self.settings.colour}")

    @hookimpl
    def response_starting(self, handler, headers):
        headers.append(("X-Colour", self.settings.colour))
        headers.append(("X-Generation", str(handler.kit_generation)))
"""
MODULE = """
from handlerkit import hookimpl

life = []

def start():
    life.append("start")

def close():
    life.append("close")

@hookimpl
def add_cgi_vars(environ):
    environ["lives"] = len(life)
"""
APP = '[app]\ntarget = "shop:application"\n'
PAINTED = APP + '[plugins.paint]\nuse = "./paint.py:Paint"\ncolour = "{}"\n'


class Reloads:
    """A kit as a server has it, reloaded without a server around it."""

    def __init__(self, site):
        self.site = site
        self.said = []

    def begin(self, toml, app=None, given=()):
        self.kit = self.site.load(toml, app, entry="serve")
        self.kit.start()
        self.loading = Reloading(
            self.site.directory / "handlerkit.toml",
            self.kit,
            given=given,
            say=self.said.append,
        )
        return self.kit

    def reload(self, toml):
        """Go on to the next kit, as a server without exchanges would."""
        self.site.toml(toml)
        new = self.loading(self.kit)
        new.start()
        self.kit.close()
        self.kit = new
        return new

    def plugin(self, name):
        return next(p.plugin for p in self.kit.plugins.loaded if p.name == name)


@pytest.fixture
def reloads(site):
    site.write("paint.py", PLUGIN)
    site.write("module.py", MODULE)
    reloads = Reloads(site)
    yield reloads
    reloads.kit.close()


def test_settings_are_new_and_the_application_is_the_same(site, reloads):
    old = reloads.begin(PAINTED.format("red"))
    new = reloads.reload(PAINTED.format("blue") + '[handler]\nerror_body = "Oh"\n')

    assert site.ask(old).headers["X-Colour"] == "red"
    assert site.ask(new).headers["X-Colour"] == "blue"
    assert new.application is old.application
    assert new.handler_class.error_body == b"Oh"
    assert reloads.said == []


def test_each_reload_has_a_number_that_plugins_are_told(site, reloads):
    kits = [reloads.begin(PAINTED.format("red"))]
    kits += [reloads.reload(PAINTED.format("red")) for _ in range(2)]

    told = [site.ask(kit).headers["X-Generation"] for kit in kits]

    assert told == ["1", "2", "3"] == [str(kit.generation) for kit in kits]


def test_a_bare_handler_is_of_no_generation():
    assert handlerkit.SimpleHandler.kit_generation == 0


def test_plugins_come_and_go(site, reloads):
    reloads.begin(APP)
    assert "X-Colour" not in site.ask(reloads.kit).headers

    reloads.reload(PAINTED.format("red"))
    assert site.ask(reloads.kit).headers["X-Colour"] == "red"
    life = reloads.plugin("paint").life

    reloads.reload(APP)
    assert "X-Colour" not in site.ask(reloads.kit).headers
    assert life == ["start red", "close red"]


def test_a_value_from_a_file_is_read_again(site, reloads):
    toml = PAINTED.replace('"{}"', '{{ file = "colour" }}').format()
    site.write("colour", "green\n")
    reloads.begin(toml)
    site.write("colour", "yellow\n")

    assert site.ask(reloads.reload(toml)).headers["X-Colour"] == "yellow"


def test_a_new_instance_starts_before_the_old_one_is_closed(site, reloads):
    kit = reloads.begin(PAINTED.format("red"))
    life = reloads.plugin("paint").life
    swapped = threading.Event()
    kits = Kits(kit, reloads.loading, log=lambda _: swapped.set())
    kits.start()
    kits.heed()
    site.toml(PAINTED.format("blue"))
    kits.reload()

    assert swapped.wait(60)
    kits.close()
    assert life == ["start red", "start blue", "close red", "close blue"]


def test_a_plugin_that_is_a_module_goes_on(site, reloads):
    """There is one of it: it is not closed behind the back of the new kit."""
    toml = APP + '[plugins.one]\nuse = "./module.py"\n'
    reloads.begin(toml)
    module = reloads.plugin("one")

    reloads.reload(toml)
    reloads.reload(toml)
    assert reloads.plugin("one") is module
    assert module.life == ["start"]

    reloads.reload(APP)
    assert module.life == ["start", "close"]


def test_a_file_named_twice_is_reloaded_as_it_was_loaded(reloads):
    toml = APP + "".join(
        f'[plugins.{name}]\nuse = "./{name}.py"\n' for name in ("module", "other")
    ).replace("other.py", "module.py")
    reloads.begin(toml)
    reloads.reload(toml)

    assert reloads.plugin("module") is not reloads.plugin("other")


def test_a_plugin_that_does_not_start_leaves_the_old_kit_as_it_was(site, reloads):
    two = PAINTED + '[plugins.more]\nuse = "./paint.py:Paint"\ncolour = "{}"\n'
    old = reloads.begin(two.format("red", "blue"))
    life = reloads.plugin("paint").life[:]
    site.toml(two.format("green", "none"))
    new = reloads.loading(old)

    with pytest.raises(handlerkit.HandlerkitError, match="out of paint"):
        new.start()

    assert reloads.plugin("paint").life[len(life) :] == [
        "start green",
        "close green",
    ]
    assert site.ask(old).headers["X-Colour"] == "blue"


@pytest.mark.parametrize(
    "wrong",
    [
        "[app\n",
        PAINTED.format("red").replace("colour", "coluor"),
        APP + "[server]\nworkers = 2\n",
        APP + '[plugins.none]\nuse = "./none.py"\n',
        APP + '[handler]\nclass = "CGIHandler"\n',
        "",
    ],
)
def test_a_file_with_mistakes_is_refused_in_the_words_of_check(site, reloads, wrong):
    old = reloads.begin(PAINTED.format("red"))
    path = site.toml(wrong)

    with pytest.raises(handlerkit.ConfigError) as refused:
        reloads.loading(old)
    with pytest.raises(handlerkit.ConfigError) as found:
        check(path, entry="serve", loading=True)

    assert str(refused.value) == str(found.value)
    assert site.ask(old).headers["X-Colour"] == "red"


def test_code_that_has_changed_is_named_and_not_run(site, reloads):
    site.write("stock.py", "")
    site.write("shop.py", (site.directory / "shop.py").read_text() + "import stock\n")
    reloads.begin(PAINTED.format("red"))
    site.write("paint.py", PLUGIN.replace('"X-Colour"', '"X-Color"'))
    site.write("shop.py", "raise RuntimeError\n")
    site.write("stock.py", "less = True\n")

    new = reloads.reload(PAINTED.format("blue"))

    assert site.ask(new).headers["X-Colour"] == "blue"
    app, plugin = reloads.said
    assert 'warning[HK521]: the code of plugin "paint" has changed (paint.py)' in plugin
    assert "warning[HK521]: the code of the application has changed (shop.py, st" in app


def test_code_that_is_gone_has_changed(site, reloads):
    reloads.begin(PAINTED.format("red"))
    (site.directory / "shop.py").unlink()

    reloads.reload(APP)

    assert "the code of the application has changed (shop.py)" in reloads.said[0]


def test_the_same_files_written_again_are_no_change(site, reloads):
    reloads.begin(PAINTED.format("red"))
    for name in ("paint.py", "shop.py"):
        path = site.directory / name
        text = path.read_text()
        path.unlink()
        path.write_text(text)

    reloads.reload(PAINTED.format("red"))

    assert reloads.said == []


def test_another_application_waits_for_a_restart(site, reloads):
    old = reloads.begin(APP)

    new = reloads.reload('[app]\ntarget = "shop:environ"\npath = [".", "lib"]\n')

    assert new.application is old.application
    target, path = reloads.said
    assert 'warning[HK522]: app.target has changed from "shop:application" to' in target
    assert '"shop:environ": that takes a restart' in target
    assert 'app.path has changed from ["."] to [".", "lib"]' in path


def test_an_application_that_was_given_is_not_that_of_the_file(site, reloads):
    kit = site.load(APP).application
    reloads.begin("", kit, given=[("app", "target")])

    reloads.reload('[app]\ntarget = "no:where"\n')

    assert reloads.said == []


def test_a_secret_that_changed_is_not_told(reloads):
    reloads.begin(APP)

    reloads.reload(f'{APP}[server.gunicorn]\nraw_env = ["PASSWORD=opensesame"]\n')

    assert "raw_env has changed from not set to ***: that" in reloads.said[0]


@pytest.mark.parametrize(
    ("line", "change"),
    [
        ('bind = "127.0.0.1:81"', 'bind has changed from "127.0.0.1:8000" to'),
        ("threads = 1", "threads has changed from 8 to 1"),
        ("max_body = 5", "max_body has changed from 1073741824 to 5"),
        ("write_timeout = 5.0", "write_timeout has changed from 60.0 to 5.0"),
        ('unix_mode = "600"', 'unix_mode has changed from "660" to "600"'),
        ('engine = "gunicorn"', 'engine has changed from "builtin" to "gunicorn"'),
        ("gunicorn = { preload_app = true }", "preload_app has changed from not set"),
    ],
)
def test_what_changed_of_the_server_waits_for_a_restart(reloads, line, change):
    old = reloads.begin(APP)

    new = reloads.reload(f"{APP}[server]\n{line}\n")

    (said,) = reloads.said
    assert f"warning[HK523]: server.{change}".replace(
        "preload", "gunicorn.preload"
    ) in (said)
    assert new.config.server == old.config.server


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("auto", "SCGIHandler", "speaks SCGI, and the server HTTP"),
        ("FastCGIHandler", "auto", "speaks HTTP, and the server FastCGI"),
    ],
)
def test_a_class_for_another_protocol_waits_for_a_restart(reloads, one, other, said):
    toml = APP + '[handler]\nclass = "{}"\n'
    old = reloads.begin(toml.format(one))

    new = reloads.reload(toml.format(other))

    assert f"warning[HK523]: the class {said}: that takes" in reloads.said[0]
    assert new.handler_class.__base__ is old.handler_class.__base__


def test_environ_goes_on_telling_of_the_server_that_runs(site, reloads):
    reloads.begin('[app]\ntarget = "shop:environ"\n[server]\nthreads = 1\n')
    new = reloads.reload('[app]\ntarget = "shop:environ"\n[server]\nthreads = 8\n')

    assert b"wsgi.multithread=False" in site.ask(new).body


def test_each_reload_compares_with_the_start(reloads):
    reloads.begin(APP)
    for _ in range(2):
        reloads.reload(f"{APP}[server]\nthreads = 4\n")
    assert len(reloads.said) == 2

    reloads.reload(APP)
    assert len(reloads.said) == 2


def test_an_address_that_was_given_is_not_that_of_the_file(reloads):
    reloads.begin(APP, given=[("server", "bind")])
    reloads.reload(f'{APP}[server]\nbind = "127.0.0.1:81"\n')

    assert reloads.said == []


def test_a_value_from_outside_is_not_told(site, reloads):
    toml = f'{APP}[server]\nbind = {{ file = "bind" }}\n'
    site.write("bind", "unix:/secret/one")
    reloads.begin(toml)
    site.write("bind", "unix:/secret/two")
    reloads.reload(toml)
    reloads.reload(APP)

    assert "server.bind has changed (file bind): that takes" in reloads.said[0]
    assert 'from file bind to "127.0.0.1:8000"' in reloads.said[1]
    assert "secret" not in "".join(reloads.said)


def test_replaced_kits_leave_nothing_behind(reloads):
    toml = PAINTED + '[plugins.one]\nuse = "./module.py"\n[plugins.access-log]\n'
    kit = reloads.begin(toml.format("0"))
    old = [weakref.ref(kit), weakref.ref(kit.handler_class)]
    del kit
    for number in range(20):
        old.append(weakref.ref(reloads.plugin("paint")))
        old.append(weakref.ref(reloads.reload(toml.format(number)).config))
    del old[-1]
    gc.collect()

    assert [each() for each in old if each() is not None] == []
    assert len(reloads.kit.plugins.holders) == len(reloads.kit.plugins.loaded)
