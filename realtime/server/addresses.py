"""Clients' addresses, as far as they tell one customer from another.

Must not know sockets.
"""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> str:
    """An address of IPv4; of IPv6 its network of 64 bits, which is one customer's. Anything else stays as it is."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address  # of a socket that has none
    if found.version == 4 or found.ipv4_mapped is not None:
        return str(found if found.version == 4 else found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
