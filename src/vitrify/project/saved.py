"""A plan as a file."""

from __future__ import annotations

import json
from pathlib import Path

from vitrify.core.diagnostic import IntegrityFailed, UsageInvalid
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.plan import Plan
from vitrify.project import whole_file


def write(plan: Plan, path: str) -> None:
    """Write the plan as a document; the file is replaced atomically."""
    _put(plan.to_json(), path)


def _put(document: JSONObject, path: str) -> None:
    whole_file.writable(path)
    whole_file.write(json.dumps(document, indent=2) + "\n", path)


def approvals(document: JSONObject) -> tuple[str, ...]:
    """The signed notes that were added to a plan."""
    found = document.get("approvals")
    return tuple(note for note in found if isinstance(note, str)) if isinstance(found, list) else ()


def approve(path: str, note: str) -> None:
    """Add a signed note to the plan in this file."""
    document = read(path)
    _put({**document, "approvals": [*approvals(document), note]}, path)


def approvable(path: str) -> tuple[JSONObject, str, str]:
    """The plan in this file, its digest and that of its declaration; IntegrityFailed where what it shows is not what its digest says."""
    document = read(path)
    digest, declaration, servers = document.get("digest"), document.get("declaration"), document.get("servers")
    if not (isinstance(digest, str) and isinstance(declaration, str) and isinstance(servers, list)):
        raise UsageInvalid(f"{path} is not a saved plan", hint=f"`vitrify plan -o {path}` writes one")
    try:
        found = digest_of(servers)
    except (ValueError, RecursionError):
        found = ""
    if found != digest:
        hint = "plan again: a plan that was edited is never applied, and must not be approved"
        raise IntegrityFailed(f"{path} was altered", why="its changes are not those of its digest", hint=hint)
    return document, digest, declaration


def _kinds(document: JSONObject) -> dict[str, JSON]:
    servers = document.get("servers")
    found = [server.get("kinds") for server in servers if isinstance(server, dict)] if isinstance(servers, list) else []
    return {name: digest for kinds in found if isinstance(kinds, dict) for name, digest in kinds.items()}


def read(path: str) -> JSONObject:
    """The document in this file; UsageInvalid where it holds no plan."""
    hint = f"`vitrify plan -o {path}` writes one"
    try:
        document = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise UsageInvalid(f"{path} is not a saved plan", why=str(error), hint=hint) from None
    return document if isinstance(document, dict) else {}


def is_rest(document: JSONObject, now: Plan) -> bool:
    """Whether everything that is to be done now was in the saved plan already, change by change, and was shown there."""
    if document.get("declaration") != now.declaration or digest_of(document.get("servers")) != document.get("digest"):
        return False
    listed = document.get("servers")
    saved = {_place(one): one for one in listed if isinstance(one, dict)} if isinstance(listed, list) else {}
    return all(_covered(one.to_json(), saved.get(_place(one.to_json()), {})) for one in now.servers if not one.empty)


def _place(server: JSONObject) -> tuple[object, object, object]:
    return server.get("lifecycle"), server.get("server"), server.get("host")


def _covered(now: JSONObject, saved: JSONObject) -> bool:
    if now.get("lifecycle") == "immutable":
        return saved.get("declared") == now.get("declared") and saved.get("kind") not in (None, "none")
    changes, known = now.get("changes"), saved.get("changes")
    if not (isinstance(changes, list) and isinstance(known, list)):
        return False
    wished = [_wish(change) for change in known if isinstance(change, dict)]
    return all(isinstance(change, dict) and _wish(change) in wished for change in changes)


def _wish(change: JSONObject) -> JSONObject:
    """What a change does to what; why, and how sure that is, may have become another story half-way."""
    return {name: change.get(name) for name in ("resource", "action", "before", "after")}


def moved(document: JSONObject, now: Plan) -> str:
    """What is not any more as it was when the plan was saved, in words."""
    if document.get("declaration") != now.declaration:
        return "the declaration changed, or a `--var` is not the one that it was planned with"
    earlier, later = _kinds(document), _kinds(now.to_json())
    for kind in sorted(earlier.keys() & later.keys()):
        if earlier[kind] != later[kind]:
            return f"the source of the kind `{kind}` changed"
    before, after = _changes(document), _changes(now.to_json())
    for name in [*after, *(name for name in before if name not in after)]:
        then, present = before.get(name, {}), after.get(name, {})
        differing = [address for address in {**then, **present} if then.get(address) != present.get(address)]
        if differing:
            return f"{name} changed: {differing[0]}{f' and {len(differing) - 1} more' if len(differing) > 1 else ''}"
    return "the servers changed"


def _changes(document: JSONObject) -> dict[str, dict[str, JSON]]:
    """Which server on which host -> address -> its change."""
    servers = document.get("servers")
    found: dict[str, dict[str, JSON]] = {}
    for server in servers if isinstance(servers, list) else []:
        if isinstance(server, dict) and isinstance(changes := server.get("changes"), list):
            name = f"{server.get('server')} on {server.get('host')}"
            found[name] = {_address(change): change for change in changes if isinstance(change, dict)}
    return found


def _address(change: JSONObject) -> str:
    resource = change.get("resource")
    return str(resource.get("address")) if isinstance(resource, dict) else ""
