"""How soon drift was seen and put right, told from the ledger."""

from __future__ import annotations

from vitrify.core.digest import JSON
from vitrify.core.trend import DAY, ServerTrend, Spread, Told, trend

NOW = 1_800_000_000.0
HOUR = 3_600.0


def _found(at: float, path: str = "/etc/motd", **more: JSON) -> Told:
    body: dict[str, JSON] = {"server": "web", "where": "web-1", "path": path, "change": "changed", "answer": "re-converge", **more}
    return Told("finding", at, body)


def _told(kind: str, at: float, **more: JSON) -> Told:
    return Told(kind, at, {"server": "web", **more})


def _of(*entries: Told, days: int = 30) -> ServerTrend:
    (found,) = trend(entries, servers=["web"], days=days, now=NOW).servers
    return found


def test_the_time_until_found_is_from_the_file_to_the_ledger() -> None:
    found = _of(_found(NOW - 10, modified_at=int(NOW) - 100), _found(NOW - 10, "/b", modified_at=int(NOW) - 310), _found(NOW - 10, "/c"))

    assert found.detect == Spread(2, 195.0, 300.0)


def test_a_time_that_no_program_can_set_is_believed_before_one_that_any_can() -> None:
    assert _of(_found(NOW, modified_at=0, changed_at=int(NOW) - 60)).detect == Spread(1, 60.0, 60.0)


def test_a_clock_that_is_ahead_makes_no_time_negative() -> None:
    assert _of(_found(NOW - 5, modified_at=int(NOW))).detect == Spread(1, 0.0, 0.0)


def test_an_apply_on_its_host_puts_a_finding_right() -> None:
    found = _of(
        _found(NOW - 5 * HOUR), _told("apply.done", NOW - 4 * HOUR, host="web-2"), _told("apply.done", NOW - 3 * HOUR, host="web-1")
    )

    assert (found.repair, found.lasting) == (Spread(1, 2 * HOUR, 2 * HOUR), 0)


def test_a_release_puts_right_what_instances_had() -> None:
    found = _of(_found(NOW - HOUR, where="web-7-a", answer="replace"), _told("release.done", NOW, release=8))

    assert found.repair == Spread(1, HOUR, HOUR)


def test_what_no_apply_removes_lasts_until_a_whole_look_finds_nothing() -> None:
    stray = _found(NOW - 9 * HOUR, answer="report", change="added")
    applied = _told("apply.done", NOW - 8 * HOUR, host="web-1")
    half = _told("audit.done", NOW - 7 * HOUR, findings={}, missed=["web-2"])
    still = _told("audit.done", NOW - 6 * HOUR, findings={"unauthorised": 1}, missed=[])
    clean = _told("audit.done", NOW - 5 * HOUR, findings={"authorised": 2}, missed=[])

    assert _of(stray, applied, half, still).lasting == 1
    assert _of(stray, applied, half, still, clean).repair == Spread(1, 4 * HOUR, 4 * HOUR)


def test_what_is_found_again_with_its_old_time_was_never_put_right() -> None:
    written = int(NOW - 10 * HOUR)
    again = (_found(NOW - 9 * HOUR, modified_at=written), _told("apply.done", NOW - 8 * HOUR, host="web-1"))

    assert _of(*again).lasting == 0
    assert (_of(*again, _found(NOW, modified_at=written)).found, _of(*again, _found(NOW, modified_at=written)).lasting) == (1, 1)
    assert _of(*again, _found(NOW, modified_at=int(NOW - HOUR))).found == 2


def test_what_is_told_twice_counts_once() -> None:
    assert _of(_found(NOW - HOUR), _found(NOW)).found == 1


def test_every_day_of_the_window_has_its_number_and_what_lies_before_it_has_none() -> None:
    found = _of(
        _told("apply.done", NOW - 9 * DAY, host="x"), _found(NOW - 5 * DAY), _found(NOW - DAY, "/b"), _found(NOW - DAY, "/c"), days=3
    )

    assert found.days == (("2027-01-12", 0), ("2027-01-13", 0), ("2027-01-14", 2), ("2027-01-15", 0))
    assert (found.found, found.per_day) == (2, 0.5)


def test_a_young_ledger_has_no_days_before_its_first() -> None:
    assert len(_of(_found(NOW - DAY), days=30).days) == 2


def test_a_server_of_which_nothing_is_told_had_no_drift() -> None:
    found = trend([], servers=["web"], days=7, now=NOW)

    assert found.to_json()["servers"] == [
        {"server": "web", "found": 0, "lasting": 0, "per_day": 0.0, "detect": None, "repair": None, "days": {"2027-01-15": 0}}
    ]
