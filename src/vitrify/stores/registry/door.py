"""Requests to one registry: who asks is shown to it alone, redirects end, bodies have a limit, and only what is safe is tried again."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx2

from vitrify.core.diagnostic import Denied, IntegrityFailed, TargetFailed, TargetUnreachable, VitrifyError
from vitrify.core.digest import JSON
from vitrify.core.reference import HUB
from vitrify.stores.registry.challenge import challenges
from vitrify.stores.registry.credentials import Credentials
from vitrify.stores.registry.pace import Pace, Watch
from vitrify.stores.registry.tokens import Tokens

SMALL: Final = 4 << 20
"""Bytes of a manifest, an index or a config that are read at most."""

_MOST_REDIRECTS: Final = 5
_AGAIN: Final = frozenset((408, 429, 500, 502, 503, 504))
_MOVED: Final = frozenset((301, 302, 303, 307, 308))
_HOSTS: Final[Mapping[str, str]] = {HUB: "registry-1.docker.io"}

Content = Callable[[], Iterable[bytes]]
"""Gives a body from its beginning, as often as it is asked for."""


@dataclass(frozen=True)
class Ask:
    """One request. `url` may be a path; `safe`: carrying it out twice does no harm, so it is tried again."""

    method: str
    url: str
    scopes: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Content | None = None
    length: int = 0
    safe: bool = True


class Reply:
    """An answer whose body was not read yet."""

    def __init__(self, response: httpx2.Response, pace: Pace, name: str) -> None:
        self._response, self._pace, self._name = response, pace, name
        self.status = response.status_code
        self.url = str(response.url)

    def header(self, name: str) -> str:
        """A header, "" where there is none."""
        return str(self._response.headers.get(name, ""))

    def chunks(self, limit: int) -> Iterator[bytes]:
        """The body as it was sent; IntegrityFailed where it is longer than `limit`, TargetUnreachable where it breaks off or stalls."""
        watch, left = Watch(self._pace, self._name), limit
        if self.header("content-encoding") not in ("", "identity"):
            raise IntegrityFailed(f"{self._name} sends a body in a form that nobody asked for", why=self.header("content-encoding")[:40])
        try:
            # As it comes: in pieces of a size of ours, a trickle would not be seen, and what came before a break would be lost.
            for data in self._response.iter_raw():
                watch.saw(len(data))
                left -= len(data)
                if left < 0:
                    raise IntegrityFailed(f"{self._name} sends more than it may", why=f"{limit} bytes were expected at most")
                yield data
        except (httpx2.TransportError, httpx2.StreamError) as error:
            raise broken(self._name, error) from None

    def body(self, limit: int = SMALL) -> bytes:
        """All of a small body."""
        return b"".join(self.chunks(limit))

    def failure(self, what: str) -> VitrifyError:
        """The error that this answer is; its own words are told, shortened, as they may be hostile."""
        told = self._told()
        why = f"{self._name} answered {self.status}{f': {told}' if told else ''}"
        if self.status in (401, 403):
            return Denied(
                f"{what} is not allowed", why=why, hint="log in as somebody who may: `podman login`, `skopeo login` or `docker login`"
            )
        if self.status == 404:
            return TargetFailed(f"{what}: it is not there", why=why)
        return TargetFailed(f"{what} failed", why=why)

    def _told(self) -> str:
        try:
            data: JSON = json.loads(b"".join(self.chunks(64 << 10)))
        except (VitrifyError, ValueError, RecursionError):
            return ""
        errors = data.get("errors") if isinstance(data, dict) else None
        found = [row for row in errors[:3] if isinstance(row, dict)] if isinstance(errors, list) else []
        return "; ".join(str(row.get("message") or row.get("code"))[:200] for row in found)


class Door:
    """The way to one registry. Several threads may use it at once."""

    def __init__(self, registry: str, credentials: Credentials, *, plain: bool = False, pace: Pace | None = None) -> None:
        self.registry = registry
        self._pace = pace or Pace()
        host = _HOSTS.get(registry, registry)
        near = self._near = is_loopback(urlsplit(f"//{host}").hostname or "")
        trust = credentials.trust
        self._plain = plain or (near and not trust.named(host))
        self.origin = f"{'http' if self._plain else 'https'}://{host}"
        self._tokens: dict[str, Tokens] = {}
        self._credentials = credentials
        timeout = httpx2.Timeout(self._pace.stall, connect=min(self._pace.stall, 15.0), pool=None)
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=8)
        verify = trust.context(host, httpx2.create_ssl_context())
        headers = {"Accept-Encoding": "identity"}
        self._client = httpx2.Client(timeout=timeout, limits=limits, trust_env=not near, headers=headers, verify=verify)

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    @property
    def pace(self) -> Pace:
        """How patient this door is."""
        return self._pace

    @contextmanager
    def open(self, ask: Ask) -> Iterator[Reply]:
        """The answer to a request, whatever it says. TargetUnreachable where there is none."""
        attempt = 0
        while True:
            self._pace.go_on()
            last = not ask.safe or attempt + 1 >= self._pace.tries
            try:
                response = self._followed(ask)
            except httpx2.TransportError as error:
                if last:
                    raise broken(self.registry, error) from None
                response = None
            if response is not None and (last or response.status_code not in _AGAIN):
                break
            asked = response.headers.get("retry-after", "") if response is not None else ""
            if response is not None:
                response.close()
            self._pace.pause(attempt, asked=asked)
            attempt += 1
        try:
            yield Reply(response, self._pace, self.registry)
        finally:
            response.close()

    def _followed(self, ask: Ask) -> httpx2.Response:
        """The answer behind at most a few redirects."""
        seen: set[str] = set()
        url = self.resolve(ask.url, base=self.origin)
        while True:
            response = self._sent(replace(ask, url=url))
            if response.status_code not in _MOVED or not response.headers.get("location"):
                return response
            location = str(response.headers["location"])
            response.close()
            seen.add(url)
            url = self.resolve(location, base=url)
            keeps = response.status_code in (307, 308) or ask.method in ("GET", "HEAD")
            if url in seen or len(seen) > _MOST_REDIRECTS or not keeps:
                why = f"{ask.method} was answered with {response.status_code} to {shown(url)}"
                raise IntegrityFailed(f"{self.registry} leads in circles", why=why)

    def resolve(self, url: str, *, base: str) -> str:
        """An address that the registry names, made whole; Denied where nothing may be sent there."""
        try:
            whole = urljoin(base, url)
            parts = urlsplit(whole)
            host, _port = parts.hostname or "", parts.port
        except ValueError:
            raise IntegrityFailed(f"{self.registry} names an address that is none", why=repr(url[:200])) from None
        readable = whole.isascii() and whole.isprintable() and " " not in whole
        if not host or parts.username is not None or not readable or parts.scheme not in ("http", "https"):
            raise Denied(f"{self.registry} leads to an address that is not followed", why=shown(whole))
        if parts.scheme == "http" and not ((self._near and is_loopback(host)) or _origin(whole) == self.origin):
            raise Denied(f"{self.registry} leads to an address without encryption", why=shown(whole), hint="`--plain-http` allows that")
        return whole

    def _sent(self, ask: Ask) -> httpx2.Response:
        """The answer, after saying who asks where the registry itself wants to know."""
        ours = _origin(ask.url) == self.origin
        keys = self._keys(ask.scopes)
        shown = keys.header(ask.scopes) if ours else ""
        response = self._once(ask, shown)
        for _ in range(2):  # a token may have grown old: then the first new one is let in
            if response.status_code != 401 or not ours:
                break
            offered = challenges(response.headers.get("www-authenticate", ""))
            response.close()
            shown = keys.answer(offered, ask.scopes, refused=shown)
            response = self._once(ask, shown)
        return response

    def _once(self, ask: Ask, authorization: str) -> httpx2.Response:
        headers = {**ask.headers, **({"Authorization": authorization} if authorization else {})}
        content = None
        if ask.content is not None:
            headers["Content-Length"] = str(ask.length)
            content = iter(ask.content())
        elif ask.method in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = "0"
        try:
            request = self._client.build_request(ask.method, ask.url, headers=headers, content=content)
            return self._client.send(request, stream=True)
        except httpx2.InvalidURL:
            raise IntegrityFailed(f"{self.registry} names an address that is none", why=repr(ask.url[:200])) from None

    def _keys(self, scopes: tuple[str, ...]) -> Tokens:
        """One ring of keys for each repository: a login may be for a part of a registry."""
        repository = scopes[0].split(":")[1] if scopes else ""
        fresh = Tokens(self.registry, lambda: self._credentials.login(self.registry, repository), self._fetch)
        return self._tokens.setdefault(repository, fresh)

    def _fetch(self, url: str, headers: Mapping[str, str], form: bytes | None) -> tuple[int, bytes]:
        address = self.resolve(url, base=self.origin)
        try:
            request = self._client.build_request("POST" if form is not None else "GET", address, headers=dict(headers), content=form)
            response = self._client.send(request, stream=True)
            try:
                return response.status_code, Reply(response, self._pace, f"the token server of {self.registry}").body(64 << 10)
            finally:
                response.close()
        except httpx2.TransportError as error:
            raise broken(f"the token server of {self.registry}", error) from None


def is_loopback(host: str) -> bool:
    """Whether this name is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shown(url: str) -> str:
    """An address for a person: what stands behind `?` may be a key to it."""
    return ascii(url.partition("?")[0][:200])[1:-1]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def broken(name: str, error: Exception) -> TargetUnreachable:
    """What became of a connection, in words."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        hint = f"have its authority trusted by the system, or put it (PEM) into ~/.config/containers/certs.d/{name}/ca.crt"
        return TargetUnreachable(f"{name} shows a certificate that nobody known vouches for", why=str(error), hint=hint)
    why = "it went silent" if isinstance(error, httpx2.TimeoutException) else str(error) or type(error).__name__
    return TargetUnreachable(f"{name} cannot be reached, or broke off", why=why, hint="the same command goes on where this one ended")
