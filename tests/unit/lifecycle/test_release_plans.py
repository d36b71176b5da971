"""What an apply of an immutable server would do is said before, with every reason; and an apply does that, less, or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import LOCAL, ROLLOUT, Bench, a_server, at_once, do

from vitrify.core.declaration import Base, Host, Lifecycle
from vitrify.core.diagnostic import Busy, PlanStale, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.instance import InstanceSpec
from vitrify.core.resource import Address, Resource
from vitrify.lifecycle import baking
from vitrify.testing.leases_suite import BOB

ROOT = Base("rootfs", "/base")


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.images.folders["rootfs:/base"] = "debian 12.1"
    return bench


def test_the_first_release_is_planned_as_such(bench: Bench) -> None:
    planned = bench.plan(a_server(replicas=2))

    assert (planned.kind, planned.release, planned.live, planned.launch) == ("release", 1, None, 2)
    assert planned.because == ("there is no release yet",)
    assert planned.resources == (("file:/srv/greeting", "create"), ("process:web", "create"))


def test_planning_changes_nothing(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.changes.clear()

    bench.plan(a_server("two"))

    assert (bench.changes, bench.points[-1]) == ([], "retire.outcome")


def test_what_is_live_as_declared_leaves_nothing_to_do(bench: Bench) -> None:
    bench.apply(a_server())

    assert bench.plan(a_server()).empty


def test_a_changed_resource_is_named_with_the_instances_that_go_out_of_traffic(bench: Bench) -> None:
    bench.apply(a_server("one"))
    extra = Resource(Address("directory", "/srv/extra"), {"path": "/srv/extra"})
    changed = a_server("two")
    changed = replace(changed, resources=(*changed.resources, extra))

    planned = bench.plan(changed)

    assert (planned.kind, planned.release, planned.live) == ("release", 2, 1)
    assert planned.resources == (("file:/srv/greeting", "update"), ("directory:/srv/extra", "create"))
    assert planned.because == ("resources that differ from release 1: 2",)
    assert planned.replace == tuple(bench.running())
    assert planned.last_seconds == ROLLOUT.probation + 0.5


def test_a_resource_that_left_is_planned_to_be_removed(bench: Bench) -> None:
    bench.apply(a_server())

    planned = bench.plan(replace(a_server(), resources=a_server().resources[1:]))

    assert planned.resources == (("file:/srv/greeting", "remove"),)


def test_changed_run_settings_are_named_and_make_a_release_of_the_same_image(bench: Bench) -> None:
    bench.apply(a_server())
    more = a_server(replicas=2)

    planned = bench.plan(more)
    bench.apply(more, planned)

    assert planned.because == ("replicas differs from release 1",)
    assert bench.release(2).image == bench.release(1).image


def test_a_rotated_secret_makes_a_release(bench: Bench) -> None:
    bench.apply(a_server(env={"KEY": "secret:key"}, secrets={"key": "old"}))

    assert bench.plan(a_server(env={"KEY": "secret:key"}, secrets={"key": "new"})).because == ("secrets differs from release 1",)


def test_another_way_into_service_is_no_reason_for_a_release(bench: Bench) -> None:
    bench.apply(a_server())

    assert bench.plan(a_server(health=None, rollout=replace(ROLLOUT, drain=1.0))).empty


def test_another_declared_base_is_a_reason(bench: Bench) -> None:
    bench.apply(a_server())

    assert bench.plan(a_server(base=Base("host"))).because == ("host is another base than that of release 1",)


# -- the base --------------------------------------------------------------------------------------------------------


def test_a_base_folder_that_changed_is_the_reason_for_a_release(bench: Bench) -> None:
    bench.apply(a_server(base=ROOT))
    assert bench.plan(a_server(base=ROOT)).empty
    bench.images.folders["rootfs:/base"] = "debian 12.2"

    planned = bench.plan(a_server(base=ROOT))
    bench.apply(a_server(base=ROOT), planned)

    assert planned.because == ("the base changed: rootfs:/base is not as it was packed for release 1",)
    assert (planned.kind, bench.slots()) == ("release", (2, 1))
    assert bench.release(2).image != bench.release(1).image
    assert bench.plan(a_server(base=ROOT)).empty


def test_a_base_that_changed_beside_other_things_is_named_with_them(bench: Bench) -> None:
    bench.apply(a_server("one", base=ROOT))
    bench.images.folders["rootfs:/base"] = "debian 12.2"

    assert len(bench.plan(a_server("two", base=ROOT)).because) == 2
    assert len(bench.plan(a_server("one", base=ROOT, replicas=2)).because) == 2


def test_a_base_that_was_only_touched_is_looked_at_once_and_makes_no_release(bench: Bench) -> None:
    bench.apply(a_server(base=ROOT))
    bench.images.touch()

    planned = bench.plan(a_server(base=ROOT))
    released = bench.apply(a_server(base=ROOT), planned)

    assert planned.kind == "release"
    assert (released.kind, released.release, list(released.instances)) == ("none", 1, bench.serving())
    assert bench.states() == {1: "live"}
    assert bench.plan(a_server(base=ROOT)).empty


def test_a_base_that_changes_between_plan_and_apply_makes_the_plan_stale(bench: Bench) -> None:
    planned = bench.plan(a_server(base=ROOT))
    bench.images.folders["rootfs:/base"] = "debian 12.2"

    with pytest.raises(PlanStale, match="or its base, changed"):
        bench.apply(a_server(base=ROOT), planned)


def test_baking_between_plan_and_apply_leaves_the_plan_as_it_is(bench: Bench) -> None:
    planned = bench.plan(a_server(base=ROOT))
    do(baking.bake(a_server(base=ROOT), LOCAL, bench.world))

    assert bench.plan(a_server(base=ROOT)) == planned
    assert bench.apply(a_server(base=ROOT), planned).release == 1


def test_without_its_base_what_is_live_goes_on_and_can_be_mended(bench: Bench) -> None:
    bench.apply(a_server(base=ROOT))
    del bench.images.folders["rootfs:/base"]
    bench.runtime.alter(bench.running()[0], "/srv/backdoor")

    planned = bench.plan(a_server(base=ROOT))

    assert (planned.kind, planned.notices) == ("replace", ("the next bake will fail: the base rootfs:/base is not a folder",))
    assert bench.apply(a_server(base=ROOT), planned).kind == "replace"


# -- instances that are not as they should be ------------------------------------------------------------------------


def test_an_altered_instance_is_named_replaced_discarded_and_told(bench: Bench) -> None:
    bench.apply(a_server(replicas=2))
    sound, altered = bench.serving()
    bench.runtime.alter(altered, "/srv/backdoor")

    planned = bench.plan(a_server(replicas=2))
    released = bench.apply(a_server(replicas=2), planned)

    assert (planned.kind, planned.replace, planned.launch) == ("replace", (altered,), 1)
    assert planned.because == (f"{altered}: altered, added /srv/backdoor",)
    assert sound in released.instances
    assert altered not in [instance.id for instance in bench.instances()], "nothing of it stays on disk"
    assert [body["where"] for body in bench.bodies("finding")] == [altered]
    assert bench.told().index("finding") < bench.told().index("replace.intended")
    assert bench.slots() == (1, None)


def test_an_instance_that_ended_is_planned_by_its_own_name(bench: Bench) -> None:
    bench.apply(a_server(replicas=2))
    lost, stopped = bench.serving()
    bench.runtime.lose(lost)
    at_once(bench.runtime.stop(stopped, grace=1))

    planned = bench.plan(a_server(replicas=2))
    bench.apply(a_server(replicas=2), planned)

    assert planned.replace == (lost, stopped)
    assert planned.because == (f"{lost}: is lost", f"{stopped}: is stopped")
    assert len(bench.serving()) == len(bench.instances()) == 2


def test_an_instance_that_left_no_trace_has_no_name_in_the_plan(bench: Bench) -> None:
    bench.apply(a_server(replicas=3))
    gone = bench.serving()[0]
    at_once(bench.runtime.stop(gone, grace=1))
    at_once(bench.runtime.discard(gone))

    planned = bench.plan(a_server(replicas=3))

    assert (planned.kind, planned.launch, planned.replace) == ("replace", 1, ())
    assert planned.because == ("1 of 3 instances left no trace",)


def test_what_ended_long_ago_is_no_reason_while_enough_run(bench: Bench) -> None:
    bench.apply(a_server())
    (running,) = bench.instances()
    at_once(bench.runtime.launch(InstanceSpec("left-over", running.image, ("/srv/app",), running.labels, {})))
    at_once(bench.runtime.stop("left-over", grace=1))

    assert bench.plan(a_server()).empty


def test_an_altered_warm_instance_leaves_and_takes_the_warm_way_back_with_it(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(a_server("two"))
    (warm,), (live,) = bench.running(release=1), bench.running(release=2)
    bench.runtime.alter(warm, "/srv/backdoor")
    bench.runtime.alter(warm, "/srv/another")

    planned = bench.plan(a_server("two"))
    released = bench.apply(a_server("two"), planned)

    assert (planned.kind, planned.launch, planned.replace) == ("replace", 0, (warm,))
    assert planned.because == (f"{warm}: altered, added /srv/backdoor and 1 more",)
    assert (released.instances, [one.id for one in bench.instances()]) == ((live,), [live])
    assert len(bench.bodies("finding")) == 2
    assert bench.plan(a_server("two")).empty


def test_an_instance_of_nobody_leaves(bench: Bench) -> None:
    for greeting in ("one", "two"):
        bench.apply(a_server(greeting))
    (one,) = bench.instances(release=1)
    bench.apply(a_server("three"))
    bench.start_again(one)

    planned = bench.plan(a_server("three"))
    bench.apply(a_server("three"), planned)

    assert planned.because == (f"{one.id}: belongs to no release that is live or kept warm",)
    assert bench.running(release=1) == []
    assert bench.plan(a_server("three")).empty


def test_what_was_altered_in_an_instance_before_it_ended_is_told(bench: Bench) -> None:
    bench.apply(a_server())
    (altered,) = bench.serving()
    bench.runtime.alter(altered, "/srv/backdoor")
    bench.runtime.lose(altered)

    bench.apply(a_server())

    assert [body["path"] for body in bench.bodies("finding")] == ["/srv/backdoor"]


# -- between the plan and the lease ----------------------------------------------------------------------------------


def test_two_who_planned_the_same_release_make_one(bench: Bench) -> None:
    mine = theirs = bench.plan(a_server())
    bench.apply(a_server(), theirs)

    mine_ended = bench.apply(a_server(), mine)

    assert (mine_ended.kind, mine_ended.release, list(mine_ended.instances)) == ("none", 1, bench.serving())
    assert bench.states() == {1: "live"}
    assert len(bench.instances()) == 1


def test_two_who_planned_to_replace_the_same_instance_replace_it_once(bench: Bench) -> None:
    bench.apply(a_server())
    bench.runtime.alter(bench.serving()[0], "/srv/backdoor")
    planned = bench.plan(a_server())
    bench.apply(a_server(), planned)
    serving = bench.serving()

    assert bench.apply(a_server(), planned).kind == "none"
    assert bench.serving() == serving


def test_a_plan_from_before_another_release_is_stale(bench: Bench) -> None:
    planned = bench.plan(a_server("two"))
    bench.apply(a_server("one"))

    with pytest.raises(PlanStale, match="web changed since the plan was made") as stale:
        bench.apply(a_server("two"), planned)

    assert stale.value.diagnostics[0].why == "planned was: release of release 1; due is: release of release 2 while 1 is live"
    assert bench.states() == {1: "live"}


def test_a_plan_from_before_a_rollback_is_stale(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(a_server("two"))
    planned = bench.plan(a_server("three"))
    bench.rollback()

    with pytest.raises(PlanStale):
        bench.apply(a_server("three"), planned)


def test_no_more_instances_are_replaced_than_the_plan_named(bench: Bench) -> None:
    bench.apply(a_server(replicas=2))
    first, second = bench.serving()
    bench.runtime.alter(first, "/srv/backdoor")
    planned = bench.plan(a_server(replicas=2))
    bench.runtime.alter(second, "/srv/backdoor")

    with pytest.raises(PlanStale):
        bench.apply(a_server(replicas=2), planned)


def test_a_plan_for_another_declaration_is_stale(bench: Bench) -> None:
    with pytest.raises(PlanStale, match="the declaration of web"):
        bench.apply(a_server("two"), bench.plan(a_server("one")))


def test_while_somebody_else_changes_a_server_nobody_else_does(bench: Bench) -> None:
    planned = bench.plan(a_server())
    bench.lease().acquire(BOB)

    with pytest.raises(Busy, match="web is being changed by bob@desk"):
        bench.apply(a_server(), planned)


# -- beside the release ----------------------------------------------------------------------------------------------


def test_a_server_without_a_process_cannot_be_baked(bench: Bench) -> None:
    with pytest.raises(UsageInvalid, match="web has no `process`") as raised:
        bench.plan(replace(a_server(), resources=a_server().resources[:1]))

    assert raised.value.diagnostics[0].hint.startswith("add to its resources, as in `- process:")


def test_a_server_without_a_base_cannot_be_baked_and_is_told_what_to_add(bench: Bench) -> None:
    with pytest.raises(UsageInvalid, match="web has no `base` to bake its image upon") as raised:
        do(baking.bake(replace(a_server(), lifecycle=Lifecycle.MUTABLE, base=None), LOCAL, bench.world))

    assert "`base: host`" in raised.value.diagnostics[0].hint


def test_this_machine_runs_instances_once_by_however_many_names_it_is_declared(bench: Bench) -> None:
    two, three = (replace(a_server(), hosts=(LOCAL, Host("other"), Host("third"))[:number]) for number in (2, 3))

    assert bench.plan(two).notices == ("instances run on this machine once, for local: other is left as it is",)
    assert bench.plan(three).notices == ("instances run on this machine once, for local: other, third are left as they are",)


def test_a_flip_from_mutable_says_what_goes_on(bench: Bench) -> None:
    bench.ledger.append("apply.done", {"server": "web", "host": "local"})
    bench.world.state.manage("web", "local")

    flips = bench.plan(a_server()).notices
    bench.apply(a_server())
    again = bench.plan(a_server("two")).notices

    assert flips[0] == "flips from mutable to immutable: what entry 0 converged in place goes on until it is taken away"
    assert again == (
        "left over of before the flip: what was converged in place on local goes on until `vitrify retire web --only in-place`",
    )


def test_a_folder_as_host_is_told_to_stay_as_it_is(bench: Bench) -> None:
    server = replace(a_server(), hosts=(Host("root:./machine", "/machine"),))

    assert "the folder itself stays as it is" in bench.plan(server).notices[0]


def test_the_bytes_of_trees_are_counted(bench: Bench) -> None:
    entries: JSONObject = {"a": {"type": "file", "size": 70}, "b": {"type": "file", "size": 7}, "c": {"type": "directory"}}
    tree = Resource(Address("tree", "/srv"), {"to": "/srv", "entries": entries})

    assert bench.plan(replace(a_server(), resources=(tree, *a_server().resources))).bytes_to_read == 77


def test_a_new_image_is_told_once(bench: Bench) -> None:
    for greeting in ("one", "one", "two"):
        do(baking.bake(a_server(greeting), LOCAL, bench.world))

    assert [body["image"] for body in bench.bodies("bake.done")] == [bench.image_of(a_server("one")), bench.image_of(a_server("two"))]
