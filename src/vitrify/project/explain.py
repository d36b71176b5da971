"""Tells where the value of a variable comes from, and what it overrode. Reads variables alone: no resource, and no secret."""

from __future__ import annotations

from collections.abc import Iterator

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.report import Explained, Said
from vitrify.core.schema import near
from vitrify.project.assemble import settled
from vitrify.project.choose import bare
from vitrify.project.find import find
from vitrify.project.layers import COMMAND_LINE, Layer, Layers
from vitrify.project.load import Inputs, content_of, document, layers_of
from vitrify.project.node import Node, plain
from vitrify.project.problems import Problems
from vitrify.project.sections import named


def explain(folder: str, variable: str, *, host: str, inputs: Inputs) -> tuple[Explained, ...]:
    """What a variable is on a host ("" means on every host), for each server that lives there.

    Raises UsageInvalid where there is no such host or variable, and DeclarationInvalid where variables cannot be read.
    """
    problems = Problems()
    path = find(folder)
    root = document(content_of(path), path, inputs.kinds, problems)
    layers = layers_of(root, inputs.overrides, inputs.environment, problems)
    known = [found for found in _hosts(root, layers, problems) if not host or host in (found[1], bare(found[1]))]
    problems.settle()
    if not known:
        every = [name for _, found, _ in _hosts(root, layers, problems) for name in dict.fromkeys((found, bare(found)))]
        raise UsageInvalid(f"no server lives on {host!r}", hint=near(host, every) or f"hosts: {', '.join(dict.fromkeys(every))}")
    told = [Explained(server, name, tuple(_said(variable, found))) for server, name, found in known]
    sound = tuple(one for one in told if one.said)
    if not sound:
        names = {name for _, _, found in known for layer in found for name in layer.variables}
        hint = near(variable, names) or (f"variables here: {', '.join(sorted(names))}" if names else "no variable is declared here")
        raise UsageInvalid(f"there is no variable `{variable}`{f' on {host}' if host else ''}", hint=hint)
    return sound


def _hosts(root: Node, layers: Layers, problems: Problems) -> Iterator[tuple[str, str, tuple[Layer, ...]]]:
    """Server, host, and what counts there, earlier first."""
    for name, entry in named(root.get("servers"), "server", problems):
        own, node = settled(name, entry, layers, problems)
        hosts = node.get("hosts")
        for item in hosts.items if hosts else ():
            host = str((item.get("at") or item).value)
            yield name, host, layers.for_host(own, host, item, problems)


def _said(variable: str, layers: tuple[Layer, ...]) -> Iterator[Said]:
    for layer in layers:
        if variable in layer.variables:
            node = layer.variables[variable]
            yield Said(layer.name, plain(node), None if layer.name == COMMAND_LINE else node.at)
