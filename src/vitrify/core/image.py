"""What is asked of a bake and of a registry, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vitrify.core.declaration import AllowedSecret, Content, Mirror
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.locked import Inputs
from vitrify.core.reference import Reference


@dataclass(frozen=True)
class Image:
    """A baked image: `digest` is the manifest over uncompressed layers; `config` its OCI process settings."""

    digest: str
    size: int
    base: str
    config: JSONObject
    layers: Mapping[str, int] = field(default_factory=dict)
    """Digest -> bytes, lowest first."""


@dataclass(frozen=True)
class BakeRequest:
    """What to bake: resources (in order) upon a base. `base` is `scratch`, `host` or `rootfs:DIR`."""

    server: str
    base: str
    resources: Sequence[JSONObject]
    contents: Mapping[str, Content]
    labels: Mapping[str, str]
    kinds: Sequence[JSONObject] = ()
    """Kinds that are not ours, each by name, class and digest; their sources are among the contents."""
    inputs: Inputs | None = None
    """The files that are installed, and no others; None where nothing is pinned."""
    base_inputs: Inputs | None = None
    """The files that the base is made of, where it is made of packages."""
    allowed_secrets: Sequence[AllowedSecret] = ()
    """Files that may be in the image although they look as if they held a secret. They change no byte of it."""
    mirror: Mirror | None = None
    """Where the base's packages come from while something is chosen; this machine's own sources where None."""

    @property
    def permits(self) -> JSONObject:
        """What the gate lets pass: part of what a layer is known by, or others would be given one that their gate would have refused."""
        allowed: list[JSON] = [[path, rule] for path, rule in sorted((one.path, one.rule) for one in self.allowed_secrets)]
        return {"allowed": allowed} if allowed else {}


@dataclass(frozen=True)
class Chosen:
    """Files that were chosen, each of them kept; `security` names those (name, version) that were offered for security."""

    inputs: Inputs
    security: frozenset[tuple[str, str]] = frozenset()
    digest: str = ""
    """Of a base in a registry: what its tag stands for."""


@dataclass(frozen=True)
class Offer:
    """What can be had of a package now; `security` where its distribution offers it for security."""

    name: str
    version: str
    security: bool = False


@dataclass(frozen=True)
class Ground:
    """A packed base as it is now. `seen` moves whenever a file of it does.

    `layer` is the digest of the layer that was packed from exactly this, "" where it was not packed yet.
    """

    seen: str
    layer: str


@dataclass(frozen=True)
class Made:
    """What an image was made from: the declaration's digest, and that of each resource by its address."""

    project: str
    server: str
    declaration: str
    resources: Mapping[str, str]
    allowed_secrets: Sequence[AllowedSecret] = ()


@dataclass(frozen=True)
class Pulled:
    """What a pull brought. `reference` names the manifest by its digest."""

    image: Image
    reference: Reference
    fetched_bytes: int
