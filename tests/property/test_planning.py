"""What holds for every wish on every tree: planning and applying agree, and applying once is enough."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.amount import amount

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change, difference
from vitrify.core.digest import JSON, canonical, digest_bytes, digest_of
from vitrify.core.plan import HostChanges, HostPlan, Owned, Plan, Seen, expectation, plan_host
from vitrify.core.resource import Address, Observation, Resource
from vitrify.core.wire import encode as frame
from vitrify.core.wire import receive
from vitrify.resources.registry import all_kinds
from vitrify.testing.memory_system import MemorySystem, Node

KINDS = all_kinds()
EXAMPLES = settings(max_examples=amount("planning", daily=60), suppress_health_check=[HealthCheck.too_slow])
TEXTS = ("", "a\n", "b\r\n", "ü", "a\nb=1\n")
MODES = ("0644", "0600", "0755", "0000")
NAMES = ("a", "b", "ü")

mode = st.sampled_from(MODES)
text = st.sampled_from(TEXTS)
name = st.sampled_from(NAMES)
path = st.builds(lambda parts: "/" + "/".join(parts), st.lists(name, min_size=1, max_size=3))
nodes = st.one_of(
    st.builds(lambda content, mode: Node("file", mode=mode, content=content.encode()), text, mode),
    st.builds(lambda mode: Node("directory", mode=mode), mode),
    st.builds(lambda to: Node("link", mode="0777", to=to), st.sampled_from(("nowhere", "/nowhere", "../elsewhere"))),
)


def trees() -> st.SearchStrategy[Mapping[str, Node]]:
    """Whole trees: whatever lies above an entry is a folder."""
    return st.dictionaries(path, nodes, max_size=6).map(_sound)


def _sound(tree: Mapping[str, Node]) -> Mapping[str, Node]:
    return {one: node for one, node in tree.items() if not any(other != one and one.startswith(f"{other}/") for other in tree)}


def optional(**fields: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, JSON]]:
    return st.fixed_dictionaries({}, optional=dict(fields))


def entries() -> st.SearchStrategy[JSON]:
    """Entries of a tree as a project makes them: the folders of every entry are entries, too."""
    leaf = st.one_of(
        st.builds(lambda text, mode: {"type": "file", "mode": mode, "content": digest_bytes(text.encode())}, text, mode),
        st.just({"type": "link", "to": "a"}),
    )
    relative = st.builds("/".join, st.lists(name, min_size=1, max_size=2))
    return st.dictionaries(relative, leaf, max_size=4).map(_with_folders)


def _with_folders(leaves: dict[str, dict[str, str]]) -> JSON:
    sound = {one: leaf for one, leaf in leaves.items() if not any(other.startswith(f"{one}/") for other in leaves)}
    folders: dict[str, dict[str, str]] = {one.rpartition("/")[0]: {"type": "directory", "mode": "0755"} for one in sound if "/" in one}
    merged: dict[str, JSON] = {one: dict(entry) for one, entry in {**folders, **sound}.items()}
    return merged


attributes = optional(mode=mode, owner=st.sampled_from(("root", "daemon")))
wishes = st.one_of(
    st.builds(lambda at, more: ("file", {"path": at, **more}), path, attributes),
    st.builds(lambda at, text, more: ("file", {"path": at, "content": digest_bytes(text.encode()), **more}), path, text, attributes),
    st.builds(lambda at, more: ("directory", {"path": at, **more}), path, attributes),
    st.builds(lambda at, to: ("link", {"path": at, "to": to}), path, st.sampled_from(("a", "/nowhere"))),
    st.builds(lambda at, line: ("line", {"path": at, "line": line, "create": True}), path, st.sampled_from(("b=1", "ü"))),
    st.builds(lambda at: ("line", {"path": at, "line": "b=2", "match": "^b=", "create": True}), path),
    st.builds(lambda to, found: ("tree", {"to": to, "entries": found}), path, entries()),
    st.builds(lambda one: ("process", {"name": "web", "command": ["/bin/web", one]}), text.map(lambda one: one.strip().replace("\n", " "))),
)
resources = st.builds(
    lambda wish, absent: Resource(Address(wish[0], KINDS[wish[0]].identity(wish[1])), wish[1], absent=absent), wishes, st.booleans()
)


def arranged(tree: Mapping[str, Node]) -> MemorySystem:
    system = MemorySystem()
    for content in TEXTS:
        system.supply(content.encode())
    for at, node in tree.items():
        system.put(at, node)
    return system


def look(wanted: Sequence[Resource], system: MemorySystem, owned: Sequence[Owned] = ()) -> Seen:
    every = {resource.address: resource for resource in [*(item.resource for item in owned), *wanted]}
    return Seen({address: KINDS[address.kind].observe(resource, system) for address, resource in every.items()}, owned)


def planned(wanted: Sequence[Resource], system: MemorySystem, owned: Sequence[Owned] = ()) -> HostChanges:
    return plan_host(wanted, look(wanted, system, owned), kinds=KINDS, diff=lambda _wish, _seen: "")


def carried_out(change: Change, system: MemorySystem) -> bool:
    """Whether it could be done; a refusal (a folder in the way, a parent that is missing) is one outcome, half a deed is none."""
    try:
        KINDS[change.resource.address.kind].enact(change, system)
    except TargetFailed:
        return False
    return True


@EXAMPLES
@given(resources, trees())
def test_what_was_enacted_is_never_found_different(wish: Resource, tree: Mapping[str, Node]) -> None:
    system, kind = arranged(tree), KINDS[wish.address.kind]
    for change in planned([wish], system).changes:
        if carried_out(change, system):
            assert difference(wish, desired=kind.desired(wish), seen=kind.observe(wish, system)) is None
            assert planned([wish], system).changes == ()


@EXAMPLES
@given(resources, trees())
def test_looking_changes_nothing_and_sees_the_same_twice(wish: Resource, tree: Mapping[str, Node]) -> None:
    system = arranged(tree)
    before = system.tree()

    first, second = look([wish], system), look([wish], system)

    assert first == second
    assert (system.tree(), system.acts) == (before, [])


@EXAMPLES
@given(resources, trees())
def test_no_path_changes_that_the_plan_did_not_name(wish: Resource, tree: Mapping[str, Node]) -> None:
    system = arranged(tree)
    before = system.tree()
    changes = planned([wish], system).changes
    for change in changes:
        carried_out(change, system)
    after = system.tree()

    moved = {at for at in {*before, *after} if before.get(at) != after.get(at)}
    assert moved <= {at for change in changes for at in KINDS[change.resource.address.kind].affected(change)}


@EXAMPLES
@given(resources, trees())
def test_doing_it_twice_is_doing_it_once(wish: Resource, tree: Mapping[str, Node]) -> None:
    system = arranged(tree)
    for change in planned([wish], system).changes:
        if carried_out(change, system):
            once = system.tree()
            assert carried_out(change, system)
            assert system.tree() == once


@EXAMPLES
@given(resources, trees())
def test_a_created_thing_leaves_no_trace_once_it_left_the_declaration(wish: Resource, tree: Mapping[str, Node]) -> None:
    system = arranged(tree)
    before = system.tree()
    for change in planned([wish], system).changes:
        if change.action is not Action.CREATE or wish.address.kind == "process" or not carried_out(change, system):
            return
        for removal in planned([], system, [Owned(wish, created=True, applied=change.after, run="")]).changes:
            assert carried_out(removal, system)
        own_file = wish.address.kind == "line" and before.get(str(wish.fields["path"])) is None
        assert own_file or {at: _still(node) for at, node in system.tree().items()} == {at: _still(node) for at, node in before.items()}


def _still(node: Node) -> tuple[str, str, bytes]:
    return node.type, node.mode, node.content.rstrip()


@EXAMPLES
@given(entries(), entries(), trees())
def test_a_tree_follows_its_versions_and_leaves_foreign_things(old: JSON, new: JSON, tree: Mapping[str, Node]) -> None:
    system = arranged({f"/srv{at}": node for at, node in tree.items()})
    before, after = (Resource(Address("tree", "/srv"), {"to": "/srv", "entries": one}) for one in (old, new))
    foreign = {at: node for at, node in system.tree().items() if at not in KINDS["tree"].owned_paths(before)}
    for change in planned([before], system).changes:
        if not carried_out(change, system):
            return
    owned = [Owned(before, created=True, applied={}, run="")]
    if not all(carried_out(change, system) for change in planned([after], system, owned).changes):
        return

    assert planned([after], system, [Owned(after, created=True, applied={}, run="")]).changes == ()
    left = {*KINDS["tree"].owned_paths(before)} - {*KINDS["tree"].owned_paths(after)}
    still = {at for at in left if (node := system.tree().get(at)) and node.type != "directory"}
    assert not still
    kept = {at for at in foreign if at not in KINDS["tree"].owned_paths(after) and foreign[at].type != "directory"}
    assert {at: system.tree().get(at) for at in kept} == {at: foreign[at] for at in kept}


@EXAMPLES
@given(st.lists(resources, max_size=5, unique_by=lambda resource: resource.address), trees())
def test_every_part_of_a_plan_survives_its_way_to_the_host(wanted: list[Resource], tree: Mapping[str, Node]) -> None:
    system = arranged(tree)
    seen = look(wanted, system)
    made = plan_host(wanted, seen, kinds=KINDS, diff=lambda _wish, _seen: "diff")

    for change in made.changes:
        assert Change.from_json(json.loads(json.dumps(change.to_json()))) == change
    for resource in wanted:
        assert Resource.from_json(json.loads(json.dumps(resource.to_json()))) == resource
    for observation in seen.observations.values():
        assert Observation.from_json(json.loads(json.dumps(observation.to_json()))) == observation


@EXAMPLES
@given(st.lists(resources, max_size=5, unique_by=lambda resource: resource.address), trees())
def test_a_plan_is_the_same_document_in_any_order_of_looking(wanted: list[Resource], tree: Mapping[str, Node]) -> None:
    seen = look(wanted, arranged(tree))
    turned = Seen(dict(reversed([*seen.observations.items()])), ())
    one, other = (plan_host(wanted, one, kinds=KINDS, diff=lambda _wish, _seen: "") for one in (seen, turned))

    assert _document(one, seen) == _document(other, turned)


def _document(made: HostChanges, seen: Seen) -> JSON:
    host = HostPlan("web", "local", made.changes, made.settled, made.forgotten, expectation(seen.observations.values()))
    return Plan("shop", "", (host,)).to_json()


values: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@EXAMPLES
@given(st.dictionaries(st.text(max_size=3), values, max_size=4))
def test_a_digest_ignores_the_order_of_keys(value: dict[str, JSON]) -> None:
    assert digest_of(dict(reversed(value.items()))) == digest_of(value)


@EXAMPLES
@given(values, values)
def test_a_digest_ignores_nothing_else(one: JSON, other: JSON) -> None:
    assert (digest_of(one) == digest_of(other)) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


@EXAMPLES
@given(values)
def test_the_canonical_form_reads_back(value: JSON) -> None:
    assert json.loads(canonical(value)) == value


@EXAMPLES
@given(st.dictionaries(st.text(max_size=3), values, max_size=4), st.binary(max_size=8), st.integers(0, 8))
def test_a_message_survives_the_wire_however_it_is_cut(message: dict[str, JSON], rest: bytes, cut: int) -> None:
    stream = frame(message) + rest

    assert receive(_Reader(stream).read) == message
    assert _ends_early(stream[: len(frame(message)) - 1 - min(cut, len(frame(message)) - 1)])


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        part, self._data = self._data[:size], self._data[size:]
        return part


def _ends_early(data: bytes) -> bool:
    try:
        receive(_Reader(data).read)
    except EOFError:
        return True
    return False
