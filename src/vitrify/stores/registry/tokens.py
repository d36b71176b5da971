"""What a registry is shown with each request: a password, or a token that it is exchanged for."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from vitrify.core.diagnostic import Denied, IntegrityFailed
from vitrify.core.digest import JSON
from vitrify.stores.registry.challenge import Challenge
from vitrify.stores.registry.credentials import Login

Fetch = Callable[[str, Mapping[str, str], bytes | None], tuple[int, bytes]]
"""Asks the address of a token server, with headers and a form (None: a plain question): its status and its short answer."""

_LONGEST: Final = 64 << 10


class Tokens:
    """The ways into one registry that were found so far; several threads may ask at once."""

    def __init__(self, registry: str, login: Callable[[], Login | None], fetch: Fetch) -> None:
        self._registry, self._login, self._fetch = registry, login, fetch
        self._headers: dict[tuple[str, ...], str] = {}
        self._basic = ""
        self._lock = threading.Lock()

    def header(self, scopes: tuple[str, ...]) -> str:
        """What to send for this; "" where nothing was asked for yet."""
        with self._lock:
            return self._headers.get(scopes) or self._basic

    def answer(self, offered: tuple[Challenge, ...], scopes: tuple[str, ...], *, refused: str) -> str:
        """Another header, after `refused` was not let in; Denied where there is none to be had."""
        with self._lock:
            known = self._headers.get(scopes) or self._basic
            if known and known != refused:
                return known  # another thread was faster
            for challenge in offered:
                if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                    self._headers[scopes] = f"Bearer {self._token(challenge, scopes)}"
                    return self._headers[scopes]
                if challenge.scheme == "basic":
                    self._basic = self._password(refused)
                    return self._basic
        raise Denied(f"{self._registry} wants to know who asks in a way that is not known here", hint="registries ask for Basic or Bearer")

    def _password(self, refused: str) -> str:
        login = self._login()
        if login is None or not login.user:
            raise Denied(f"{self._registry} wants a login", hint=_hint(self._registry))
        header = _basic(login)
        if header == refused:
            raise Denied(f"{self._registry} does not accept the login of {login.user}", hint=_hint(self._registry))
        return header

    def _token(self, challenge: Challenge, scopes: tuple[str, ...]) -> str:
        realm, login = challenge.parameters["realm"], self._login()
        asked = sorted({*scopes, *challenge.parameters.get("scope", "").split()})
        service = challenge.parameters.get("service", "")
        if login and login.identity:
            form = {"grant_type": "refresh_token", "service": service, "client_id": "vitrify", "refresh_token": login.identity}
            content = urlencode({**form, "scope": " ".join(asked)}).encode()
            status, body = self._fetch(realm, {"Content-Type": "application/x-www-form-urlencoded"}, content)
        else:
            parts = _apart(self._registry, realm)
            query = [*parse_qsl(parts.query), *([("service", service)] if service else []), *(("scope", scope) for scope in asked)]
            address = parts._replace(query=urlencode(query), fragment="").geturl()
            status, body = self._fetch(address, {"Authorization": _basic(login)} if login else {}, None)
        if status in (400, 401, 403):
            who = f"the login of {login.user}" if login and login.user else "the login" if login else "anybody without a login"
            raise Denied(f"{self._registry} gives no token to {who}", why=f"its token server answered {status}", hint=_hint(self._registry))
        return _read(self._registry, status, body)


def _apart(registry: str, realm: str) -> SplitResult:
    try:
        return urlsplit(realm)
    except ValueError:
        raise IntegrityFailed(f"{registry} names a token server at an address that is none", why=ascii(realm[:100])) from None


def _read(registry: str, status: int, body: bytes) -> str:
    try:
        data: JSON = json.loads(body[:_LONGEST]) if status == 200 else None
    except (ValueError, RecursionError):
        data = None
    found = (data.get("token") or data.get("access_token")) if isinstance(data, dict) else None
    if not isinstance(found, str) or not found.isascii() or not found.isprintable():
        raise IntegrityFailed(f"the token server of {registry} gives no token", why=f"it answered {status} with something else")
    return found


def _basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()


def _hint(registry: str) -> str:
    return f"log in with `podman login {registry}`, `skopeo login {registry}` or `docker login {registry}`: their logins are read"
