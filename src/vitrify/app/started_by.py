"""Tells whoever started this process how it is, where that wants to know, as systemd does: a datagram to the socket in `NOTIFY_SOCKET`."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

READY, ALIVE, ENDING = "READY=1", "WATCHDOG=1", "STOPPING=1"


def tell(environ: Mapping[str, str], *states: str) -> None:
    """Say these states; nothing where nobody asked, or nobody listens any more: who looks after us is no reason to fail."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    name = f"\0{address[1:]}" if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as listener:
        listener.settimeout(1.0)
        listener.sendto("\n".join(states).encode(), name)


def status(text: str) -> str:
    """The state that `systemctl status` shows, on one line."""
    return f"STATUS={' '.join(text.split())}"
