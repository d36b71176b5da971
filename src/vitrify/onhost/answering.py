"""The first whole answer through a router, as a client on this host has it: what a rollback is timed by."""

from __future__ import annotations

import http.client
import ssl
import time

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.onhost.context import Context

_PATIENCE = 10.0
_PAUSE = 0.005


def answers(context: Context, arguments: JSONObject) -> JSONObject:
    """Return once a GET of `path` for `host`, asked of the router at `listen`, got a complete answer below 500.

    TargetFailed after ten seconds without one. Whether a certificate is one that others trust is not asked: `internal` ones are not.
    """
    listen, secure = str(arguments["listen"]), arguments.get("tls") not in (None, "off")
    name, path = str(arguments.get("host") or ""), str(arguments.get("path") or "/")
    deadline, reason = time.monotonic() + _PATIENCE, ""
    while time.monotonic() < deadline:
        try:
            status = _status(listen, secure=secure, name=name, path=path)
            if status < 500:
                return {"at": context.clock()}
            reason = f"answered {status}"
        except (OSError, http.client.HTTPException) as error:
            reason = str(error)
        time.sleep(_PAUSE)
    raise TargetFailed(f"{name or listen}{path} gave no answer within {_PATIENCE:g} s", why=reason)


def _status(listen: str, *, secure: bool, name: str, path: str) -> int:
    host, _, port = listen.rpartition(":")
    where = "127.0.0.1" if host in ("", "0.0.0.0", "[::]") else host.strip("[]")  # noqa: S104  read, not bound
    if secure:
        return _get(_Tls(where, int(port), name or where), name, path)
    return _get(http.client.HTTPConnection(where, int(port), timeout=_PATIENCE), name, path)


def _get(connection: http.client.HTTPConnection, name: str, path: str) -> int:
    try:
        connection.request("GET", path, headers={"Host": name} if name else {})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


class _Tls(http.client.HTTPConnection):
    """Asks for a name at an address that is not the name's."""

    def __init__(self, where: str, port: int, name: str) -> None:
        super().__init__(where, port, timeout=_PATIENCE)
        self._name = name

    def connect(self) -> None:
        """Connect, and speak TLS under the name."""
        super().connect()
        # Which router answers is certain: it listens on this very host. Its certificate may be of an authority of its own.
        unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unchecked.check_hostname = False
        unchecked.verify_mode = ssl.CERT_NONE
        self.sock = unchecked.wrap_socket(self.sock, server_hostname=self._name)
