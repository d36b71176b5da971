"""From a wish to the words by which podman creates its container: a pure function, so that what is shut can be read and tested."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core.digest import JSONObject

LABEL = "vitrify."
"""What the names of our labels begin with."""
HOME, GIVEN, HOLDS = f"{LABEL}home", f"{LABEL}given", f"{LABEL}holds"
"""Labels: the folder that an instance belongs to, the digest of what was asked for, and what else of podman's is its own."""

TAKEN = frozenset({"HOME", "PATH", "TMPDIR", "DBUS_SESSION_BUS_ADDRESS"})
"""Names that podman itself listens to: a value under one of them reaches the process as a secret, not through podman's environment."""
_TAKEN_BEGIN = ("CONTAINER", "LD_", "XDG_", "_")

PUT_THERE: Mapping[str, str] = {
    "/etc/hostname": "file",
    "/etc/hosts": "file",
    "/etc/mtab": "link",
    "/etc/resolv.conf": "file",
    "/run/.containerenv": "file",
    "/run/podman-init": "file",
    "/dev": "directory",
    "/etc": "directory",
    "/proc": "directory",
    "/run": "directory",
    "/sys": "directory",
}
"""What podman puts into every root: empty places for its own mounts."""


@dataclass(frozen=True)
class Container:
    """One container to be created. `image` is an image's id; `volumes` and `kept` map paths inside to what is mounted there."""

    name: str
    image: str
    argv: Tuple[str, ...]
    labels: Mapping[str, str]
    workdir: str = "/"
    user: str = ""
    names: Tuple[str, ...] = ()
    """Variables whose values are in podman's environment."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable -> podman's name of the secret that holds its value."""
    writable: Mapping[str, str] = field(default_factory=dict)
    """Path -> the volume of this one instance."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Path -> the folder that outlives it."""
    ports: Optional[Tuple[int, int]] = None
    """On 127.0.0.1, and inside."""
    capabilities: Tuple[str, ...] = ()
    limits: JSONObject = field(default_factory=dict)
    pid_file: str = ""


def create_argv(container: Container, *, ulimits: Sequence[str], masked: Sequence[str] = ()) -> Tuple[str, ...]:
    """What follows `podman`: read-only but for what is declared, no capability but the declared, no value of the environment."""
    return (
        *("create", "--name", container.name, "--hostname", container.name[:63], "--pull", "never", "--init"),
        *("--read-only", "--read-only-tmpfs=false", "--ipc", "none", "--tmpfs", "/dev:ro,mode=755"),
        *("--security-opt", "no-new-privileges", "--cap-drop", "all", *_each("--cap-add", container.capabilities)),
        *_each("--security-opt", [f"mask={path}" for path in masked]),
        *("--log-driver", "none", "--http-proxy=false", "--restart", "no", "--pidfile", container.pid_file),
        *ulimits,
        *_limits(container.limits),
        *_each("--label", [f"{name}={value}" for name, value in sorted(container.labels.items())]),
        *(("--publish", f"127.0.0.1:{container.ports[0]}:{container.ports[1]}") if container.ports else ()),
        *_mounts(container),
        *_each("--env", container.names),
        *_each("--secret", [f"{secret},type=env,target={name}" for name, secret in sorted(container.secrets.items())]),
        *("--workdir", container.workdir, *(("--user", container.user) if container.user else ())),
        # All of it: what follows the image would only be added to the entrypoint that the image names.
        *("--entrypoint", json.dumps(list(container.argv)), container.image),
    )


def _each(flag: str, values: Sequence[str]) -> List[str]:
    return [word for value in values for word in (flag, value)]


def _limits(limits: JSONObject) -> List[str]:
    """`memory` in bytes (swap counts), `cpu` in thousandths of a processor, `pids`."""
    found: List[str] = []
    if limits.get("memory"):
        found += ["--memory", f"{limits['memory']}b", "--memory-swap", f"{limits['memory']}b"]
    if limits.get("cpu"):
        found += ["--cpus", f"{int(str(limits['cpu'])) / 1000:g}"]
    if limits.get("pids"):
        found += ["--pids-limit", str(limits["pids"])]
    return found


def _mounts(container: Container) -> List[str]:
    found: List[str] = []
    for path, volume in sorted(container.writable.items()):
        # What lies in /dev is mounted over a folder that is in no image.
        found += ["--tmpfs", f"{path}:rw,mode=1777"] if path.startswith("/dev/") else ["--volume", f"{volume}:{path}"]
    for path, folder in sorted(container.kept.items()):
        found += ["--volume", f"{folder}:{path}:z"]
    return found


def spoken_of(name: str) -> bool:
    """Whether podman itself listens to a variable of this name."""
    return name in TAKEN or name.startswith(_TAKEN_BEGIN)


def put_there(found: JSONObject, mounted: Sequence[str]) -> bool:
    """Whether a difference between a root and its image is one that podman made: an empty place for a mount, or the way to it."""
    path, new = str(found["path"]), found.get("new")
    if found["change"] != "added" or not isinstance(new, dict):
        return False
    kind = str(new.get("type"))
    if PUT_THERE.get(path) == kind:
        return kind != "file" or new.get("size") == 0
    return kind == "directory" and any(place == path or place.startswith(f"{path}/") for place in mounted)


def labels_from(labels: Mapping[str, object]) -> Dict[str, str]:
    """An instance's labels, from its container's."""
    kept = {name[len(LABEL) :]: str(value) for name, value in labels.items() if name.startswith(LABEL)}
    return {name: value for name, value in kept.items() if f"{LABEL}{name}" not in (HOME, GIVEN, HOLDS)}
