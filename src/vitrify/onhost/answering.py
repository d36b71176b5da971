"""What a client on this host gets through a router: the first whole answer, which a rollback is timed by, or a look at its health."""

from __future__ import annotations

import http.client
import ssl
import time
from typing import Mapping, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.onhost.context import Context
from vitrify.onhost.expecting import differs

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
            status, _, _ = _answer(listen, secure=secure, name=name, path=path, seconds=_PATIENCE)
            if status < 500:
                return {"at": context.clock()}
            reason = f"answered {status}"
        except (OSError, http.client.HTTPException) as error:
            reason = str(error)
        time.sleep(_PAUSE)
    raise TargetFailed(f"{name or listen}{path} gave no answer within {_PATIENCE:g} s", why=reason)


def looks(_: Context, arguments: JSONObject) -> JSONObject:
    """One look through the router at `listen`: `reason` is "" where the answer is the one that `health` waits for.

    A route below a path has no health check of its own behind it: there any complete answer below 500 passes.
    """
    listen, secure, below = str(arguments["listen"]), arguments.get("tls") not in (None, "off"), str(arguments.get("path") or "/")
    given = arguments.get("health")
    health: JSONObject = given if isinstance(given, dict) else {}
    timeout, name = health.get("timeout_ms"), str(arguments.get("host") or "")
    path = below.rstrip("/") + str(health.get("http") or "/")
    seconds = timeout / 1000 if isinstance(timeout, int) else _PATIENCE
    try:
        status, headers, body = _answer(listen, secure=secure, name=name, path=path, seconds=seconds)
    except (OSError, http.client.HTTPException) as error:
        return {"reason": f"GET {name}{path}: {str(error) or 'no answer'}"}
    if below.rstrip("/"):
        reason = f"status {status}" if status >= 500 else ""
    else:
        reason = differs(health, status=status, headers=headers, body=body)
    return {"reason": f"GET {name}{path}: {reason}" if reason else ""}


def _answer(listen: str, *, secure: bool, name: str, path: str, seconds: float) -> Tuple[int, Mapping[str, str], bytes]:
    host, _, port = listen.rpartition(":")
    where = "127.0.0.1" if host in ("", "0.0.0.0", "[::]") else host.strip("[]")  # noqa: S104  read, not bound
    kind = _Tls(where, int(port), name or where, seconds) if secure else http.client.HTTPConnection(where, int(port), timeout=seconds)
    return _get(kind, name, path)


def _get(connection: http.client.HTTPConnection, name: str, path: str) -> Tuple[int, Mapping[str, str], bytes]:
    try:
        connection.request("GET", path, headers={"Host": name} if name else {})
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body
    finally:
        connection.close()


class _Tls(http.client.HTTPConnection):
    """Asks for a name at an address that is not the name's."""

    def __init__(self, where: str, port: int, name: str, seconds: float) -> None:
        super().__init__(where, port, timeout=seconds)
        self._name = name

    def connect(self) -> None:
        """Connect, and speak TLS under the name."""
        super().connect()
        # Which router answers is certain: it listens on this very host. Its certificate may be of an authority of its own.
        unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unchecked.check_hostname = False
        unchecked.verify_mode = ssl.CERT_NONE
        self.sock = unchecked.wrap_socket(self.sock, server_hostname=self._name)
