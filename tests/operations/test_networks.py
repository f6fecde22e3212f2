"""Where a webhook may lie: every way to write an address inside is refused, and what a deployment names is allowed."""

from __future__ import annotations

import pytest

from operations.networks import inside, may_reach

INSIDE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",
    "198.18.0.1",
    "::1",
    "::",
    "fd00:ec2::254",
]
METADATA = ["169.254.169.254", "168.63.129.16", "192.0.0.192", "100.100.100.200", "fe80::1%lo"]
ODD = ["224.0.0.1", "255.255.255.255", "240.0.0.1", "ff02::1", "fec0::1", "2001:db8::1"]
CARRIED = ["::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "2002:7f00:1::", "64:ff9b::a9fe:a9fe", "::7f00:1"]


@pytest.mark.parametrize("address", [*INSIDE, *METADATA, *ODD, *CARRIED])
def test_an_address_inside_is_refused(address: str) -> None:
    assert not may_reach(address, ())


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert may_reach(address, ())


def test_a_network_that_the_deployment_names_is_allowed_and_nothing_beside_it() -> None:
    networks = ("10.20.0.0/16", "fd12::/16")
    assert may_reach("10.20.3.4", networks)
    assert may_reach("fd12::5", networks)
    assert may_reach("::ffff:10.20.3.4", networks)
    assert not may_reach("10.21.0.1", networks)
    assert not may_reach("fd13::5", networks)
    assert inside("10.20.3.4", networks)
    assert not inside("8.8.8.8", networks)
