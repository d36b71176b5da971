"""Instances of images on this host: launched under a shim each, found again by id and labels. The payload's `instance.*` calls.

Which runtime an instance has stands in its folder, so that whoever calls need not know.

Folders and files are specified in `docs/formats/instances.md`. Nothing is kept in memory: whoever calls next, from
wherever, finds what is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional

from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Event, Stage
from vitrify.onhost import confining, entering, keeping, reviving, secluding
from vitrify.onhost import podman as engine
from vitrify.onhost.altered import altered, layer
from vitrify.onhost.context import Context
from vitrify.onhost.health import look
from vitrify.onhost.launching import (
    BUBBLEWRAP,
    PODMAN,
    Filled,
    Wish,
    check_reach,
    checked,
    folders,
    instances,
    labels_of,
    limits_of,
    make,
    sandboxed,
)
from vitrify.onhost.logfile import tail
from vitrify.onhost.podman import Podman
from vitrify.onhost.record import read_record, sync_folder
from vitrify.onhost.removal import remove_tree


def launch(context: Context, arguments: JSONObject) -> JSONObject:
    """Start an instance or adopt the one of the same id; Denied where that id has another spec."""
    home, spec = str(arguments["home"]), arguments["spec"]
    if not isinstance(spec, dict):
        raise TargetFailed("an instance is launched from a spec")
    wish = Wish.read(spec)
    Path(instances(home)).mkdir(mode=0o711, parents=True, exist_ok=True)
    fill = _filled(home, wish, arguments)
    folder = f"{instances(home)}/{wish.id}"
    with keeping.lock(f"{instances(home)}/.lock"):
        if secluding.secluded(folder):
            raise Denied(f"the instance {wish.id} is in quarantine", hint="`vitrify quarantine` lists it; it never runs again")
        known = read_record(f"{folder}/spec.json")
        if known is not None and known.get("given") != wish.given:
            raise Denied(
                f"there is an instance {wish.id} with another spec", hint="an instance is never edited: give the new one its own id"
            )
        runs = known is not None and keeping.state(folder).kept  # what is only adopted is not told as if it had been started
        if not runs:
            context.emit(Event("instance.launch", Stage.STARTED, wish.id))
        if known is None:
            make(home, wish, fill, at=context.clock())
    context.reached("instance-start.intent")
    with keeping.lock(f"{folder}/launch.lock"):
        reviving.start(home, folder)
    if arguments.get("lasting") is True:
        reviving.arrange(home)
    context.reached("instance-start.act")
    if not runs:
        context.emit(Event("instance.launch", Stage.DONE, wish.id))
    return _shown(folder)


def _filled(home: str, wish: Wish, arguments: JSONObject) -> Filled:
    if wish.runtime == BUBBLEWRAP:
        _only_podman(wish)
        for path in (home, str(arguments["bwrap"])):
            check_reach(path, wish.user)
        return sandboxed(home, wish, arguments)
    if wish.runtime != PODMAN:
        raise TargetFailed(f"there is no runtime {wish.runtime!r} here", hint=f"{BUBBLEWRAP}, or {PODMAN}")
    from vitrify.onhost import containers

    return containers.contained(home, wish, arguments, engine.settle(home, str(arguments.get("storage") or "")))


def _only_podman(wish: Wish) -> None:
    if wish.capabilities:
        raise TargetFailed("bubblewrap keeps no capabilities", hint=f"use `runtime: {PODMAN}`, or take them out")


def _podman(home: str, folder: str) -> Optional[Podman]:
    """The podman that runs this instance, or whose orphan it is; None where it is bubblewrap's."""
    spec = read_record(f"{folder}/spec.json")
    return engine.known(home) if spec is None or spec.get("runtime") == PODMAN else None


def listed(_: Context, arguments: JSONObject) -> JSONObject:
    """All instances that carry these labels, oldest first; with `evidence` those in quarantine, and else those that are not."""
    wanted = labels_of(arguments.get("labels")).items()
    home = str(arguments["home"])
    if arguments.get("evidence") is True:
        kept = [one for folder in folders(home) for one in secluding.shown(folder)]
        return {"instances": [one for one in kept if isinstance(one, dict) and wanted <= labels_of(one["labels"]).items()]}
    found = [*(_shown(folder) for folder in folders(home) if not secluding.secluded(folder)), *_orphans(home)]
    shown = [instance for instance in found if wanted <= labels_of(instance["labels"]).items()]
    shown.sort(key=lambda instance: (instance["created_at"], instance["id"]))
    return {"instances": list(shown)}


def _orphans(home: str) -> List[Dict[str, JSON]]:
    podman = engine.known(home)
    if podman is None:
        return []
    from vitrify.onhost import containers

    return containers.orphans(home, podman)


def stop(context: Context, arguments: JSONObject) -> JSONObject:
    """End it, gently for `grace` seconds; its files stay. Harmless where it has ended."""
    given, identifier = arguments.get("grace"), str(arguments["id"])
    grace = float(given) if isinstance(given, (int, float)) else 10.0
    orphan = next((one for one in _orphans(str(arguments["home"])) if one["id"] == identifier), None)
    folder = f"{instances(str(arguments['home']))}/{identifier}" if orphan else _known(arguments)
    context.reached("instance-stop.intent")
    if orphan is None:
        keeping.stop(folder, grace=grace)
    podman = _podman(str(arguments["home"]), folder)
    if podman is not None:
        from vitrify.onhost import containers

        containers.end(identifier, podman, grace=grace)
    context.reached("instance-stop.act")
    return orphan or _shown(folder)


def stop_later(_: Context, arguments: JSONObject) -> JSONObject:
    """Let its shim end it at `at` (seconds since the epoch), or never where that is null."""
    folder, at = _known(arguments), arguments.get("at")
    keeping.ask(folder, keeping.Ask(stop_at=float(at) if isinstance(at, (int, float)) else -1.0))
    return _shown(folder)


def quarantine(context: Context, arguments: JSONObject) -> JSONObject:
    """Keep a stopped instance as evidence: no list has it any more, and nothing but `evidence` discards it."""
    folder = _known(arguments)
    context.reached("instance-quarantine.intent")
    secluding.seclude(folder, {name: arguments.get(name) for name in ("by", "why", "entry")})
    context.reached("instance-quarantine.act")
    return {"id": arguments["id"]}


def discard(context: Context, arguments: JSONObject) -> JSONObject:
    """Remove a stopped instance with its files; Denied while it runs, harmless where it is gone. Evidence stays unless it is meant."""
    home, identifier = str(arguments["home"]), checked(str(arguments["id"]))
    place = Path(instances(home))
    folder, gone = place / identifier, place / ".gone"
    podman = _podman(home, str(folder))
    if not folder.is_dir():
        if podman is not None:
            from vitrify.onhost import containers

            containers.remove_orphan(home, identifier, podman)
        return {"id": identifier}
    if secluding.secluded(str(folder)) and arguments.get("evidence") is not True:
        return {"id": identifier}
    context.reached("instance-discard.intent")
    with keeping.lock(f"{place}/.lock"):
        if keeping.state(str(folder)).kept:
            raise Denied(f"the instance {identifier} still runs", hint="stop it first")
        if podman is not None:
            from vitrify.onhost import containers

            containers.remove(str(folder), podman)
        confining.release(identifier, limits_of(str(folder)))
        remove_tree(str(gone))
        folder.rename(gone)
        sync_folder(str(place))
        remove_tree(str(gone))
    if next(folders(home), None) is None:
        reviving.dismiss(home)
    context.reached("instance-discard.act")
    return {"id": identifier}


def logs(_: Context, arguments: JSONObject) -> JSONObject:
    """The last lines it wrote."""
    lines = arguments.get("lines")
    return {"text": tail(f"{_known(arguments)}/log", lines if isinstance(lines, int) else 100)}


def alterations(_: Context, arguments: JSONObject) -> JSONObject:
    """Every difference between its sealed root and its image."""
    folder = _known(arguments)
    podman, entered = _podman(str(arguments["home"]), folder), entering.difference(folder)
    if podman is not None:
        from vitrify.onhost import containers

        return {"altered": [*entered, *containers.alterations(folder, podman)]}
    kept = (read_record(f"{folder}/spec.json") or {}).get("layers")
    return {"altered": [*entered, *altered([layer(one) for one in kept] if isinstance(kept, list) else [])]}


def mark(context: Context, arguments: JSONObject) -> JSONObject:
    """Note durably that somebody enters it, before anybody does."""
    folder, entry = _known(arguments), arguments.get("entry")
    context.reached("instance-mark.intent")
    entering.mark(folder, by=str(arguments["by"]), reason=str(arguments["reason"]), entry=entry if isinstance(entry, int) else 0)
    context.reached("instance-mark.act")
    return _shown(folder)


def entrance(_: Context, arguments: JSONObject) -> JSONObject:
    """The words that, run on this host, run `argv` inside."""
    folder, argv = _known(arguments), arguments.get("argv")
    words = [str(word) for word in argv] if isinstance(argv, list) else []
    podman = _podman(str(arguments["home"]), folder)
    return {"argv": list(entering.way_in(folder, words, terminal=arguments.get("terminal") is True, podman=podman))}


def healthy(_: Context, arguments: JSONObject) -> JSONObject:
    """One look: `reason` is "" where it passes."""
    folder, health = _known(arguments), arguments.get("health")
    found = keeping.state(folder)
    if found.status != "running":
        ended = "" if found.exit_code is None else f", ended with {found.exit_code}"
        return {"reason": f"it is {found.status}{ended}: {keeping.last_words(folder)}".rstrip(": ")}
    port = (read_record(f"{folder}/spec.json") or {}).get("port")
    return {"reason": look(health if isinstance(health, dict) else {}, port=port if isinstance(port, int) else 0)}


def _shown(folder: str) -> Dict[str, JSON]:
    spec, found = read_record(f"{folder}/spec.json") or {}, keeping.state(folder)
    return {
        "id": spec.get("id"),
        "image": spec.get("image"),
        "labels": spec.get("labels"),
        "port": spec.get("port"),
        "created_at": spec.get("created_at"),
        "state": found.status,
        "started_at": found.started_at,
        "restarts": found.restarts,
        "exit_code": found.exit_code,
        "stop_at": found.stop_at,
        "entered": entering.spoken(entering.marked(folder)),
    }


def _known(arguments: JSONObject) -> str:
    folder = f"{arguments['home']}/instances/{checked(str(arguments['id']))}"
    if not Path(folder, "spec.json").is_file():
        raise TargetFailed(f"there is no instance {arguments['id']}", hint="`vitrify status` lists those that there are")
    return folder


CALLS: Mapping[str, Callable[[Context, JSONObject], JSONObject]] = {
    "instance.launch": launch,
    "instance.list": listed,
    "instance.stop": stop,
    "instance.stop_later": stop_later,
    "instance.discard": discard,
    "instance.logs": logs,
    "instance.altered": alterations,
    "instance.mark": mark,
    "instance.quarantine": quarantine,
    "instance.entrance": entrance,
    "instance.healthy": healthy,
}
