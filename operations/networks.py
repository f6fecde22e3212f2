"""Which addresses a subscriber's webhook may lie at: public ones, and the private networks that a deployment names.

A webhook is an address that somebody else chose. Without this check it could make Jeevo call its own database, the
metadata service of its cloud, or a printer in the hospital.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
_NAT64 = IPv6Network("64:ff9b::/96")
# Public by their numbers, and yet they answer only inside Azure and Oracle's cloud, for machines to ask about themselves.
_METADATA = {ip_address("168.63.129.16"), ip_address("192.0.0.192")}


def may_reach(address: str, networks: Iterable[str]) -> bool:
    """`networks` are the exceptions. An address that carries another one inside is judged by the one it carries."""
    found = _carried(ip_address(address))
    if inside(address, networks):
        return True
    if isinstance(found, IPv6Address) and found.is_site_local:
        return False
    return found.is_global and not (found.is_multicast or found.is_reserved or found in _METADATA)


def inside(address: str, networks: Iterable[str]) -> bool:
    found = _carried(ip_address(address))
    return any(found in ip_network(network) for network in networks)


def _carried(address: Address) -> Address:
    """The IPv4 address that a gateway would really call."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)
