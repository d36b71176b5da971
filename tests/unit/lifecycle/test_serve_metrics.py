"""What `serve` tells of: the same numbers whichever process counts, in a form that Prometheus' own parser reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bench import ROLLOUT, Bench, a_server, do
from prometheus_client.parser import text_string_to_metric_families

from vitrify.core.digest import JSONObject
from vitrify.core.report import LeaseView
from vitrify.core.schedule import Schedule
from vitrify.core.served import DONE, Turn
from vitrify.lifecycle.duty import Charge
from vitrify.lifecycle.serve_board import Board
from vitrify.lifecycle.serve_exposition import exposition
from vitrify.lifecycle.serve_metrics import Metric, metrics
from vitrify.lifecycle.serve_tally import Tally

Scrape = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Scrape:
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    assert all(family.documentation and family.type != "unknown" for family in families)
    samples = [sample for family in families for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples), "no sample is told twice"
    return found


def scrape(bench: Bench, board: Board | None = None, tally: Tally | None = None) -> Scrape:
    found = tally or Tally()
    found.catch_up(bench.ledger)
    charge = Charge((a_server(),), Schedule(), bench.world, board or Board(bench.clock.now()))
    return parsed(exposition(metrics(charge, found)))


def value(found: Scrape, name: str, **labels: str) -> float | None:
    return found.get((f"vitrify_{name}", frozenset(labels.items())))


def test_rollouts_are_counted_out_of_the_ledger_by_whichever_process() -> None:
    bench, tally = Bench(), Tally()
    bench.apply(a_server("one"))
    first = scrape(bench, tally=tally)
    bench.apply(a_server("two"))
    bench.rollback()

    again = scrape(bench, tally=tally)

    assert value(first, "rollouts_total", server="web", kind="release", outcome="done") == 1
    assert value(again, "rollouts_total", server="web", kind="release", outcome="done") == 2
    assert value(again, "rollouts_total", server="web", kind="rollback", outcome="done") == 1
    assert value(again, "switch_seconds_count", server="web") == 3
    assert again == scrape(bench), "a process that has just begun comes to the same"


def test_releases_and_what_has_not_ended_are_read_from_the_state() -> None:
    bench = Bench()
    bench.apply(a_server("one"))
    planned = bench.plan(a_server("two"))
    with bench.killed_at("launch.act"):
        bench.apply(a_server("two"), planned)

    found = scrape(bench)

    assert value(found, "releases", server="web", state="live") == 1
    assert value(found, "releases", server="web", state="prepared") == 1
    assert value(found, "release_live", server="web", host="local") == 1
    assert value(found, "operation_open", server="web", host="local", kind="release") == 1
    assert value(found, "ledger_entries") == bench.ledger.size


def test_what_was_seen_is_told_by_state_health_and_lease() -> None:
    bench, board = Bench(), Board(1.5)
    bench.apply(a_server("one", replicas=2, rollout=replace(ROLLOUT, probation=0.0)))
    lost, crashing = bench.running()
    bench.runtime.lose(lost)
    for _ in range(3):
        bench.runtime.crash(crashing)
    board.instances["web", "local"] = do(bench.runtime.instances(bench.world.labels("web")))
    board.ill["web", "local"] = {crashing: "says 500"}
    board.leases["web"] = (LeaseView("web", "local", standing=True), LeaseView("web", "other", problem="does not answer"))
    board.turned(Turn("keep", "web", DONE, host="local"), at=7.0, seconds=0.5)
    bench.ledger.append("audit.done", {"server": "web", "findings": {"unauthorised": 2}, "missed": ["db1"]})

    found = scrape(bench, board)

    assert value(found, "instances", server="web", host="local", release="1", state="lost") == 1
    assert value(found, "instances", server="web", host="local", release="1", state="crashing") == 1
    assert value(found, "instance_restarts", server="web", instance=crashing) == 3
    assert value(found, "healthy", server="web", of=crashing) == 0
    assert value(found, "lease_held", server="web", host="local") == 1
    assert value(found, "lease_held", server="web", host="other") is None
    assert value(found, "findings", server="web", **{"class": "unauthorised"}) == 2
    assert value(found, "findings", server="web", **{"class": "authorised"}) == 0
    assert value(found, "audit_missed_hosts", server="web") == 1
    assert value(found, "turns_total", duty="keep", server="web", host="local", outcome="done") == 1
    assert value(found, "turn_done_timestamp_seconds", duty="keep", server="web", host="local") == 7
    assert value(found, "start_timestamp_seconds") == 1.5


def test_what_became_of_the_ill_is_counted_out_of_the_ledger() -> None:
    bench = Bench()
    about: JSONObject = {"server": "web", "host": "local", "release": 1}
    for kind in ("replace.done", "health.failed", "replace.done", "health.failed", "replace.failed", "health.left", "replace.failed"):
        bench.ledger.append(kind, {**about})

    found = scrape(bench)

    ends = {end: value(found, "healings_total", server="web", host="local", outcome=end) for end in ("replaced", "failed", "left")}
    assert ends == {"replaced": 1, "failed": 1, "left": 1}, "a replacement of what had ended is none of these"
    assert value(found, "unhealthy_left", server="web", host="local") == 1
    bench.ledger.append("health.passed", {**about})
    assert value(scrape(bench), "unhealthy_left", server="web", host="local") == 0


def test_whatever_stands_in_a_label_is_read_back_and_odd_bytes_are_spelt_out() -> None:
    bench, board = Bench(), Board(0.0)
    board.ill["web", "local"] = {'odd "name"\\ of\na \udcff host,x="y"': ""}

    found = scrape(bench, board)

    assert value(found, "healthy", server="web", of='odd "name"\\ of\na \\xff host,x="y"') == 1


def test_a_family_without_samples_says_what_it_means() -> None:
    text = exposition(
        [Metric("vitrify_x", "gauge", "back\\slash and\nline", (("", (), 3.0), ("_sum", (), 0.1))), Metric("y", "gauge", "none", ())]
    )

    assert text.splitlines()[:2] == ["# HELP vitrify_x back\\\\slash and\\nline", "# TYPE vitrify_x gauge"]
    assert text.splitlines()[-2:] == ["# HELP y none", "# TYPE y gauge"]
