"""What the application does to the process that loads it stays in a child."""

import os
import sys
import threading
import time

import pytest

from handlerkit.errors import ConfigError, Fault, HandlerkitError
from handlerkit.gateways.hosting import in_child, may_reload


def test_a_child_gives_what_the_function_gave():
    assert in_child(lambda: ("a", 1)) == ("a", 1)


def test_the_function_runs_in_another_process():
    assert in_child(os.getpid) != os.getpid()


def test_an_error_of_ours_comes_whole():
    fault = Fault("HK401", "nothing", path=("app", "target"), hint="set it")

    def fail():
        raise ConfigError([fault])

    with pytest.raises(ConfigError) as caught:
        in_child(fail)
    assert [str(each) for each in caught.value.faults] == [str(fault)]


def test_any_other_error_comes_with_its_traceback():
    def fail():
        raise SystemExit("not today")

    with pytest.raises(HandlerkitError, match=r"(?s)Traceback.*not today"):
        in_child(fail)


def test_a_child_that_dies_is_an_error_with_its_exit_code():
    with pytest.raises(HandlerkitError, match="ended with code 7"):
        in_child(lambda: os._exit(7))


def test_a_thread_that_the_application_leaves_behind_keeps_nobody():
    def leave_a_thread():
        threading.Thread(target=time.sleep, args=(600,)).start()
        return "done"

    assert in_child(leave_a_thread) == "done"


def test_what_the_application_prints_is_not_lost(capfd):
    in_child(lambda: print("printed at import"))
    sys.stdout.flush()

    assert capfd.readouterr().out == "printed at import\n"


class Loaded:
    warnings = ("one", "two")


def test_a_load_that_works_may_be_a_reload_and_its_warnings_are_said():
    said = []
    assert may_reload(Loaded, said.append)
    assert said == ["one", "two"]


def test_a_load_that_fails_is_told():
    def fail():
        raise HandlerkitError("no such application")

    said = []
    assert not may_reload(fail, said.append)
    assert said == ["not reloaded:\nno such application"]
