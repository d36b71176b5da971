"""Instances that podman runs: their images, containers, secrets and volumes. Each under a shim of ours, as all instances are.

The shim starts the container and waits for its end, so that restarts, deadlines, logs and states are the same as everywhere.
What podman itself holds can be made again from the instance's folder, which therefore is there first and goes last.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

from vitrify.core.diagnostic import Denied, IntegrityFailed, TargetFailed
from vitrify.core.digest import JSON, JSONObject, canonical
from vitrify.onhost import podman as engine
from vitrify.onhost.altered import Layer, altered
from vitrify.onhost.container import GIVEN, HOLDS, HOME, LABEL, Container, create_argv, labels_from, put_there, spoken_of
from vitrify.onhost.launching import Filled, Wish, filler, free_port
from vitrify.onhost.layout import MANIFEST, Checked, Descriptor, Manifest, blob_path, read_manifest
from vitrify.onhost.podman import Podman
from vitrify.onhost.record import read_record, write_record
from vitrify.onhost.removal import remove_tree
from vitrify.onhost.volumes import is_new, volume


def contained(home: str, wish: Wish, arguments: JSONObject, podman: Podman) -> Filled:
    """An instance under podman: its image loaded, everything written down that its container is created from."""

    def fill(making: str) -> JSONObject:
        manifest = read_manifest(str(arguments["layout"]), wish.image)
        load(podman, str(arguments["layout"]), wish.image, manifest)
        port, final = free_port(home, wish), f"{home}/instances/{wish.id}"
        filled = filler(wish.id, wish.port)
        given = {name: filled(value) for name, value in wish.environment.items()}
        own = {"VITRIFY_INSTANCE": wish.id, **({} if wish.port is None else {"PORT": str(wish.port), "ADDRESS": "0.0.0.0"})}  # noqa: S104  inside
        write_record(f"{making}/variables", {**own, **given})
        write_record(f"{making}/environment", dict(podman.environment))
        container: JSONObject = {
            "image": manifest.config.digest,
            "argv": [filled(word) for word in wish.argv],
            "workdir": wish.workdir,
            "user": wish.user,
            "writable": {path: f"{wish.id}-writable{index}" for index, path in enumerate(sorted(wish.writable))},
            "volumes": {path: volume(home, name) for path, name in wish.volumes.items()},
            "secrets": [name for name in given if name in wish.secrets or spoken_of(name)],
            "inside": wish.port,
            "capabilities": list(wish.capabilities),
            "limits": wish.limits,
        }
        start = [*podman.argv, "start", "--attach", wish.id]
        keep: JSONObject = {"argv": list(start), "cwd": "/", "user": "", "pid_file": f"{final}/pid"}
        return {"port": port, "layers": [], "container": container, "keep": keep}

    return fill


# -- the image ------------------------------------------------------------------------------------------------------------


def load(podman: Podman, layout: str, digest: str, manifest: Manifest) -> None:
    """Let podman have this image, if it has not; every byte is checked on the way, and what podman made of them after it."""
    image = manifest.config.digest.partition(":")[2]
    found = podman.look("image", "inspect", image)
    if found is None:
        for blob in (manifest.config, *manifest.layers):
            _check(layout, blob)
        with _alone(layout, digest, manifest) as folder:
            podman.run("pull", "--quiet", f"oci:{folder}")
        # Podman calls it by the folder that it came from.
        podman.run("untag", image)
        podman.run("tag", image, f"localhost/vitrify:{digest.partition(':')[2][:12]}")
        found = podman.look("image", "inspect", image)
    if found is None or found.get("Digest") != digest:
        told = "nothing" if found is None else str(found.get("Digest"))
        raise IntegrityFailed(f"podman does not hold the image {digest}", why=f"it made {told} of it", hint=f"podman image rm {image[:12]}")


def _check(layout: str, blob: Descriptor) -> None:
    checked = Checked(layout, blob)
    try:
        checked.finish()
    finally:
        checked.close()


@contextlib.contextmanager
def _alone(layout: str, digest: str, manifest: Manifest) -> Iterator[str]:
    """A layout that holds this image alone, so that podman is told by digest which one is meant; its blobs are links."""
    # A name of our own: podman takes capitals and some signs in a path for a name that no image can have.
    folder = Path("/tmp", f"vitrify-image-{os.urandom(8).hex()}")  # noqa: S108  made anew, for us alone, or not at all
    folder.mkdir(mode=0o700)
    try:
        (folder / "blobs" / "sha256").mkdir(parents=True)
        for blob in (digest, manifest.config.digest, *(layer.digest for layer in manifest.layers)):
            place = folder / "blobs" / "sha256" / blob.partition(":")[2]
            if not place.is_symlink():
                place.symlink_to(blob_path(layout, blob).resolve())
        size = blob_path(layout, digest).stat().st_size
        index: JSONObject = {"schemaVersion": 2, "manifests": [{"mediaType": MANIFEST, "digest": digest, "size": size}]}
        (folder / "index.json").write_bytes(canonical(index))
        (folder / "oci-layout").write_bytes(canonical({"imageLayoutVersion": "1.0.0"}))
        yield str(folder)
    finally:
        remove_tree(str(folder))


# -- the container --------------------------------------------------------------------------------------------------------


def ready(folder: str, podman: Podman) -> None:
    """The instance's container is there, created or adopted; if it runs without a shim, the next one will know its first process."""
    spec = read_record(f"{folder}/spec.json") or {}
    found = podman.look("container", "inspect", str(spec["id"]))
    if found is None:
        _create(folder, spec, podman)
        return
    labels = _mapping(_mapping(found.get("Config")).get("Labels"))
    if labels.get(GIVEN) != spec.get("given"):
        raise Denied(f"podman has a container {spec['id']} that is not this instance", hint=f"podman rename {spec['id']} ANOTHER-NAME")
    state = _mapping(found.get("State"))
    if state.get("Running") is True:
        Path(folder, "pid").write_text(str(state.get("Pid")), encoding="ascii")
    else:  # its shim may have been killed, or the whole machine: the number belongs to somebody else by now
        with contextlib.suppress(FileNotFoundError):
            Path(folder, "pid").unlink()


def _create(folder: str, spec: JSONObject, podman: Podman) -> None:
    wished, identity = _mapping(spec["container"]), str(spec["id"])
    variables = {name: str(value) for name, value in (read_record(f"{folder}/variables") or {}).items()}
    secret = set(_texts(wished["secrets"]))
    names = {name: secret_name(identity, name) for name in sorted(secret)}
    for name, called in names.items():
        podman.ask("secret", "rm", called)
        podman.run("secret", "create", called, "-", given=variables[name].encode())
    port, inside = spec.get("port"), wished.get("inside")
    container = Container(
        name=identity,
        image=str(wished["image"]).partition(":")[2],
        argv=tuple(_texts(wished["argv"])),
        labels=_labels(folder, spec),
        workdir=str(wished["workdir"]),
        user=str(wished["user"]),
        names=tuple(name for name in sorted(variables) if name not in secret),
        secrets=names,
        writable=_named(wished["writable"]),
        kept=_named(wished["volumes"]),
        ports=(port, inside) if isinstance(port, int) and isinstance(inside, int) else None,
        capabilities=tuple(_texts(wished["capabilities"])),
        limits=_mapping(wished["limits"]),
        pid_file=f"{folder}/pid",
    )
    masked = ("/sys/fs/cgroup",) if engine.first_version() else ()
    argv = create_argv(container, ulimits=engine.limits_here(), masked=masked)
    plain = {name: variables[name] for name in container.names}
    if podman.ask(*argv, more=plain).returncode != 0:
        # A creation that was killed half way leaves a name that nothing answers to.
        podman.ask("rm", "--force", "--storage", identity)
        podman.run(*argv, more=plain)
    _give_volumes(container, podman)


def _give_volumes(container: Container, podman: Podman) -> None:
    """Volumes that are new belong to the process's user, as the image knows it."""
    fresh = [folder for folder in container.kept.values() if is_new(folder)]
    if fresh and container.user:
        owner = _owner(container, podman)
        if os.geteuid() == 0:
            for folder in fresh:
                os.chown(folder, *owner)
        else:
            podman.run("unshare", "chown", f"{owner[0]}:{owner[1]}", *fresh)


def _owner(container: Container, podman: Podman) -> Tuple[int, int]:
    user, _, group = container.user.partition(":")
    listed = podman.ask("cp", f"{container.name}:/etc/passwd", "-")
    rows = {row[0]: row for row in (_rows(listed.stdout) if listed.returncode == 0 else [])}
    row = rows.get(user) or next((row for row in rows.values() if row[2] == user), None)
    if row is None and not user.isdigit():
        raise TargetFailed(f"there is no user {user} in the image", hint="declare it: `- user: {name: …}`")
    uid = int(row[2] if row else user)
    return uid, int(group) if group.isdigit() else int(row[3]) if row else 0


def _rows(archive: bytes) -> List[List[str]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        files = [members.extractfile(member) for member in members]
        text = b"".join(file.read() for file in files if file).decode("utf-8", "replace")
    found = [line.split(":") for line in text.splitlines()]
    return [row for row in found if len(row) > 3 and row[2].isdigit() and row[3].isdigit()]


def secret_name(identity: str, variable: str) -> str:
    """What podman calls the secret that holds one variable of one instance."""
    return f"vitrify-{hashlib.sha256(f'{identity}/{variable}'.encode()).hexdigest()[:32]}"


def _labels(folder: str, spec: JSONObject) -> Dict[str, str]:
    own = {f"{LABEL}{name}": str(value) for name, value in _mapping(spec["labels"]).items()}
    return {**own, HOME: str(Path(folder).parents[1]), GIVEN: str(spec["given"]), HOLDS: json.dumps(_held(spec))}


def _held(spec: JSONObject) -> JSONObject:
    """What podman keeps for one instance beside its container."""
    wished, identity = _mapping(spec["container"]), str(spec["id"])
    secrets = [secret_name(identity, name) for name in _texts(wished["secrets"])]
    return {"volumes": list(_named(wished["writable"]).values()), "secrets": list(secrets)}


def end(identity: str, podman: Podman, *, grace: float) -> None:
    """Whatever its shim did or could not do any more: the container does not run after this."""
    found = podman.look("container", "inspect", identity)
    if found is not None and _mapping(found.get("State")).get("Running") is True:
        podman.run("stop", "--time", str(max(1, round(grace))), identity)


def remove(folder: str, podman: Podman) -> None:
    """Take away what podman holds of an instance; harmless where it holds nothing."""
    spec = read_record(f"{folder}/spec.json") or {}
    _remove(str(spec["id"]), _held(spec), podman)


def remove_orphan(home: str, identity: str, podman: Podman) -> None:
    """The same, where the instance's folder is gone; what else is podman's own stays as it is."""
    if not any(orphan["id"] == identity for orphan in orphans(home, podman)):
        return
    found = podman.look("container", "inspect", identity) or {}
    holds = json.loads(str(_mapping(_mapping(found.get("Config")).get("Labels")).get(HOLDS, "{}")))
    _remove(identity, _mapping(holds), podman)


def _remove(identity: str, held: JSONObject, podman: Podman) -> None:
    podman.run("rm", "--force", "--ignore", "--volumes", "--time", "1", identity)
    for kind in ("volume", "secret"):
        names = _texts(held.get(f"{kind}s"))
        # What was never made, or went with a removal that was killed behind it, is no failure.
        podman.ask(kind, "rm", *names) if names else None


# -- what is seen of it ---------------------------------------------------------------------------------------------------


def alterations(folder: str, podman: Podman) -> List[JSONObject]:
    """Every difference between its root and its image, but for the empty places that podman makes for its mounts."""
    wished = _mapping((read_record(f"{folder}/spec.json") or {})["container"])
    mounted = [*_named(wished["writable"]), *_named(wished["volumes"])]
    layer = layer_of(folder, podman)
    return [one for one in altered([layer]) if not put_there(one, mounted)] if layer else []


def layer_of(folder: str, podman: Podman) -> Optional[Layer]:
    """Where its root lies, and where what is written to it lands; None where podman has no container of it."""
    found = podman.look("container", "inspect", str((read_record(f"{folder}/spec.json") or {})["id"]))
    if found is None:
        return None
    data = _mapping(_mapping(found.get("GraphDriver")).get("Data"))
    if not data.get("UpperDir"):
        told = f"containers lie on `{_mapping(found.get('GraphDriver')).get('Name')}`"
        raise TargetFailed("an instance cannot be compared with its image here", why=told, hint="let podman store them on overlay")
    return Layer("/", str(data["UpperDir"]), tuple(str(data["LowerDir"]).split(":")))


def orphans(home: str, podman: Podman) -> List[Dict[str, JSON]]:
    """Containers that were launched from this home and whose folder is gone: somebody else must have taken it away."""
    listed = json.loads(podman.run("ps", "--all", "--format", "json", "--filter", f"label={HOME}={home}") or b"[]")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [_orphan(one) for one in found if not Path(home, "instances", _name(one), "spec.json").is_file()]


def _name(listed: Mapping[str, JSON]) -> str:
    return next(iter(_texts(listed.get("Names"))), "")


def _orphan(listed: Mapping[str, JSON]) -> Dict[str, JSON]:
    code = listed.get("ExitCode")
    running = listed.get("State") == "running"
    return {
        "id": _name(listed),
        "image": str(listed.get("ImageID")),
        "labels": dict(labels_from(_mapping(listed.get("Labels")))),
        "port": _published(listed.get("Ports")),
        "created_at": listed.get("Created"),
        "state": "running" if running else "lost",
        "started_at": float(str(listed.get("StartedAt") or 0)),
        "restarts": 0,
        "exit_code": code if isinstance(code, int) and not running else None,
        "stop_at": None,
    }


def _published(ports: JSON) -> Optional[int]:
    first = ports[0] if isinstance(ports, list) and ports else None
    port = first.get("host_port") if isinstance(first, dict) else None
    return port if isinstance(port, int) else None


def _mapping(value: JSON) -> JSONObject:
    return value if isinstance(value, dict) else {}


def _named(value: JSON) -> Dict[str, str]:
    return {name: str(one) for name, one in _mapping(value).items()}


def _texts(value: JSON) -> List[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
