"""Asks a program for its inventory, as Ansible does: `--list`, and `--host NAME` where the list holds no variables of hosts."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSON
from vitrify.project.inventory.gathered import ALL, Gathered

PATIENCE = 60.0
"""Seconds that one answer may take."""


def read(path: str, *, environ: Mapping[str, str]) -> Gathered:
    """The inventory that this program tells."""
    program = os.path.abspath(path)  # noqa: PTH100  resolve() would follow links
    found = Gathered(path)
    told = _asked(program, ("--list",), environ)
    meta = told.pop("_meta", None)
    variables = meta.get("hostvars") if isinstance(meta, dict) else None
    for name, group in told.items():
        _group(found, name, group)
    for host in dict.fromkeys(host for group in found.groups.values() for host in group.hosts):
        known = variables.get(host, {}) if isinstance(variables, dict) else _asked(program, ("--host", host), environ)
        if isinstance(known, dict):
            found.hosts[host].update(known)
        else:
            found.remark(f"the variables of {host} are not a map; they are left out")
    return found


def _group(found: Gathered, name: str, told: JSON) -> None:
    group = found.group(name)
    parts: dict[str, JSON] = {"hosts": told} if isinstance(told, list) else told if isinstance(told, dict) else {}
    hosts, children, variables = (parts.pop(key, None) for key in ("hosts", "children", "vars"))
    for host in hosts if isinstance(hosts, list) else []:
        found.host(str(host), name, {})
    for child in children if isinstance(children, list) else []:
        found.group(str(child))
        if name != ALL:
            group.children[str(child)] = None
    group.variables.update(variables if isinstance(variables, dict) else {})
    for key in parts:
        found.remark(f"the key {key!r} of the group {name!r} has no meaning; it is left out")


def _asked(program: str, arguments: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, JSON]:
    spoken = " ".join((program, *arguments))
    try:
        done = subprocess.run([program, *arguments], env=dict(environ), capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise UsageInvalid(f"`{spoken}` did not end within {PATIENCE:.0f} seconds") from None
    except OSError as error:
        raise UsageInvalid(f"{program} cannot be run", why=error.strerror or "", hint="is it executable?") from None
    if done.returncode != 0:
        raise UsageInvalid(f"`{spoken}` ended with {done.returncode}", why=done.stderr.decode(errors="replace").strip())
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise UsageInvalid(f"`{spoken}` printed no JSON", why=str(error)) from None
    if not isinstance(answer, dict):
        raise UsageInvalid(f"`{spoken}` printed no map of groups")
    return answer
