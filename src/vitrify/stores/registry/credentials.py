"""Finds what a registry asks for where docker, podman and skopeo keep it: their files of logins, and programs that hold them."""

from __future__ import annotations

import base64
import binascii
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vitrify.core.diagnostic import Denied
from vitrify.core.digest import JSON
from vitrify.core.reference import HUB
from vitrify.stores.registry.trust import Trust

_HUB_KEY: Final = "https://index.docker.io/v1/"
_HELPER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKEN_USER: Final = "<token>"  # noqa: S105  what a program says in place of a name when it gives a token
_PATIENCE: Final = 30.0
"""Seconds that a program which holds passwords may take; it may have to be unlocked by a person."""


@dataclass(frozen=True)
class Login:
    """A name and a password, or an identity token that is exchanged for others."""

    user: str
    password: str = field(repr=False)
    identity: str = field(default="", repr=False)


class Credentials:
    """The logins of the person who runs vitrify. Nothing is written, and nothing of a login is ever told."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.trust = Trust(environ)

    def login(self, registry: str, repository: str) -> Login | None:
        """What to show this registry; None where nobody logged in there. The most exact entry of the first file that has one."""
        for path in self._files():
            found = self._in_file(path, registry, repository)
            if found is not None:
                return found
        return None

    def _files(self) -> Iterator[Path]:
        home = Path(self._environ.get("HOME") or Path.home())
        if chosen := self._environ.get("REGISTRY_AUTH_FILE"):
            yield Path(chosen)
            return
        if runtime := self._environ.get("XDG_RUNTIME_DIR"):
            yield Path(runtime, "containers", "auth.json")
        yield Path(self._environ.get("XDG_CONFIG_HOME") or home / ".config", "containers", "auth.json")
        yield Path(self._environ.get("DOCKER_CONFIG") or home / ".docker", "config.json")

    def _in_file(self, path: Path, registry: str, repository: str) -> Login | None:
        try:
            data: JSON = json.loads(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            told = error.strerror if isinstance(error, OSError) else "it is not JSON"
            raise Denied(f"the logins in {path} cannot be read", why=str(told), hint="mend the file, or log in again") from None
        if not isinstance(data, dict):
            return None
        keys = _keys(registry, repository)
        helpers, auths = _map(data.get("credHelpers")), _map(data.get("auths"))
        for key in keys:
            if isinstance(helper := helpers.get(key), str):
                return self._ask(helper, key)
        store = data.get("credsStore")
        if isinstance(store, str) and store and (found := self._ask(store, _HUB_KEY if registry == HUB else registry)):
            return found
        return next((login for key in keys if (login := _written(auths.get(key)))), None)

    def _ask(self, helper: str, server: str) -> Login | None:
        """What a program of docker's protocol holds; None where it says that it has nothing."""
        program = shutil.which(f"docker-credential-{helper}", path=self._environ.get("PATH")) if _HELPER.fullmatch(helper) else None
        if program is None:
            raise Denied(
                f"the program docker-credential-{helper} is not here", why="the file of logins names it", hint="install it, or log in again"
            )
        try:
            done = subprocess.run(
                [program, "get"], input=server.encode(), capture_output=True, check=False, timeout=_PATIENCE, env=dict(self._environ)
            )
            said: JSON = json.loads(done.stdout) if done.returncode == 0 else None
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise Denied(f"{program} does not answer", why=type(error).__name__, hint=f"try: echo {server} | {program} get") from None
        if not isinstance(said, dict):
            return None
        user, secret = str(said.get("Username", "")), str(said.get("Secret", ""))
        return Login("", "", identity=secret) if user == _TOKEN_USER else Login(user, secret)


def _keys(registry: str, repository: str) -> list[str]:
    """Under which names a login may stand, the most exact first: containers know logins for a part of a registry."""
    parts = repository.split("/")
    exact = [f"{registry}/{'/'.join(parts[:length])}" for length in range(len(parts), 0, -1)]
    plain = [registry, f"https://{registry}", f"https://{registry}/", f"https://{registry}/v1/", f"https://{registry}/v2/"]
    return [*exact, *plain, *([_HUB_KEY, "index.docker.io"] if registry == HUB else [])]


def _map(data: JSON) -> Mapping[str, JSON]:
    return data if isinstance(data, dict) else {}


def _written(entry: JSON) -> Login | None:
    """A login that stands in the file itself, which is base64 and no secret-keeping."""
    if not isinstance(entry, dict):
        return None
    if isinstance(token := entry.get("identitytoken"), str) and token:
        return Login("", "", identity=token)
    text = entry.get("auth")
    if isinstance(text, str) and text:
        try:
            user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return Login(user, password.rstrip("\0")) if colon else None
    name, secret = entry.get("username"), entry.get("password")
    return Login(name, secret) if isinstance(name, str) and isinstance(secret, str) and name else None
