"""Loads a project: from the bytes of `vitrify.yaml` or `vitrify.py` to a declaration, or to everything that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vitrify.core.declaration import Declaration, Server
from vitrify.core.diagnostic import DeclarationInvalid, UsageInvalid
from vitrify.core.policy import Approvals
from vitrify.core.resource import Kinds
from vitrify.project.find import PYTHON, find
from vitrify.project.problems import Problems

if TYPE_CHECKING:
    from vitrify.project.assemble import Project
    from vitrify.project.layers import Layer, Layers
    from vitrify.project.node import Node


@dataclass(frozen=True)
class Inputs:
    """What a declaration depends on beside its own text. `overrides` are variables of the command line."""

    environ: Mapping[str, str]
    overrides: Mapping[str, str]
    kinds: Kinds
    key: bytes
    environment: str = ""


def load(  # noqa: PLR0913  each is something that the command line or the machine adds to the text
    folder: str, *, environ: Mapping[str, str], overrides: Mapping[str, str], kinds: Kinds, key: bytes, environment: str = ""
) -> Declaration:
    """The declaration of the project in this folder, or in the nearest one above it.

    Raises DeclarationInvalid with every problem found, in the order of the file, and UsageInvalid where there is no
    declaration, or where `overrides` (variables of the command line) or `environment` do not fit it. `key` digests contents
    that hold a secret.
    """
    path = find(folder)
    return read(content_of(path), path, Inputs(environ, overrides, kinds, key, environment))


def content_of(path: Path) -> bytes:
    """The bytes of a declaration; UsageInvalid where they cannot be had."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageInvalid(f"{path} cannot be read", why=error.strerror or "") from error


def read(content: bytes, path: Path, inputs: Inputs) -> Declaration:
    """The declaration in these bytes, as if they stood at `path`. Raises as `load` does."""
    # Here, because an importer of this module may only want to find a project, and these cost a quarter of a second.
    from vitrify.project import notices, sections, supervision
    from vitrify.project.assemble import assemble
    from vitrify.project.envelope import Top
    from vitrify.project.part import read as read_part
    from vitrify.project.policy import approvals, ignored

    problems = Problems()
    root = document(content, path, inputs.kinds, problems)
    top = read_part(Top, root, owner=root.at, problems=problems)
    project = _project(root, path, inputs, problems)
    told = tuple(notices.notices(root.get("notices"), project.layers.scope, project.workshop.secrets, problems))
    noise = ignored(top.policy if top else None)
    project = replace(project, schedule=supervision.of_all(root, project.layers.scope, problems), noise=noise)
    servers = [assemble(name, entry, project) for name, entry in sections.named(root.get("servers"), "server", problems)]
    sound = tuple(server for server in servers if server)
    ssh = sections.ssh(root, project.layers.scope, project.workshop.secrets, problems)
    _agree(sound, root, problems)
    if top and not root.entries["servers"].node.entries:
        problems.add("no server is declared", root.entries["servers"].at, hint="as in `servers: {web: {…}}`")
    problems.settle()
    routers = tuple(router for router in project.routers.values() if router)
    groups = {group.name: group.names for group in project.layers.groups.all}
    agreed = approvals(top.policy if top else None) or Approvals()
    name = top.project if top else ""
    known = Declaration(name, str(project.folder), sound, routers, ssh, groups, notices=told, schedule=project.schedule)
    return replace(known, approvals=agreed)


def document(content: bytes, path: Path, kinds: Kinds, problems: Problems) -> Node:
    """The declaration as nodes that know their place, from YAML or from Python; raises where nothing can be made of it."""
    try:
        if path.name == PYTHON:
            from vitrify.project import python

            return python.parse(content, file=str(path), kinds=kinds, problems=problems)
        from vitrify.project.yaml import parse

        return parse(content, file=str(path), problems=problems)
    except DeclarationInvalid as broken:
        problems.take(broken)
        raise problems.error() from None


def layers_of(root: Node, overrides: Mapping[str, str], environment: str, problems: Problems) -> Layers:
    """What gives variables to every server: project, environment, groups and command line."""
    from vitrify.project import groups, layers, variables

    known = layers.environments(root, problems)
    chosen = layers.chosen(known, environment)
    shared = (layers.Layer("project", variables.variables_of(root, problems)), *chosen)
    last = variables.overridden(overrides, declared={**_elsewhere(root, known.values(), problems), **layers.scope_of(shared).variables})
    scope = layers.scope_of((*shared, layers.Layer(layers.COMMAND_LINE, last)))
    return layers.Layers(shared, groups.groups(root, scope, problems), last)


def _project(root: Node, path: Path, inputs: Inputs, problems: Problems) -> Project:
    """What all servers share."""
    from vitrify.project import hooks, sections
    from vitrify.project.assemble import Project
    from vitrify.project.contents import Contents
    from vitrify.project.resolve import Workshop
    from vitrify.project.secrets import DeclaredSecrets
    from vitrify.project.templates import Templates

    folder = Path(os.path.abspath(path.parent))  # noqa: PTH100  resolve() would follow links
    layers = layers_of(root, inputs.overrides, inputs.environment, problems)
    return Project(
        folder=folder,
        layers=layers,
        profiles=sections.profiles(root, inputs.kinds, problems),
        routers=sections.routers(root, layers.scope, folder, problems),
        workshop=Workshop(
            kinds=inputs.kinds,
            contents=Contents(folder, key=inputs.key),
            templates=Templates(folder),
            secrets=DeclaredSecrets(sections.secrets(root, problems), folder, inputs.environ),
            problems=problems,
        ),
        hooks=hooks.declared(root.get("hooks"), layers.scope, problems),
    )


def _elsewhere(root: Node, environments: Iterable[Layer], problems: Problems) -> Mapping[str, Node]:
    """Every variable that an environment, a group, a server or a host declares."""
    from vitrify.project.variables import variables_of

    found: dict[str, Node] = {name: node for layer in environments for name, node in layer.variables.items()}
    sections = [section.entries for section in (root.get("groups"), root.get("servers")) if section]
    for entry in (entry for section in sections for entry in section.values()):
        hosts = entry.node.get("hosts")
        for owner in (entry.node, *(hosts.items if hosts else ())):
            found.update(variables_of(owner, problems))
    return found


def _agree(servers: Iterable[Server], root: Node, problems: Problems) -> None:
    """Note where two servers want the same resource differently, or the same traffic."""
    from vitrify.project.merge import across
    from vitrify.project.suited import previews_apart

    across(servers, problems)
    previews_apart(servers, root, problems)
    routed: dict[tuple[str, str, str], Server] = {}
    for server in servers:
        if server.route:
            first = routed.setdefault((server.route.router.name, server.route.host, server.route.path), server)
            if first is not server:
                why = f"the other one is at {first.where}"
                problems.add(f"the servers `{first.name}` and `{server.name}` want the same requests", server.where, why=why)
