"""What `vitrify serve` knows, as metrics: names, meanings and values. How they are spelt is another file's business."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from vitrify.core.drift import Class
from vitrify.core.instance import Instance
from vitrify.lifecycle import upkeep
from vitrify.lifecycle.duty import Charge
from vitrify.lifecycle.serve_board import Place
from vitrify.lifecycle.serve_tally import Tally

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Metric:
    """One family: `kind` is gauge, counter or summary. A sample is what is added to the name, the labels, and the value."""

    name: str
    kind: str
    meaning: str
    samples: tuple[tuple[str, Labels, float], ...]


def metrics(charge: Charge, tally: Tally) -> tuple[Metric, ...]:
    """All of them: what was seen last, what is remembered now, what the ledger counts."""
    return (*_seen(charge), *_remembered(charge), *_counted(charge, tally), *_own(charge))


def _family(kind: str, name: str, meaning: str, values: Iterable[tuple[Mapping[str, object], float]]) -> Metric:
    samples = tuple(("", tuple((key, str(label)) for key, label in labels.items()), value) for labels, value in values)
    return Metric(f"vitrify_{name}", kind, meaning, samples)


def _gauge(name: str, meaning: str, values: Iterable[tuple[Mapping[str, object], float]]) -> Metric:
    return _family("gauge", name, meaning, values)


def _seen(charge: Charge) -> Iterator[Metric]:
    board, now = charge.board, charge.world.clock.now()
    states = Counter((*place, _release(one), _state(one, now)) for place, found in board.instances.items() for one in found)
    yield _gauge(
        "instances",
        "Instances of a release by state; lost: its keeper is gone",
        (
            ({"server": server, "host": host, "release": release, "state": state}, count)
            for (server, host, release, state), count in sorted(states.items())
        ),
    )
    yield _gauge(
        "instance_restarts",
        "So often an instance was restarted by its own keeper",
        (({"server": place[0], "instance": one.id}, one.restarts) for place, found in board.instances.items() for one in found),
    )
    yield _gauge(
        "healthy",
        "1 where an instance, or a host changed in place, passed its last health check",
        (({"server": place[0], "of": of}, not reason) for place, found in board.ill.items() for of, reason in found.items()),
    )
    yield _gauge(
        "lease_held",
        "1 while somebody had the lease of a server on a host when it was last looked at",
        (
            ({"server": server, "host": one.host}, one.standing)
            for server, found in board.leases.items()
            for one in found
            if not one.problem
        ),
    )


def _release(instance: Instance) -> str:
    return instance.labels.get("release", "")


def _state(instance: Instance, now: float) -> str:
    return "crashing" if upkeep.crashing(instance, now=now) else instance.state


def _remembered(charge: Charge) -> Iterator[Metric]:
    state = charge.world.state
    servers = state.servers()
    releases = Counter((server, one.state) for server in servers for one in state.releases(server))
    yield _gauge(
        "releases",
        "Releases by state",
        (({"server": server, "state": named}, count) for (server, named), count in sorted(releases.items())),
    )
    places = [(server, host.name) for server in servers for host in state.hosts(server)]
    yield _gauge(
        "release_live",
        "Number of the live release, 0 where there is none",
        ((_named(place), state.slots(*place).live or 0) for place in places),
    )
    open_now = [(server, operation) for server in servers for operation in state.open_operations(server)]
    yield _gauge(
        "operation_open",
        "1 while a rollout, rollback, replacement or retirement has not ended",
        (({**_named((server, operation.host.name)), "kind": operation.kind}, 1) for server, operation in open_now),
    )


def _counted(charge: Charge, tally: Tally) -> Iterator[Metric]:
    audits = sorted(tally.audits.items())
    yield _gauge(
        "findings",
        "Findings of the last audit on schedule by class",
        (({"server": server, "class": each.value}, one.findings.get(each.value, 0)) for server, one in audits for each in Class),
    )
    yield _gauge(
        "audit_timestamp_seconds",
        "When the last audit on schedule was",
        (({"server": server}, one.at) for server, one in audits),
    )
    yield _gauge(
        "audit_missed_hosts",
        "Hosts that the last audit on schedule could not look at",
        (({"server": server}, one.missed) for server, one in audits),
    )
    yield _gauge("ledger_entries", "Entries of the ledger", (({}, charge.world.ledger.size),))
    yield _family(
        "counter",
        "rollouts_total",
        "Rollouts of each kind by how they ended, as the ledger has them",
        (({"server": server, "kind": kind, "outcome": end}, count) for (server, kind, end), count in sorted(tally.rollouts.items())),
    )
    yield from _healed(tally)
    switches = [((("server", server),), found) for server, found in sorted(tally.switches.items())]
    summed = [("_sum", labels, found.seconds) for labels, found in switches]
    counted = [("_count", labels, float(found.count)) for labels, found in switches]
    yield Metric("vitrify_switch_seconds", "summary", "Seconds from the durable intent of a switch to its end", (*summed, *counted))
    yield _gauge(
        "last_switch_seconds",
        "The same of the last switch",
        (({"server": server}, found.last) for server, found in sorted(tally.switches.items())),
    )


def _healed(tally: Tally) -> Iterator[Metric]:
    healings = sorted(tally.healings.items())
    yield _family(
        "counter",
        "healings_total",
        "What became of instances that did not pass their health check, as the ledger has it",
        (({"server": server, "host": host, "outcome": end}, count) for (server, host, end), count in healings if count),
    )
    yield _gauge(
        "unhealthy_left",
        "1 while what does not pass its health check is left to a person: its replacement would not help, or was tried too often",
        (({"server": server, "host": host}, left) for (server, host), left in sorted(tally.left.items())),
    )


def _own(charge: Charge) -> Iterator[Metric]:
    board = charge.board
    yield _family(
        "counter",
        "turns_total",
        "Turns of each duty by how they ended, of this process",
        (({"duty": duty, **_named(place), "outcome": end}, count) for (duty, place, end), count in sorted(board.turns.items())),
    )
    yield _gauge(
        "turn_done_timestamp_seconds",
        "When a duty was last done",
        (({"duty": duty, **_named(place)}, at) for (duty, place), at in sorted(board.done_at.items())),
    )
    yield _gauge("declaration_valid", "1 while the declaration can be read as it is now", (({}, board.valid),))
    yield _gauge("start_timestamp_seconds", "When this process began", (({}, board.started_at),))


def _named(place: Place) -> Mapping[str, object]:
    return {"server": place[0], "host": place[1]}
