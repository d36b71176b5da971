"""Talks to Caddy over the socket in its folder: a fresh connection for each call, since each load closes the old ones."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from dataclasses import dataclass
from typing import Optional

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.onhost.caddy import ADMIN

PATIENCE = 5.0
"""Seconds in which a Caddy that is starting or loading must answer again."""


@dataclass(frozen=True)
class Answer:
    """What Caddy said; `etag` names the state of the configuration that was read."""

    status: int
    body: JSON
    etag: str = ""


class _Connection(http.client.HTTPConnection):
    def __init__(self, folder: str) -> None:
        super().__init__("localhost", timeout=30)
        self._folder = folder

    def connect(self) -> None:
        # By way of a descriptor: the folder's own path may be longer than the 108 bytes a socket's address can hold.
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(f"/proc/self/fd/{folder}/{ADMIN}")
        finally:
            os.close(folder)


@dataclass(frozen=True)
class Admin:
    """The admin endpoint of the Caddy in one folder."""

    folder: str

    def get(self, path: str) -> Answer:
        """Read; waits a little for a Caddy that is starting or loading."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return self._call("GET", path)
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() > until:
                    raise TargetFailed(f"the router in {self.folder} does not answer", why=str(error)) from error
                time.sleep(0.02)

    def replace(self, path: str, value: JSON, *, etag: str) -> Answer:
        """Replace a part of the configuration, unless it is no longer the one that `etag` names (then status 412)."""
        try:
            return self._call("PATCH", path, value, etag)
        except (OSError, http.client.HTTPException) as error:
            raise TargetFailed(f"the router in {self.folder} broke off", why=str(error)) from error

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            return self._call("GET", "/config/admin").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def _call(self, method: str, path: str, value: Optional[JSON] = None, etag: str = "") -> Answer:
        connection = _Connection(self.folder)
        try:
            headers = {"Content-Type": "application/json", **({"If-Match": f'"{etag}"'} if etag else {})}
            connection.request(method, path, body=None if value is None else json.dumps(value).encode(), headers=headers)
            response = connection.getresponse()
            content = response.read()
            return Answer(response.status, _parsed(content), (response.getheader("Etag") or "").strip('"'))
        finally:
            connection.close()


def _parsed(content: bytes) -> JSON:
    try:
        value: JSON = json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")
    return value
