"""What each verb puts on stdout, as a person and as a program reads it. The snapshots are the evidence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from vitrify.cli.exits import Exit
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.drift import Audit
from vitrify.core.event import Event, Stage
from vitrify.core.image_report import ImageVerified, Verdict
from vitrify.core.plan import Plan
from vitrify.core.report import Applied, Behind, Bootstrapped, Check, EntryView, Outdated, Released, ReleaseStatus, ServerStatus, Verified

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console


IMAGE = "sha256:" + "ab12" * 16


BEHIND = (
    Behind(
        "libssl3",
        "3.0.15-1",
        "3.0.17-1",
        ("Debian-Security:12/stable-security",),
        security=True,
        held=False,
        published_at=1_800_000_000.0 - 86_400 * 2,
    ),
    Behind("tzdata", "2025a-0", "2025b-0", ("Debian:12.11/stable",), security=False, held=True, published_at=None),
)


BARE = (
    Bootstrapped("db", "ssh://db1", "ready", "3.11.2"),
    Bootstrapped("db", "ssh://db2", "bare", command="apk add python3"),
    Bootstrapped("db", "ssh://db4", "unreachable", problem="ssh://db4 does not answer\n  hint: is it up?"),
)
BROUGHT = (BARE[0], Bootstrapped("db", "ssh://db2", "installed", "3.12.1", "apk add python3"), BARE[2])


@pytest.fixture
def full_console(console: Console, mixed_plan: Plan, drift: Audit, servers: tuple[ServerStatus, ...], half_done: Applied) -> Console:
    """An application with something to say to every verb."""
    app = console.app
    app.plan_is, app.audit_is, app.status_is, app.applied_is = mixed_plan, drift, servers, half_done
    app.undone_is, app.bare_are, app.bootstrapped_are = Applied(half_done.hosts), BARE, BROUGHT
    app.releases_is = (
        ReleaseStatus("web", 4, "live", "live", IMAGE, 1_800_000_000.0 - 185, 2),
        ReleaseStatus("web", 3, "warm", "previous", "sha256:" + "0" * 64, 1_800_000_000.0 - 86_400 * 3, 2),
        ReleaseStatus("web", 2, "stopped", "", "sha256:" + "1" * 64, 1_800_000_000.0 - 86_400 * 9, 0),
    )
    app.outdated_is = (
        Outdated("db", "ssh://db1", "mutable", "apt", BEHIND, 1_800_000_000.0 - 3600, 1_800_000_000.0 - 86_400 * 9),
        Outdated("db", "ssh://db2", "mutable", "apt", (), None, None),
        Outdated("db", "ssh://db3", "mutable", ""),
        Outdated("web", "local", "immutable", made_at=1_800_000_000.0 - 86_400 * 3),
    )
    app.released_is = Released("web", "rollback", 3, 4, IMAGE, ("web-3-a",), "http://127.0.0.1:8080", warm=True, seconds=0.52)
    app.logs_are = "GET / 200\nGET /healthz 200\n"
    app.entries_are = (
        EntryView(16, "2026-03-01T10:15:00Z", "ann@desk", "plan", {"plan": IMAGE, "empty": False}),
        EntryView(
            17, "2026-03-01T10:15:03Z", "ann@desk", "apply.done", {"server": "db", "host": "local", "results": [1, 2], "baseline": IMAGE}
        ),
        EntryView(
            18, "2026-03-01T10:15:04.066Z", "ann@desk", "rollback.intended", {"server": "web", "release": 3, "live": 4, "image": IMAGE}
        ),
        EntryView(
            19,
            "2026-03-01T10:15:05Z",
            "ann@desk",
            "finding",
            {"server": "web", "where": "web-4-a", "path": f"/srv/{'deep/' * 30}x", "change": "added"},
        ),
    )
    app.checks_are = (
        Check("python", "ok", "3.11.2"),
        Check("bubblewrap", "missing", "not found", "apt install bubblewrap"),
        Check("systemd", "note", "not running: units are files only"),
    )
    return console


COMMANDS = [
    ("init", "shop"),
    ("bootstrap", "-y"),
    ("plan",),
    ("apply", "-y"),
    ("undo", "db", "-y"),
    ("status",),
    ("bake", "web"),
    ("releases", "web"),
    ("rollback", "web", "-y"),
    ("retire", "web", "-y"),
    ("logs", "web"),
    ("outdated",),
    ("outdated", "--security"),
    ("audit",),
    ("ledger", "show"),
    ("ledger", "verify"),
    ("doctor",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_result_reads_well_as_text(full_console: Console, snapshot: SnapshotAssertion, command: tuple[str, ...]) -> None:
    ended = full_console(*command)

    assert f"exit {int(ended.code)}\n{ended.out}--- stderr\n{ended.err}" == snapshot


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_result_is_a_document_with_a_schema(full_console: Console, snapshot: SnapshotAssertion, command: tuple[str, ...]) -> None:
    document = json.loads(full_console(*command, "-o", "json").out)

    assert document["schema"].startswith("vitrify.dev/")
    assert json.dumps(document, indent=1) == snapshot


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_yaml_and_ndjson_say_the_same_as_json(full_console: Console, command: tuple[str, ...]) -> None:
    document = json.loads(full_console(*command, "-o", "json").out)

    assert yaml.safe_load(full_console(*command, "-o", "yaml").out) == document
    assert json.loads(full_console(*command, "-o", "ndjson").out.splitlines()[-1]) == document


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("verb", ["status", "releases", "ledger show"])
def test_tables_keep_within_the_terminal(full_console: Console, columns: str, verb: str) -> None:
    ended = full_console(*verb.split(), "--color", "never", tty=True, environ={"COLUMNS": columns})

    assert max(len(each) for each in ended.out.splitlines()) <= int(columns)


@pytest.mark.parametrize(
    ("columns", "told"), [("80", "web, release 3 in place of 4"), ("120", "web, release 3 in place of 4 image=sha256:ab12ab12ab12")]
)
def test_an_entry_says_what_matters_first_and_nothing_by_half(full_console: Console, columns: str, told: str) -> None:
    ended = full_console("ledger", "show", "--color", "never", environ={"COLUMNS": columns})

    assert ended.out.splitlines()[3] == f"18     2026-03-01 10:15:04Z  rollback.intended  {told}"


def test_with_v_digests_are_whole_whatever_the_width(full_console: Console) -> None:
    for verb in ("releases web", "ledger show"):
        assert IMAGE in full_console(*verb.split(), "-v", tty=True, environ={"COLUMNS": "80"}).out


def test_a_failure_of_many_lines_is_told_in_one_while_it_happens(console: Console) -> None:
    console.app.events = (Event("change", Stage.FAILED, "file:/a", "no folder\n  hint: declare it", {"action": "create"}),)

    assert console("plan").err.splitlines() == ["  x create  file:/a  failed: no folder"]


def test_the_stage_of_an_event_is_told_once(console: Console) -> None:
    console.app.events = (Event("bake.done", Stage.DONE, "web"),)

    assert console("plan").err.splitlines() == [" ok bake web  done"]


def test_an_audit_that_found_nothing_to_look_at_does_not_say_that_all_is_well(console: Console) -> None:
    console.app.audit_is = Audit((), resources=0, entries=0, instances=0)

    assert "No drift" not in console("audit").out
    assert "Nothing to compare with." in console("audit").out


def test_asking_for_the_logs_of_a_mutable_server_is_answered_with_where_they_are(console: Console) -> None:
    console.app.fails_in = {"logs": UsageInvalid("no server or instance is called 'db'")}
    console.app.status_is = (ServerStatus("db", "mutable", ("local",)),)

    ended = console("logs", "db")

    assert ended.code is Exit.USAGE
    assert "db is mutable" in ended.err
    assert "journalctl -u" in ended.err


def test_a_plan_is_the_same_whatever_the_width(full_console: Console) -> None:
    narrow = full_console("plan", "--color", "never", tty=True, environ={"COLUMNS": "80"})
    wide = full_console("plan", "--color", "never", tty=True, environ={"COLUMNS": "200"})

    assert narrow.out == wide.out == full_console("plan").out


def test_a_coloured_plan_differs_in_its_colours_alone(full_console: Console, snapshot: SnapshotAssertion) -> None:
    coloured = full_console("plan", "--color", "always")

    assert coloured.out.replace("\x1b", "ESC") == snapshot


def test_an_empty_plan_says_so_in_one_sentence(console: Console, empty_plan: Plan) -> None:
    console.app.plan_is = empty_plan

    assert console("plan").out.splitlines()[-1] == "No changes. What runs is what is declared."


def test_the_last_line_of_a_plan_counts(full_console: Console) -> None:
    last = full_console("plan").out.splitlines()[-1]

    assert last == "Plan: 2 to add, 4 to change, 1 to remove, 2 instances to replace"


@pytest.mark.parametrize("form", ["table", "table -v"])
def test_the_text_of_a_plan_never_shows_a_secret(full_console: Console, form: str) -> None:
    out = full_console("plan", "-o", *form.split()).out

    assert "file:/etc/shop/token" in out
    assert "hunter" not in out


def test_a_long_diff_is_cut_unless_asked_for(console: Console, mixed_plan: Plan) -> None:
    from dataclasses import replace

    from vitrify.core.plan import HostPlan

    host = mixed_plan.servers[0]
    assert isinstance(host, HostPlan)
    long = replace(host.changes[0], diff="".join(f"+line {number}\n" for number in range(1000)))
    console.app.plan_is = replace(mixed_plan, servers=(replace(host, changes=(long,)),))

    assert "... 800 more lines (-v shows all)" in console("plan").out
    assert "line 999" in console("plan", "-v").out


def test_an_audit_without_findings_says_that_there_is_no_drift(console: Console) -> None:
    out = console("audit").out

    assert out == "Looked at 3 resources, 40 paths, 2 instances in 250 ms.\nNo drift. Everything is as declared.\n"


def test_a_broken_ledger_is_shown_and_then_refused(console: Console) -> None:
    console.app.verified_is = Verified("vitrify.dev/ledger/5e0f", 7, "c0ffee", (), ("entry 3 is not under the root",))

    ended = console("ledger", "verify")

    assert int(ended.code) == 8
    assert "entry 3 is not under the root" in ended.out
    assert "error: the ledger vitrify.dev/ledger/5e0f does not hold" in ended.err


def test_an_image_that_cannot_be_vouched_for_is_shown_and_then_refused(console: Console) -> None:
    console.app.image_verified_is = ImageVerified("sha256:aa", (Verdict("signature", holds=False, found="none is attached"),))

    ended = console("verify", "web")

    assert int(ended.code) == 8
    assert "x broken signature         none is attached" in ended.out
    assert "error: the image sha256:aa cannot be vouched for" in ended.err


def test_events_become_one_line_for_each_change(console: Console, happenings: tuple[Event, ...], snapshot: SnapshotAssertion) -> None:
    console.app.events = happenings

    assert console("status").err == snapshot


def test_verbose_events_tell_every_step(console: Console, happenings: tuple[Event, ...], snapshot: SnapshotAssertion) -> None:
    console.app.events = happenings

    assert console("status", "-v").err == snapshot


def test_quiet_leaves_failures_alone_on_stderr(console: Console, happenings: tuple[Event, ...]) -> None:
    console.app.events = happenings

    assert console("status", "-q").err.splitlines() == ["  x update  file:/etc/x  failed: no space left"]


def test_ndjson_tells_events_as_they_happen(console: Console, happenings: tuple[Event, ...]) -> None:
    console.app.events = happenings

    lines = [json.loads(each) for each in console("status", "-o", "ndjson").out.splitlines()]

    assert [each["schema"] for each in lines] == ["vitrify.dev/event/v1"] * 6 + ["vitrify.dev/status/v1"]
    assert lines[1]["subject"] == "file:/etc/motd"
    assert lines[1]["stage"] == "done"


def test_a_terminal_shows_what_is_done_and_keeps_what_moves_off_stdout(console: Console, happenings: tuple[Event, ...]) -> None:
    console.app.events = happenings

    ended = console("status", tty=True, environ={"TERM": "xterm-256color"})

    assert "web-4-a" in ended.err
    assert "in flight" not in ended.out
    assert "\x1b[?25h" in ended.err, "the cursor is given back"
