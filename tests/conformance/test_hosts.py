"""handlerkit gives the answer that the table demands, whatever carries it."""

from collections import Counter
from pathlib import Path

import pytest

from tests.conformance import judge
from tests.conformance.cases import CASES
from tests.conformance.exceptions import EXCEPTIONS, FRONTS, excepted
from tests.conformance.fronts import every_host
from tests.conformance.judge import applies

# A host starts, and runs all its cases, in the first test that asks for it.
pytestmark = pytest.mark.timeout(900)

HOSTS = every_host(Path())
NAMES = [host.name for host in HOSTS]
PAIRS = [
    (host.name, case.id) for host in HOSTS for case in CASES if applies(case, host)
]
BY_ID = {case.id: case for case in CASES}


@pytest.mark.parametrize(("host", "case"), PAIRS)
def test_the_answer_is_the_expected_one(ours, host, case):
    results, _, logs = ours(host)
    faults = results[case]
    row = excepted(host, case)

    if row is None:
        assert faults == [], f"{BY_ID[case].promise}\n{logs[case]}"
    else:
        assert any(fault.startswith(row.fault) for fault in faults), row.reason


@pytest.mark.parametrize("host", [host.name for host in HOSTS if host.watched])
def test_the_validator_of_wsgiref_finds_nothing(ours, host):
    faults = ours(host)[1]

    assert {c: f for c, f in faults.items() if f and not unwatched(host, c)} == {}


@pytest.mark.parametrize("name", NAMES)
def test_the_access_log_says_what_the_client_received(hosts, ours, name):
    ours(name)
    host = hosts[name]
    lines = host.access_lines()
    for seen in host.seen:
        if "outcome" not in seen.events:  # it came when nobody waited for it any more
            seen.events = host.events(seen.token)
    faults = {
        seen.token: judge.judge_lines(host, seen, lines.get(seen.token, []))
        for seen in host.seen
    }

    assert len(lines) > len(faults) / 2
    assert {token: found for token, found in faults.items() if found} == {}


def unwatched(host, case):
    """The validator wraps the write() that granian has not, as if it were there."""
    missing = host == "granian" and case in ("write-callable", "write-only")
    return missing or excepted(host, case) is not None


@pytest.fixture(scope="module")
def outputs(hosts, ours):
    """Give what came of each case, bytes and all, by a loaded and by a frozen kit."""

    def told(host):
        ours(host.name)
        here = str(host.directory).encode()
        found = {}
        for seen in host.seen:
            output = seen.output.replace(here, b"(here)")
            case = seen.token.partition(".")[0]
            if BY_ID[case].client == "leaving":  # it gets what there was until then
                output = output[:100]
            what = output, seen.answer.exit_status, seen.faults, seen.events
            found.setdefault(case, what)
        return found

    return told(hosts["CGI"]), told(hosts["CGI frozen"])


@pytest.mark.parametrize("case", [case for host, case in PAIRS if host == "CGI"])
def test_a_frozen_kit_answers_byte_for_byte_as_a_loaded_one(outputs, case):
    loaded, frozen = outputs

    assert frozen[case] == loaded[case]


def test_nearly_every_case_of_cgi_has_an_answer(outputs):
    """But for a client that is gone there is something to compare."""
    assert [case for case, found in outputs[0].items() if not found[0]] == ["input-cut"]


def test_at_most_one_case_in_ten_is_excepted_on_a_host():
    run = Counter(host for host, _ in PAIRS)
    excused = Counter(row.host for row in (*EXCEPTIONS, *FRONTS))

    assert [host for host in NAMES if excused[host] * 10 > run[host]] == []


def test_each_exception_names_a_host_and_a_case_of_the_suite_once():
    rows = [(row.host, row.case) for row in (*EXCEPTIONS, *FRONTS)]

    assert len(set(rows)) == len(rows)
    assert set(rows) <= set(PAIRS)
