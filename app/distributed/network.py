"""Addresses and interfaces of this host (IPv4, which is what Gloo is given)."""

from __future__ import annotations

import socket

from app.errors import InputError


def addresses(interface: str | None) -> list[str]:
    """Where others may reach this host; the loopback, good for one host only, comes last."""
    known = _interfaces()
    if interface is not None:
        if interface not in known:
            raise InputError(
                f"--network_interface={interface}: {socket.gethostname()} has no such interface "
                f"with an IPv4 address; expected one of {', '.join(sorted(known))}"
            )
        return known[interface]
    found = [address for own in known.values() for address in own]
    return sorted(found, key=lambda address: address.startswith("127."))


def places_to_listen(interface: str | None, one_host: bool) -> tuple[str, list[str]]:
    """Where rank 0 listens, and the addresses at which the others may find it.

    On one host it is the loopback, which no other host reaches; else the interface named. Without
    a name all interfaces count, as none can be told from here to lead to the other hosts.
    """
    found = addresses(interface)
    if interface is not None:
        return found[0], found[:1]
    local = [address for address in found if address.startswith("127.")]
    if one_host and local:
        return local[0], local[:1]
    return "0.0.0.0", found  # strangers that connect do not know the secret


def interface_towards(address: str) -> str | None:
    """Name of the interface over which this host reaches an address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))  # chooses a route and sends nothing
        except OSError:
            return None
        own = probe.getsockname()[0]
    return next((name for name, found in _interfaces().items() if own in found), None)


def _interfaces() -> dict[str, list[str]]:
    """Interfaces that are up, with their IPv4 addresses."""
    import psutil

    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    found = {
        name: [entry.address for entry in entries if entry.family == socket.AF_INET]
        for name, entries in psutil.net_if_addrs().items()
        if name in up
    }
    return {name: own for name, own in found.items() if own}
