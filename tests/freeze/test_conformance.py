"""The conformance suite, each case by a loaded and by a frozen kit: the same bytes."""

import subprocess
import sys

import pytest

from tests.conformance.cases import CASES
from tests.conformance.hosts import Process
from tests.conformance.judge import applies

# Both hosts start, and run all the cases, in the first test that asks for them.
pytestmark = pytest.mark.timeout(900)


class Recorded(Process):
    """CGI, with every byte of the answers kept."""

    output = b""

    def talk(self, process, case, seen):
        self.output = super().talk(process, case, seen)
        return self.output

    def freeze(self, *options):
        subprocess.run(
            [sys.executable, "-m", "handlerkit", "freeze", *options],
            cwd=self.directory,
            env=self.environment(),
            check=True,
            timeout=60,
        )

    def answers(self):
        """Give what came of each case: bytes, exit code, faults, events."""
        found = {}
        for case in CASES:
            if applies(case, self):
                self.output = b""
                seen = self.ask(case)
                # A client that leaves gets as much as there was until it left.
                output = self.output[:100] if case.client == "leaving" else self.output
                status = seen.answer.exit_status
                found[case.id] = output, status, seen.faults, seen.events
        return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Give the answers of the loaded kit, and of the frozen one."""
    place = tmp_path_factory.mktemp("frozen")
    found = []
    for name in ("loaded", "frozen"):
        # In one place one after the other: an answer may tell of paths.
        for path in place.glob("*"):
            path.unlink()
        host = Recorded("CGI", ours=True, directory=place)
        host.start()
        if name == "frozen":
            host.freeze()
        found.append(host.answers())
        if name == "frozen":
            host.freeze("--check")
            assert "handlerkit_frozen.py" not in host.log()  # as of one not used
    return found


@pytest.mark.parametrize(
    "case",
    [case.id for case in CASES if case.where & Process.speaks],
)
def test_a_frozen_kit_answers_byte_for_byte_as_a_loaded_one(answers, case):
    loaded, frozen = answers

    assert frozen[case] == loaded[case]


def test_nearly_every_case_is_answered(answers):
    """But for a client that is gone there is something to compare."""
    assert [case for case, found in answers[0].items() if not found[0]] == ["input-cut"]
