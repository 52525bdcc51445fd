"""Every case fails where its rule is not kept, and every exception has its evidence."""

import pytest

from tests.conformance import mutants
from tests.conformance.cases import CASES, RULES
from tests.conformance.exceptions import EXCEPTIONS
from tests.conformance.hosts import mutant
from tests.conformance.judge import run

# The servers without handlerkit are started in the first test that asks for them.
pytestmark = pytest.mark.timeout(900)

STANDARD = ("wsgiref CGI", "wsgiref CGI -O", "simple_server")
MUTANTS = [*mutants.BROKEN, *mutants.HOSTED, *mutants.CARELESS]
BY_ID = {case.id: case for case in CASES}


def test_there_are_sixty_cases_and_more_and_each_has_an_id_of_its_own():
    assert len(BY_ID) == len(CASES) >= 60


@pytest.mark.parametrize("rule", RULES)
def test_the_standard_library_fails_a_case_of_each_departure(bare, rule):
    cases = [case.id for case in CASES if rule in case.covers]

    assert [c for c in cases if any(bare[host].get(c) for host in STANDARD)]


@pytest.mark.parametrize("case", BY_ID)
def test_each_case_fails_on_some_server_or_mutant(bare, case):
    """Which cases the standard library fails depends on its version."""
    assert case in MUTANTS or any(faults.get(case) for faults in bare.values())


@pytest.mark.parametrize("case", MUTANTS)
def test_a_handler_without_the_rule_fails_its_case(place, case):
    assert faults_of(mutant(case, place), BY_ID[case])


def test_the_same_handler_with_its_rules_passes_them(place):
    cases = [BY_ID[case] for case in mutants.BROKEN]

    assert faults_of(mutant("none", place), *cases) == {}


def faults_of(host, *cases):
    host.start()
    try:
        return {case: faults for case, faults in run(host, cases).items() if faults}
    finally:
        host.stop()


@pytest.mark.parametrize("row", EXCEPTIONS, ids=lambda row: f"{row.host}-{row.case}")
def test_the_bare_engine_shows_the_fault_of_an_exception(bare, row):
    faults = bare[row.host][row.shown_by]

    assert any(fault.startswith(row.fault) for fault in faults), faults
