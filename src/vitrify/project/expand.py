"""Turns a list of resources as written into single wishes: profiles put in place, short forms spelt out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, Location
from vitrify.core.resource import Kinds
from vitrify.core.schema import near
from vitrify.project.node import Entry, Node, plain, spoken
from vitrify.project.problems import Problems
from vitrify.project.variables import NOT_GIVEN, Scope, fill

PROCESS = "process"
"""The kind whose fields may say `${instance.port}`."""

MOST = 100_000
"""Resources and uses in one server; profiles that use each other could otherwise make any number of them."""

DEEPEST = 50
"""Profiles within profiles."""

_TYPES: Mapping[str, tuple[type, str]] = {
    "text": (str, "text"),
    "integer": (int, "a whole number"),
    "boolean": (bool, "true or false"),
    "list": (tuple, "a list"),
    "map": (dict, "a map"),
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a profile; without a default it must be given, unless it is not `required`."""

    type: str
    default: Node | None = None
    required: bool = True
    choices: tuple[Node, ...] = ()

    def fits(self, value: Node) -> bool:
        """Whether a value has the declared type."""
        return type(value.value) is _TYPES[self.type][0]

    def allows(self, value: Node) -> bool:
        """Whether a value is one of the choices, where there are any."""
        return not self.choices or plain(value) in [plain(choice) for choice in self.choices]

    @property
    def offered(self) -> str:
        """The choices in words."""
        return ", ".join(str(plain(choice)) for choice in self.choices)

    @property
    def expected(self) -> str:
        """The declared type in words."""
        return _TYPES[self.type][1]


@dataclass(frozen=True)
class Profile:
    """A named list of resources. `parameters` is None where something is wrong with them."""

    at: Location
    parameters: Mapping[str, Parameter] | None
    resources: Node


@dataclass(frozen=True)
class Wish:
    """One resource as written: its kind, its fields, and where its kind stands."""

    kind: str
    fields: Node
    at: Location


class Expansion:
    """One pass over the resources of one server."""

    def __init__(self, kinds: Kinds, profiles: Mapping[str, Profile], problems: Problems) -> None:
        self._kinds = kinds
        self._profiles = profiles
        self._problems = problems
        self._count = 0
        self.complete = True
        """Whether every entry could be read; while not, nobody can say what is missing."""

    def wishes(self, resources: Node, scope: Scope, *, using: tuple[str, ...] = ()) -> Iterator[Wish]:
        """Every wish in the list, in the order of the list."""
        for item in resources.items:
            self._count += 1
            if self._count > MOST:
                raise DeclarationInvalid([Diagnostic(f"this makes more than {MOST} resources", item.at)])
            if len(item.entries) != 1:
                self._misshapen(item)
                continue
            ((name, entry),) = item.entries.items()
            node = fill(entry.node, Scope(scope.variables, scope.params, later=name == PROCESS), self._problems)
            if name == "use":
                yield from self._use(node, entry.at, scope, using)
            elif name not in self._kinds:
                known = [*self._kinds.names(), "use"]
                self._refuse(f"there is no kind `{name}`", entry.at, hint=near(name, known) or f"kinds: {', '.join(known)}")
            else:
                yield from self._spelt_out(Wish(name, node, entry.at))

    def _refuse(self, summary: str, at: Location, *, hint: str = "") -> None:
        self.complete = False
        if not self._problems.told(at):
            self._problems.add(summary, at, hint=hint)

    def _misshapen(self, item: Node) -> None:
        if not item.entries:
            self._refuse(f"expected a resource, not {spoken(item)}", item.at, hint="as in `- file: {path: /etc/motd}`")
            return
        names = list(item.entries)
        if item.entries[names[0]].node.value is None and names[0] in self._kinds:
            hint = f"indent the fields below `{names[0]}:` by two more spaces"
        else:
            hint = "begin each resource with a `-` of its own"
        self._refuse("a resource is a map with one key, its kind", item.entries[names[1]].at, hint=hint)

    def _spelt_out(self, wish: Wish) -> Iterator[Wish]:
        """The wish, or the wishes that its short form stands for."""
        value, short = wish.fields.value, self._kinds[wish.kind].short
        if isinstance(value, dict):
            yield from _each(wish, short)
        elif not short or not isinstance(value, (str, tuple)) or value == ():
            form = f"`{wish.kind}: {{{short or 'field'}: …}}`"
            self._refuse(f"expected a map of fields, not {spoken(wish.fields)}", wish.fields.at, hint=f"write {form}")
        elif isinstance(value, str):
            yield Wish(wish.kind, _only(short, wish.fields), wish.at)
        else:
            for item in value:
                if isinstance(item.value, str):
                    yield Wish(wish.kind, _only(short, item), item.at)
                else:
                    self._refuse(f"expected text, not {spoken(item)}", item.at, hint=f"each is the `{short}` of a resource of its own")

    def _use(self, node: Node, at: Location, scope: Scope, using: tuple[str, ...]) -> Iterator[Wish]:
        named = self._named(node, at)
        if named is None:
            return
        name = str(named.value)
        profile = self._profiles.get(name)
        if profile is None:
            known = f"profiles: {', '.join(sorted(self._profiles))}" if self._profiles else "no profile is declared"
            self._refuse(f"there is no profile `{name}`", named.at, hint=near(name, self._profiles) or known)
        elif name in using:
            circle = " -> ".join(f"`{profile}`" for profile in (*using[using.index(name) :], name))
            self._refuse(f"these profiles use each other in a circle: {circle}", named.at, hint="take out one `use`")
        elif len(using) >= DEEPEST:
            self._refuse(f"profiles are nested more than {DEEPEST} levels deep", named.at)
        else:
            params = self._arguments(profile, name, node.get("with"), at)
            if params is not None:
                yield from self.wishes(profile.resources, Scope(scope.variables, params), using=(*using, name))

    def _named(self, node: Node, at: Location) -> Node | None:
        """The name of the profile, with its place."""
        form = "`use: NAME`, or `use: {profile: NAME, with: {…}}`"
        strange = [key for key in node.entries if key not in ("profile", "with")]
        for key in strange:
            self._refuse(f"there is no key `{key}`", node.entries[key].at, hint=near(key, ["profile", "with"]) or form)
        named = node.get("profile") if node.entries else node
        if named and isinstance(named.value, str):
            return named
        if not strange:
            self._refuse("which profile is used?", named.at if named else at, hint=form)
        return None

    def _arguments(self, profile: Profile, name: str, given: Node | None, at: Location) -> Mapping[str, Node] | None:
        """The value of every parameter; None where one is missing or wrong."""
        if profile.parameters is None:
            self.complete = False
            return None
        if given is not None and not isinstance(given.value, dict):
            self._refuse(f"expected a map, not {spoken(given)}", given.at, hint="as in `with: {port: 8000}`")
            return None
        arguments = given.entries if given else {}
        sound = [self._fits(profile.parameters, key, entry, name) for key, entry in arguments.items()]
        for key, parameter in profile.parameters.items():
            if parameter.required and parameter.default is None and key not in arguments:
                self._refuse_missing(key, name, parameter, given, at)
                sound.append(False)
        values = {key: parameter.default or NOT_GIVEN for key, parameter in profile.parameters.items()}
        return {**values, **{key: entry.node for key, entry in arguments.items()}} if all(sound) else None

    def _refuse_missing(self, key: str, name: str, parameter: Parameter, given: Node | None, at: Location) -> None:
        hint = f"`use: {{profile: {name}, with: {{{key}: …}}}}`; it is {parameter.expected}"
        self.complete = False
        self._problems.add(f"the profile `{name}` needs the parameter `{key}`", given.at if given else at, hint=hint)

    def _fits(self, parameters: Mapping[str, Parameter], key: str, entry: Entry, name: str) -> bool:
        parameter = parameters.get(key)
        if parameter is None:
            known = f"its parameters: {', '.join(parameters)}" if parameters else "it has none"
            self._refuse(f"the profile `{name}` has no parameter `{key}`", entry.at, hint=near(key, parameters) or known)
            return False
        if not parameter.fits(entry.node):
            self._refuse(f"`{key}` is {parameter.expected}, not {spoken(entry.node)}", entry.node.at)
            return False
        if not parameter.allows(entry.node):
            value = str(plain(entry.node))
            hint = near(value, [str(plain(choice)) for choice in parameter.choices])
            self._refuse(f"`{value}` is not one of {parameter.offered}", entry.node.at, hint=hint)
            return False
        return True


def _each(wish: Wish, short: str) -> Iterator[Wish]:
    """The wish; where the field of the short form is a list, one for each of its items that shares all other fields."""
    named = wish.fields.entries.get(short)
    items = named.node.items if named else ()
    for item in items:
        yield Wish(wish.kind, Node({**wish.fields.entries, short: Entry(item.at, item)}, wish.fields.at), wish.at)
    if not items:
        yield wish


def _only(short: str, node: Node) -> Node:
    return Node({short: Entry(node.at, node)}, node.at)
