"""Names of images in registries: `debian:bookworm`, `registry.example/team/shop@sha256:…`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from vitrify.core.diagnostic import UsageInvalid

HUB: Final = "docker.io"
"""The registry of names that name none, and of no other word before their first slash than this."""

_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_REGISTRY: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
)
_LONGEST: Final = 255
_HINT: Final = "write REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:…, as in registry.example/team/shop:1.4"


@dataclass(frozen=True)
class Reference:
    """Where an image is: a registry, a repository there, and a tag, a digest or both. With both, the digest decides."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference; UsageInvalid where it is none. A short name is one of docker.io, as everybody else reads it."""
        rest, at, digest = text.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise UsageInvalid(f"{text!r} is not a reference", why="behind @ stands sha256: and 64 hex digits", hint=_HINT)
        head, slash, tail = rest.partition("/")
        named = bool(slash) and ("." in head or ":" in head or head == "localhost")
        registry, path = (head, tail) if named else (HUB, rest)
        repository, colon, tag = path.partition(":")
        if registry in (HUB, "index.docker.io"):
            registry = HUB
            repository = repository if "/" in repository else f"library/{repository}"
        sound = _REGISTRY.fullmatch(registry) and _REPOSITORY.fullmatch(repository) and len(repository) <= _LONGEST
        if not sound or (colon and not _TAG.fullmatch(tag)):
            raise UsageInvalid(f"{text!r} is not a reference to an image", hint=_HINT)
        return cls(registry, repository, tag, digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.registry}/{self.repository}{tag}{f'@{self.digest}' if self.digest else ''}"

    @property
    def name(self) -> str:
        """What a registry calls it: the digest, else the tag, else `latest`."""
        return self.digest or self.tag or "latest"

    def at(self, digest: str) -> Reference:
        """The same repository, at this digest."""
        return replace(self, digest=digest)
