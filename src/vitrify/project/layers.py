"""Where variables come from, in the one order that there is: whoever comes later wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.schema import near
from vitrify.project.envelope import EnvironmentPart
from vitrify.project.groups import Groups
from vitrify.project.node import Node
from vitrify.project.part import read
from vitrify.project.problems import Problems
from vitrify.project.sections import named
from vitrify.project.variables import Scope, variables_of

COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Layer:
    """The variables of one place: `project`, `environment prod`, `group eu`, `server web`, `host local`, `command line`."""

    name: str
    variables: Mapping[str, Node]


@dataclass(frozen=True)
class Layers:
    """What every server has in common: project and environment, groups, and the command line, which has the last word."""

    shared: tuple[Layer, ...] = ()
    groups: Groups = field(default_factory=Groups)
    overrides: Mapping[str, Node] = field(default_factory=dict)

    def for_server(self, name: str, node: Node, problems: Problems) -> tuple[Layer, ...]:
        """What counts for the keys of a server, which are the same on every host."""
        return (*self.shared, Layer(f"server {name}", variables_of(node, problems)), self._last)

    def for_host(self, server: tuple[Layer, ...], host: str, item: Node, problems: Problems) -> tuple[Layer, ...]:
        """What counts for the resources of a server on one host; `server` is what `for_server` answered, `item` the host as written."""
        *shared, own, last = server
        groups = [Layer(f"group {group.name}", group.variables) for group in self.groups.of(host)]
        hosts = {**self.groups.variables.get(host, {}), **variables_of(item, problems)}
        return (*shared, *groups, own, Layer(f"host {host}", hosts), last)

    @property
    def scope(self) -> Scope:
        """What counts where no server is meant."""
        return scope_of((*self.shared, self._last))

    @property
    def _last(self) -> Layer:
        return Layer(COMMAND_LINE, self.overrides)


def scope_of(layers: tuple[Layer, ...]) -> Scope:
    """All variables of these layers, the later winning."""
    return Scope({name: node for layer in layers for name, node in layer.variables.items()})


def environments(root: Node, problems: Problems) -> Mapping[str, Layer]:
    """The `environments` of a declaration, by name."""
    found: dict[str, Layer] = {}
    for name, (at, node) in named(root.get("environments"), "environment", problems):
        read(EnvironmentPart, node, owner=at, problems=problems)
        found[name] = Layer(f"environment {name}", variables_of(node, problems))
    return found


def chosen(known: Mapping[str, Layer], name: str) -> tuple[Layer, ...]:
    """The environment that the command line names; none where it names none. UsageInvalid where there is no such environment."""
    if not name:
        return ()
    if name not in known:
        hint = near(name, known) or (f"environments: {', '.join(known)}" if known else "the declaration has no `environments`")
        hint = f"`--var {name}` sets a variable; -e names an environment" if "=" in name else hint
        raise UsageInvalid(f"there is no environment `{name}`", hint=hint)
    return (known[name],)
