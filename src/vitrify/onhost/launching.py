"""Makes an instance's folder from what was wished: image unpacked, layers laid out, port chosen, shim told what to keep."""

from __future__ import annotations

import os
import pwd
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.onhost import ports, sandbox
from vitrify.onhost.assemble import Place, assemble, layers
from vitrify.onhost.confining import groups
from vitrify.onhost.mounts import entries
from vitrify.onhost.record import read_record, sync_folder, write_record
from vitrify.onhost.removal import remove_tree
from vitrify.onhost.unpack import Unpacked, unpack
from vitrify.onhost.volumes import give, volume

BUBBLEWRAP, PODMAN = "bubblewrap", "podman"
"""The runtimes that there are."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Wish:
    """What `instance.launch` is asked for; `given` is its digest, by which a repeated call is known."""

    id: str
    image: str
    argv: List[str]
    labels: Dict[str, str]
    environment: Dict[str, str]
    workdir: str
    user: str
    writable: List[str]
    port: Optional[int]
    given: str
    runtime: str = BUBBLEWRAP
    secrets: Tuple[str, ...] = ()
    """Variables of the environment whose values are secret."""
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Path inside -> the name of what outlives the instance."""
    capabilities: Tuple[str, ...] = ()
    limits: JSONObject = field(default_factory=dict)

    @classmethod
    def read(cls, spec: JSONObject) -> Wish:
        """Read the caller's JSON."""
        port, limits = spec.get("port"), spec.get("limits")
        return cls(
            id=checked(str(spec["id"])),
            image=str(spec["image"]),
            argv=_texts(spec.get("argv")),
            labels=labels_of(spec.get("labels")),
            environment=labels_of(spec.get("environment")),
            workdir=str(spec.get("workdir") or "/"),
            user=str(spec.get("user") or ""),
            writable=_texts(spec.get("writable")),
            port=port if isinstance(port, int) else None,
            given=digest_of(spec),
            runtime=str(spec.get("runtime") or BUBBLEWRAP),
            secrets=tuple(_texts(spec.get("secrets"))),
            volumes=labels_of(spec.get("volumes")),
            capabilities=tuple(_texts(spec.get("capabilities"))),
            limits=limits if isinstance(limits, dict) else {},
        )


Filled = Callable[[str], JSONObject]
"""Fills a folder that is being made, and says what its `spec.json` holds beside what every instance's does."""


def make(home: str, wish: Wish, fill: Filled, *, at: float) -> None:
    """Make the whole folder aside, then give it its name: an instance's folder is complete or not there."""
    final, making = f"{instances(home)}/{wish.id}", f"{instances(home)}/.making"
    remove_tree(making)
    remove_tree(final)
    Path(making).mkdir(mode=0o711)
    spec: Dict[str, JSON] = {
        "format": 1,
        "id": wish.id,
        "image": wish.image,
        "runtime": wish.runtime,
        "labels": dict(wish.labels),
        "created_at": at,
        "given": wish.given,
    }
    write_record(f"{making}/spec.json", {**spec, **fill(making)})
    Path(making).rename(final)
    sync_folder(instances(home))


def sandboxed(home: str, wish: Wish, arguments: JSONObject) -> Filled:
    """An instance under bubblewrap: its image unpacked, its layers laid out."""

    def fill(making: str) -> JSONObject:
        image = _image(home, str(arguments["layout"]), wish.image)
        place = Place(making, f"{instances(home)}/{wish.id}", wish.user)
        volumes = {path: volume(home, name) for path, name in wish.volumes.items()}
        if wish.user and os.geteuid() == 0:
            for folder in volumes.values():
                give(folder, (_account(wish.user).pw_uid, _account(wish.user).pw_gid))
        steps = assemble(image.mounts(entries()), wish.writable, place, volumes=volumes)
        port = free_port(home, wish)
        filled = filler(wish.id, port)
        run = sandbox.Sandbox(
            str(arguments["bwrap"]), steps, tuple(filled(part) for part in wish.argv), workdir=wish.workdir, hostname=wish.id[:63]
        )
        environment = {name: filled(value) for name, value in wish.environment.items()}
        write_record(f"{making}/environment", {**_surroundings(wish, port), **environment})
        keep: JSONObject = {"argv": list(sandbox.instance_argv(run)), "cwd": "/", "user": wish.user, "sandbox": True}
        keep["groups"] = list(groups(wish.id, wish.limits))
        return {"port": port, "layers": list(layers(steps)), "limits": wish.limits, "keep": keep}

    return fill


def free_port(home: str, wish: Wish) -> Optional[int]:
    """A port of its own, where it asks for one.

    Another home on the same host may launch one of the same name at this very moment, and would find the same port free.
    """
    return ports.free(_taken(home), seed=f"{home}/{wish.id}") if wish.port is not None else None


def _image(home: str, layout: str, digest: str) -> Unpacked:
    matched = _DIGEST.fullmatch(digest)
    if not matched:
        raise TargetFailed(f"{digest!r} is not an image", hint="an image is named by its sha256 digest, never by a tag")
    images = Path(home, "images")
    images.mkdir(mode=0o711, parents=True, exist_ok=True)
    image = unpack(layout, digest, f"{images}/{matched.group(1)}")
    if os.geteuid() == 0:
        Path(image.folder).chmod(0o711)  # so that a process of another user can reach its root
    return image


def _surroundings(wish: Wish, port: Optional[int]) -> Dict[str, JSON]:
    home = _account(wish.user).pw_dir if wish.user else "/"
    found: Dict[str, JSON] = {"PATH": _PATH, "HOME": home, "VITRIFY_INSTANCE": wish.id}
    if port is not None:
        found.update(PORT=str(port), ADDRESS="127.0.0.1")
    return found


def filler(identifier: str, port: Optional[int]) -> Callable[[str], str]:
    """Fills in what only a launched instance knows."""
    known = {"${instance.id}": identifier, "${instance.port}": "" if port is None else str(port)}

    def fill(text: str) -> str:
        for name, value in known.items():
            text = text.replace(name, value)
        return text

    return fill


def _account(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise TargetFailed(f"there is no user {user} on this host", hint="bubblewrap runs a process as a user of its host") from None


def check_reach(path: str, user: str) -> None:
    """Where root runs a process as somebody else, that user must be able to pass through every folder on the way to it."""
    if not user or os.geteuid() != 0:
        return
    account = _account(user)
    groups = set(os.getgrouplist(user, account.pw_gid))
    place = Path(path).resolve()
    for folder in (place, *place.parents):
        found = folder.stat()
        bit = 0o100 if found.st_uid == account.pw_uid else 0o010 if found.st_gid in groups else 0o001
        if account.pw_uid != 0 and not found.st_mode & bit:
            hint = f"move it where {user} can pass (VITRIFY_HOME for the state home), or let it pass: chmod a+x {folder}"
            raise TargetFailed(f"{user} cannot reach {path}", why=f"{folder} is closed to it", hint=hint)


def instances(home: str) -> str:
    """Where instances lie."""
    return f"{home}/instances"


def folders(home: str) -> Iterator[str]:
    """The folder of every instance."""
    place = Path(instances(home))
    for folder in sorted(place.iterdir()) if place.is_dir() else ():
        if not folder.name.startswith(".") and (folder / "spec.json").is_file():
            yield str(folder)


def _taken(home: str) -> List[int]:
    found = [(read_record(f"{folder}/spec.json") or {}).get("port") for folder in folders(home)]
    return [port for port in found if isinstance(port, int)]


def checked(identifier: str) -> str:
    """The id, where it can be a folder's name."""
    if not _ID.fullmatch(identifier):
        raise TargetFailed(f"{identifier!r} cannot be an instance's id", hint="letters, digits, and . _ - inside")
    return identifier


def _texts(value: JSON) -> List[str]:
    return [str(part) for part in value] if isinstance(value, list) else []


def labels_of(value: JSON) -> Dict[str, str]:
    """A map of texts, read from JSON."""
    return {name: str(part) for name, part in value.items()} if isinstance(value, dict) else {}


def limits_of(folder: str) -> JSONObject:
    """What the instance of this folder is held to by groups of ours."""
    limits = (read_record(f"{folder}/spec.json") or {}).get("limits")
    return limits if isinstance(limits, dict) else {}
