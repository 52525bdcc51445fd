"""The registry: file order, the deployer's order, and every mistake at once."""

from __future__ import annotations

import asyncio
import types

import pytest
from pluggy import HookimplMarker

from handlerkit.errors import ConfigError
from handlerkit.hooks.markers import PROJECT, hookimpl
from handlerkit.hooks.registry import Named, resolve
from handlerkit.plan import HOOKS


class Plain:
    @hookimpl
    def setup_environ(self, environ):
        environ["order"] = environ.get("order", 0) + 1


class First:
    @hookimpl(tryfirst=True)
    def setup_environ(self, environ):
        pass


class Last:
    @hookimpl(trylast=True)
    def setup_environ(self, environ):
        pass


class Around:
    @hookimpl(wrapper=True)
    def setup_environ(self):
        return (yield)


def called(plugins, hook="setup_environ", **tables):
    impls = resolve([Named(name, plugin) for name, plugin in plugins], **tables)
    return [impl.plugin for impl in impls if impl.hook == hook]


def faults_of(plugins, **tables):
    named = [each if isinstance(each, Named) else Named(*each) for each in plugins]
    with pytest.raises(ConfigError) as caught:
        resolve(named, **tables)
    return caught.value.faults


def fault_of(plugin, **tables):
    (fault,) = faults_of([("mine", plugin)], **tables)
    return fault


# --- order -------------------------------------------------------------------


def test_plugins_are_called_in_the_order_of_the_file():
    assert called([("a", Plain()), ("b", Plain()), ("c", Plain())]) == ["a", "b", "c"]


def test_tryfirst_and_trylast_come_before_and_after_the_others():
    plugins = [("last", Last()), ("a", Plain()), ("b", Plain()), ("first", First())]
    assert called(plugins) == ["first", "a", "b", "last"]


def test_wrappers_stand_outermost_first():
    plugins = [("a", Plain()), ("outer", Around()), ("inner", Around())]
    assert called(plugins) == ["outer", "inner", "a"]


def test_order_puts_the_named_first_and_the_rest_follow():
    plugins = [("a", Plain()), ("first", First()), ("b", Plain()), ("c", Plain())]
    orders = {"setup_environ": ["c", "b"]}
    assert called(plugins, orders=orders) == ["c", "b", "first", "a"]


def test_exclude_takes_a_plugin_off_one_hook_only():
    class Two(Plain):
        @hookimpl
        def get_scheme(self):
            return "https"

    plugins = [("a", Two()), ("b", Two())]
    excludes = {"setup_environ": ["a"]}
    assert called(plugins, excludes=excludes) == ["b"]
    assert called(plugins, "get_scheme", excludes=excludes) == ["a", "b"]


def test_the_answer_of_the_registry_is_bound_and_knows_its_arguments():
    (impl,) = resolve([Named("a", Plain(), "skip")])
    environ = {}
    impl.function(environ)
    assert environ == {"order": 1}
    assert (impl.arguments, impl.wrapper, impl.skip_errors) == (
        ("environ",),
        False,
        True,
    )


def test_a_module_is_a_plugin_as_it_is():
    module = types.ModuleType("mine")
    exec(
        "from handlerkit.hooks.markers import hookimpl\n"
        "@hookimpl\n"
        "def get_scheme(): return 'https'\n",
        vars(module),
    )
    (impl,) = resolve([Named("mine", module)])
    assert impl.function() == "https"


def test_one_plugin_may_implement_a_hook_under_another_name():
    class Plugin:
        @hookimpl(specname="get_scheme")
        def by_port(self):
            return "https"

    assert called([("mine", Plugin())], "get_scheme") == ["mine"]


def test_a_parameter_with_a_default_is_given_where_the_hook_has_it():
    class Plugin:
        @hookimpl
        def get_scheme(self, handler, private="mine", environ=None):
            return private, environ

    (impl,) = resolve([Named("mine", Plugin())])
    assert impl.arguments == ("handler", "environ")
    assert impl.function("handler", {"given": 1}) == ("mine", {"given": 1})


# --- mistakes in plugins -----------------------------------------------------


def test_a_mistyped_hook_is_a_fault_with_a_suggestion():
    class Plugin:
        @hookimpl
        def setup_enviro(self, environ):
            pass

    fault = fault_of(Plugin())
    assert fault.code == "HK301"
    assert fault.path == ("plugins", "mine")
    assert fault.message.startswith('unknown hook "setup_enviro" (plugin "mine"')
    assert fault.hint == 'did you mean "setup_environ"?'


def test_an_unknown_hook_without_a_likeness_is_told_what_there_is():
    class Plugin:
        @hookimpl
        def zzz(self):
            pass

    assert "error_output" in fault_of(Plugin()).hint


def test_a_hook_may_be_marked_as_one_that_need_not_exist():
    class Plugin:
        @hookimpl(optionalhook=True)
        def of_the_future(self, anything):
            pass

    assert resolve([Named("mine", Plugin())]) == []


def test_a_mistyped_argument_is_a_fault_with_a_suggestion():
    class Plugin:
        @hookimpl
        def log_exception(self, handler, exc_inf):
            pass

    fault = fault_of(Plugin())
    assert fault.code == "HK305"
    assert fault.message.startswith('hook "log_exception" has no argument "exc_inf"')
    assert 'plugin "mine"' in fault.message
    assert fault.hint == 'did you mean "exc_info"?'


def test_a_keyword_only_argument_is_refused():
    class Plugin:
        @hookimpl
        def log_exception(self, *, report):
            pass

    fault = fault_of(Plugin())
    assert fault.code == "HK305"
    assert 'argument "report" is keyword-only' in fault.message


@pytest.mark.parametrize("hook", [n for n in HOOKS if HOOKS[n].kind == "observe"])
def test_wrappers_on_hooks_that_observe_are_refused(hook):
    scope = {}
    exec(f"def {hook}(): yield", scope)
    plugin = types.SimpleNamespace(**{hook: hookimpl(wrapper=True)(scope[hook])})
    fault = fault_of(plugin)
    assert fault.code == "HK303"
    assert "isolation" in fault.message


def test_a_wrapper_of_an_enricher_cannot_be_skipped():
    (fault,) = faults_of([Named("mine", Around(), "skip")])
    assert fault.code == "HK303"
    assert 'on_error = "skip"' in fault.message


def test_a_wrapper_of_an_answer_goes_with_skip():
    class Plugin:
        @hookimpl(wrapper=True)
        def get_scheme(self):
            return (yield)

    assert len(resolve([Named("mine", Plugin(), "skip")])) == 1


def test_a_wrapper_that_cannot_yield_is_refused():
    class Plugin:
        @hookimpl(wrapper=True)
        def get_scheme(self):
            return "https"

    assert "yields once" in fault_of(Plugin()).message


def test_a_function_that_yields_and_is_no_wrapper_is_refused():
    class Plugin:
        @hookimpl
        def setup_environ(self, environ):
            yield

    assert "would never run" in fault_of(Plugin()).message


def test_an_error_page_may_be_a_generator():
    class Plugin:
        @hookimpl
        def error_output(self, start_response):
            yield b"page"

    assert called([("mine", Plugin())], "error_output") == ["mine"]


def test_an_async_implementation_is_refused():
    class Plugin:
        @hookimpl
        async def setup_environ(self, environ):
            await asyncio.sleep(0)

    assert "async" in fault_of(Plugin()).message


def test_pluggys_old_wrappers_are_refused():
    class Plugin:
        @HookimplMarker(PROJECT)(hookwrapper=True)
        def get_scheme(self):
            yield

    assert "use wrapper=True" in fault_of(Plugin()).message


def test_a_method_with_a_hooks_name_and_no_marker_is_a_fault():
    class Plugin(Plain):
        def error_output(self, start_response):
            pass

    fault = fault_of(Plugin())
    assert fault.code == "HK309"
    assert fault.hint == "put @hookimpl above it"


def test_a_plugin_without_any_hook_is_a_fault_unless_it_has_a_life_cycle():
    class Empty:
        pass

    class Starting:
        def start(self):
            pass

    assert fault_of(Empty()).code == "HK309"
    assert resolve([Named("mine", Starting())]) == []


def test_a_module_whose_class_is_the_plugin_is_told_so():
    module = types.ModuleType("mine")
    exec(
        "from handlerkit.hooks.markers import hookimpl\n"
        "class Sentry:\n"
        "    @hookimpl\n"
        "    def get_scheme(self): return 'https'\n",
        vars(module),
    )
    assert fault_of(module).hint == 'did you mean its class, ":Sentry"?'


def test_a_module_may_import_a_name_that_a_hook_has():
    module = types.ModuleType("mine")
    module.get_scheme = types.FunctionType((lambda: "https").__code__, {})
    module.get_scheme.__module__ = "elsewhere"
    module.start = print
    assert resolve([Named("mine", module)]) == []


def test_the_same_plugin_twice_is_a_fault():
    plugin = Plain()
    (fault,) = faults_of([("a", plugin), ("b", plugin)])
    assert (fault.code, fault.path) == ("HK309", ("plugins", "a"))
    assert '"b"' in fault.message


# --- mistakes in [hooks.<hook>] ----------------------------------------------


@pytest.mark.parametrize("key", ["order", "exclude"])
def test_a_plugin_that_does_not_implement_the_hook_is_a_fault_there(key):
    fault = fault_of(Plain(), **{f"{key}s": {"get_scheme": ["mine"]}})
    assert (fault.code, fault.path) == ("HK310", ("hooks", "get_scheme", key, 0))
    assert fault.message == 'plugin "mine" does not implement get_scheme'


def test_a_disabled_plugin_in_the_tables_has_no_effect():
    tables = {"setup_environ": ["off", "mine"]}
    assert called([("mine", Plain())], orders=tables) == ["mine"]
    assert called([("mine", Plain())], excludes={"get_scheme": ["off"]}) == ["mine"]


def test_all_mistakes_are_found_at_once():
    class Worst:
        @hookimpl
        def setup_enviro(self):
            pass

        @hookimpl
        def log_exceptoin(self):
            pass

        @hookimpl
        def get_scheme(self, enviro):
            pass

    faults = faults_of(
        [("a", Worst()), ("b", Plain()), ("c", Worst())],
        orders={"get_scheme": ["b"]},
        excludes={"get_stdin": ["a"]},
    )
    assert sorted(fault.code for fault in faults) == [
        *(["HK301"] * 4),
        *(["HK305"] * 2),
        *(["HK310"] * 2),
    ]
