"""A frozen file is taken only where its owner alone may write to it."""

import grp
import os
import pwd

import pytest

ROOT = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root gives files away"
)
NOBODY = pwd.getpwnam("nobody").pw_uid
CONFIG = "[app]\ntarget = 'shop:modules'\n"


@pytest.fixture
def frozen(site):
    site.write("handlerkit.toml", CONFIG)
    site.freeze()
    assert site.ask().is_frozen
    return site


PLACES = {
    "the file": "handlerkit_frozen.py",
    "the directory": ".",
    "the bytecode's directory": "__pycache__",
}


@pytest.mark.parametrize("place", PLACES)
def test_what_the_world_may_write_to_is_refused(frozen, place):
    path = frozen.directory / PLACES[place]
    path.chmod(path.stat().st_mode | 0o1002)

    answer = frozen.ask()

    assert (answer.status, answer.is_frozen) == ("200 OK", False)
    assert "handlerkit_frozen.py is not used: the world may write to" in answer.log
    assert frozen.check()[0] == 1


@ROOT
@pytest.mark.parametrize("place", PLACES)
def test_what_a_foreign_group_may_write_to_is_refused(frozen, place):
    path = frozen.directory / PLACES[place]
    os.chown(path, -1, grp.getgrnam("nogroup").gr_gid)
    path.chmod(path.stat().st_mode | 0o020)

    answer = frozen.ask()

    assert (answer.status, answer.is_frozen) == ("200 OK", False)
    assert "is not its owner's own" in answer.log


@ROOT
@pytest.mark.parametrize("place", PLACES)
def test_the_owners_own_group_may_write(frozen, place):
    """As where the umask is 002, and every user has a group."""
    path = frozen.directory / PLACES[place]
    os.chown(path, 0, pwd.getpwuid(0).pw_gid)
    path.chmod(path.stat().st_mode | 0o020)

    assert frozen.ask().is_frozen


@ROOT
def test_what_belongs_to_a_third_user_is_refused(frozen):
    os.chown(frozen.frozen, NOBODY, -1)

    answer = frozen.ask()

    assert not answer.is_frozen
    assert f"belongs to user {NOBODY}" in answer.log


@ROOT
def test_it_may_belong_to_who_owns_the_directory(frozen):
    """Who deploys is seldom who serves."""
    for path in (frozen.directory, *frozen.directory.rglob("*")):
        os.chown(path, NOBODY, -1)

    assert frozen.ask().is_frozen


def test_a_symbolic_link_is_not_followed(frozen, tmp_path):
    """Who may write to the directory that it leads to is not looked at."""
    elsewhere = tmp_path / "elsewhere.py"
    frozen.frozen.rename(elsewhere)
    frozen.frozen.symlink_to(elsewhere)

    answer = frozen.ask()

    assert (answer.status, answer.is_frozen) == ("200 OK", False)
    assert "handlerkit_frozen.py is a symbolic link" in answer.log
    assert frozen.check()[0] == 1


def test_a_fifo_is_not_waited_for(frozen):
    frozen.frozen.unlink()
    os.mkfifo(frozen.frozen, 0o600)

    answer = frozen.ask()

    assert (answer.status, answer.is_frozen) == ("200 OK", False)
    assert "is no file" in answer.log


@pytest.mark.parametrize("place", [".", "__pycache__"])
def test_nothing_is_written_where_it_would_not_be_taken(site, place):
    path = site.directory / place
    path.mkdir(exist_ok=True)
    path.chmod(0o777)

    done = site.run("freeze")

    assert done.returncode == 1
    assert "the world may write to" in done.stderr
    assert not site.frozen.exists()


def test_what_cannot_be_written_is_named_as_itself(site):
    """Not as the file that was to be put in its place."""
    site.frozen.mkdir()
    done = site.run("freeze")

    said = f"handlerkit: {site.frozen.name} cannot be written: Is a directory\n"
    assert (done.returncode, done.stderr) == (1, said)
    assert [p.name for p in site.directory.iterdir() if p.name.startswith(".")] == []


def test_where_nothing_is_frozen_nothing_is_said(site):
    site.directory.chmod(0o777)

    assert site.ask().log == ""


def test_who_may_read_the_configuration_may_read_what_is_frozen(site):
    site.config.chmod(0o640)
    site.freeze()

    assert site.frozen.stat().st_mode & 0o777 == 0o640
