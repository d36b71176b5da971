"""What an instance writes, kept in two files of bounded size."""

from __future__ import annotations

import contextlib
import os

LARGEST = 4 << 20
"""Bytes in `log` before it becomes `log.1`; so an instance keeps between one and two times this."""


class LogFile:
    """Appends to `path`; the file before is `path.1`."""

    def __init__(self, path: str, *, largest: int = LARGEST) -> None:
        self._path, self._largest = path, largest
        self._open()

    def write(self, data: bytes) -> None:
        """Append; a full disk must not end the instance, so what cannot be written is dropped."""
        with contextlib.suppress(OSError):
            if self._size + len(data) > self._largest:
                os.replace(self._path, f"{self._path}.1")  # noqa: PTH105  a shim imports as little as it can
                os.close(self._descriptor)
                self._open()
            self._size += os.write(self._descriptor, data)

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size


def tail(path: str, lines: int) -> str:
    """The last lines of a log, reaching back into the file before; undecodable bytes are shown as such."""
    held = b""
    for name in (f"{path}.1", path):
        try:
            with open(name, "rb") as file:  # noqa: PTH123  a shim imports as little as it can
                held += file.read()
        except FileNotFoundError:
            continue
    kept = held.decode("utf-8", "replace").splitlines()[-lines:] if lines > 0 else []
    return "".join(f"{line}\n" for line in kept)
