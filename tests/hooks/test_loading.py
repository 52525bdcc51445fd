"""Loading: only what is named, from where it is named, with a cause when it fails."""

from __future__ import annotations

import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest

from handlerkit.errors import PluginError
from handlerkit.hooks.loading import KNOWN, Found, find, make
from handlerkit.hooks.registry import Named, resolve

PLUGIN = """
from handlerkit.hooks.markers import hookimpl

class Plugin:
    @hookimpl
    def get_scheme(self):
        return "https"

@hookimpl
def get_scheme():
    return "http"
"""


def found(use, base=Path(), **builtins):
    return find(use, base=base, builtins=builtins)


def failure(use, base=Path(), **builtins):
    with pytest.raises(PluginError) as caught:
        found(use, base, **builtins)
    return caught.value


def scheme_of(plugin):
    (impl,) = resolve([Named("mine", plugin)])
    return impl.function()


# --- where plugins come from -------------------------------------------------


def test_a_builtin_is_found_by_its_name(site):
    (site / "inside.py").write_text(PLUGIN)
    plugin = found("text", text="inside:Plugin")
    assert (plugin.reference, plugin.distribution) == ("inside:Plugin", "handlerkit")
    assert scheme_of(make(plugin)) == "https"


def test_a_class_of_ones_own_is_found_by_module_and_name(site):
    (site / "mine.py").write_text(PLUGIN)
    plugin = found("mine:Plugin")
    assert (plugin.reference, plugin.distribution) == ("mine:Plugin", None)
    assert scheme_of(make(plugin)) == "https"


def test_an_installed_plugin_is_found_by_its_entry_point(install):
    install("a-plugin", "a_plugin", PLUGIN, mine="a_plugin:Plugin", whole="a_plugin")
    plugin = found("mine")
    assert (plugin.distribution, plugin.version) == ("a-plugin", "1.2")
    assert plugin.reference == "a_plugin:Plugin"
    assert scheme_of(make(plugin)) == "https"
    assert scheme_of(make(found("whole"))) == "http"


def test_only_the_named_entry_point_is_imported(install):
    install("a-plugin", "a_plugin", PLUGIN, mine="a_plugin:Plugin")
    install("other", "other_plugin", "raise SystemExit(3)", other="other_plugin")
    assert scheme_of(make(found("mine"))) == "https"
    assert "other_plugin" not in sys.modules


def test_a_local_file_is_the_plugin_relative_to_the_configuration(tmp_path):
    (tmp_path / "local.py").write_text(PLUGIN)
    path = list(sys.path)
    plugin = found("./local.py", tmp_path)
    assert isinstance(plugin.factory, types.ModuleType)
    assert scheme_of(make(plugin)) == "http"
    assert sys.path == path
    assert "local" not in sys.modules


def test_a_class_in_a_local_file_is_named_behind_it(tmp_path):
    (tmp_path / "local.py").write_text(PLUGIN)
    assert scheme_of(make(found("./local.py:Plugin", tmp_path))) == "https"


def test_local_files_of_one_name_are_two_modules(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "local.py").write_text(f"HERE = {name!r}\n{PLUGIN}")
    one = found("./one/local.py", tmp_path).factory
    two = found("./two/local.py", tmp_path).factory
    assert (one.HERE, two.HERE) == ("one", "two")
    assert sys.modules[one.__name__] is one
    assert sys.modules[two.__name__] is two


def test_a_plugin_installed_by_pip_is_found(tmp_path, site):
    wheel = tmp_path / "handlerkit_stranger-3.4-py3-none-any.whl"
    info = "handlerkit_stranger-3.4.dist-info"
    files = {
        "stranger.py": PLUGIN,
        f"{info}/METADATA": (
            "Metadata-Version: 2.1\nName: handlerkit-stranger\nVersion: 3.4\n"
        ),
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        f"{info}/entry_points.txt": (
            "[handlerkit.plugins]\nstranger = stranger:Plugin\n"
        ),
    }
    files[f"{info}/RECORD"] = "".join(
        f"{name},,\n" for name in [*files, f"{info}/RECORD"]
    )
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install"]
    flags = ["--quiet", "--no-index", "--no-deps", "--target", site]
    subprocess.run([*pip, *flags, wheel], check=True)
    plugin = found("stranger")
    assert str(plugin) == 'plugin "stranger" (handlerkit-stranger 3.4)'
    assert scheme_of(make(plugin)) == "https"


# --- how it fails ------------------------------------------------------------


def test_what_does_not_import_names_distribution_version_cause_and_line(install):
    code = "\nimport a_module_that_is_not_there\n"
    install("a-plugin", "a_plugin", code, mine="a_plugin:Plugin")
    error = failure("mine")
    file = Path(sys.path[0], "a_plugin.py")
    assert str(error) == (
        'plugin "mine" (a-plugin 1.2) cannot be imported from a_plugin: '
        "ModuleNotFoundError: No module named 'a_module_that_is_not_there' "
        f"({file}, line 2)"
    )
    assert isinstance(error.__cause__, ModuleNotFoundError)


def test_a_plugin_that_exits_at_import_does_not_end_the_process(install):
    install("a-plugin", "a_plugin", "raise SystemExit(3)", mine="a_plugin:Plugin")
    assert "SystemExit: 3" in str(failure("mine"))


def test_one_name_in_two_distributions_is_an_error_that_names_both(install):
    install("a-plugin", "a_plugin", PLUGIN, mine="a_plugin:Plugin")
    install("b-plugin", "b_plugin", PLUGIN, mine="b_plugin:Plugin")
    error = failure("mine")
    assert str(error) == (
        'plugin "mine" is in two distributions: a-plugin 1.2 and b-plugin 1.2'
    )
    assert "module:attr" in error.hint


def test_a_name_that_is_nearly_right_gets_a_suggestion(install):
    install("a-plugin", "a_plugin", PLUGIN, metrics="a_plugin:Plugin")
    assert failure("metrisc").hint == 'did you mean "metrics"?'
    assert failure("text_log", **{"text-log": "x:y"}).hint == 'did you mean "text-log"?'


def test_the_name_of_a_distribution_suggests_its_plugin(install):
    install("handlerkit-metrics", "a_plugin", PLUGIN, metrics="a_plugin:Plugin")
    assert failure("handlerkit-metrics").hint == 'did you mean "metrics"?'


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_plugin_that_is_not_installed_says_how_to_install_it(name, monkeypatch):
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [])
    assert failure(name).hint == f"not installed: pip install handlerkit-{name}"


def test_the_name_of_a_distribution_is_told_to_be_installed():
    hint = failure("handlerkit-zebra").hint

    assert hint.endswith("pip install handlerkit-zebra")


@pytest.mark.parametrize("name", ["zebra", "handlerkit-x; rm -rf y"])
def test_no_other_name_is_told_to_be_installed(name):
    """It may be anybody's on the index."""
    assert "pip install" not in failure(name).hint


@pytest.mark.parametrize("use", ["unlike-anything", "package.module"])
def test_any_other_name_is_told_how_to_name_ones_own(use):
    error = failure(use)
    assert str(error) == f'no plugin "{use}"'
    assert "package.module:Class" in error.hint


def test_a_missing_attribute_is_named_with_a_suggestion(site):
    (site / "mine.py").write_text(PLUGIN)
    error = failure("mine:Plugni")
    assert str(error) == 'plugin "mine:Plugni": mine has no "Plugni"'
    assert error.hint == 'did you mean "Plugin"?'


def test_what_is_neither_class_nor_module_is_refused(site):
    (site / "mine.py").write_text(PLUGIN)
    assert "a plugin is a class or a module" in str(failure("mine:get_scheme"))


def test_a_reference_that_is_none_is_refused():
    assert "not the name of a module" in str(failure("my-plugin:Plugin"))


def test_a_missing_file_is_named_with_its_directory(tmp_path):
    error = failure("./nope.py:Plugin", tmp_path)
    said = f'plugin "./nope.py:Plugin": no such file: {tmp_path / "nope.py"}'
    assert str(error) == said


def test_what_a_local_file_lacks_is_told_by_the_files_name(tmp_path):
    (tmp_path / "a_local.py").write_text(PLUGIN)
    error = failure("./a_local.py:Plugni", tmp_path)
    assert str(error) == 'plugin "./a_local.py:Plugni": a_local.py has no "Plugni"'


def test_a_file_that_does_not_import_leaves_no_module_behind(tmp_path):
    (tmp_path / "local.py").write_text("1 / 0\n")
    before = set(sys.modules)
    error = failure("./local.py", tmp_path)
    assert "ZeroDivisionError: division by zero" in str(error)
    assert f"({tmp_path / 'local.py'}, line 1)" in str(error)
    assert set(sys.modules) == before


# --- making ------------------------------------------------------------------


def of(factory):
    return Found("mine", factory, "mine:Plugin")


def test_a_class_with_settings_is_called_with_their_record():
    class Plugin:
        Settings = "mine.settings:Settings"

        def __init__(self, settings):
            self.settings = settings

    assert of(Plugin).settings == "mine.settings:Settings"
    assert make(of(Plugin), "record").settings == "record"


def test_a_class_without_settings_is_called_without_arguments():
    class Plugin:
        pass

    assert of(Plugin).settings is None
    assert type(make(of(Plugin))) is Plugin


def test_a_module_has_no_settings_even_where_it_defines_the_name():
    module = types.ModuleType("mine")
    module.Settings = object
    assert of(module).settings is None
    assert make(of(module)) is module


def test_the_trusted_proxies_are_given_only_to_a_class_that_declares_them():
    class Asking:
        proxies: tuple[str, ...] = ()

    class Other:
        pass

    assert make(of(Asking), proxies=["unix"]).proxies == ("unix",)
    assert not hasattr(make(of(Other), proxies=["unix"]), "proxies")


def test_a_class_that_cannot_be_made_is_an_error_with_its_cause():
    class Plugin:
        def __init__(self):
            raise ValueError("no such bucket")

    with pytest.raises(PluginError, match="cannot be made: ValueError: no such bucket"):
        make(of(Plugin))
