"""A response that breaks off behind a front server: what its client gets to see."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conformance.breaking import HEADS, Responder, rows

pytestmark = pytest.mark.timeout(300)

ROWS = rows()


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
