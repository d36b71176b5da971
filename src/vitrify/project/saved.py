"""A plan as a file."""

from __future__ import annotations

import json
from pathlib import Path

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.plan import Plan
from vitrify.project import whole_file


def write(plan: Plan, path: str) -> None:
    """Write the plan as a document; the file is replaced atomically."""
    whole_file.write(json.dumps(plan.to_json(), indent=2) + "\n", path)


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


def moved(document: JSONObject, now: Plan) -> str:
    """What is not any more as it was when the plan was saved, in words."""
    if document.get("declaration") != now.declaration:
        return "the declaration changed"
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
