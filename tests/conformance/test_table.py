"""The table in the documentation is of this suite."""

from pathlib import Path

import pytest

from tests.conformance.cases import CASES
from tests.conformance.exceptions import EXCEPTIONS, FRONTS
from tests.conformance.fronts import every_host
from tests.conformance.hosts import bare_hosts
from tests.conformance.table import PAGE, exceptions_table, fronts_table, header, row


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text("utf-8")


def test_the_page_has_each_case_with_its_promise_and_source_in_order(page):
    rows = [row(c.id, c.promise, c.source).removesuffix("\n") for c in CASES]
    places = [page.find(text) for text in rows]

    assert -1 not in places
    assert places == sorted(places)


def test_the_page_has_each_host(page):
    names = [host.name for host in every_host(Path())]

    assert [name for name in names if f"\n| {name} | " not in page] == []
    bare = [host.name for host in bare_hosts(Path())]
    assert header("case", "what must be", "source", *bare) in page


def test_the_page_says_that_nothing_fails_but_what_is_excepted(page):
    for host in every_host(Path()):
        line = next(li for li in page.splitlines() if li.startswith(f"| {host.name} |"))
        excused = sum(row.host == host.name for row in (*EXCEPTIONS, *FRONTS))
        assert line.endswith(f"| {excused} | 0 |")


def test_the_page_has_each_exception_with_its_reason(page):
    assert exceptions_table() in page
    assert fronts_table() in page
