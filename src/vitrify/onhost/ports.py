"""A loopback port of its own for each instance, the same for as long as the instance lives."""

from __future__ import annotations

import errno
import hashlib
import socket
from pathlib import Path
from typing import Collection, Optional

from vitrify.core.diagnostic import TargetFailed

FIRST, LAST = 20000, 59999


def free(taken: Collection[int], *, seed: str) -> int:
    """A port on 127.0.0.1 that nobody listens on and no other instance was given.

    Outside of the range from which the kernel takes the ports of outgoing connections: one of those could sit on it
    just when the instance has to be started again.
    """
    low, high = _outgoing()
    good = [port for port in range(FIRST, LAST + 1) if not low <= port <= high and port not in taken]
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") % max(1, len(good))
    for port in good[start:] + good[:start]:
        if can_listen(port):
            return port
    raise TargetFailed("there is no free port on 127.0.0.1 for another instance")


def _outgoing() -> tuple[int, int]:
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except (OSError, ValueError):
        return 32768, 60999
    # Where the kernel was given everything, there is nothing outside of it.
    return (int(low), int(high)) if int(low) > FIRST + 100 or int(high) < LAST - 100 else (0, 0)


def can_listen(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether a program could listen there now."""
    return _refusal(host, port) is None


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens there. False, too, where nobody ever could: whoever tries will tell why."""
    return _refusal(host, port) == errno.EADDRINUSE


def _refusal(host: str, port: int) -> Optional[int]:
    name = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in name else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((name, port))
        except OSError as error:
            return error.errno or errno.EIO
    return None
