"""What the command line asks of the application, so that a test can answer in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from vitrify.cli.facade_answers import AnswersApplication
from vitrify.cli.facade_ledger import LedgerApplication
from vitrify.core.asked import Scope

if TYPE_CHECKING:  # help and usage errors are told before any of these is needed
    from vitrify.core.assess.assessment import Assessment
    from vitrify.core.audit_report.report import Report
    from vitrify.core.drift import Accepted, Audit, Known
    from vitrify.core.entered import Entered
    from vitrify.core.event import Emit
    from vitrify.core.host_report import LogsTold, ReleasesTold
    from vitrify.core.image_report import ImageKept, ImageMoved, ImageVerified, Updated
    from vitrify.core.migrated import Contracted, Owed
    from vitrify.core.plan import Plan
    from vitrify.core.report import (
        Applied,
        Bootstrapped,
        Check,
        LeaseView,
        Outdated,
        Retired,
        ServerStatus,
        Which,
    )
    from vitrify.core.retention import Collected, Pin
    from vitrify.core.rollout_report import WayBack
    from vitrify.core.served import Served
    from vitrify.core.store_report import StoreChecked
    from vitrify.core.watched import Tell


class Application(LedgerApplication, AnswersApplication, Protocol):
    """Every verb's story. Each method raises a `VitrifyError` where it cannot keep its promise."""

    def plan(self) -> Plan:
        """What an apply would do."""

    def save(self, plan: Plan, path: str) -> None:
        """Write the plan to a file."""

    def saved(self, path: str) -> Plan:
        """The plan in this file, if it still describes what an apply would do."""

    def free(self, plan: Plan) -> Plan:
        """This plan, or a fresh one once nobody else is changing what it is about."""

    def apply(self, plan: Plan) -> Applied:
        """Carry out the plan."""

    def undo(self, server: str, *, which: Which, force: bool) -> Applied:
        """Take back a run, or every run back to one, on each host of a mutable server."""

    def take_over(self, plan: Plan) -> Applied:
        """Manage what this plan found to be as declared already; touch nothing."""

    def leaving(self, server: str) -> Plan:
        """What retiring a server would take away where it is changed in place."""

    def leave(self, server: str, plan: Plan) -> Applied:
        """Take that away, and forget the hosts."""

    def forget(self, server: str, *, host: str, gone: bool) -> Applied:
        """Stop managing hosts of a server; what is there stays."""

    def status(self) -> tuple[ServerStatus, ...]:
        """Every server as it is now."""

    def outdated(self) -> tuple[Outdated, ...]:
        """How far every host is behind what its package lists offer."""

    def assess(self, *, days: int) -> Assessment:
        """What each server cost over so many days, and what follows."""

    def bare(self, server: str) -> tuple[Bootstrapped, ...]:
        """Which hosts lack a Python, of one server or of all, and how they would get one."""

    def bootstrap(self, found: tuple[Bootstrapped, ...], server: str) -> tuple[Bootstrapped, ...]:
        """Bring a Python to the hosts that lack one."""

    def bake(self, server: str) -> tuple[str, int]:
        """Bake a server's image: its digest and its size in bytes."""

    def update(self, server: str, *, dry_run: bool) -> Updated:
        """Choose anew what a server ("" for all) installs, and pin that unless it is a dry run."""

    def bake_disk(self, server: str, *, form: str, into: str) -> tuple[str, int]:
        """Bake a server's image and write a bootable disk of it: the image's digest and the disk's size in bytes."""

    def releases(self, server: str) -> ReleasesTold:
        """The releases of one server, or of all where `server` is empty; newest first."""

    def way_back(self, server: str, *, to: int | None, look: bool) -> WayBack:
        """What a rollback would take; without a look at the host, only which release it would be."""

    def rollback(self, server: str, *, to: int) -> Applied:
        """Make a former release live again, on all its hosts or on none."""

    def promotion(self, server: str) -> str:
        """What a promotion would let go on, in words."""

    def promote(self, server: str, *, everything: bool) -> Applied:
        """Let a rollout that waits go on, on all its hosts; with `everything`, to its end without further steps."""

    def abortion(self, server: str) -> tuple[int, int | None]:
        """Which release would be taken back, and which serves on."""

    def abort(self, server: str) -> Applied:
        """Take back an open rollout, on every host that can be reached."""

    def pause(self, server: str, *, at_most: float) -> Applied:
        """Hold new requests on all hosts or on none, each for so many seconds at most."""

    def resume(self, server: str) -> tuple[bool, Applied]:
        """Let them through again; whether any were held, and which hosts could not be reached."""

    def owed(self, server: str) -> Owed:
        """The contract that the live release of a server has not carried out yet."""

    def contract(self, server: str, *, now: bool, skip: bool) -> Contracted:
        """Carry it out, or pass it over for good."""

    def lives(self, server: str) -> tuple[str, ...]:
        """How a server lives: `in-place`, with `instances`, or both."""

    def retire(self, server: str, *, host: str = "") -> Retired:
        """Stop and discard every instance of a server, on all its hosts or on one."""

    def enter(self, server: str, command: tuple[str, ...], *, instance: str, reason: str, terminal: bool) -> tuple[Entered, ...]:
        """Run a command on a server's hosts, or inside an instance where there is a reason."""

    def logs(self, name: str, *, lines: int) -> LogsTold:
        """The last lines of an instance, or of each live instance of a server."""

    def leases(self, server: str) -> tuple[LeaseView, ...]:
        """Who holds, or last held, the lease of one server, or of all where `server` is empty."""

    def release_lease(self, server: str, *, reason: str) -> tuple[LeaseView, ...]:
        """Take the lease of a server away from whoever holds it."""

    def audit(self, *, full: bool, reread: float) -> Audit:
        """All differences between what runs and what was declared and authorised."""

    def reported(self, audit: Audit, *, days: int) -> Report:
        """An audit ready to be reported, with the trend of so many days."""

    def writable(self, path: str) -> None:
        """`UsageInvalid` where no file can be put there."""

    def write(self, text: str, path: str) -> None:
        """Put the text into a file, whole or not at all."""

    def watch(self, names: tuple[str, ...], *, tell: Tell) -> None:
        """Tell each difference as it comes to be, until somebody ends that."""

    def serve(self, *, listen: str, once: bool) -> Served:
        """Look after servers until somebody ends it, or for one turn of each duty."""

    def install_serve(self, *, listen: str) -> str:
        """Have systemd keep that running; the unit's path."""

    def uninstall_serve(self) -> str:
        """Take that back; the path of what is gone, "" where nothing was there."""

    def accept(self, paths: tuple[str, ...], *, server: str, host: str, reason: str) -> tuple[Accepted, ...]:
        """Compare with what is there now, from now on."""

    def known_of(self, path: str, *, server: str, host: str) -> tuple[Known, ...]:
        """All that is known of a path."""

    def verify_image(self, name: str, *, keys: Sequence[str]) -> ImageVerified:
        """Check an image and all that is said of it; of no keys, the project's own are meant."""

    def push(self, what: str, reference: str, *, plain: bool, compression: str) -> ImageMoved:
        """Push the image of a server or of a digest."""

    def pull(self, reference: str, *, plain: bool) -> ImageMoved:
        """Have an image of a registry here."""

    def images(self) -> tuple[ImageKept, ...]:
        """Every image that is kept here."""

    def export(self, what: str, into: str, *, name: str, evidence: bool) -> ImageMoved:
        """Write an image to a file, or to a folder where `into` ends with a slash."""

    def load(self, source: str) -> tuple[ImageMoved, ...]:
        """Have the images of a file or a folder here."""

    def collect(self, *, dry_run: bool, unreleased: bool) -> tuple[Collected, ...]:
        """Take away what no release needs, or tell what that is."""

    def pin(self, image: str, *, reason: str, until: float) -> Pin:
        """Keep an image; `until` (seconds since the epoch, 0 for no date) nobody takes that back."""

    def unpin(self, image: str, *, reason: str) -> Pin:
        """Let it go with its releases."""

    def pins(self) -> tuple[Pin, ...]:
        """Every pin on this machine."""

    def check_store(self, *, repair: bool, hosts: bool) -> StoreChecked:
        """Read the whole store, and what was unpacked from it here; with `hosts`, what the project's other hosts keep as well."""

    def doctor(self) -> tuple[Check, ...]:
        """What this machine has and lacks."""

    def init(self, folder: str, *, name: str) -> tuple[str, ...]:
        """Write a starting declaration; returns the files written."""

    def close(self) -> None:
        """End what is kept open between two of these."""


Open = Callable[[Scope, "Emit", Mapping[str, str]], Application]
"""Opens the application on a scope, telling its events to `Emit`, in an environment."""


def open_app(scope: Scope, emit: Emit, environ: Mapping[str, str]) -> Application:
    """The real application."""
    import sys

    from vitrify.app import App
    from vitrify.cli.password import asker

    return App(scope, emit=emit, environ=environ, ask=asker(sys.stdin, sys.stderr))
