from __future__ import annotations

from dataclasses import replace

import pytest
from wishes import KINDS, as_wished, directory, owned, planned, seen, wish

from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.plan import Counts, HostPlan, Owned, Plan, ReleasePlan, Seen, counts, expectation, plan_host, tagged
from vitrify.core.resource import Address, Observation, OnLeave, Resource, Sureness

HOST = HostPlan(server="web", host="local", changes=(), settled=(), forgotten=(), expect="sha256:0")
RELEASE = ReleasePlan(server="web", host="local", kind="none", release=3, live=3, because=())


def addresses(changes: tuple[Change, ...]) -> list[str]:
    return [str(change.resource.address) for change in changes]


def test_changes_keep_the_order_of_the_wishes() -> None:
    wishes = [directory("/b"), directory("/a"), directory("/c")]

    made = planned(wishes, [seen(one) for one in wishes])

    assert addresses(made.changes) == ["directory:/b", "directory:/a", "directory:/c"]


def test_what_is_as_wished_and_new_to_the_host_comes_under_management_untouched() -> None:
    made = planned([directory("/srv")], [as_wished(directory("/srv"))])

    assert (made.changes, made.settled, made.forgotten) == ((), (directory("/srv"),), ())


def test_what_is_as_wished_and_owned_so_already_needs_nothing() -> None:
    made = planned([directory("/srv")], [as_wished(directory("/srv"))], [owned(directory("/srv"))])

    assert (made.changes, made.settled, made.forgotten) == ((), (), ())


def test_a_wish_that_changed_but_finds_itself_fulfilled_is_settled_anew() -> None:
    wished = directory("/srv", mode="0755")

    made = planned([wished], [as_wished(wished)], [owned(directory("/srv"))])

    assert (made.changes, made.settled) == ((), (wished,))


def test_what_is_wished_absent_and_is_absent_is_not_settled() -> None:
    gone = directory("/srv").gone()

    assert planned([gone], [seen(gone)]).settled == ()


def test_what_was_created_and_left_the_declaration_is_removed() -> None:
    made = planned([], [as_wished(directory("/srv"))], [owned(directory("/srv"))])

    assert [(change.action, change.because[0]) for change in made.changes] == [(Action.REMOVE, "left the declaration")]
    assert made.changes[0].resource.absent
    assert made.forgotten == ()


def test_removals_come_last_and_youngest_first() -> None:
    old = [directory("/srv"), directory("/srv/a"), directory("/srv/a/b")]
    new = directory("/new")

    made = planned([new], [seen(new), *(as_wished(one) for one in old)], [owned(one) for one in old])

    assert addresses(made.changes) == ["directory:/new", "directory:/srv/a/b", "directory:/srv/a", "directory:/srv"]


@pytest.mark.parametrize(
    "remembered",
    [
        owned(directory("/srv"), created=False),
        owned(replace(directory("/srv"), on_leave=OnLeave.KEEP)),
        owned(replace(directory("/srv"), protect=True)),
    ],
    ids=["adopted", "kept", "protected"],
)
def test_what_was_not_created_or_is_to_be_kept_is_forgotten_and_left(remembered: Owned) -> None:
    made = planned([], [as_wished(directory("/srv"))], [remembered])

    assert (made.changes, made.forgotten) == ((), (remembered.resource,))


def test_what_left_and_is_gone_already_is_forgotten() -> None:
    made = planned([], [seen(directory("/srv"))], [owned(directory("/srv"))])

    assert (made.changes, made.forgotten) == ((), (directory("/srv"),))


def test_a_command_that_left_is_forgotten_for_nobody_can_take_it_back() -> None:
    command = wish("command", run=["/bin/true"], always=True)

    made = planned([], [seen(command, type="command", due=True)], [owned(command)])

    assert (made.changes, made.forgotten) == ((), (command,))


def test_a_file_that_a_tree_took_over_is_forgotten_and_not_removed() -> None:
    file = wish("file", path="/srv/app/x", content="sha256:x")
    tree = wish("tree", to="/srv/app", entries={"x": {"type": "file", "mode": "0644", "content": "sha256:x"}})

    made = planned([tree], [as_wished(tree), as_wished(file)], [owned(file)])

    assert (made.changes, made.settled, made.forgotten) == ((), (tree,), (file,))


def test_an_entry_of_a_tree_that_a_file_took_over_is_not_removed() -> None:
    entry: JSON = {"type": "file", "mode": "0644", "content": "sha256:x"}
    before = wish("tree", to="/srv/app", entries={"x": entry, "y": entry})
    after = wish("tree", to="/srv/app", entries={"y": entry})
    file = wish("file", path="/srv/app/x", content="sha256:x")

    made = planned([after, file], [as_wished(after), as_wished(file)], [owned(before)])

    assert (made.changes, made.settled) == ((), (after, file))


def test_an_entry_that_a_file_took_over_outlives_its_tree() -> None:
    entry: JSON = {"type": "file", "mode": "0644", "content": "sha256:x"}
    tree = wish("tree", to="/srv/app", entries={"x": entry, "y": entry})
    file = wish("file", path="/srv/app/x", content="sha256:x")

    (removal,) = planned([file], [as_wished(file), as_wished(tree)], [owned(tree), owned(file)]).changes

    assert KINDS["tree"].affected(removal) == ("/srv/app", "/srv/app/y")


def test_a_line_that_left_goes_though_another_line_of_its_file_stays() -> None:
    stays, leaves = (wish("line", path="/etc/hosts", line=text) for text in ("a", "b"))

    made = planned([stays], [as_wished(stays), as_wished(leaves)], [owned(stays), owned(leaves)])

    assert addresses(made.changes) == ["line:/etc/hosts#b"]


def test_what_nobody_here_knows_the_kind_of_stays_owned_and_is_named() -> None:
    file, odd = wish("file", path="/etc/motd"), Resource(Address("odd", "one"), {})

    made = planned([], [as_wished(file), seen(odd, type="odd")], [owned(file), owned(odd)])

    assert addresses(made.changes) == ["file:/etc/motd"]
    assert (made.forgotten, made.strange) == ((), (odd,))


def test_a_plan_tells_what_somebody_else_changed() -> None:
    wished = directory("/srv", mode="0755")
    found = seen(wished, type="directory", mode="0777")

    (undeclared,) = planned([wished], [found], [owned(wished, applied={"type": "directory", "mode": "0755"})]).changes
    (declared,) = planned([wished], [found], [owned(directory("/srv", mode="0777"), applied={"type": "directory", "mode": "0777"})]).changes

    assert undeclared.because == ("mode 0777 -> 0755", "changed outside vitrify")
    assert declared.because == ("mode 0777 -> 0755",)


def test_a_plan_says_how_sure_it_is_and_whether_it_can_be_undone() -> None:
    command = wish("command", run=["/bin/true"], always=True)

    (opaque,) = planned([command], [seen(command, type="command", due=True)]).changes
    (certain,) = planned([directory("/srv")], [seen(directory("/srv"))]).changes

    assert (opaque.sureness, opaque.undoable) == (Sureness.OPAQUE, False)
    assert (certain.sureness, certain.undoable) == (Sureness.CERTAIN, True)


def test_every_change_carries_the_diff_that_it_is_given() -> None:
    wished = directory("/srv")
    told: list[tuple[Resource, Observation]] = []

    def diff(resource: Resource, observation: Observation) -> str:
        told.append((resource, observation))
        return "the diff"

    (change,) = plan_host([wished], Seen({wished.address: seen(wished)}, ()), kinds=KINDS, diff=diff).changes

    assert change.diff == "the diff"
    assert told == [(wished, seen(wished))]


def test_an_expectation_depends_on_what_was_seen_and_not_on_its_order() -> None:
    one, other = seen(directory("/a")), seen(directory("/b"), type="directory", mode="0755")
    opened = seen(directory("/b"), type="directory", mode="0777")

    assert expectation([one, other]) == expectation([other, one])
    assert expectation([one, other]) != expectation([one, opened])


def test_the_counts_are_those_of_the_last_line() -> None:
    actions = [Action.CREATE, Action.CREATE, Action.UPDATE, Action.REPLACE, Action.REMOVE]
    changes = tuple(Change(directory(f"/{number}"), action, {}, {}) for number, action in enumerate(actions))
    release = replace(RELEASE, kind="release", launch=2)

    assert counts(Plan("shop", "", (replace(HOST, changes=changes), release))) == Counts(add=2, change=2, remove=1, replace=2)
    assert counts(Plan("shop", "", (HOST, RELEASE))) == Counts()


def test_the_digest_of_a_plan_ignores_when_it_was_made_and_nothing_that_it_would_do() -> None:
    plan = Plan("shop", "sha256:d", (HOST, RELEASE), made_at=1)

    assert replace(plan, made_at=2).digest == plan.digest
    assert replace(plan, servers=(HOST,)).digest != plan.digest
    assert replace(plan, servers=(HOST, replace(RELEASE, launch=1))).digest != plan.digest
    assert replace(plan, servers=(replace(HOST, expect="sha256:1"), RELEASE)).digest != plan.digest


def test_a_plan_is_empty_where_no_server_changes() -> None:
    assert Plan("shop", "", (HOST, RELEASE)).empty
    assert not Plan("shop", "", (replace(HOST, run="0123"), RELEASE)).empty
    assert not Plan("shop", "", (HOST, replace(RELEASE, kind="resume"))).empty


def test_a_host_keeps_books_even_where_it_changes_nothing() -> None:
    settled = replace(HOST, settled=(directory("/srv"),))

    assert settled.empty
    assert settled.bookkeeping
    assert not HOST.bookkeeping


def test_the_document_of_a_plan_names_its_schema_and_digest() -> None:
    plan = Plan("shop", "sha256:d", (HOST,), made_at=7)

    document = plan.to_json()

    assert document["schema"] == "vitrify.dev/plan/v1"
    assert document["digest"] == plan.digest
    assert document["made_at"] == 7


def test_what_a_host_remembers_is_read_back() -> None:
    data: JSONObject = {"resource": directory("/srv").to_json(), "created": True, "applied": {"mode": "0755"}, "run": "0123"}

    assert Owned.from_json(data) == owned(directory("/srv"), applied={"mode": "0755"})
    with pytest.raises(TypeError):
        Owned.from_json({**data, "applied": None})


def test_a_plan_for_tags_holds_nothing_that_left_the_declaration() -> None:
    motd, left, adopted = [replace(directory(path), tags=("base",)) for path in ("/motd", "/left", "/adopted")]
    hosts = directory("/hosts")
    whole = HostPlan(
        "web",
        "local",
        changes=(Change(motd, Action.CREATE, {}, {}), Change(hosts, Action.CREATE, {}, {}), Change(left.gone(), Action.REMOVE, {}, {})),
        settled=(hosts, motd),
        forgotten=(adopted,),
        expect="sha256:1",
    )

    part = tagged(whole, [motd, hosts], tags=["base"])

    assert [str(change.resource.address) for change in part.changes] == ["directory:/motd"]
    assert (part.settled, part.forgotten, part.expect) == ((motd,), (), "sha256:1")
