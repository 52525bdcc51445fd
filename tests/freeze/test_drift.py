"""What changed is noticed, and told; what has not changed is not taken for it."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.freeze.conftest import NO_BYTECODE, PACKAGE, Site, add_metadata

MODULES = "[app]\ntarget = 'shop:modules'\n"
LOCAL = '[plugins.mine]\nuse = "./audit.py:Audit"\n'
AUDIT = """
from handlerkit import hookimpl


class Audit:
    @hookimpl
    def setup_environ(self, environ):
        environ["AUDIT"] = "{}"
"""
PLUGIN = """
from handlerkit import hookimpl


class Mail:
    @hookimpl
    def setup_environ(self, environ):
        environ["MAIL"] = "1"
"""


def install(place: Path, version: str) -> None:
    """Do what pip does: an upgrade takes the metadata of the old version away."""
    for old in place.glob("mailer-*"):
        shutil.rmtree(old)
    add_metadata(place, "mailer", version, "mail = mailer:Mail")
    (place / "mailer.py").write_text(PLUGIN)


def test_nothing_has_changed(site):
    site.freeze()

    assert site.check() == (0, "")


def test_the_same_input_gives_the_same_file(site):
    assert site.freeze() == site.freeze()


def test_a_changed_configuration_is_an_error_that_says_so(site):
    site.freeze()
    site.config.write_text(site.config.read_text() + "# changed\n")

    answer = site.ask()

    assert (answer.status, answer.code) == ("500 Internal Server Error", 1)
    assert "HK603" in answer.log
    assert "handlerkit.toml has changed" in answer.log
    assert "freeze again" in answer.log
    assert site.check()[0] == 1


def test_rebuild_serves_and_freezes_anew(site):
    site.write("handlerkit.toml", MODULES)
    before = site.freeze()
    site.write("handlerkit.toml", f'{MODULES}[freeze]\non_drift = "rebuild"\n')

    first, second = site.ask(), site.ask()

    assert (first.status, first.is_frozen) == ("200 OK", False)
    assert (second.status, second.is_frozen) == ("200 OK", True)
    assert site.frozen.read_text() != before
    assert site.check()[0] == 0


def test_rebuild_that_cannot_write_serves_all_the_same(site):
    site.freeze()
    site.write("handlerkit.toml", f'{MODULES}[freeze]\non_drift = "rebuild"\n')
    site.write("handlerkit.toml", site.config.read_text() + LOCAL_SECRET)
    site.write("audit.py", SECRETIVE)

    answer = site.ask()

    assert (answer.status, answer.is_frozen) == ("200 OK", False)
    assert "handlerkit_frozen.py is stale, and stays so" in answer.log
    assert "opensesame" not in answer.log


LOCAL_SECRET = f'{LOCAL}password = "opensesame"\n'
SECRETIVE = AUDIT.replace("class Audit:", "import pydantic\n\nclass Audit:").replace(
    "    @hookimpl",
    "    class Settings(pydantic.BaseModel):\n        password: str\n\n"
    "    def __init__(self, settings):\n        pass\n\n    @hookimpl",
)


def test_an_invalid_configuration_is_told_as_ever(site):
    site.freeze()
    site.write("handlerkit.toml", MODULES + "[handler]\nerror_statsu = 'x'\n")

    answer = site.ask()

    assert answer.code == 1
    assert "HK201" in answer.log


def test_a_configuration_that_is_gone_is_told_as_ever(site):
    site.config.rename(site.directory / "kept.toml")
    never = site.ask()
    (site.directory / "kept.toml").rename(site.config)
    site.freeze()
    site.config.unlink()

    assert site.ask() == never
    assert (never.code, "HK101" in never.log) == (1, True)


@pytest.mark.skipif(sys.platform != "linux", reason="where a name may be any bytes")
@pytest.mark.parametrize(
    "name", ['quo"""te.toml', "back\\N.toml", "new\nline.toml", "\udcff.toml"]
)
def test_a_configuration_may_have_any_name(site, name):
    site.config = site.config.rename(site.directory / name)
    code = site.run("freeze", "--config", name).returncode
    frozen = site.directory / f"{name.removesuffix('.toml')}_frozen.py"

    assert code == 0
    assert frozen.read_text().startswith('"""Made by `handlerkit freeze` from ')
    assert site.run("freeze", "--config", name, "--check").returncode == 0


def test_an_upgraded_plugin_is_noticed(site, tmp_path):
    place = tmp_path / "place"
    site.path.append(str(place))
    install(place, "1.0")
    site.write("handlerkit.toml", f"{MODULES}[plugins.mail]\n")
    assert "mailer-1.0.dist-info" in site.freeze()
    assert site.ask().is_frozen
    install(place, "1.1")

    answer = site.ask()

    assert answer.code == 1
    assert 'plugin "mail": mailer 1.0 -> 1.1' in answer.log
    assert 'plugin "mail": mailer 1.0 -> 1.1' in site.check()[1]


def test_an_upgrade_that_leaves_the_old_metadata_is_noticed(site, tmp_path):
    """As rsync and FTP do, unless they are told to delete."""
    place = tmp_path / "place"
    site.path.append(str(place))
    install(place, "1.0")
    site.write("handlerkit.toml", f"{MODULES}[plugins.mail]\n")
    site.freeze()
    add_metadata(place, "mailer", "1.1", "mail = mailer:Mail")

    answer, check, again = site.ask(), site.check(), site.run("freeze")

    assert answer.code == check[0] == again.returncode == 1
    for said in (answer.log, check[1], again.stderr):
        assert 'plugin "mail": mailer 1.0 -> 1.1' in said or (
            "mailer-1.0.dist-info and mailer-1.1.dist-info are both in" in said
        )


def test_a_plugin_that_is_gone_is_noticed(site, tmp_path):
    place = tmp_path / "place"
    site.path.append(str(place))
    install(place, "1.0")
    site.write("handlerkit.toml", f"{MODULES}[plugins.mail]\n")
    site.freeze()
    shutil.rmtree(place)

    assert 'plugin "mail": mailer 1.0 -> not installed' in site.ask().log


def test_a_local_plugin_that_changed_is_noticed(site):
    site.write("audit.py", AUDIT.format("1"))
    site.write("handlerkit.toml", MODULES + LOCAL)
    site.freeze()
    assert site.ask().is_frozen
    site.write("audit.py", AUDIT.format("2"))

    assert "handlerkit_frozen.py: error[HK603]: audit.py has changed" in site.ask().log


@pytest.mark.parametrize("link", ["audit.py", "."])
def test_a_local_plugin_behind_a_link_that_changed_is_noticed(site, tmp_path, link):
    """The file itself, or the directory that it is in."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    plugin = elsewhere / "audit.py"
    plugin.write_text(AUDIT.format("1"))
    (site.directory / "linked").symlink_to(elsewhere / link)
    use = "./linked/audit.py" if link == "." else "./audit.py"
    if link != ".":
        (site.directory / "linked").rename(site.directory / "audit.py")
    site.write("handlerkit.toml", MODULES + LOCAL.replace("./audit.py", use))
    site.freeze()
    assert site.ask().is_frozen
    plugin.write_text(AUDIT.format("2"))

    assert f"error[HK603]: {use[2:]} has changed" in site.ask().log


def test_a_plugin_without_distribution_that_changed_is_noticed(site):
    site.write("audit.py", AUDIT.format("1"))
    site.write("handlerkit.toml", f'{MODULES}[plugins.mine]\nuse = "audit:Audit"\n')
    site.freeze()
    assert site.ask().is_frozen
    site.write("audit.py", AUDIT.format("2"))

    assert "handlerkit_frozen.py: error[HK603]: audit.py has changed" in site.ask().log


def test_an_upgraded_handlerkit_is_noticed(site, installed):
    site.path = [str(installed)]
    site.freeze()
    package = installed / "handlerkit" / "__init__.py"
    text = package.read_text()
    version = text.partition('__version__ = "')[2].partition('"')[0]
    package.write_text(text.replace(f'"{version}"', '"9.0"'))

    assert f"handlerkit: {version} -> 9.0" in site.ask().log


def test_an_installed_handlerkit_is_known_by_its_version_alone(site, installed):
    """Its files are read by nobody: they may be many, on a disk that is slow."""
    site.path = [str(installed)]
    assert '"files": None' in site.freeze()
    assert site.ask().status == "200 OK"


def test_a_handlerkit_that_is_edited_in_place_is_noticed(site, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(PACKAGE, copy / "handlerkit", ignore=NO_BYTECODE)
    site.path = [str(copy)]
    site.freeze()
    (copy / "handlerkit" / "demo.py").write_text("# edited\n")

    assert "its files have changed" in site.ask().log


def other_python() -> str | None:
    """Find another Python of our versions, which needs nothing but itself."""
    for version in ("3.12", "3.13", "3.14", "3.11"):
        if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
            continue
        found = [shutil.which(f"python{version}")]
        found += Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
        for python in map(str, filter(None, found)):
            answer = subprocess.run(
                [python, "-c", "import sys; print(sys.version_info[:2])"],
                capture_output=True,
                check=False,
                timeout=100,
            )
            if answer.returncode == 0:
                return python
    return None


def test_another_python_is_noticed(site):
    python = other_python()
    if python is None:
        pytest.skip("there is no other Python")
    site.freeze()
    site.python = python  # where most likely nothing of ours is installed

    answer = site.ask()

    assert (answer.status, answer.code) == ("500 Internal Server Error", 1)
    now = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    ).stdout.strip()
    then = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"Python: {then} -> {now}" in answer.log


def test_a_moved_directory_is_no_drift(site, tmp_path):
    site.write("audit.py", AUDIT.format("1"))
    site.write("handlerkit.toml", MODULES + LOCAL)
    site.freeze()
    site.directory.rename(tmp_path / "elsewhere")

    moved = Site.__new__(Site)
    moved.__dict__ |= site.__dict__
    moved.directory = tmp_path / "elsewhere"
    moved.config = moved.directory / "handlerkit.toml"
    assert moved.ask().is_frozen
    assert moved.check() == (0, "")


@pytest.mark.parametrize("when", [0, 4_000_000_000])
def test_changed_times_are_no_drift(site, when):
    site.write("handlerkit.toml", MODULES)
    site.freeze()
    for path in site.directory.rglob("*"):
        os.utime(path, (when, when))

    assert site.ask().is_frozen


def test_line_ends_are_no_drift(site):
    """FTP changes them in what it takes for text."""
    site.write("audit.py", AUDIT.format("1"))
    site.write("handlerkit.toml", MODULES + LOCAL)
    site.freeze()
    for path in (site.config, site.frozen, site.directory / "audit.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    answer = site.ask()

    assert (answer.status, answer.is_frozen, answer.log) == ("200 OK", True, "")


def test_check_says_that_nothing_is_frozen(site):
    code, said = site.check()

    assert code == 1
    assert "handlerkit_frozen.py" in said
    assert "nothing is frozen" in said


def test_check_of_no_configuration_is_wrong_use(site):
    site.config.unlink()

    assert site.check()[0] == 2


def test_who_freezes_at_one_time_leaves_a_whole_file(site):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: site.run("freeze").returncode, range(4)))

    assert done == [0, 0, 0, 0]
    assert site.check() == (0, "")
    assert [p.name for p in site.directory.iterdir() if p.name.startswith(".")] == []


SITE = """
[app]
target = "shop:modules"
path = ["lib"]

[handler]
class = "ours:Handler"
headers_class = "heads:Headers"

[plugins.mine]
use = "./plug.py:Plug"
level = "low"
"""
OF_SITE = {
    "plug.py": (
        "import base\nclass Plug(base.Base):\n    Settings = 'options:Settings'\n"
        "    def __init__(self, settings):\n        pass\n"
    ),
    "base.py": (
        "from handlerkit import hookimpl\nclass Base:\n    @hookimpl\n"
        "    def setup_environ(self, environ):\n        pass\n"
    ),
    "lib/options.py": (
        "import pydantic, helpers\nclass Settings(pydantic.BaseModel):\n"
        "    level: helpers.Level\n"
    ),
    "lib/helpers.py": "import typing\nLevel = typing.Literal['low', 'high']\n",
    "ours.py": "import handlerkit\nclass Handler(handlerkit.CGIHandler):\n    pass\n",
    "heads.py": "from wsgiref.headers import Headers\n",
}


@pytest.fixture
def own_code(site):
    """Give a site whose plugin, class and Settings are modules of its own."""
    (site.directory / "lib").mkdir()
    for name, text in OF_SITE.items():
        site.write(name, text)
    site.write("handlerkit.toml", SITE)
    return site


def test_each_module_that_loading_brought_is_watched(own_code):
    own_code.freeze()
    assert own_code.ask().is_frozen
    for name, text in OF_SITE.items():
        own_code.write(name, f"{text}# changed\n")

    code, said = own_code.check()

    assert code == 1
    for name in OF_SITE:
        assert f"{name} has changed" in said
    assert own_code.ask().code == 1


def test_the_application_is_not_watched(own_code):
    """It is loaded by each process, as ever."""
    own_code.freeze()
    own_code.write("shop.py", (own_code.directory / "shop.py").read_text() + "# 2\n")

    assert own_code.ask().is_frozen


def test_a_configuration_that_changes_while_it_is_frozen_is_stale(site):
    site.write("audit.py", AUDIT.format("1") + CHANGES.format("handlerkit.toml"))
    site.write("handlerkit.toml", MODULES + LOCAL)
    site.freeze()

    assert "handlerkit.toml has changed" in site.check()[1]


def test_a_plugin_that_changes_while_it_is_frozen_is_an_error(site):
    site.write("audit.py", AUDIT.format("1") + CHANGES.format("audit.py"))
    site.write("handlerkit.toml", MODULES + LOCAL)

    done = site.run("freeze")

    assert done.returncode == 1
    assert "audit.py changed while it was loaded: freeze again" in done.stderr
    assert not site.frozen.exists()


# As if somebody had saved the file, once, while freeze was at it.
CHANGES = """
from pathlib import Path
changed = Path(__file__).with_name("{}")
if "# saved" not in changed.read_text().splitlines():
    changed.write_text(changed.read_text() + "\\n# saved\\n")
"""
