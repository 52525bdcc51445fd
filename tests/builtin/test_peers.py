"""Peers: whom the deployer trusts."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlerkit.builtin.peers import Peers, ipv6, shortest

ROOT = Path(__file__).parents[2]
addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


def trusts(trusted, peer):
    environ = {} if peer is None else {"REMOTE_ADDR": peer}
    return Peers(trusted).trusts(environ)


@given(addresses, addresses, st.integers(0, 128))
def test_networks_hold_what_the_standard_library_says(peer, base, bits):
    bits = min(bits, base.max_prefixlen)
    network = ipaddress.ip_network(f"{base}/{bits}", strict=False)
    mapped = getattr(peer, "ipv4_mapped", None)
    assert trusts([str(network)], str(peer)) is ((mapped or peer) in network)


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_a_network_holds_its_own_address(address, bits):
    assert trusts([f"{address}/{bits}"], str(address))


@pytest.mark.parametrize(
    ("trusted", "peer"),
    [
        (["10.1.2.3"], "10.1.2.3"),
        (["10.1.2.3"], "::ffff:10.1.2.3"),
        (["10.1.2.3"], "::ffff:a01:203"),
        (["::1"], "::1"),
        (["fe80::/10"], "fe80::1%eth0"),
        (["unix"], None),
        (["unix"], ""),
        (["unix"], "unix:"),
        (["10.0.0.0/8", "unix", "::1"], "10.255.0.1"),
    ],
)
def test_the_trusted_are_trusted(trusted, peer):
    assert trusts(trusted, peer)


@pytest.mark.parametrize(
    ("trusted", "peer"),
    [
        ([], "127.0.0.1"),
        ([], None),
        (["10.1.2.3"], "10.1.2.4"),
        (["10.0.0.0/8"], "110.0.0.1"),
        (["10.0.0.0/8"], "010.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1.evil"),
        (["10.0.0.0/8"], "10.0.0.256"),
        (["10.0.0.0/8"], "1\u0660.0.0.1"),
        (["10.0.0.0/8"], None),
        (["10.0.0.0/8"], ""),
        (["::/0"], "not an address: at all"),
        (["0.0.0.0/0"], "::1"),
        (["unix"], "127.0.0.1"),
        (["unix"], "unknown"),
    ],
)
def test_nobody_else_is(trusted, peer):
    assert not trusts(trusted, peer)


@pytest.mark.parametrize(
    "entry", ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "::1/x", "1.2"]
)
def test_an_entry_that_is_no_network_is_an_error(entry):
    with pytest.raises(ValueError, match=r".+"):
        Peers([entry])


def test_what_is_remembered_of_addresses_is_bounded():
    peers = Peers(["10.0.0.0/8"])
    for number in range(3000):
        address = str(ipaddress.IPv4Address(number << 18))
        assert peers.knows(address) is (number >> 6 == 10)
        assert peers.knows(address) is (number >> 6 == 10)
    peers.knows("x" * 1000)
    assert len(peers._known) <= 1024
    assert max(map(len, peers._known)) < 100


def test_the_peer_is_who_is_connected_whatever_remote_addr_became():
    environ = {"REMOTE_ADDR": "203.0.113.9", "handlerkit.proxy": {"peer": "10.0.0.1"}}
    assert Peers(["10.0.0.1"]).trusts(environ)
    assert not Peers(["203.0.113.9"]).trusts(environ)


def test_ipaddress_is_never_imported():
    """It would cost a CGI process a third of its time, for each client with IPv6."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from handlerkit.builtin.peers import Peers\n"
        "peers = Peers(['unix', '10.0.0.0/8', '2001:db8::/32'])\n"
        "print(peers.knows('10.0.0.1'), peers.knows('2001:db8::1'),\n"
        "    'ipaddress' in sys.modules)\n"
    )
    python = [sys.executable, "-I", "-S", "-c", code]
    said = subprocess.check_output(python, text=True).split()
    assert said == ["True", "True", "False"]


PIECES = st.one_of(
    st.sampled_from(["", ":", "::", "0", "1", "ffff", "FfFf", "00001", "g", "%", " "]),
    st.sampled_from(["1.2.3.4", "1.2.3", "::1", "fe80", "-1", "1_0", "٣"]),
    st.integers(0, 0xFFFF).map("{:x}".format),
)
TEXTS = st.one_of(
    st.lists(PIECES, max_size=10).map(":".join),
    st.lists(PIECES, max_size=10).map("".join),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded),
    st.ip_addresses(v=4).map("::ffff:{}".format),
    st.ip_addresses(v=4).map("1:2::{}".format),
)


@given(TEXTS)
def test_ipv6_is_read_as_ipaddress_reads_it(text):
    try:
        expected = None if "%" in text else int(ipaddress.IPv6Address(text))
    except ValueError:
        expected = None

    assert ipv6(text) == expected


# Half of the groups zero: there are runs of them to be cut short.
GROUPS = st.lists(st.one_of(st.just(0), st.integers(0, 0xFFFF)), min_size=8, max_size=8)


@given(GROUPS)
def test_ipv6_is_written_as_ipaddress_writes_it(groups):
    address = ipaddress.IPv6Address(":".join(map("{:x}".format, groups)))

    assert shortest(int(address)) == str(address.ipv4_mapped or address)
