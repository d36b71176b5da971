"""What `serve` tells of: the same numbers whichever process counts, in a form that every scraper reads."""

from __future__ import annotations

import re
from dataclasses import replace

from bench import ROLLOUT, Bench, a_server, do

from vitrify.core.report import LeaseView
from vitrify.core.schedule import Schedule
from vitrify.core.served import DONE, Turn
from vitrify.lifecycle.duty import Charge
from vitrify.lifecycle.serve_board import Board
from vitrify.lifecycle.serve_exposition import exposition
from vitrify.lifecycle.serve_metrics import Metric, metrics
from vitrify.lifecycle.serve_tally import Tally

SAMPLE = re.compile(r'[a-z_]+(\{([a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*"(?:,(?=[a-z])|))+\})? -?[0-9][0-9.e+-]*')


def told(bench: Bench, board: Board | None = None, tally: Tally | None = None) -> list[str]:
    """The lines of a scrape."""
    found = tally or Tally()
    found.catch_up(bench.ledger)
    charge = Charge((a_server(),), Schedule(), bench.world, board or Board(bench.clock.now()))
    return exposition(metrics(charge, found)).splitlines()


def test_rollouts_are_counted_out_of_the_ledger_by_whichever_process() -> None:
    bench, tally = Bench(), Tally()
    bench.apply(a_server("one"))
    first = told(bench, tally=tally)
    bench.apply(a_server("two"))
    bench.rollback()

    assert 'vitrify_rollouts_total{server="web",kind="release",outcome="done"} 1' in first
    again = told(bench, tally=tally)
    assert 'vitrify_rollouts_total{server="web",kind="release",outcome="done"} 2' in again
    assert 'vitrify_rollouts_total{server="web",kind="rollback",outcome="done"} 1' in again
    assert 'vitrify_switch_seconds_count{server="web"} 3' in again
    assert again == told(bench), "a process that has just begun comes to the same"


def test_releases_and_what_has_not_ended_are_read_from_the_state() -> None:
    bench = Bench()
    bench.apply(a_server("one"))
    planned = bench.plan(a_server("two"))
    with bench.killed_at("launch.act"):
        bench.apply(a_server("two"), planned)

    lines = told(bench)

    assert 'vitrify_releases{server="web",state="live"} 1' in lines
    assert 'vitrify_releases{server="web",state="prepared"} 1' in lines
    assert 'vitrify_release_live{server="web",host="local"} 1' in lines
    assert 'vitrify_operation_open{server="web",host="local",kind="release"} 1' in lines
    assert f"vitrify_ledger_entries {bench.ledger.size}" in lines


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
    board.turned(Turn("keep", "web", DONE, host="local"), at=7.0)
    bench.ledger.append("audit.done", {"server": "web", "findings": {"unauthorised": 2}, "missed": ["db1"]})

    lines = told(bench, board)

    assert 'vitrify_instances{server="web",host="local",release="1",state="lost"} 1' in lines
    assert 'vitrify_instances{server="web",host="local",release="1",state="crashing"} 1' in lines
    assert f'vitrify_instance_restarts{{server="web",instance="{crashing}"}} 3' in lines
    assert f'vitrify_healthy{{server="web",of="{crashing}"}} 0' in lines
    assert [line for line in lines if line.startswith("vitrify_lease_held")] == ['vitrify_lease_held{server="web",host="local"} 1']
    assert 'vitrify_findings{server="web",class="unauthorised"} 2' in lines
    assert 'vitrify_findings{server="web",class="authorised"} 0' in lines
    assert 'vitrify_audit_missed_hosts{server="web"} 1' in lines
    assert 'vitrify_turns_total{duty="keep",server="web",host="local",outcome="done"} 1' in lines
    assert "vitrify_start_timestamp_seconds 1.5" in lines


def test_every_line_is_a_comment_or_a_sample_whatever_stands_in_a_label() -> None:
    bench, board = Bench(), Board(0.0)
    board.ill["web", "local"] = {'odd "name"\\ of\na \udcff host,x="y"': ""}

    lines = told(bench, board)

    assert 'vitrify_healthy{server="web",of="odd \\"name\\"\\\\ of\\na \\\\xff host,x=\\"y\\""} 1' in lines
    assert [line for line in lines if not (line.startswith(("# HELP vitrify_", "# TYPE vitrify_")) or SAMPLE.fullmatch(line))] == []
    assert len({line.split()[2] for line in lines if line.startswith("# TYPE")}) == sum(line.startswith("# TYPE") for line in lines)


def test_whole_numbers_are_told_whole_and_others_to_the_last_digit() -> None:
    found = exposition([Metric("vitrify_x", "gauge", "back\\slash and\nline", (("", (), 3.0), ("_sum", (), 0.1)))])

    assert found == "# HELP vitrify_x back\\\\slash and\\nline\n# TYPE vitrify_x gauge\nvitrify_x 3\nvitrify_x_sum 0.1\n"
