"""What follows a finding: by the rules of the declaration, by a look of its own, once, and never in circles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, Killed, a_server, do, in_place
from looking import converge, folder_of, look

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import Busy, TargetFailed, UsageInvalid
from vitrify.core.response import Do, Response
from vitrify.core.severity import Severity
from vitrify.lifecycle.responding import respond
from vitrify.lifecycle.setting_aside import discard, listed, put_back
from vitrify.onhost.lease import Wish
from vitrify.testing.engine import quick_folder

MOTD = ("/etc/motd", "hello\n")


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        (folder / "etc").mkdir()
        yield folder


def answering(server: Server, *rules: Response) -> Server:
    return replace(server, responses=rules)


def mutable_with(root: Path, bench: Bench, *rules: Response) -> Server:
    server = answering(folder_of(in_place(root, MOTD, ("/etc/issue", "welcome\n")), "/srv"), *rules)
    converge(bench, server)
    return server


def pair(bench: Bench, *rules: Response) -> Server:
    server = answering(a_server(replicas=2), *rules)
    bench.apply(server)
    return server


def answer(bench: Bench, server: Server) -> str:
    return do(respond(server, server.hosts[0], bench.world))


def found_and_answered(bench: Bench, server: Server) -> str:
    look(bench, server)
    return answer(bench, server)


# -- in place --------------------------------------------------------------------------------------------------------


def test_without_a_rule_a_finding_is_only_told(bench: Bench, root: Path) -> None:
    server = mutable_with(root, bench, Response(Do.REPORT, path="/etc/motd"))
    (root / "etc/motd").write_text("intruder\n")

    assert found_and_answered(bench, server) == ""
    assert (root / "etc/motd").read_text() == "intruder\n"


def test_what_drifted_is_put_back_by_an_apply_of_just_that_and_the_ledger_says_why(bench: Bench, root: Path) -> None:
    server = mutable_with(root, bench, Response(Do.RECONVERGE, path="/etc/motd"))
    for name in ("motd", "issue"):
        (root / "etc" / name).write_text("intruder\n")

    told = found_and_answered(bench, server)

    assert told == "re-converge, 1 findings: file:/etc/motd"
    assert ((root / "etc/motd").read_text(), (root / "etc/issue").read_text()) == ("hello\n", "intruder\n")
    (finding,) = [entry for entry in bench.ledger.entries() if entry.kind == "finding" and entry.body["path"] == "/etc/motd"]
    intended = bench.bodies("apply.intended")[-1]
    assert (intended["answers"], intended["changes"]) == ([finding.sequence], [["file:/etc/motd", "update"]])
    assert bench.bodies("respond.done")[-1]["findings"] == [finding.sequence]
    assert [one.path for one in look(bench, server).unauthorised] == ["/etc/issue"]


def test_what_nobody_applied_yet_is_not_applied_by_an_answer(bench: Bench, root: Path) -> None:
    server = mutable_with(root, bench, Response(Do.RECONVERGE))
    (root / "etc/motd").write_text("intruder\n")
    look(bench, server)
    wished = answering(folder_of(in_place(root, ("/etc/motd", "not approved\n"), ("/etc/issue", "welcome\n")), "/srv"), *server.responses)

    answer(bench, wished)

    assert (root / "etc/motd").read_text() == "intruder\n"


def test_what_went_away_by_itself_is_closed_and_nothing_is_done(bench: Bench, root: Path) -> None:
    server = mutable_with(root, bench, Response(Do.QUARANTINE))
    (root / "srv/intruder").write_text("x")
    look(bench, server)
    (root / "srv/intruder").unlink()

    assert answer(bench, server) == ""
    assert answer(bench, server) == ""
    assert [body["why"] for body in bench.bodies("respond.left")] == ["it is not there any more"]
    assert bench.bodies("respond.intended") == []


def test_what_was_added_goes_to_quarantine_with_all_that_it_was_and_back(bench: Bench, root: Path) -> None:
    server = mutable_with(root, bench, Response(Do.QUARANTINE, path="/srv/**"))
    intruder = root / "srv/intruder"
    intruder.write_text("x")
    intruder.chmod(0o755)

    found_and_answered(bench, server)

    assert not intruder.exists()
    assert look(bench, server).unauthorised == ()
    (kept,) = do(listed([server], bench.world))
    (finding,) = [entry.sequence for entry in bench.ledger.entries() if entry.kind == "finding"]
    assert (kept.path, kept.what, kept.entry) == ("/srv/intruder", "file", finding)
    place = root / "var/lib/vitrify/quarantine"
    assert [path.stat().st_mode & 0o777 for path in (place, place / kept.id)] == [0o700, 0o700]
    assert (place / kept.id / "content").read_text() == "x"

    do(put_back([server], "/srv/intruder", bench.world))

    assert (intruder.read_text(), intruder.stat().st_mode & 0o777) == ("x", 0o755)
    assert do(listed([server], bench.world)) == ()
    with pytest.raises(UsageInvalid, match="nothing in quarantine"):
        do(put_back([server], kept.id, bench.world))


def test_what_is_discarded_is_gone_for_good_and_the_ledger_says_what_it_was(bench: Bench, root: Path) -> None:
    server = mutable_with(root, bench, Response(Do.QUARANTINE))
    (root / "srv/intruder").mkdir()
    (root / "srv/intruder/deep").write_text("x")
    found_and_answered(bench, server)
    (kept,) = [one for one in do(listed([server], bench.world)) if one.path == "/srv/intruder"]

    do(discard([server], kept.id, bench.world))

    assert do(listed([server], bench.world)) == ()
    (told,) = bench.bodies("quarantine.discarded")
    assert isinstance(told["what"], dict)
    assert told["what"]["path"] == "/srv/intruder"


def test_a_declared_file_that_was_changed_is_kept_as_evidence_and_the_right_one_put_in_its_place(bench: Bench, root: Path) -> None:
    server = mutable_with(root, bench, Response(Do.QUARANTINE))
    (root / "etc/motd").write_text("intruder\n")

    found_and_answered(bench, server)

    (kept,) = do(listed([server], bench.world))
    assert (root / "var/lib/vitrify/quarantine" / kept.id / "content").read_text() == "intruder\n"
    assert (root / "etc/motd").read_text() == "hello\n"
    assert look(bench, server).unauthorised == ()


def test_what_was_added_is_no_matter_of_a_re_convergence_and_that_is_said_once(bench: Bench, root: Path) -> None:
    server = mutable_with(root, bench, Response(Do.RECONVERGE))
    (root / "srv/intruder").write_text("x")

    found_and_answered(bench, server)
    answer(bench, server)

    assert ["no resource is about it" in str(body["why"]) for body in bench.bodies("respond.left")] == [True]
    assert (root / "srv/intruder").exists()


# -- never in circles ------------------------------------------------------------------------------------------------


def drifts(bench: Bench, root: Path, server: Server, turn: int, *, pause: float = 400.0) -> str:
    (root / "etc/motd").write_text(f"intruder {turn}\n")
    bench.clock.let_pass(pause)
    return found_and_answered(bench, server)


def test_what_comes_back_after_it_was_put_right_so_often_is_left_and_told(bench: Bench, root: Path) -> None:
    server = mutable_with(root, bench, Response(Do.RECONVERGE, at_most=60, give_up=2))

    told = [drifts(bench, root, server, turn) for turn in range(3)]

    assert [bool(one) for one in told] == [True, True, False]
    assert (root / "etc/motd").read_text() == "intruder 2\n"
    (left,) = bench.bodies("respond.left")
    assert "comes back: put right 2 times within a day" in str(left["why"])
    assert drifts(bench, root, server, 3) == "", "it is left until somebody changes the server"
    converge(bench, server)
    bench.clock.let_pass(90_000.0)
    assert drifts(bench, root, server, 4) != "", "a day later it counts from the beginning"


def test_a_rule_has_so_many_responses_an_hour_and_the_rest_waits(bench: Bench, root: Path) -> None:
    server = mutable_with(root, bench, Response(Do.RECONVERGE, at_most=2, give_up=100))

    told = [bool(drifts(bench, root, server, turn)) for turn in range(3)]
    answer(bench, server)

    assert told == [True, True, False]
    assert len(bench.bodies("respond.held")) == 1
    bench.clock.let_pass(3600.0)
    assert answer(bench, server) != ""
    assert (root / "etc/motd").read_text() == "hello\n"


def test_one_that_fails_waits_longer_each_time_and_is_tried_no_more_often_than_the_rule_allows(bench: Bench, root: Path) -> None:
    server = mutable_with(root, bench, Response(Do.QUARANTINE, at_most=2))
    (root / "srv/intruder").write_text("x")
    look(bench, server)
    (root / "var/lib/vitrify/quarantine").write_text("in the way")

    for pause in (5.0, 10.0):
        with pytest.raises(TargetFailed, match="cannot be taken out of the way"):
            answer(bench, server)
        bench.clock.let_pass(pause - 1.0)
        assert answer(bench, server) == "", "the next one waits, twice as long each time"
        bench.clock.let_pass(2.0)

    assert answer(bench, server) == ""
    assert len(bench.bodies("respond.failed")) == len(bench.bodies("respond.intended")) == 2
    assert (root / "srv/intruder").exists()


def test_while_somebody_else_has_the_lease_it_waits_under_its_own_name(bench: Bench) -> None:
    server = pair(bench, Response(Do.REPLACE))
    bench.runtime.alter(bench.running()[0], "/srv/backdoor")
    look(bench, server)
    somebody = bench.lease().acquire(Wish("ann", "deploys")).token

    for _ in range(2):
        with pytest.raises(Busy):
            answer(bench, server)
    bench.give_back(somebody)

    assert answer(bench, server) != ""
    assert len(bench.bodies("respond.intended")) == 1


# -- instances -------------------------------------------------------------------------------------------------------


def test_an_altered_instance_is_replaced_and_the_other_one_stays(bench: Bench) -> None:
    server = pair(bench, Response(Do.RECONVERGE, path="/srv/**"), Response(Do.REPLACE))
    altered, sound = bench.running()
    bench.runtime.alter(altered, "/srv/backdoor")

    told = found_and_answered(bench, server)

    assert told.startswith("replace, 1 findings: ")
    assert sound in bench.serving()
    assert altered not in [one.id for one in bench.instances()]
    assert len(bench.serving()) == 2
    (finding,) = [entry.sequence for entry in bench.ledger.entries() if entry.kind == "finding"]
    assert bench.bodies("replace.intended")[-1]["answers"] == [finding]


def test_an_instance_in_quarantine_is_out_of_traffic_stopped_and_kept(bench: Bench) -> None:
    server = pair(bench, Response(Do.QUARANTINE, severity=Severity.LOW))
    altered, _ = bench.running()
    bench.runtime.alter(altered, "/srv/backdoor")

    found_and_answered(bench, server)

    assert altered not in bench.serving()
    assert altered not in [one.id for one in bench.instances()]
    assert len(bench.serving()) == 2
    (kept,) = do(listed([server], bench.world))
    assert (kept.id, kept.what, kept.path) == (altered, "instance", "")
    with pytest.raises(UsageInvalid, match="never runs again"):
        do(put_back([server], altered, bench.world))
    do(discard([server], altered, bench.world))
    assert do(listed([server], bench.world)) == ()


def test_a_server_that_is_retired_leaves_its_evidence(bench: Bench) -> None:
    server = pair(bench, Response(Do.QUARANTINE))
    bench.runtime.alter(bench.running()[0], "/srv/backdoor")
    found_and_answered(bench, server)

    bench.retire()

    assert len(do(listed([server], bench.world))) == 1


# -- killed ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [Do.RECONVERGE, Do.QUARANTINE])
def test_killed_anywhere_in_place_the_next_turn_ends_it_once(rule: Do) -> None:
    for point in passed_in_place(rule):
        with quick_folder() as folder:
            (folder / "etc").mkdir()
            bench = Bench()
            server = mutable_with(folder, bench, Response(rule))
            (folder / "etc/motd").write_text("intruder\n")
            look(bench, server)
            bench.die_at = point
            with pytest.raises(Killed):
                answer(bench, server)
            bench.die_at = ""

            bench.clock.let_pass(400.0)
            answer(bench, server)
            answer(bench, server)

            assert (folder / "etc/motd").read_text() == "hello\n", point
            assert look(bench, server).unauthorised == (), point
            assert len(bench.bodies("respond.intended")) == len(bench.bodies("respond.done")) == 1, point
            assert len(do(listed([server], bench.world))) == (rule is Do.QUARANTINE), point


def passed_in_place(rule: Do) -> list[str]:
    with quick_folder() as folder:
        (folder / "etc").mkdir()
        bench = Bench()
        server = mutable_with(folder, bench, Response(rule))
        (folder / "etc/motd").write_text("intruder\n")
        look(bench, server)
        bench.points.clear()
        answer(bench, server)
    assert {"respond.intent", "respond.act", "respond.outcome", "apply.act"} <= set(bench.points)
    return [point for point in dict.fromkeys(bench.points) if not point.startswith("lease.")]


@pytest.mark.parametrize("rule", [Do.REPLACE, Do.QUARANTINE])
def test_killed_behind_any_change_no_instance_is_lost_doubled_or_left_altered(rule: Do) -> None:
    whole = Bench()
    server = pair(whole, Response(rule))
    whole.runtime.alter(whole.running()[0], "/srv/backdoor")
    look(whole, server)
    whole.changes.clear()
    answer(whole, server)

    for number in range(1, len(whole.changes) + 1):
        bench = Bench()
        pair(bench, Response(rule))
        altered = bench.running()[0]
        bench.runtime.alter(altered, "/srv/backdoor")
        look(bench, server)
        bench.die_behind = len(bench.changes) + number
        with pytest.raises(Killed):
            answer(bench, server)
        bench.die_behind = 0

        bench.clock.let_pass(400.0)
        answer(bench, server)
        answer(bench, server)

        assert len(bench.serving()) == 2, number
        assert altered not in [one.id for one in bench.instances()], number
        assert len(bench.bodies("respond.done")) == 1, number
        assert len(do(listed([server], bench.world))) == (rule is Do.QUARANTINE), number
