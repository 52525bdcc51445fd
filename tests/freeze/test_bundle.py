"""The bundle is taken where it is good, and changes nothing but what a start costs."""

import os
import shutil
import sys

import pytest

from tests.freeze.conftest import NO_BYTECODE, PACKAGE, Site, add_metadata
from tests.freeze.test_trust import NOBODY, ROOT

TAG = sys.implementation.cache_tag
ALONE = {"handlerkit", "handlerkit.kit", "handlerkit.kit.bundle"}
TOLD = """
import inspect
import sys
import traceback


def told(name):
    module = sys.modules[name]
    spec, loader = module.__spec__, module.__loader__
    package, _, child = name.rpartition(".")
    sources = [
        inspect.getsource(value)
        for value in vars(module).values()
        if inspect.isfunction(value) or inspect.isclass(value)
        if value.__module__ == name
    ]
    return (
        name, module.__file__, module.__cached__, module.__package__, module.__name__,
        getattr(module, "__path__", None), module.__doc__, sorted(vars(module)),
        spec.name, spec.origin, spec.cached, spec.parent, spec.has_location,
        spec.submodule_search_locations, type(loader), loader.name, loader.path,
        not package or getattr(sys.modules[package], child) is module, sources,
    )


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    ours = [n for n in sys.modules if n.split(".")[0] in ("handlerkit", "wsgiref")]
    lines = [repr(told(name)) for name in sorted({*ours, "__future__"})]
    return ["\\n".join([*lines, *traceback.format_stack()]).encode()]
"""


def bundle_of(site):
    return site.directory / "__pycache__" / f"handlerkit_frozen.{TAG}.bin"


def looked_for(site, **variables):
    """Give the answer, and the modules of handlerkit that were imported one by one."""
    answer = site.ask(PYTHONPROFILEIMPORTTIME="1", **variables)
    lines = [line for line in answer.log.splitlines() if line.startswith("import time")]
    names = {line.rpartition("|")[2].strip() for line in lines}
    return answer, {name for name in names if name.startswith("handlerkit")}


@pytest.fixture
def frozen(site):
    site.freeze()
    return site


def test_all_that_a_frozen_process_imports_of_handlerkit_is_in_it(frozen):
    answer, names = looked_for(frozen)

    assert (answer.status, answer.body) == ("200 OK", "192.0.2.1")
    assert names == ALONE


def test_modules_are_as_if_they_were_imported(site):
    """Their files, specifications, sources, and the lines that tracebacks show."""
    site.write("shop.py", TOLD)
    site.freeze()
    bundled = site.ask()
    bundle_of(site).unlink()

    assert bundled == site.ask()
    assert "self.result = application(self.environ" in bundled.body
    assert bundled.body.count("SourceFileLoader") > len(ALONE) * 5


DAMAGES = {
    "gone": None,
    "empty": lambda data: b"",
    "cut": lambda data: data[:-1],
    "cut in its head": lambda data: data[:10],
    "longer": lambda data: data + b"\0",
    "changed in the middle": lambda data: data.replace(b"CGI", b"cgi"),
    "of another Python": lambda data: b"\0" + data[1:],
    "of another form": lambda data: data[:4] + b"\0" + data[5:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_that_freeze_has_not_written_is_not_taken(frozen, damage):
    bundle, change = bundle_of(frozen), DAMAGES[damage]
    if change is None:
        bundle.unlink()
    else:
        bundle.write_bytes(change(bundle.read_bytes()))

    answer, names = looked_for(frozen)

    assert (answer.status, answer.body, answer.code) == ("200 OK", "192.0.2.1", 0)
    assert names > ALONE
    assert frozen.ask().log == ""


def test_bytecode_with_other_optimization_is_not_taken(frozen):
    answer, names = looked_for(frozen, PYTHONOPTIMIZE="1")

    assert answer.status == "200 OK"
    assert names > ALONE


@pytest.mark.parametrize("place", ["the bundle", "the directory", "its directory"])
def test_one_that_the_world_may_write_to_is_not_taken(frozen, place):
    bundle = bundle_of(frozen)
    path = {
        "the bundle": bundle,
        "the directory": frozen.directory,
        "its directory": bundle.parent,
    }[place]
    path.chmod(path.stat().st_mode | 0o002)

    answer, names = looked_for(frozen)

    assert answer.status == "200 OK"
    assert names > ALONE


@ROOT
def test_one_that_belongs_to_a_third_user_is_not_taken(frozen):
    os.chown(bundle_of(frozen), NOBODY, -1)

    assert looked_for(frozen)[1] > ALONE


def test_it_may_be_read_by_whom_the_configuration_may_be(site):
    site.config.chmod(0o640)
    site.freeze()

    assert bundle_of(site).stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("metadata", [True, False])
def test_a_module_that_was_edited_is_what_runs(site, tmp_path, metadata):
    """By the rule of Python's own bytecode; handlerkit's version may be the same."""
    place = tmp_path / "copy"
    shutil.copytree(PACKAGE, place / "handlerkit", ignore=NO_BYTECODE)
    if metadata:
        add_metadata(place, "handlerkit", "0.1.0")
    site.path = [str(place)]
    site.write("handlerkit.toml", CONFIG_REBUILD)
    site.freeze()
    assert looked_for(site)[1] == ALONE
    edited = place / "handlerkit" / "handlers" / "cgi.py"
    edited.write_text(f"{edited.read_text()}\nsys.stderr.write('edited')\n")

    assert "edited" in site.ask().log


CONFIG_REBUILD = """
[app]
target = "shop:application"
[freeze]
on_drift = "rebuild"
"""


def test_another_copy_of_handlerkit_is_imported_from_where_it_is(site, installed):
    """With the same times and sizes, and the first one still there."""
    other = installed.with_name("other")
    shutil.copytree(installed, other)
    site.write("shop.py", TOLD)
    site.path = [str(installed)]
    site.freeze()
    site.path = [str(other)]

    answer = site.ask()

    assert answer.status == "200 OK"
    assert str(other) in answer.body
    assert str(installed) not in answer.body


def test_it_moves_with_the_site(frozen, tmp_path):
    frozen.directory.rename(tmp_path / "elsewhere")
    moved = Site.__new__(Site)
    moved.__dict__ |= frozen.__dict__
    moved.directory = tmp_path / "elsewhere"
    moved.config = moved.directory / "handlerkit.toml"

    assert looked_for(moved)[1] == ALONE


def test_the_same_input_gives_the_same_bundle(site):
    """Whoever freezes: the command, or a process that was to rebuild."""
    site.write("handlerkit.toml", CONFIG_REBUILD)
    found = set()
    for seed in ("1", "2"):
        site.freeze(PYTHONHASHSEED=seed)
        found.add(bundle_of(site).read_bytes())
    site.write("handlerkit_frozen.py", "FORMAT = 0")
    bundle_of(site).unlink()
    assert site.ask().status == "200 OK"
    found.add(bundle_of(site).read_bytes())

    assert len(found) == 1
