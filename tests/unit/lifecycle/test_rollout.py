"""A release goes into service step by step, and at every gate there is a way back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import BROKEN, HEALTH, ROLLOUT, ROUTE, Bench, a_server, at_once

from vitrify.core.diagnostic import Denied, PreviousStillServing, TargetUnreachable, UsageInvalid
from vitrify.core.event import Stage


@pytest.fixture
def bench() -> Bench:
    return Bench()


def why(error: pytest.ExceptionInfo[PreviousStillServing]) -> str:
    return error.value.diagnostics[0].why


def test_the_first_release_is_launched_gated_switched_to_and_told(bench: Bench) -> None:
    released = bench.apply(a_server(replicas=2))

    assert (released.kind, released.release, released.previous) == ("release", 1, None)
    assert bench.serving() == list(released.instances) == bench.running(release=1)
    assert len(released.instances) == 2
    assert released.url == "http://127.0.0.1:8080/"
    assert (bench.slots(), bench.states()) == ((1, None), {1: "live"})
    assert bench.told() == [
        "bake.done",
        "release.intended",
        "switch.intended",
        "switch.done",
        "release.done",
        "release.timed",
    ]


def test_each_side_effect_is_announced_done_and_noted_in_the_order_of_the_story(bench: Bench) -> None:
    bench.apply(a_server())

    steps = ("launch", "gate", "switch", "probation", "drain", "retire")
    assert bench.points == ["begin.outcome", *(f"{step}.{moment}" for step in steps for moment in ("intent", "act", "outcome"))]


def test_the_next_release_takes_over_and_the_one_before_stays_warm_until_its_time_is_up(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(a_server("two"))
    (old,) = bench.instances(release=1)

    assert bench.serving() == bench.running(release=2)
    assert (bench.slots(), bench.states()) == ((2, 1), {1: "warm", 2: "live"})
    assert old.stop_at == bench.clock.now() + ROLLOUT.keep_warm

    bench.clock.let_pass(ROLLOUT.keep_warm)
    assert bench.running(release=1) == []


def test_what_is_not_to_be_kept_warm_is_gone_when_the_next_release_serves(bench: Bench) -> None:
    cold = replace(ROLLOUT, keep_warm=0.0)
    bench.apply(a_server("one", rollout=cold))
    bench.apply(a_server("two", rollout=cold))

    assert [instance.labels["release"] for instance in bench.instances()] == ["2"]


def test_of_a_release_before_the_previous_one_nothing_is_left_on_disk(bench: Bench) -> None:
    for greeting in ("one", "two", "three"):
        bench.apply(a_server(greeting))

    assert {instance.labels["release"] for instance in bench.instances()} == {"2", "3"}


def test_an_instance_passes_its_check_as_often_in_a_row_as_declared(bench: Bench) -> None:
    started = bench.clock.now()

    bench.apply(a_server(health=replace(HEALTH, passes=4), rollout=replace(ROLLOUT, probation=0.0)))

    assert bench.clock.now() - started == 3 * HEALTH.interval


def test_a_failure_within_the_grace_begins_the_row_anew(bench: Bench) -> None:
    ill = bench.make_ill(a_server(replicas=1, rollout=replace(ROLLOUT, probation=0.0)))
    bench.clock.after(4.0, lambda: bench.runtime.fall_ill(bench.running()[0], reason=""))

    bench.apply(ill)

    assert bench.slots() == (1, None)


def test_a_release_that_is_never_healthy_is_aborted_and_the_one_before_serves_on(bench: Bench) -> None:
    bench.apply(a_server("one"))
    before = bench.router.switches[:]

    with pytest.raises(PreviousStillServing, match="release 2 failed; release 1 still serves"):
        bench.apply(bench.make_ill(a_server("two")))

    assert bench.router.switches == before, "traffic was never touched"
    assert (bench.slots(), bench.states()) == ((1, None), {1: "live", 2: "aborted"})
    assert bench.state.open_operation("web", "local") is None


def test_what_was_aborted_leaves_nothing_on_disk_and_its_last_words_in_the_message(bench: Bench) -> None:
    bench.apply(a_server("one"))

    with pytest.raises(PreviousStillServing) as failed:
        bench.apply(bench.make_ill(a_server("two"), "says 500"))

    assert bench.instances(release=2) == ()
    assert "not healthy after 10 s; says 500; its last words: web-r2-00000002-0 started" in why(failed)


def test_what_an_application_said_is_not_kept_in_the_ledger(bench: Bench) -> None:
    ill = bench.make_ill(a_server())
    bench.clock.after(1.0, lambda: bench.runtime.write(bench.running()[0], "password=hunter2"))

    with pytest.raises(PreviousStillServing, match="nothing served before") as failed:
        bench.apply(ill)

    assert "hunter2" in why(failed)
    assert bench.bodies("release.failed")[0]["reason"] == "instance web-r1-00000001-0 is not healthy after 10 s"


def test_a_program_that_cannot_be_started_ends_the_rollout_when_its_grace_is_over(bench: Bench) -> None:
    with pytest.raises(PreviousStillServing) as failed:
        bench.apply(a_server(program=BROKEN))

    assert "it is restarting" in why(failed)
    assert (bench.slots(), bench.instances()) == ((None, None), ())


def test_an_instance_that_crashes_again_and_again_ends_the_rollout_at_once(bench: Bench) -> None:
    for seconds in (0.4, 0.5):
        bench.clock.after(seconds, lambda: bench.runtime.crash(bench.running()[0]))

    with pytest.raises(PreviousStillServing) as failed:
        bench.apply(a_server())

    assert "ended with exit code -9" in why(failed)


def test_a_route_that_leads_elsewhere_already_is_found_at_the_gate(bench: Bench) -> None:
    bench.apply(replace(a_server(), name="shop"))

    with pytest.raises(PreviousStillServing) as failed:
        bench.apply(a_server())

    assert "leads to shop already" in why(failed)
    assert bench.instances() == ()


def test_a_secret_that_is_not_declared_stops_the_launch(bench: Bench) -> None:
    needy = a_server(env={"KEY": "secret:api_key"}, secrets={"api_key": "hunter2"})
    bench.apply(needy)
    bench.apply(a_server("two"))
    bench.clock.let_pass(ROLLOUT.keep_warm)

    with pytest.raises(PreviousStillServing) as failed:
        bench.rollback()
    assert "the secret 'api_key' is not declared any more" in why(failed)

    assert bench.rollback(secrets={"api_key": "hunter2"}).release == 1


def test_a_secret_reaches_the_instance_and_neither_ledger_nor_release(bench: Bench) -> None:
    bench.apply(a_server(env={"KEY": "secret:api_key"}, secrets={"api_key": "hunter2"}))

    remembered = [str(bench.release(1)), *(str(entry.body) for entry in bench.ledger.entries())]
    assert not [text for text in remembered if "hunter2" in text]


def test_a_release_that_falls_ill_in_its_probation_is_switched_back(bench: Bench) -> None:
    bench.apply(a_server("one"))
    old = bench.serving()
    bench.clock.after(2.0, lambda: bench.runtime.fall_ill(bench.running(release=2)[0], reason="says 500"))

    with pytest.raises(PreviousStillServing, match="release 1 still serves") as failed:
        bench.apply(a_server("two"))

    assert "failed in its probation; says 500" in why(failed)
    assert bench.serving() == old
    assert (bench.slots(), bench.states(), bench.instances(release=2)) == ((1, None), {1: "live", 2: "aborted"}, ())
    assert bench.told()[-3:] == ["switch.done", "switch.back", "release.failed"]


def test_one_failure_in_the_probation_is_forgiven(bench: Bench) -> None:
    bench.clock.after(2.0, lambda: bench.runtime.fall_ill(bench.running()[0], reason="says 500"))
    bench.clock.after(2.5, lambda: bench.runtime.fall_ill(bench.running()[0], reason=""))

    bench.apply(a_server())

    assert bench.slots() == (1, None)


def test_a_first_release_that_falls_ill_leaves_no_route_to_addresses_that_others_will_get(bench: Bench) -> None:
    bench.clock.after(2.0, lambda: bench.runtime.fall_ill(bench.running()[0], reason="says 500"))

    with pytest.raises(PreviousStillServing, match="nothing served before, and nothing does now"):
        bench.apply(a_server())

    assert bench.router.leads_to("", "/") is None
    assert bench.slots() == (None, None)


def test_a_release_without_a_route_leaves_none_to_what_it_replaced(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(a_server("two", route=None))

    assert bench.router.leads_to("", "/") is None

    bench.rollback()
    assert bench.serving() == bench.running(release=1), "the way back has its route again"


def test_a_server_without_route_and_health_is_released_once_it_runs(bench: Bench) -> None:
    released = bench.apply(a_server(route=None, health=None))

    assert (bench.running(), released.url) == ([*released.instances], "")


def test_old_instances_end_when_the_last_request_in_flight_is_answered(bench: Bench) -> None:
    bench.apply(a_server("one"))
    address = bench.address(bench.serving()[0])
    bench.router.begin(address)
    bench.clock.after(12.0, lambda: bench.router.end(address))
    started = bench.clock.now()

    bench.apply(a_server("two", rollout=replace(ROLLOUT, probation=0.0)))

    assert 11.5 <= bench.clock.now() - started <= 13
    assert [event.detail for event in bench.events if event.what == "drain" and event.stage is Stage.DONE] == ["no request left"]


def test_a_request_that_does_not_end_is_cut_when_the_drain_is_over(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.router.begin(bench.address(bench.serving()[0]))
    started = bench.clock.now()

    bench.apply(a_server("two", rollout=replace(ROLLOUT, probation=0.0)))

    assert ROLLOUT.drain <= bench.clock.now() - started <= ROLLOUT.drain + 1
    assert [event.detail for event in bench.events if event.what == "drain" and event.stage is Stage.DONE] == ["requests cut: 1"]


def test_as_many_former_releases_as_declared_can_be_rolled_back_to(bench: Bench) -> None:
    few = replace(ROLLOUT, retain=2)
    for greeting in ("one", "two", "three", "four"):
        bench.apply(a_server(greeting, rollout=few))

    assert bench.states() == {1: "discarded", 2: "stopped", 3: "warm", 4: "live"}


def test_the_previous_release_is_kept_however_old_it_is(bench: Bench) -> None:
    few = replace(ROLLOUT, retain=1)
    for greeting in ("one", "two"):
        bench.apply(a_server(greeting, rollout=few))
    bench.rollback()
    bench.apply(a_server("three", rollout=few))

    assert bench.slots() == (3, 1)
    assert bench.states()[1] == "warm"


def test_two_aborted_in_a_row_neither_hide_the_live_release_nor_take_its_place(bench: Bench) -> None:
    bench.apply(a_server("one"))
    for greeting in ("two", "three"):
        with pytest.raises(PreviousStillServing, match="release 1 still serves"):
            bench.apply(bench.make_ill(a_server(greeting)))

    assert bench.states() == {1: "live", 2: "aborted", 3: "aborted"}
    assert bench.apply(a_server("four")).previous == 1
    assert bench.rollback().release == 1


def test_a_host_that_is_lost_leaves_the_rollout_open_and_the_same_command_goes_on(bench: Bench) -> None:
    planned = bench.plan(a_server())
    with bench.killed_at("launch.act"):
        bench.apply(a_server(), planned)
    bench.unreachable = True
    with pytest.raises(TargetUnreachable):
        bench.plan(a_server())
    bench.unreachable = False

    assert bench.apply(a_server()).release == 1
    assert len(bench.instances()) == 1


def test_a_rollback_is_warm_while_its_instances_run(bench: Bench) -> None:
    bench.apply(a_server("one", replicas=2))
    warm = bench.serving()
    bench.apply(a_server("two", replicas=2))

    back = bench.rollback()

    assert (back.warm, list(back.instances), back.release, back.previous) == (True, warm, 1, 2)
    assert bench.serving() == warm
    assert [instance.stop_at for instance in bench.instances(release=1)] == [None, None], "they stay"
    assert bench.router.answered == ["/"]
    assert back.answer_seconds is not None


def test_a_rollback_launches_what_does_not_run_any_more(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(a_server("two"))
    bench.clock.let_pass(ROLLOUT.keep_warm)

    back = bench.rollback()

    assert (back.warm, back.release) == (False, 1)
    assert bench.serving() == list(back.instances) == bench.running(release=1)


def test_a_rollback_of_a_rollback_goes_forward_again(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(a_server("two"))

    assert [bench.rollback().release for _ in range(3)] == [1, 2, 1]
    assert (bench.slots(), bench.states()) == ((1, 2), {1: "live", 2: "warm"})
    assert len(bench.instances()) == 2, "nothing was launched"


def test_a_rollback_goes_to_the_release_that_is_named(bench: Bench) -> None:
    for greeting in ("one", "two", "three"):
        bench.apply(a_server(greeting))

    assert bench.rollback(to=1).release == 1
    assert bench.slots() == (1, 3)


def test_an_altered_instance_is_not_rolled_back_to(bench: Bench) -> None:
    bench.apply(a_server("one"))
    (tampered,) = bench.serving()
    bench.apply(a_server("two"))
    bench.runtime.alter(tampered, "/srv/backdoor")

    back = bench.rollback()

    assert back.warm is False
    assert tampered not in bench.serving()
    assert tampered not in [instance.id for instance in bench.instances()]
    assert [body["path"] for body in bench.bodies("finding")] == ["/srv/backdoor"]


def test_crashes_of_long_ago_do_not_keep_an_instance_from_being_rolled_back_to(bench: Bench) -> None:
    bench.apply(a_server("one"))
    (old,) = bench.serving()
    for _ in range(5):
        bench.runtime.crash(old)
    bench.apply(a_server("two"))

    assert bench.rollback().instances == (old,)


def test_a_rollback_that_fails_gives_warm_instances_their_deadline_back(bench: Bench) -> None:
    bench.apply(a_server("one"))
    (old,) = bench.serving()
    bench.apply(a_server("two"))
    bench.runtime.fall_ill(old, reason="says 500")

    with pytest.raises(PreviousStillServing, match="rollback of web release 1 failed; release 2 still serves"):
        bench.rollback()

    (warm,) = bench.instances(release=1)
    assert warm.stop_at == bench.clock.now() + ROLLOUT.keep_warm
    assert bench.states() == {1: "warm", 2: "live"}


@pytest.mark.parametrize(("to", "told"), [(None, "no previous release"), (7, "no former release 7"), (1, "release 1 is live")])
def test_there_must_be_a_release_to_go_back_to(bench: Bench, to: int | None, told: str) -> None:
    bench.apply(a_server("one"))

    with pytest.raises(UsageInvalid, match=told):
        bench.rollback(to=to)


def test_an_aborted_release_is_not_rolled_back_to(bench: Bench) -> None:
    bench.apply(a_server("one"))
    with pytest.raises(PreviousStillServing):
        bench.apply(bench.make_ill(a_server("two")))

    with pytest.raises(Denied, match="release 2 of web is aborted"):
        bench.rollback(to=2)


def test_a_router_that_fails_leaves_the_rollout_open_for_the_same_command(bench: Bench) -> None:
    bench.apply(a_server("one"))
    planned = bench.plan(a_server("two"))
    with bench.killed_at("switch.intent"):
        bench.apply(a_server("two"), planned)
    at_once(bench.router.release(ROUTE, server="web"))

    bench.apply(a_server("two"))

    assert bench.serving() == bench.running(release=2)
