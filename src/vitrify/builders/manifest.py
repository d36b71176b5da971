"""The two documents of an image, as canonical JSON: no time, no name of a maker, no order but the sorted one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSONObject, canonical, digest_bytes
from vitrify.core.resource import Resource
from vitrify.onhost.layout import CONFIG, MANIFEST, Descriptor
from vitrify.resources.process import PORT, image_process

EPOCH = "1970-01-01T00:00:00Z"
SECRET = "secret:"  # noqa: S105  the prefix of a reference, not a secret


@dataclass(frozen=True)
class Process:
    """What an image runs: its OCI settings, and the names of the secrets that it is given when it starts."""

    settings: JSONObject = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Documents:
    """Config and manifest of one image, ready to be stored; the manifest's digest is the image's identity."""

    config: bytes
    manifest: bytes
    settings: JSONObject

    @property
    def digest(self) -> str:
        """The identity of the image."""
        return digest_bytes(self.manifest)


def process(resources: Sequence[JSONObject]) -> Process:
    """What the image runs, from its `process` resource; nothing where there is none. Two are refused: an image has one entrypoint."""
    read = [Resource.from_json(resource) for resource in resources]
    found = [resource for resource in read if resource.address.kind == "process" and not resource.absent]
    if len(found) > 1:
        names = ", ".join(str(resource.address) for resource in found)
        raise UsageInvalid("an image runs one process", why=f"declared: {names}", hint="give each process a server of its own")
    return _settings(image_process(found[0])) if found else Process()


def _settings(wished: JSONObject) -> Process:
    """A foreign runtime maps the declared port, so that is what `${instance.port}` and `$PORT` mean in the image itself."""
    env, argv, port = wished["env"], wished["argv"], wished["port"]
    given = {name: str(value) for name, value in env.items()} if isinstance(env, dict) else {}
    plain = {name: value.replace(PORT, str(port)) for name, value in given.items() if not value.startswith(SECRET)}
    secrets = sorted({value.removeprefix(SECRET) for value in given.values() if value.startswith(SECRET)})
    if port is not None:
        plain.setdefault("PORT", str(port))
    settings: JSONObject = {
        "Entrypoint": [str(word).replace(PORT, str(port)) for word in argv] if isinstance(argv, list) else [],
        "Env": [f"{name}={value}" for name, value in sorted(plain.items())],
        "ExposedPorts": {f"{port}/tcp": {}} if port is not None else {},
        "User": wished["user"],
        "WorkingDir": wished["workdir"],
    }
    return Process({name: value for name, value in settings.items() if value}, tuple(secrets))


def documents(process: Process, *, layers: Iterable[Descriptor], labels: Mapping[str, str], architecture: str) -> Documents:
    """Config and manifest over these layers, the lowest first."""
    stacked = tuple(layers)
    settings: JSONObject = {**process.settings, "Labels": dict(labels)}
    config = canonical(
        {
            "architecture": architecture,
            "config": settings,
            "created": EPOCH,
            "os": "linux",
            "rootfs": {"diff_ids": [layer.digest for layer in stacked], "type": "layers"},
        }
    )
    manifest = canonical(
        {
            "config": Descriptor(CONFIG, digest_bytes(config), len(config)).to_json(),
            "layers": [layer.to_json() for layer in stacked],
            "mediaType": MANIFEST,
            "schemaVersion": 2,
        }
    )
    return Documents(config, manifest, settings)
