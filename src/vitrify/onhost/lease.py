"""The right to change one server on this host: for one holder at a time, for a while, by a token greater than any before it.

`NAME.json` says who holds it, and `NAME.lock` is locked by the process that acts by it. The record is written by the
holder of that lock alone. So nobody acts by an old token while another acts by a newer one, however long a process was frozen
in between. Deadlines are this host's: seconds since its boot, which nobody can set, and its clock where it was booted since.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Callable, Iterator, Optional

from vitrify.core.diagnostic import Busy, UsageInvalid, VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.step import Reached
from vitrify.onhost.faults import told
from vitrify.onhost.identity import boot_id
from vitrify.onhost.memory import Memory
from vitrify.onhost.tenant import Tenant

SECONDS = 60.0
"""How long a lease holds that nobody renews."""
PATIENCE = 5.0
"""Seconds to wait for a process whose lease is over: what lost its caller just ends the change it is at."""
PAUSE = 0.02
BEATS = 4
"""A lease is renewed so many times before it would run out."""
_OWN = os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Moment:
    """One moment by this host: seconds since the epoch, seconds since its boot, and which boot that was."""

    now: float
    ticks: float
    boot: str


def this_moment() -> Moment:
    """Now."""
    return Moment(time.time(), time.monotonic(), boot_id())


@dataclass(frozen=True)
class Wish:
    """What a lease is asked for with. `reason` and `operation` are for whoever has to wait."""

    by: str
    reason: str
    operation: str = ""
    process: Optional[Tenant] = None
    seconds: float = SECONDS
    token: int = 0
    """Of the lease that its holder goes on by; 0 asks for the next one."""
    kept: bool = False
    """Whether it stands when the call has ended, until its holder gives it back or is gone."""
    over: bool = False
    """Whether it takes the place of one that stands for the same operation: a host that takes a run back waits for nobody."""


@dataclass(frozen=True)
class Lease:
    """Who may change a server, or might: `until` by the clock for people, `ends` in seconds since the boot named."""

    token: int
    by: str
    reason: str
    operation: str
    process: Optional[Tenant]
    seconds: float
    since: float
    until: float
    ends: float
    boot: str
    bound: bool = False
    """Whether it is that of one call, and over when the process of this call is."""
    released: str = ""
    """Why it was given back, or by whom it was taken away; "" where it was not."""

    def expired(self, moment: Moment) -> bool:
        """Whether its time has run out. Nobody can have renewed it across a boot, so no more than its whole time is left then."""
        if moment.boot == self.boot:
            return moment.ticks >= self.ends
        return moment.ticks >= self.seconds or moment.now >= self.until

    def over(self, moment: Moment) -> bool:
        """Whether anybody may have the next one: given back, run out, or its holder provably gone."""
        return bool(self.released) or self.expired(moment) or (self.process is not None and self.process.gone(kernel=self.boot))

    def renewed(self, moment: Moment) -> Lease:
        """The same, for its whole time from this moment on."""
        return replace(self, until=moment.now + self.seconds, ends=moment.ticks + self.seconds, boot=moment.boot)

    def to_json(self) -> JSONObject:
        """The form of `NAME.json`, and of what `lease.show` answers."""
        return {**asdict(self), "process": self.process.to_json() if self.process else None}

    @classmethod
    def following(cls, last: Optional[Lease], wish: Wish, moment: Moment, *, bound: bool) -> Lease:
        """The next lease: its token is one more than that of the last."""
        return cls(
            token=(last.token if last else 0) + 1,
            by=wish.by,
            reason=wish.reason,
            operation=wish.operation,
            process=wish.process,
            seconds=wish.seconds,
            since=moment.now,
            until=moment.now + wish.seconds,
            ends=moment.ticks + wish.seconds,
            boot=moment.boot,
            bound=bound,
        )

    @classmethod
    def from_json(cls, data: JSONObject) -> Lease:
        """Read what `to_json` wrote."""
        return cls(
            token=int(str(data["token"])),
            by=str(data["by"]),
            reason=str(data["reason"]),
            operation=str(data["operation"]),
            process=Tenant.from_json(data.get("process")),
            seconds=float(str(data["seconds"])),
            since=float(str(data["since"])),
            until=float(str(data["until"])),
            ends=float(str(data["ends"])),
            boot=str(data["boot"]),
            bound=data["bound"] is True,
            released=str(data["released"]),
        )


class Leases:
    """The lease of one server on this host, in a folder for its owner alone."""

    def __init__(
        self, memory: Memory, project: str, server: str, *, moment: Callable[[], Moment] = this_moment, reached: Reached = lambda _: None
    ) -> None:
        name = f"{project}-{server}"
        if "/" in name or name.startswith("."):
            raise UsageInvalid(f"{name!r} is not the name of a server")
        self._memory, self._name, self._server = memory, name, server
        self._moment, self._reached = moment, reached

    def read(self) -> Optional[Lease]:
        """The last one that was given, whether it holds or not; None before the first."""
        found = self._memory.read(f"{self._name}.json") if self._memory.there() else None
        return Lease.from_json(found) if found else None

    def standing(self) -> Optional[Lease]:
        """The lease that keeps everybody else out now. Changes nothing."""
        lease = self.read()
        if lease is None or lease.over(self._moment()) or (lease.bound and not self._acted_by_somebody()):
            return None
        return lease

    # -- to have it, and to give it back -------------------------------------------------------------------------

    def acquire(self, wish: Wish) -> Lease:
        """A lease with the next token, durable once this returns; Busy where somebody else's holds."""
        with self._alone(seconds=wish.seconds):
            return self._given(wish, bound=False)

    @contextmanager
    def held(self, wish: Wish) -> Iterator[Lease]:
        """Act by a lease that lasts as long as this does, and no longer than this process; by one that is kept, for longer.

        What is taken within and fails ends with it: nobody else knows its token.
        """
        with self._alone(token=wish.token, seconds=wish.seconds):
            lease = self._gone_on_by(wish) if wish.token else self._given(wish, bound=not wish.kept)
            stands = wish.token > 0
            try:
                with self._beating(lease):
                    yield lease
                stands = wish.kept
            finally:
                if stands:
                    self._write(lease.renewed(self._moment()))
                else:
                    self._end(lease, "it was done")

    @contextmanager
    def presented(self, token: int) -> Iterator[Lease]:
        """Act by a lease that was acquired before, and is renewed by that; Busy where it holds no more."""
        known = self.read()
        if known is None:
            raise lost(self._server, token, None)
        with self._alone(token=token, seconds=known.seconds):
            lease = self._renewed(self._valid(token))
            with self._beating(lease):
                yield lease

    def release(self, token: int, *, why: str = "it was given back") -> Optional[Lease]:
        """Give back the lease of this token (0: whichever there is); returns it, None where it was over already."""
        try:
            with self._alone(token=token or -1):
                lease = self.read()
                if lease is None or lease.released or (token and lease.token != token):
                    return None
                self._end(lease, why)
                return lease
        except Busy:
            if token and getattr(self.read(), "token", token) != token:
                return None  # somebody acts by a newer one: there is nothing left to give back
            raise

    def _given(self, wish: Wish, *, bound: bool) -> Lease:
        last, moment = self.read(), self._moment()
        # Nobody acts, for the lock is ours: what was bound to a call has ended with it.
        if last and not last.bound and not last.over(moment) and not (wish.over and last.operation == wish.operation):
            raise busy(self._server, last)
        lease = Lease.following(last, wish, moment, bound=bound)
        self._write(lease)
        self._reached("lease.intent")
        return lease

    def _gone_on_by(self, wish: Wish) -> Lease:
        """The lease of the wish's token, held by whoever wishes. It may have run out while its host went down: the run is the same."""
        lease = self.read()
        if lease is None or lease.token != wish.token or lease.released or not (lease.operation and lease.operation == wish.operation):
            lease = self._valid(wish.token)
        held = replace(lease.renewed(self._moment()), by=wish.by or lease.by, process=wish.process or lease.process)
        self._write(held)
        return held

    def _end(self, lease: Lease, why: str) -> None:
        self._reached("lease.act")
        self._write(replace(lease, released=why))
        self._reached("lease.outcome")

    def _valid(self, token: int) -> Lease:
        lease = self.read()
        if lease is None or lease.token != token or lease.released or lease.expired(self._moment()):
            raise lost(self._server, token, lease)
        return lease

    def _write(self, lease: Lease) -> None:
        self._memory.write(f"{self._name}.json", lease.to_json())

    # -- while it is acted by ------------------------------------------------------------------------------------

    def _renewed(self, lease: Lease) -> Lease:
        moment = self._moment()
        if moment.boot == lease.boot and lease.ends - moment.ticks > lease.seconds * (1 - 1 / BEATS):
            return lease  # a moment ago: to write it down again would only cost
        renewed = lease.renewed(moment)
        self._write(renewed)
        return renewed

    @contextmanager
    def _beating(self, lease: Lease) -> Iterator[None]:
        """Renew it for as long as this lasts: a process that is frozen renews nothing."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(lease.seconds / BEATS):
                with suppress(VitrifyError):  # a full disk is told by whatever is being done, not by its heart
                    self._write(lease.renewed(self._moment()))

        heart = threading.Thread(target=beat, daemon=True)
        heart.start()
        try:
            yield
        finally:
            done.set()
            heart.join()

    @contextmanager
    def _alone(self, *, token: int = 0, seconds: float = SECONDS) -> Iterator[None]:
        """Be the only process that acts by a lease of this server, or writes one; given back by whatever ends the process."""
        path = self._memory.path(f"{self._name}.lock")
        with told(f"{path} cannot be locked"):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _OWN, 0o600)
        try:
            self._lock(descriptor, token)
            note: JSONObject = {**Tenant.this().to_json(), "ends": self._moment().ticks + seconds}
            with told(f"{path} cannot be written"):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(note).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int, token: int) -> None:
        deadline, met = time.monotonic() + PATIENCE, 0
        while not _locked(descriptor):
            met += 1
            lease = self.read()
            if met > 1:  # once may have been somebody who only looked
                self._refuse(lease, token)
                self._end_frozen(lease, _note(descriptor))
            if time.monotonic() >= deadline:
                raise _at_it(self._server, lease, _note(descriptor))
            time.sleep(PAUSE)

    def _refuse(self, lease: Optional[Lease], token: int) -> None:
        if lease is None or token < 0:
            return
        if token and lease.token != token:
            raise lost(self._server, token, lease)
        if not token and not lease.over(self._moment()):
            raise busy(self._server, lease)

    def _end_frozen(self, lease: Optional[Lease], note: JSONObject) -> None:
        """A process that neither renews its lease nor lets go is ended: the kernel then gives back what it holds, and it acts no more."""
        moment, ends = self._moment(), note.get("ends")
        late = isinstance(ends, (int, float)) and moment.ticks >= ends
        actor = Tenant.from_json(note)
        if actor and late and (lease is None or lease.released or lease.expired(moment)):
            actor.end()

    def _acted_by_somebody(self) -> bool:
        try:
            descriptor = os.open(self._memory.path(f"{self._name}.lock"), os.O_RDONLY | _OWN)
        except FileNotFoundError:
            return False
        try:
            return not _locked(descriptor, how=fcntl.LOCK_SH)
        finally:
            os.close(descriptor)


def _locked(descriptor: int, *, how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _note(descriptor: int) -> JSONObject:
    try:
        note: JSON = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


def busy(server: str, lease: Lease) -> Busy:
    """Somebody else holds the server."""
    return Busy(
        f"{server} is being changed by {lease.by or 'somebody else'}",
        why=spoken(lease),
        hint=f"`--wait` waits until that has ended; `vitrify lease show {server}` tells more, and nothing has to be unlocked",
    )


def lost(server: str, token: int, lease: Optional[Lease]) -> Busy:
    """A token that holds no more was presented: whoever has it was away for too long."""
    taken = lease is not None and lease.token != token
    ended = f"token {token} {lease.released}" if lease and lease.released else f"its time ran out at {_time(lease.until if lease else 0)}"
    return Busy(
        f"the lease of {server} was lost: {lease.by if lease and taken else 'nobody'} has a newer one",
        why=spoken(lease) if lease and taken else ended,
        hint="nothing was done by it any more; run the same command again: it goes on from what is there",
    )


def _at_it(server: str, lease: Optional[Lease], note: JSONObject) -> Busy:
    whose = f", for {spoken(lease)}" if lease else ""
    return Busy(
        f"{server} is being changed by another process",
        why=f"process {note.get('pid', '?')}{whose}",
        hint="it ends the change that it is at; run the same command again when it has ended",
    )


def spoken(lease: Lease) -> str:
    """A lease in words."""
    what = " ".join(filter(None, (lease.reason, lease.operation)))
    process = f", process {lease.process.pid}" if lease.process else ""
    return f"{what}, since {_time(lease.since)}, until {_time(lease.until)} unless renewed; token {lease.token}{process}"


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
