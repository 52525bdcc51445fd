"""SIGHUP is taken for as long as a server is there, and given back."""

import signal
import threading

import pytest

from handlerkit.gateways.hangups import Hangups

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGHUP"), reason="this platform has no SIGHUP"
)


def test_the_signal_is_as_it_was_afterwards():
    before = signal.getsignal(signal.SIGHUP)

    with Hangups() as hangups:
        assert signal.getsignal(signal.SIGHUP) != before
        hangups.tell(list)
    assert signal.getsignal(signal.SIGHUP) == before


def test_what_came_early_is_told_once_there_is_somebody():
    told = []
    with Hangups() as hangups:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        hangups.tell(lambda: told.append("reload"))
        assert told == ["reload"]

        signal.raise_signal(signal.SIGHUP)
        assert told == ["reload"] * 2


def test_what_came_before_the_command_was_imported_is_told_too():
    told = []
    with Hangups():
        signal.raise_signal(signal.SIGHUP)
        with Hangups() as hangups:
            hangups.tell(lambda: told.append("reload"))

    assert told == ["reload"]


def test_a_thread_leaves_the_signal_alone():
    """Python lets only the main thread take signals."""
    before = signal.getsignal(signal.SIGHUP)
    found = []

    def serve():
        with Hangups() as hangups:
            hangups.tell(list)
            found.append(signal.getsignal(signal.SIGHUP))

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()

    assert found == [before]
