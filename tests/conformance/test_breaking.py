"""What front servers do, seen by responders that are not handlerkit's."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conformance.breaking import HEADS, Responder, rows
from tests.conformance.cases import CASES
from tests.conformance.exceptions import FRONTS

pytestmark = pytest.mark.timeout(900)

ROWS = rows()
BY_ID = {case.id: case for case in CASES}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Give what the client sees, by row and framing."""
    place = tmp_path_factory.mktemp("breaking")
    found = {}

    def measure(kind):
        responder = Responder(*kind, place / kind[2])
        responder.start()
        try:
            for row in ROWS:
                if (row.front, row.protocol, row.transport) == kind:
                    for head in HEADS:
                        found[row, head] = responder.ask(row.means, head)
        finally:
            responder.stop()

    kinds = {(row.front, row.protocol, row.transport) for row in ROWS}
    with ThreadPoolExecutor(len(kinds)) as pool:
        list(pool.map(measure, kinds))
    return found


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: " ".join(map(str, vars(row).values()))
)
def test_the_client_sees_what_the_table_says(seen, row):
    assert tuple(seen[row, head] for head in HEADS) == row.sees


@pytest.fixture(scope="module", params=sorted({row.host for row in FRONTS}))
def any_responder(request, tmp_path_factory):
    front, protocol = request.param.split()
    place = tmp_path_factory.mktemp("changing")
    responder = Responder(front, protocol, "unix", place)
    responder.start()
    yield responder
    responder.stop()


def test_a_front_changes_each_request_that_is_excepted_for_any_responder(any_responder):
    for row in FRONTS:
        if row.host == any_responder.name:
            status, variables = any_responder.sent(BY_ID[row.case])

            assert row.sends or (row.fault, variables) == (f"status {status}", b"")
            assert [text for text in row.sends if text not in variables] == []
