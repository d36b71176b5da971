"""A command line with an application that answers what a test wants, and streams that a test can read."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.unit.cli.answers_given import AnswersGiven
from tests.unit.cli.audit_answers import AuditAnswers
from tests.unit.cli.fake_migrations import FakeMigrations
from tests.unit.cli.fake_reports import FakeReports
from tests.unit.cli.fake_traffic import FakeTraffic
from tests.unit.cli.image_answers import ImageAnswers
from tests.unit.cli.ledger_answers import LedgerAnswers

from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Surroundings
from vitrify.cli.main import run
from vitrify.cli.render import Streams
from vitrify.core.asked import Scope
from vitrify.core.difference import Action, Change
from vitrify.core.drift import Audit, Class, Finding
from vitrify.core.event import Emit, Event, Stage
from vitrify.core.host_report import LogsTold, ReleasesTold
from vitrify.core.image_report import ImageKept, ImageVerified, Updated, Verdict
from vitrify.core.plan import HostPlan, HostProblem, Plan, ReleasePlan
from vitrify.core.report import (
    Applied,
    Bootstrapped,
    Check,
    Converged,
    InstanceStatus,
    Outcome,
    Outdated,
    Released,
    ReleaseStatus,
    Retired,
    ServerStatus,
    Which,
)
from vitrify.core.resource import MISSING, Address, Resource, Sureness

NOW = 1_800_000_000.0
IMAGE = "sha256:" + "ab12" * 16


class Terminal(io.StringIO):
    """A stream that says it is (or is not) a terminal."""

    def __init__(self, text: str = "", *, tty: bool = False) -> None:
        super().__init__(text)
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


class FakeApplication(AuditAnswers, AnswersGiven, ImageAnswers, LedgerAnswers, FakeReports, FakeMigrations, FakeTraffic):
    """Answers with what it holds, notes what it was asked, and tells its events before it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.scopes: list[Scope] = []
        self.updated = Updated(())
        self.emit: Emit = lambda _: None
        self.events: tuple[Event, ...] = ()
        self.error: BaseException | None = None
        self.plan_is = Plan("shop", "sha256:0", ())
        self.applied_is = Applied()
        self.lives_are: tuple[str, ...] = ("instances",)
        self.leaving_is = Plan("web", "", ())
        self.undone_is = Applied()
        self.bare_are: tuple[Bootstrapped, ...] = ()
        self.bootstrapped_are: tuple[Bootstrapped, ...] = ()
        self.outdated_is: tuple[Outdated, ...] = ()
        self.status_is: tuple[ServerStatus, ...] = ()
        self.releases_is: tuple[ReleaseStatus, ...] = ()
        self.logs_are = ""
        self.problems_are: tuple[HostProblem, ...] = ()
        """Of hosts that cannot tell of releases and logs."""
        self.audit_is = Audit((), 3, 40, 2, 0.25)
        holds = (Verdict("content", holds=True, found="2 layers hold"), Verdict("signature", holds=True, found="by ann@desk"))
        self.image_verified_is = ImageVerified("sha256:" + "7" * 64, holds)
        self.images_are: tuple[ImageKept, ...] = ()
        self.checks_are: tuple[Check, ...] = ()
        self.closed = False

    def open(self, scope: Scope, emit: Emit, environ: Mapping[str, str]) -> FakeApplication:
        self.scopes.append(scope)
        self.emit = emit
        return self

    def _called(self, name: str, /, **arguments: object) -> None:
        self.calls.append((name, arguments))
        for event in self.events:
            self.emit(event)
        if found := self.fails_in.get(name, self.error):
            raise found

    def close(self) -> None:
        self.closed = True

    @property
    def asked(self) -> list[str]:
        return [name for name, _ in self.calls]

    def plan(self) -> Plan:
        self._called("plan")
        return self.plan_is

    def save(self, plan: Plan, path: str) -> None:
        self._called("save", path=path)

    def saved(self, path: str) -> Plan:
        self._called("saved", path=path)
        return self.plan_is

    def apply(self, plan: Plan) -> Applied:
        self._called("apply", plan=plan)
        return self.applied_is

    def undo(self, server: str, *, which: Which, force: bool) -> Applied:
        self._called("undo", server=server, which=which, force=force)
        return self.undone_is

    def take_over(self, plan: Plan) -> Applied:
        self._called("take_over", plan=plan)
        return self.applied_is

    def leaving(self, server: str) -> Plan:
        self._called("leaving", server=server)
        return self.leaving_is

    def leave(self, server: str, plan: Plan) -> Applied:
        self._called("leave", server=server, plan=plan)
        return self.applied_is

    def forget(self, server: str, *, host: str, gone: bool) -> Applied:
        self._called("forget", server=server, host=host, gone=gone)
        return self.applied_is

    def bare(self, server: str) -> tuple[Bootstrapped, ...]:
        self._called("bare", server=server)
        return self.bare_are

    def bootstrap(self, found: tuple[Bootstrapped, ...], server: str) -> tuple[Bootstrapped, ...]:
        self._called("bootstrap", found=found, server=server)
        return self.bootstrapped_are

    def status(self) -> tuple[ServerStatus, ...]:
        self._called("status")
        return self.status_is

    def outdated(self) -> tuple[Outdated, ...]:
        self._called("outdated")
        return self.outdated_is

    def bake(self, server: str) -> tuple[str, int]:
        self._called("bake", server=server)
        return IMAGE, 12_345_678

    def update(self, server: str, *, dry_run: bool) -> Updated:
        self._called("update", server=server, dry_run=dry_run)
        return self.updated

    def releases(self, server: str) -> ReleasesTold:
        self._called("releases", server=server)
        return ReleasesTold(self.releases_is, self.problems_are)

    def lives(self, server: str) -> tuple[str, ...]:
        return self.lives_are

    def retire(self, server: str, *, host: str = "") -> Retired:
        self._called("retire", server=server, **({"host": host} if host else {}))
        return Retired(2)

    def logs(self, name: str, *, lines: int) -> LogsTold:
        self._called("logs", name=name, lines=lines)
        return LogsTold(self.logs_are, self.problems_are)

    def audit(self, *, full: bool, reread: float) -> Audit:
        self._called("audit", full=full, reread=reread)
        return self.audit_is

    def verify_image(self, name: str, *, keys: Sequence[str]) -> ImageVerified:
        self._called("verify_image", name=name, keys=keys)
        return self.image_verified_is

    def doctor(self) -> tuple[Check, ...]:
        self._called("doctor")
        return self.checks_are

    def init(self, folder: str, *, name: str) -> tuple[str, ...]:
        self._called("init", folder=folder, name=name)
        return (f"{folder}/vitrify.yaml", f"{folder}/app/main.py")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: Exit
    out: str
    err: str


@dataclass
class Console:
    """Runs command lines against one fake application."""

    app: FakeApplication
    setenv: Callable[[str, str], None]
    environ: dict[str, str]

    def __call__(self, *arguments: str, tty: bool = False, answer: str = "", environ: Mapping[str, str] | None = None) -> Ended:
        """Run one command; `answer` is what somebody types, `environ` the environment of this command and those after it."""
        for name, value in (environ or {}).items():
            self.setenv(name, value)
            self.environ[name] = value
        streams = Streams(Terminal(answer, tty=tty), Terminal(tty=tty), Terminal(tty=tty))
        code = run(arguments, Surroundings(streams, self.environ, lambda: NOW, self.app.open))
        assert isinstance(streams.stdout, Terminal)
        assert isinstance(streams.stderr, Terminal)
        return Ended(code, streams.stdout.getvalue(), streams.stderr.getvalue())


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Console:
    for name in [name for name in os.environ if name.startswith("VITRIFY_")]:
        monkeypatch.delenv(name)
    return Console(FakeApplication(), monkeypatch.setenv, {"VITRIFY_HOME": str(tmp_path / "home")})


def _resource(address: str, **more: bool) -> Resource:
    return Resource(Address.parse(address), {}, secret=more.get("secret", False), protect=more.get("protect", False))


FILE = {"type": "file", "mode": "0644", "content": "sha256:1"}
DIFF = "--- /etc/ssh/sshd_config\n+++ /etc/ssh/sshd_config\n@@ -1,2 +1,2 @@\n Port 22\n-PermitRootLogin yes\n+PermitRootLogin no\n"


CHANGES = (
    Change(
        _resource("file:/etc/motd"),
        Action.CREATE,
        MISSING,
        FILE,
        ("is missing",),
        diff="--- /dev/null\n+++ /etc/motd\n@@ -0,0 +1 @@\n+hello\n",
    ),
    Change(
        _resource("file:/etc/ssh/sshd_config"),
        Action.UPDATE,
        FILE,
        FILE,
        ("content differs", "mode 0644 -> 0600", "changed outside vitrify"),
        diff=DIFF,
    ),
    Change(_resource("link:/srv/current"), Action.REPLACE, FILE, {"type": "link"}, ("is file",)),
    Change(_resource("file:/etc/shop/token", secret=True), Action.UPDATE, FILE, FILE, ("content differs",), diff="-hunter1\n+hunter2\n"),
    Change(_resource("command:migrate"), Action.UPDATE, {}, {}, ("always runs",), Sureness.OPAQUE, undoable=False),
    Change(_resource("process:web"), Action.CREATE, MISSING, {}, ("is missing",), Sureness.ASSUMED),
    Change(_resource("file:/etc/old.conf"), Action.REMOVE, FILE, MISSING, ("left the declaration",)),
)


@pytest.fixture
def mixed_plan() -> Plan:
    """Every kind of line that a plan can have."""
    db = HostPlan(
        server="db",
        host="root:/srv/db",
        changes=CHANGES,
        settled=(_resource("directory:/srv"), _resource("file:/etc/hosts")),
        forgotten=(_resource("file:/etc/adopted.conf"),),
        expect="sha256:2",
        run="20260301T101500-9c1f2b7e",
        notices=("`restart_on` has no meaning in a folder and is left out",),
    )
    cache = HostPlan("cache", "local", (), (), (), "sha256:3")
    web = ReleasePlan(
        server="web",
        host="local",
        kind="release",
        release=4,
        live=3,
        because=("2 resources differ from release 3",),
        resources=(("tree:/srv/app", "update"), ("file:/etc/new.conf", "create"), ("file:/etc/gone.conf", "remove")),
        launch=2,
        replace=("web-3-a", "web-3-b"),
        bytes_to_read=12_345_678,
        last_seconds=3.2,
        notices=("`running` has no meaning in an image and is dropped",),
    )
    return Plan("shop", "sha256:4", (db, cache, web), made_at=int(NOW))


@pytest.fixture
def empty_plan() -> Plan:
    return Plan("shop", "sha256:4", (HostPlan("db", "local", (), (), (), "sha256:2"), ReleasePlan("web", "local", "none", 3, 3, ())))


@pytest.fixture
def drift() -> Audit:
    findings = (
        Finding(
            "web", "web-4-a", "/etc/passwd", "changed", ("size 1200 -> 1260", "content differs"), Class.UNAUTHORISED, "overlay",
            modified_at=int(NOW) - 3600, owner="root", answer="replace",
        ),
        Finding(
            "db", "local", "/etc/motd", "changed", ("mode 0644 -> 0666",), Class.UNAUTHORISED, "sweep",
            modified_at=int(NOW), answer="re-converge",
        ),
        Finding("db", "local", "/etc/tuning.conf", "changed", (), Class.AUTHORISED, "resource", entry=17),
        Finding("db", "local", "/usr/bin/curl", "changed", ("content differs",), Class.PACKAGE_MANAGER, "sweep"),
        Finding("db", "local", "/var/lib/noise", "added", (), Class.NOISE, "sweep"),
    )  # fmt: skip
    return Audit(findings, resources=143, entries=20_412, instances=2, seconds=1.24)


@pytest.fixture
def servers() -> tuple[ServerStatus, ...]:
    instances = (
        InstanceStatus("web-4-9c1f", 4, "live", "running", "127.0.0.1:40123", 185.0, 0, "ok"),
        InstanceStatus("web-3-0b7e", 3, "previous", "restarting", "127.0.0.1:40007", 90_000.0, 12, "connection refused"),
    )
    return (
        ServerStatus(
            "web",
            "immutable",
            ("local",),
            live=4,
            previous=3,
            url="http://shop.example:8080",
            instances=instances,
            last_at=NOW - 185,
            last_by="ann@desk",
        ),
        ServerStatus(
            "db",
            "mutable",
            ("root:/srv/db", "local"),
            owned=12,
            last_run="20260301T101500-9c1f2b7e",
            last_by="ann@desk",
            last_at=NOW - 7200,
        ),
        ServerStatus("new", "mutable", ("local",)),
        ServerStatus("ill", "mutable", ("local",), owned=1, unfinished="20260301T111500-00000001", problem="the journal cannot be read"),
    )


@pytest.fixture
def half_done() -> Applied:
    outcomes = (
        Outcome("file:/etc/motd", "done"),
        Outcome("file:/etc/x", "failed", "/etc/x: no space left"),
        Outcome("file:/etc/y", "skipped"),
    )
    return Applied(
        hosts=(Converged("db", "local", "20260301T101500-9c1f2b7e", outcomes, seconds=0.41),),
        releases=(replace(RELEASED, switch_seconds=0.0123, answer_seconds=0.03, seconds=3.4),),
    )


RELEASED = Released("web", "release", 4, 3, IMAGE, ("web-4-a", "web-4-b"), "http://127.0.0.1:8080")


@pytest.fixture
def happenings() -> tuple[Event, ...]:
    return (
        Event("change", Stage.STARTED, "file:/etc/motd", data={"action": "create"}),
        Event("change", Stage.DONE, "file:/etc/motd", data={"action": "create"}),
        Event("instance.launch", Stage.DONE, "web-4-a", "port 40001"),
        Event("drain", Stage.PROGRESS, "web", "3 requests in flight"),
        Event("recover", Stage.NOTICE, "web", "ending the unfinished release of release 4"),
        Event("change", Stage.FAILED, "file:/etc/x", "no space left", data={"action": "update"}),
    )
