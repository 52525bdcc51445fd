"""The plugins of a kit: which are active, what they are given, how they live."""

import pytest

import handlerkit
from handlerkit.errors import PluginError
from handlerkit.kit.plugins import probe
from handlerkit.plan import BARE

APP = '[app]\ntarget = "shop:application"\n'
FAILING = '[app]\ntarget = "shop:failing"\n'
LIVING = """
import pathlib

import handlerkit

LOG = pathlib.Path(__file__).with_name("life")


class Living:
    def __init__(self):
        self.name = type(self).__name__

    def start(self):
        self.tell("starts")

    def close(self):
        self.tell("closes")

    def tell(self, what):
        with LOG.open("a") as log:
            log.write(f"{self.name} {what}\\n")


class One(Living):
    pass


class Two(Living):
    pass


class StartFails(Living):
    def start(self):
        raise OSError("no queue")


class CloseFails(Living):
    def close(self):
        raise OSError("no end")


class StartExits(Living):
    def start(self):
        raise SystemExit("no licence")


class CloseExits(Living):
    def close(self):
        raise SystemExit(3)


class CloseInterrupts(Living):
    def close(self):
        raise KeyboardInterrupt


class StartInterrupts(Living):
    def start(self):
        raise KeyboardInterrupt


class Marking(StartFails):
    @handlerkit.hookimpl
    def setup_environ(self, environ):
        environ["shop.mark"] = "made by who did not start"
"""


def living(site, *names, **options):
    site.write("living.py", LIVING)
    rest = "".join(f"{key} = {value}\n" for key, value in options.items())
    return site.load(
        APP
        + "".join(
            f'[plugins.{name}]\nuse = "./living.py:{name}"\n{rest}' for name in names
        )
    )


def life(site):
    path = site.directory / "life"
    return path.read_text().splitlines() if path.exists() else []


# --- which are active --------------------------------------------------------


def test_tracebacks_are_logged_unasked(site):
    response = site.serve(FAILING)

    assert "Traceback" in response.log
    assert response.log.endswith("ZeroDivisionError: of the shop\n")


def test_the_log_that_is_there_unasked_can_be_silenced(site):
    response = site.serve(f"{FAILING}[plugins.text-log]\nenabled = false\n")

    assert response.log == ""
    assert response.status == "500 Internal Server Error"


def test_the_unasked_log_comes_last(site):
    site.write(
        "first.py",
        "from handlerkit import hookimpl\n"
        "@hookimpl\n"
        "def log_exception(handler):\n"
        "    handler.get_stderr().write('first\\n')\n",
    )

    response = site.serve(f'{FAILING}[plugins.first]\nuse = "./first.py"\n')

    assert response.log.startswith("first\nerror ")


def test_a_disabled_plugin_is_not_even_imported(site):
    site.write("never.py", "raise AssertionError('imported')")

    kit = site.load(f'{APP}[plugins.never]\nuse = "./never.py"\nenabled = false\n')

    assert kit.plugins.inactive == {"never": "disabled"}
    assert site.ask(kit).body == b"the shop"


def test_a_required_plugin_that_does_not_load_stops_the_start(site):
    (mistake,) = site.mistakes(f"{APP}[plugins.no-such-plugin]\n")

    assert 'no plugin "no-such-plugin"' in mistake


def test_a_plugin_that_is_not_required_is_a_warning(site):
    kit = site.load(f"{APP}[plugins.no-such-plugin]\nrequired = false\n")

    (warning,) = kit.warnings
    assert 'no plugin "no-such-plugin"' in warning.message
    assert kit.plugins.inactive["no-such-plugin"].startswith("failed: ")
    assert site.ask(kit).body == b"the shop"


def test_settings_of_a_plugin_that_is_not_required_must_be_valid_all_the_same(site):
    (mistake,) = site.mistakes(f"{APP}[plugins.environ]\nrequired = false\nsett = 1\n")

    assert 'unknown key "sett"' in mistake


def test_safe_mode_starts_without_any_plugin(site, monkeypatch):
    monkeypatch.setenv("HANDLERKIT_SAFE", "1")
    site.write("never.py", "raise AssertionError('imported')")

    kit = site.load(f'{FAILING}[plugins.never]\nuse = "./never.py"\n')
    response = site.ask(kit)

    assert kit.plan is BARE
    assert kit.plugins.loaded == []
    assert response.status == "500 Internal Server Error"
    assert response.log.endswith("ZeroDivisionError: of the shop\n")


def test_two_plugins_of_one_kind_have_a_table_each(site):
    kit = site.load(
        '[app]\ntarget = "shop:environ"\n'
        '[plugins.one]\nuse = "environ"\nset = { "shop.one" = "1" }\n'
        '[plugins.two]\nuse = "environ"\nset = { "shop.two" = "2" }\n'
    )

    body = site.ask(kit).body

    assert b"shop.one=1\n" in body
    assert b"shop.two=2\n" in body


def test_plugins_are_called_in_the_order_of_the_file_unless_hooks_say_otherwise(site):
    site.write(
        "mark.py",
        "from handlerkit import hookimpl\n"
        "class Settings_:\n    pass\n"
        "class A:\n"
        "    @hookimpl\n"
        "    def setup_environ(self, environ):\n"
        "        environ.setdefault('shop.order', []).append(type(self).__name__)\n"
        "class B(A):\n    pass\n"
        "class C(A):\n    pass\n",
    )
    tables = "".join(f'[plugins.{n}]\nuse = "./mark.py:{n.upper()}"\n' for n in "cab")
    text = f'[app]\ntarget = "shop:environ"\n{tables}'

    def order(text):
        lines = site.serve(text).body.decode().splitlines()
        return next(line for line in lines if line.startswith("shop.order="))

    assert order(text) == "shop.order=['C', 'A', 'B']"
    ordered = f'{text}[hooks.setup_environ]\norder = ["b"]\nexclude = ["a"]\n'
    assert order(ordered) == "shop.order=['B', 'C']"


# --- what they are given -----------------------------------------------------

SECRETIVE = """
from pydantic import BaseModel, SecretStr

from handlerkit import hookimpl


class Secretive:
    class Settings(BaseModel):
        dsn: SecretStr
        level: int = 3

    def __init__(self, settings):
        self.settings = settings

    @hookimpl
    def log_exception(self, handler):
        handler.get_stderr().write(f"{self.settings!r} {self.settings.dsn}\\n")
"""


def secretive(rest):
    return f'{FAILING}[plugins.secretive]\nuse = "./secretive.py:Secretive"\n{rest}'


def test_settings_are_a_frozen_record_that_masks_its_secrets(site, monkeypatch):
    monkeypatch.setenv("SHOP_DSN", "the-secret")
    site.write("secretive.py", SECRETIVE)

    kit = site.load(secretive('dsn = { env = "SHOP_DSN" }\n'))
    (plugin,) = [each.plugin for each in kit.plugins.loaded if each.name == "secretive"]

    assert site.ask(kit).log.startswith("Settings(dsn=***, level=3) the-secret\n")
    with pytest.raises(AttributeError, match="immutable"):
        plugin.settings.level = 4
    assert "the-secret" not in repr(kit.config) + str(kit.config.model_dump())


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ('dsn = "the-secret"\nlevel = "the-secret"\n', "level must be an integer"),
        ('dsn = ["the-secret"]\n', "dsn must be a string"),
        ('dsn = "x"\nlvel = 4\n', 'unknown key "lvel"'),
        ('dsn = { env = "SHOP_NO" }\n', "SHOP_NO"),
        ("", "dsn"),
    ],
)
def test_settings_are_validated_by_the_plugins_own_model(site, rest, said):
    site.write("secretive.py", SECRETIVE)

    (mistake,) = site.mistakes(secretive(rest))

    assert mistake.startswith("plugins.secretive")
    assert said in mistake
    assert "dsn" not in mistake or "the-secret" not in mistake


def test_settings_by_reference_are_imported_to_validate(site):
    site.write("secretive.py", SECRETIVE)
    site.write(
        "lean.py",
        "from handlerkit import hookimpl\n"
        "class Lean:\n"
        "    Settings = 'secretive:Secretive.Settings'\n"
        "    def __init__(self, settings):\n        self.settings = settings\n"
        "    @hookimpl\n"
        "    def log_exception(self, handler):\n"
        "        handler.get_stderr().write(f'level {self.settings.level}\\n')\n",
    )

    response = site.serve(
        f'{FAILING}[plugins.lean]\nuse = "./lean.py:Lean"\ndsn = "x"\nlevel = 9\n'
    )

    assert response.log.startswith("level 9\n")


RAISING = """
from pydantic import BaseModel


class Raising:
    class Settings(BaseModel):
        dsn: str
        at: str

    def __init__(self, settings):
        self.settings = settings
        self.fail("init")

    def start(self):
        self.fail("start")

    def close(self):
        self.fail("close")

    def probe(self):
        self.fail("probe")

    def fail(self, at):
        if at == self.settings.at:
            raise OSError(f"cannot connect to {self.settings.dsn!r}")
"""


def raising(site, monkeypatch, at, **options):
    monkeypatch.setenv("SHOP_DSN", "s3cr3t\\7f3a")
    site.write("raising.py", RAISING)
    rest = "".join(f"{key} = {value}\n" for key, value in options.items())
    return (
        f'{APP}[plugins.raising]\nuse = "./raising.py:Raising"\n'
        f'at = "{at}"\ndsn = {{ env = "SHOP_DSN" }}\n{rest}'
    )


def test_what_a_plugin_raises_is_told_without_secrets(site, monkeypatch):
    (mistake,) = site.mistakes(raising(site, monkeypatch, "init"))

    assert "cannot connect to '***'" in mistake


def test_what_a_plugin_raises_that_is_not_required_has_no_secrets(site, monkeypatch):
    kit = site.load(raising(site, monkeypatch, "init", required="false"))

    said = f"{kit.warnings} {kit.plugins.inactive}"
    assert said.count("***") == 2
    assert "7f3a" not in said


def test_what_a_plugin_raises_at_its_start_is_told_without_secrets(site, monkeypatch):
    kit = site.load(raising(site, monkeypatch, "start"))

    with pytest.raises(handlerkit.HandlerkitError, match=r"connect to '\*\*\*'"):
        kit.start()


@pytest.mark.parametrize("at", ["start", "close"])
def test_a_warning_of_a_plugin_has_no_secrets(site, monkeypatch, capfd, at):
    kit = site.load(raising(site, monkeypatch, at, required="false"))

    kit.start()
    kit.close()

    assert f"did not {at}: OSError: cannot connect to '***'" in capfd.readouterr().err


def test_what_a_probe_raises_is_told_without_secrets(site, monkeypatch):
    kit = site.load(raising(site, monkeypatch, "probe"))

    assert probe(kit.plugins) == [("raising", "OSError: cannot connect to '***'")]


@pytest.mark.parametrize(
    "option", ["granian.http", "gunicorn.timeout", "gunicorn.post_fork"]
)
def test_what_an_engine_says_of_its_options_has_no_secrets(site, monkeypatch, option):
    monkeypatch.setenv("SHOP_DSN", "s3cr3t-7f3a")

    (mistake,) = site.mistakes(f'{APP}[server]\n{option} = {{ env = "SHOP_DSN" }}\n')

    assert option in mistake
    assert "***" in mistake
    assert "s3cr3t-7f3a" not in mistake


# --- how they live -----------------------------------------------------------


def test_plugins_start_in_order_and_close_in_reverse(site):
    kit = living(site, "One", "Two")
    assert life(site) == []

    kit.start()
    kit.start()
    assert life(site) == ["One starts", "Two starts"]

    kit.close()
    kit.close()
    assert life(site)[2:] == ["Two closes", "One closes"]


def test_a_plugin_that_does_not_start_has_those_before_it_closed(site):
    kit = living(site, "One", "StartFails", "Two")

    with pytest.raises(handlerkit.HandlerkitError, match=r"did not start.*no queue"):
        kit.start()

    assert life(site) == ["One starts", "StartFails closes", "One closes"]


def test_one_that_is_not_required_may_fail_to_start(site, capfd):
    kit = living(site, "StartFails", "Two", required="false")

    kit.start()
    kit.close()

    assert "did not start: OSError: no queue" in capfd.readouterr().err
    assert "Two starts" in life(site)
    assert site.ask(kit).body == b"the shop"


def test_one_that_did_not_start_is_taken_off_its_hooks(site, capfd):
    kit = living(site, "Marking", required="false")
    assert "setup_environ" in kit.plan.impls

    kit.start()

    assert "none of its hooks is called" in capfd.readouterr().err
    assert "Marking" in kit.plugins.inactive
    assert kit.handler_class.plan is kit.plan
    kit.start()
    kit.close()
    assert life(site) == ["Marking closes"]
    response = site.ask(kit)
    assert response.body == b"the shop"
    assert "setup_environ" not in kit.plan.impls


def test_a_required_plugin_that_exits_at_its_start_is_named(site):
    kit = living(site, "One", "StartExits")

    with pytest.raises(handlerkit.HandlerkitError, match=r"StartExits.*no licence"):
        kit.start()

    assert life(site)[-1] == "One closes"


def test_one_that_exits_at_its_close_keeps_none_from_closing(site, capfd):
    kit = living(site, "One", "CloseExits")

    kit.start()
    kit.close()

    assert "did not close: SystemExit: 3" in capfd.readouterr().err
    assert life(site)[-1] == "One closes"


def test_one_that_does_not_close_keeps_none_from_closing(site, capfd):
    kit = living(site, "One", "CloseFails")

    kit.start()
    kit.close()

    assert "did not close: OSError: no end" in capfd.readouterr().err
    assert life(site)[-1] == "One closes"


def test_a_probe_tells_what_is_wrong_with_a_plugins_means(site):
    site.write(
        "probing.py",
        "import handlerkit\n"
        "class Fine:\n    def probe(self):\n        pass\n"
        "class Refused:\n    def probe(self):\n        raise OSError('refused')\n"
        "class Unsure:\n    def probe(self):\n"
        "        raise handlerkit.HandlerkitError('no such address')\n",
    )
    kit = site.load(
        "".join(
            f'[plugins.{name}]\nuse = "./probing.py:{name}"\n'
            for name in ("Fine", "Refused", "Unsure")
        )
    )

    assert probe(kit.plugins) == [
        ("Fine", ""),
        ("Refused", "OSError: refused"),
        ("Unsure", "no such address"),
    ]


def test_an_interrupt_of_the_close_passes_once_all_are_closed(site):
    kit = living(site, "One", "CloseInterrupts", "Two")
    kit.start()

    with pytest.raises(KeyboardInterrupt):
        kit.close()
    assert life(site)[-2:] == ["Two closes", "One closes"]


def test_an_interrupt_of_the_start_passes_once_those_before_are_closed(site):
    """As of whoever waits for a plugin that does not come back."""
    kit = living(site, "One", "StartInterrupts", "Two")

    with pytest.raises(KeyboardInterrupt):
        kit.start()
    assert life(site) == ["One starts", "StartInterrupts closes", "One closes"]


BROKEN = """
from handlerkit import hookimpl
from pydantic import BaseModel, field_validator

class Broken(Exception):
    def __str__(self):
        raise AttributeError("no text")

def broken(*_):
    raise Broken

class Made:
    __init__ = broken
    @hookimpl
    def setup_environ(self): pass

class Started:
    start = probe = close = broken
    @hookimpl
    def setup_environ(self): pass

class Checked(Started):
    class Settings(BaseModel):
        level: int = 1
        _ = field_validator("level")(lambda level: broken())
"""
SAID = "Broken: <cannot be shown: AttributeError>"


@pytest.mark.parametrize(
    "text",
    [
        '[plugins.a]\nuse = "broken_import:Made"\n',
        '[plugins.a]\nuse = "./broken_import.py"\n',
        '[plugins.a]\nuse = "broken:Made"\n',
        '[plugins.a]\nuse = "broken:Checked"\nlevel = 3\n',
        '[app]\ntarget = "broken:broken()"\n',
        '[handler]\nheaders_class = "broken:broken"\n',
        '[handler]\nclass = "broken_import:Handler"\n',
    ],
)
def test_what_has_no_text_of_its_own_is_named_all_the_same(site, text):
    """Its class says something; what it raises when it is shown is no traceback."""
    site.write("broken.py", BROKEN)
    site.write("broken_import.py", f"{BROKEN}\nraise Broken")

    (mistake,) = site.mistakes(text)

    assert SAID in mistake


def test_what_a_life_cycle_raises_without_a_text_is_named(site, capfd):
    site.write("broken.py", BROKEN)
    text = '[plugins.a]\nuse = "broken:Started"\n'
    kit = site.load(f"{text}required = false\n")

    assert probe(kit.plugins) == [("a", SAID)]
    kit.start()
    told = capfd.readouterr().err
    assert f"did not start: {SAID}" in told
    assert f"did not close: {SAID}" in told
    with pytest.raises(PluginError, match="did not start: Broken: "):
        site.load(text).start()


def test_an_attribute_that_raises_is_a_start_that_failed(site):
    site.write(
        "odd.py",
        "from handlerkit import hookimpl\n"
        "class Odd:\n"
        "    @hookimpl\n"
        "    def setup_environ(self): pass\n"
        "    def __getattr__(self, name): raise ValueError(name)\n",
    )
    kit = site.load('[plugins.odd]\nuse = "odd:Odd"\n')

    with pytest.raises(PluginError, match="did not start: ValueError: start"):
        kit.start()


def test_settings_that_have_a_key_of_handlerkits_cannot_be_used(site):
    """The plugin would never be given what the file has there."""
    site.write(
        "taken.py",
        "from handlerkit import hookimpl\n"
        "from pydantic import BaseModel, Field\n"
        "class Taken:\n"
        "    class Settings(BaseModel):\n"
        "        enabled: bool = False\n"
        "        kind: str = Field(alias='use')\n"
        "        level: int = 3\n"
        "    def __init__(self, settings): pass\n"
        "    @hookimpl\n"
        "    def setup_environ(self): pass\n",
    )

    (mistake,) = site.mistakes('[plugins.a]\nuse = "taken:Taken"\nenabled = true\n')

    assert mistake == (
        "plugins.a: its Settings have enabled and kind by a key that is handlerkit's: "
        "what the file has there is not for the plugin: name it otherwise"
    )


@pytest.mark.parametrize(
    ("settings", "arguments", "hint"),
    [
        ("", "self, settings", "without Settings, it is called without arguments"),
        (
            "Settings = Any",
            "self",
            "with Settings, it is called with their record",
        ),
        ("", "self, *, level", "without Settings, it is called without arguments"),
    ],
)
def test_a_class_that_takes_other_arguments_is_told_which_it_is_given(
    site, settings, arguments, hint
):
    site.write(
        "odd.py",
        "from handlerkit import hookimpl\n"
        "from pydantic import BaseModel\n"
        "class Any(BaseModel): pass\n"
        "class Odd:\n"
        f"    {settings or 'pass'}\n"
        f"    def __init__({arguments}): pass\n"
        "    @hookimpl\n"
        "    def setup_environ(self): pass\n",
    )

    (mistake,) = site.mistakes('[plugins.odd]\nuse = "odd:Odd"\n')

    assert mistake.endswith(f": {hint}")
