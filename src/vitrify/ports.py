"""The seams: what the stories ask of the world. Each promise here is checked by a suite in `vitrify.testing`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from vitrify.core.declaration import Content, Health, Host, Route
from vitrify.core.digest import JSONObject
from vitrify.core.elsewhere import Attachment, Pushed, Referrer
from vitrify.core.event import Emit, silence
from vitrify.core.image import BakeRequest, Chosen, Ground, Image, Made, Offer, Pulled
from vitrify.core.image_report import Verdict
from vitrify.core.instance import Instance, InstanceSpec
from vitrify.core.reference import Reference
from vitrify.core.release import Operation, Release, Slots

if TYPE_CHECKING:  # few commands meet a lease of somebody else, or a verdict
    from vitrify.core.image_report import Verdict
    from vitrify.onhost.lease import Lease, Wish

__all__ = (
    "Backends",
    "BakeRequest",
    "Builder",
    "Carrier",
    "Chosen",
    "Clock",
    "Evidence",
    "Ground",
    "Image",
    "ImageStore",
    "Instance",
    "InstanceSpec",
    "Leases",
    "Made",
    "Offer",
    "Operation",
    "Pulled",
    "Registry",
    "Release",
    "Router",
    "Runtime",
    "Secrets",
    "Session",
    "Slots",
    "StateStore",
    "Transport",
)


class Session(Protocol):
    """One open channel to the payload on a target."""

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        """Run one of the payload's calls and return its answer.

        Contents are sent only when the target asks for a digest it lacks. Raises the `VitrifyError` that the target
        raised, or `TargetUnreachable` where the channel broke (a started apply may then be half done: call again).
        """

    async def close(self) -> None:
        """End the payload; repeating it is harmless."""


class Transport(Protocol):
    """Reaches targets."""

    async def connect(self, host: Host) -> Session:
        """A session on this host; `TargetUnreachable` with the reason otherwise."""


class Clock(Protocol):
    """Time, from outside."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""

    def monotonic(self) -> float:
        """Seconds since a moment of its own: what a wait is measured by, for nobody can set it forwards or back."""

    async def sleep(self, seconds: float) -> None:
        """Let this much time pass."""


class Builder(Protocol):
    """Turns resources into an image."""

    async def bake(self, request: BakeRequest, *, emit: Emit = silence) -> Image:
        """The image of this request.

        Equal requests over equal bases give equal digests, on any machine; baking what is here already costs next to nothing.
        What was packed of the base stands in the image's labels, as `Ground.layer` names it. With `inputs`, exactly those files are
        installed: one that cannot be had any more, or is another one by now, is an error.
        """

    async def choose(self, request: BakeRequest, *, emit: Emit = silence) -> Chosen:
        """What a bake of this would install now, if nothing were pinned; the request's own `inputs` need not be fetched again."""

    async def choose_base(self, request: BakeRequest, *, emit: Emit = silence) -> Chosen | None:
        """What the request's base would be made of now; None where it is not made of packages."""

    async def offers(self, request: BakeRequest, names: Sequence[str]) -> tuple[Offer, ...]:
        """What can be had now of these packages, where the request's base and repositories lead; nothing of one that nobody offers."""

    async def ground(self, base: str) -> Ground | None:
        """The base as it is now, without reading a file of it; None where nothing of it is packed (`scratch`, `host`).

        Raises what a bake over this base would raise where it is not there or cannot be looked at.
        """


class Runtime(Protocol):
    """Keeps instances alive. Whatever vitrify dies of, the instances go on and are found again by their labels."""

    async def launch(self, spec: InstanceSpec) -> Instance:
        """Start this instance, or adopt the one of the same id; returns once its process runs (not yet: once healthy)."""

    async def instances(self, labels: Mapping[str, str]) -> tuple[Instance, ...]:
        """All instances, running or not, that carry these labels; oldest first."""

    async def healthy(self, instance: str, health: Health) -> str:
        """One look: "" where the instance passes, else the reason in words."""

    async def stop(self, instance: str, *, grace: float) -> None:
        """Ask it to end, and after `grace` seconds make it; its files stay. Repeating it is harmless."""

    async def stop_later(self, instance: str, *, at: float | None) -> None:
        """Let its own keeper stop it at this time (seconds since the epoch, target's clock), or never."""

    async def discard(self, instance: str, *, evidence: bool = False) -> None:
        """Remove a stopped instance and its files; repeating it is harmless. One in quarantine stays, unless `evidence` is meant."""

    async def quarantine(self, instance: str, *, by: str, why: str, entry: int) -> None:
        """Keep a stopped instance as evidence: `instances` has it no more, and it never runs again; repeating it is harmless."""

    async def quarantined(self, labels: Mapping[str, str]) -> tuple[JSONObject, ...]:
        """Those of these labels in quarantine, oldest first: id, image, labels, at, by, why, and the ledger's `entry` about it."""

    async def logs(self, instance: str, *, lines: int) -> str:
        """The last lines it wrote."""

    async def altered(self, instance: str) -> tuple[JSONObject, ...]:
        """Every difference between its root and its image: path, change (added, changed, removed), details; empty where none.

        An instance that somebody entered has one more, whose change is `entered`, with the ledger's `entry` about it.
        """

    async def mark(self, instance: str, *, by: str, reason: str, entry: int) -> None:
        """Note, durably and for as long as it lives, that somebody enters it; repeating it is harmless."""

    async def entrance(self, instance: str, argv: Sequence[str], *, terminal: bool) -> tuple[str, ...]:
        """What, run on the target, runs `argv` inside a running instance as its own user, at a terminal or not."""


@dataclass(frozen=True)
class Backends:
    """Where a route leads: a name for the set and the addresses (`127.0.0.1:port`) in it."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Beside:
    """A second set that gets a part of the requests: a canary."""

    backends: Backends
    percent: int
    """Of the requests that come without a mark; from 5 to 95, in steps of five."""


@dataclass(frozen=True)
class Measured:
    """What a router counted of the answers of one set since the last switch that gave it requests, by its own clock."""

    requests: int
    errors: int
    """Answers of 500 and above, and requests that the set did not answer."""
    p95: float | None
    """Seconds within which 95 of a hundred answers came; None where there were none."""


class Router(Protocol):
    """Moves traffic."""

    async def ensure(self, route: Route, *, server: str) -> None:
        """The router runs and knows this server's route; changes nothing where it does already."""

    async def switch(self, server: str, *, to: Backends, beside: Beside | None = None) -> JSONObject:
        """Send all new requests to `to`, but for the named part of them, which goes to what is beside it; a pause is over.

        Atomic: each request goes wholly to the old or the new sets; of two switches at once one is the last, and wholly holds.
        Repeating it is harmless. Where the route is sticky, a visitor who was sent beside stays there while that part grows.
        Returns `intended_at` and `switched_at` in seconds by the target's clock.
        """

    async def pause(self, server: str, *, at_most: float) -> None:
        """Hold new requests, each for `at_most` seconds or a little less, until `resume` or a switch; then they go where others go.

        A request whose time ran out gets 503, the page of the route and `Retry-After`. The health path of the route is answered all the
        while, so that what watches the router from outside does not turn away. Repeating it is harmless; the last `at_most` holds.
        """

    async def resume(self, server: str) -> None:
        """Let requests through again, those that are held first; harmless where nothing is held."""

    async def paused(self, server: str) -> bool:
        """Whether requests are held."""

    async def beside(self, server: str) -> Beside | None:
        """What gets a part of the requests now, beside `live`."""

    async def measured(self, server: str, *, of: Backends) -> Measured:
        """What the answers of this set were like since the last switch that gave it requests; an answer is counted soon after it came."""

    async def live(self, server: str) -> Backends | None:
        """Where requests go now; None before the first switch."""

    async def in_flight(self, addresses: Sequence[str]) -> int:
        """Requests that these addresses are still answering; open WebSockets among them, unless their route says `close`."""

    async def address(self, route: Route) -> str:
        """The URL under which a client on this machine reaches the route."""

    async def answers(self, route: Route, *, path: str) -> None:
        """Return once a client on the target got a complete answer below 500 from this path through the router; `TargetFailed` after
        ten seconds without one.
        """  # noqa: D205  one sentence

    async def looks(self, route: Route, health: Health) -> str:
        """One look through the router, by the name of the route: "" where what it leads to passes, else the reason in words.

        Below a path any complete answer below 500 passes: what is behind it need not know its health check by that path.
        """

    async def release(self, route: Route, *, server: str) -> None:
        """Forget this server's route; a router that has no route left ends. Repeating it is harmless."""


class Secrets(Protocol):
    """Resolves `secret:NAME`."""

    def resolve(self, name: str) -> str:
        """The value; a `VitrifyError` that names the secret and never its value, where it cannot be had."""


class StateStore(Protocol):
    """Remembers releases and rollouts of one project. Every write is durable and atomic once it returns.

    A release belongs to its server; its state, the slots and what is under way belong to a server and one of its hosts, by name.
    """

    def releases(self, server: str, *, host: str = "") -> tuple[Release, ...]:
        """All releases of a server, newest first; with a host, those that were ever begun there, in the state that they have there."""

    def release(self, server: str, number: int, *, host: str = "") -> Release | None:
        """One release; with a host, None where it was never begun there."""

    def begin(self, release: Release, operation: Operation) -> tuple[Release, Operation]:
        """Open an operation, atomically with its release where that is new (number 0 asks for the next number).

        A release that is new on the operation's host has there the state that it is given here. Raises `Busy` where another operation
        of this server is open on this host.
        """

    def advance(self, operation: str, *, step: str, data: JSONObject) -> Operation:
        """Note that a step's outcome is durable; `data` replaces what was kept."""

    def finish(self, operation: str, *, slots: Slots | None, states: Mapping[int, str]) -> None:
        """Close an operation, atomically with the slots and release states that it led to on its host."""

    def open_operation(self, server: str, host: str) -> Operation | None:
        """The operation on this host that has not been closed, if any."""

    def note(self, server: str, number: int, note: str) -> None:
        """Add to the notes of a release; repeating it is harmless. `VitrifyError` where there is no such release."""

    def open_operations(self, server: str) -> tuple[Operation, ...]:
        """Those of all hosts, by the host's name."""

    def slots(self, server: str, host: str) -> Slots:
        """Live and previous on this host."""

    def hosts(self, server: str) -> tuple[Host, ...]:
        """Every host on which a release of this server was ever begun, by name; each as it was declared the last time."""

    def servers(self) -> tuple[str, ...]:
        """Every server that has a release."""

    def managed(self) -> tuple[tuple[str, str], ...]:
        """Server and host of every place that is changed in place, in order: what left the declaration is found by this."""

    def manage(self, server: str, host: str) -> None:
        """Note such a place; repeating it is harmless."""

    def forget(self, server: str, host: str) -> None:
        """Forget it, and the copies of a host that nothing is left on; repeating it is harmless."""

    def keep_baseline(self, host: str, folder: str, *, seal: str, content: bytes) -> None:
        """Keep this copy of what a host compares a folder with, instead of an older one of the same folder."""

    def baselines(self, host: str) -> Mapping[str, str]:
        """Folder -> seal of each copy that is kept for a host."""

    def baseline(self, seal: str) -> bytes | None:
        """A copy; None where there is none with this seal. Whoever uses it checks it against the seal."""

    def turn(self, name: str) -> int:
        """A number one greater than the last time for this name, whoever asked then: so that what takes turns comes past everything."""


class Leases(Protocol):
    """The exclusive, expiring, fenced right to change one server on one host, kept by that host and measured by its clocks."""

    def acquire(self, wish: Wish) -> Lease:
        """A lease with a token greater than any before; `Busy`, which names the holder, where somebody else's stands."""

    def held(self, wish: Wish) -> AbstractContextManager[Lease]:
        """The same for as long as this lasts, and no longer than this process.

        By the token of the wish it goes on by that lease instead. What is to be `kept` stands when this has ended well.
        """

    def presented(self, token: int) -> AbstractContextManager[Lease]:
        """Act by a lease that was acquired before, which renews it; `Busy`, and no act, where it ended or a newer one was given."""

    def release(self, token: int, *, why: str = ...) -> Lease | None:
        """Give back the lease of this token, or whichever there is (0); None where it was over. Repeating it is harmless."""

    def standing(self) -> Lease | None:
        """The lease that keeps everybody else out now."""


class Evidence(Protocol):
    """Says what is in an image and who made it from what, and checks what was said."""

    def certify(self, image: Image, made: Made) -> None:
        """Attach a bill of materials, provenance and a signature by this author; what is attached already stays as it is."""

    def verify(self, image: str) -> tuple[Verdict, ...]:
        """One line for each thing that was checked, from the bytes alone; `VitrifyError` where the image is not here."""


class Carrier(Protocol):
    """Brings images to where instances run."""

    async def bring(self, image: str, *, emit: Emit = silence) -> str:
        """The path on the target of the OCI layout that holds this image, once it is there whole.

        What the target has already is not sent again; what a killed call sent is not lost. `VitrifyError` where the image is not here.
        """


class ImageStore(Protocol):
    """Keeps images by digest."""

    def folder(self, image: str) -> str:
        """Path of the OCI layout that holds this image; `VitrifyError` where it is gone."""

    def has(self, image: str) -> bool:
        """Whether the image is here, whole."""


class Registry(Protocol):
    """Images elsewhere, by reference. What comes from there is believed only where a digest says the same."""

    def push(self, image: str, to: Reference, *, emit: Emit = silence) -> Pushed:
        """Have this image there under this tag: whole, or not at all. Killed and repeated, it goes on; what is there is not sent."""

    def pull(self, reference: Reference, *, emit: Emit = silence) -> Pulled:
        """Have the image for this machine here, under the identity that it was pushed with; `IntegrityFailed` where a byte differs."""

    def resolve(self, reference: Reference) -> str:
        """The digest that the name stands for now: of the image, or of the index of several."""

    def attach(self, subject: Reference, artifact_type: str, blobs: Sequence[Attachment]) -> str:
        """Have these documents there as belonging to what `subject` names by digest; the digest of what holds them. Equal ones are one."""

    def referrers(self, subject: Reference, *, artifact_type: str = "") -> tuple[Referrer, ...]:
        """What belongs to the manifest that `subject` names by digest; of this kind, or of all."""

    def attached(self, subject: Reference, referrer: str) -> tuple[Attachment, ...]:
        """The documents of one referrer; `IntegrityFailed` where it does not belong to `subject`."""
