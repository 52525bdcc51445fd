"""Each host is run once for all cases; the tests look at what came of it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conformance import judge
from tests.conformance.cases import CASES
from tests.conformance.exceptions import EXCEPTIONS
from tests.conformance.fronts import every_host
from tests.conformance.hosts import bare_hosts

BY_ID = {case.id: case for case in CASES}


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("conformance")


@pytest.fixture(scope="session")
def hosts(place):
    """Give the hosts with handlerkit in them, by name."""
    return {host.name: host for host in every_host(place)}


@pytest.fixture(scope="session")
def ours(hosts):
    """Give, by the name of a host, the faults of its cases and of the watched ones.

    The log of each case is in the third place.
    """
    found = {}

    def results(name):
        if name not in found:
            host = hosts[name]
            host.start()
            try:
                faults = judge.run(host)
                watched = judge.run_watched(host) if host.watched else {}
                found[name] = faults, watched, host.logs
            finally:
                host.stop()
        return found[name]

    return results


@pytest.fixture(scope="session")
def bare(place):
    """Give, by host and case, the faults of the servers without handlerkit."""

    def faults(host):
        host.start()
        try:
            found = judge.run(host)
            # One that was held up has shown another fault: it has more time then.
            host.seconds = 15.0
            rows = [row for row in EXCEPTIONS if row.host == host.name]
            for row in rows:
                if not any(f.startswith(row.fault) for f in found[row.shown_by]):
                    found |= judge.run(host, [BY_ID[row.shown_by]])
            return host.name, found
        finally:
            host.stop()

    with ThreadPoolExecutor(9) as pool:
        return dict(pool.map(faults, bare_hosts(place)))
