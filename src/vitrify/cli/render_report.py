"""Reports as a person reads them: what was applied, how servers stand, releases, ledger entries, checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from vitrify.cli.render_rollout import rollout_lines, waiting_lines, waiting_on_lines
from vitrify.cli.text import BLANK, Line, Span, Style, columns, faint, line, prose, strong, table
from vitrify.core.amounts import ago, lasted, many
from vitrify.core.entered import Entered
from vitrify.core.image_report import ImageVerified
from vitrify.core.plan import HostPlan, HostProblem, Plan
from vitrify.core.report import Applied, Check, Converged, InstanceStatus, PlaceStatus, Released, ReleaseStatus, ServerStatus, Verified

if TYPE_CHECKING:
    from vitrify.cli.render import Look


def applied_lines(applied: Applied, look: Look) -> Iterator[Line]:
    """How each host and each rollout ended."""
    for host in applied.hosts:
        if host.outcomes:
            yield from converged_lines(host)
    several = {release.server for release in applied.releases if sum(one.server == release.server for one in applied.releases) > 1}
    waiting = [release for release in applied.releases if release.waits and release.server in several]
    for server in dict.fromkeys(release.server for release in waiting):
        yield from waiting_on_lines([release for release in waiting if release.server == server])
    for release in (one for one in applied.releases if one not in waiting):
        yield from host_lines(release) if release.server in several or release.kind == "returned" else released_lines(release, look)
    yield from problem_lines(applied.problems)
    for server, place in applied.held:
        yield line(
            faint("-   "), " ", strong(server), " on ", Span(place, Style.PLACE), ": left as it is, because of what failed before it"
        )


def forgotten_lines(forgotten: Applied, look: Look) -> Iterator[Line]:
    """Which hosts are not managed any more."""
    del look
    for host in forgotten.hosts:
        yield line(_mark(good=True), " ", strong(host.server), " on ", Span(host.host, Style.PLACE), ": forgotten; what is there stays")
    yield from problem_lines(forgotten.problems)


def taken_over_lines(applied: Applied, planned: Plan, look: Look) -> Iterator[Line]:
    """How much on each host is managed from now on, and what was left alone."""
    del look
    for plan in planned.servers:
        if isinstance(plan, HostPlan):
            told = f": {many(len(plan.settled), 'resource')} managed from now on"
            left = f", {many(len(plan.changes), 'difference')} left as it is" if plan.changes else ""
            yield line(_mark(good=True), " ", strong(plan.server), " on ", Span(plan.host, Style.PLACE), told, left)
    yield from problem_lines((*planned.problems, *applied.problems))


def problem_lines(problems: Sequence[HostProblem]) -> Iterator[Line]:
    """Hosts that could not be reached or did not do their part, each with the reason."""
    for problem in problems:
        word = "unreachable" if problem.unreachable else "failed"
        yield line(_mark(good=False), " ", strong(problem.server), " on ", Span(problem.host, Style.PLACE), ": ", Span(word, Style.ALARM))
        yield from (line("     ", each) for each in problem.why.split("\n"))


def converged_lines(host: Converged) -> Iterator[Line]:
    """How one apply or undo ended on one host: a line of counts, what failed and why, what was skipped."""
    counted = {word: sum(outcome.outcome == word for outcome in host.outcomes) for word in ("done", "failed", "skipped")}
    told = ", ".join(f"{count:,} {word}" for word, count in counted.items() if count or word == "done")
    yield line(
        _mark(not (host.failed or host.undone)),
        " ",
        strong(host.server),
        " on ",
        Span(host.host, Style.PLACE),
        f": {told}",
        faint(_run(host.run, host.seconds)),
    )
    for outcome in host.outcomes:
        if outcome.outcome == "failed":
            yield line("     ", Span("failed  ", Style.ALARM), outcome.address)
            yield from (line(" " * 13, each) for each in outcome.error.split("\n") if each)
        elif outcome.outcome == "skipped":
            yield line("     ", faint("skipped "), outcome.address)
        yield from (line("     ", Span("besides ", Style.CHANGED), outcome.address, f": {told}") for told in outcome.besides)
    if host.undone:
        yield line("     ", Span("taken back ", Style.ALARM), host.health)
    yield from (line("     ", Span("cannot be undone ", Style.CHANGED), address) for address in host.not_undone)
    yield from (
        line("     ", Span("stays ", Style.CHANGED), path, faint("  (in a folder of this run, by no change of it)")) for path in host.stays
    )


def _mark(good: bool) -> Span:  # noqa: FBT001  one word in, one word out
    return Span("ok  ", Style.ADDED) if good else Span("x   ", Style.ALARM)


def _run(run: str, seconds: float) -> str:
    parts = [f"run {run}" if run else "", lasted(seconds) if seconds else ""]
    told = ", ".join(part for part in parts if part)
    return f"  ({told})" if told else ""


def entered_lines(entered: Iterable[Entered]) -> Iterator[Line]:
    """How each command ended, and what became of the instance that it ran in; nothing of one that went well on a host."""
    for one in entered:
        where = one.instance or one.host
        if one.code or one.instance:
            yield line(_mark(good=not one.code), " ", strong(where), f": the command ended with {one.code}, ledger entry {one.entry}")
        if one.replaced:
            yield line("     ", faint("replaced by "), ", ".join(one.replaced))
        elif one.instance:
            yield line("     ", faint("not replaced "), one.left or "the next apply does that")


def released_lines(release: Released, look: Look) -> Iterator[Line]:
    """Which release is live now, since when, and how fast that went; or what it waits for."""
    if release.waits:
        yield from waiting_lines(release)
        return
    before = f", release {release.previous} is previous" if release.previous else ""
    yield line(_mark(good=True), " ", strong(release.server), f": release {release.release} is live{before}")
    yield line("     ", faint("image     "), release.image if look.verbose else short(release.image))
    if release.instances:
        yield line("     ", faint("instances "), ", ".join(release.instances))
    if release.url:
        yield line("     ", faint("url       "), Span(release.url, Style.PLACE))
    if release.kind == "rollback":
        yield line("     ", faint("warm      "), "yes, nothing was started" if release.warm else "no, its instances were started again")
    if told := _took(release):
        yield line("     ", faint("took      "), told)


def host_lines(release: Released) -> Iterator[Line]:
    """The same of one of several hosts, in one line."""
    back = release.kind == "returned"
    told = f"release {release.release} {'serves again' if back else 'is live'}" if release.release else "nothing served before"
    went = f"  ({_took(release)})" if _took(release) and not back else ""
    where = (strong(release.server), " on ", Span(release.host, Style.PLACE))
    yield line(_mark(good=not back), " ", *where, f": {told}", Span(f"  {release.url}" if release.url else "", Style.PLACE), faint(went))


def _took(release: Released) -> str:
    parts = [f"switched in {lasted(release.switch_seconds)}" if release.switch_seconds else ""]
    parts += [f"first answer after {lasted(release.answer_seconds)}" if release.answer_seconds is not None else ""]
    parts += [f"{lasted(release.seconds)} in all" if release.seconds else ""]
    return ", ".join(part for part in parts if part)


def short(digest: str) -> str:
    """A digest that can be told from others by eye; -v and JSON give all of it."""
    algorithm, colon, digits = digest.partition(":")
    return f"{algorithm}:{digits[:12]}" if colon else digest


def status_lines(servers: Sequence[ServerStatus], look: Look) -> Iterator[Line]:
    """Each server, how it stands, and its instances."""
    if not servers:
        yield line("No servers are declared.")
    for number, server in enumerate(servers):
        if number:
            yield BLANK
        yield line(strong(server.name), " on ", Span(", ".join(server.hosts), Style.PLACE), faint(f"  {server.lifecycle}"))
        yield from (line("  ", part) for part in _standing(server, look))
        if server.places:
            for place in server.places:
                yield from _place(server.name, place, look)
            continue
        yield from _under_way(server.name, server)
        yield from (line("  ", *each) for one in server.problems for each in _untold(one, several=bool(server.hosts[1:])))
        if server.problem and not server.problems:
            yield line("  ", Span("problem ", Style.ALARM), server.problem)
        yield from _instances(server.instances, look)


def _under_way(name: str, found: ServerStatus | PlaceStatus) -> Iterator[Line]:
    yield from (line("  ", *each) for each in rollout_lines(name, found))
    if found.unfinished and not (found.rollout and found.rollout.waits):
        yield line("  ", Span("unfinished ", Style.CHANGED), found.unfinished, faint("  (`vitrify apply` ends it)"))


def _untold(problem: HostProblem, *, several: bool) -> Iterator[Line]:
    """Why a host could not tell; which one where there are several."""
    first, *more = problem.why.split("\n")
    where = f"{problem.host}: " if several else ""
    yield line(Span("unreachable " if problem.unreachable else "problem ", Style.ALARM), where, first)
    yield from (line("  ", each) for each in more)


def _place(server: str, place: PlaceStatus, look: Look) -> Iterator[Line]:
    """One of several hosts of a server."""
    live = f"release {place.live} is live" if place.live else "no release is live"
    before = f", release {place.previous} is previous" if place.previous else ""
    yield line("  ", Span(place.host, Style.PLACE), f"  {live}{before}", Span(f"  {place.url}" if place.url else "", Style.PLACE))
    if not place.declared:
        told = f"declared there no more; `vitrify retire {server} --host {place.host}` takes it away"
        yield line("  ", Span("abandoned ", Style.CHANGED), told)
    yield from _under_way(server, place)
    if place.problem:
        yield from (line("  ", *each) for each in _untold(HostProblem(server, place.host, place.problem, place.unreachable), several=False))
    yield from _instances(place.instances, look)


def _instances(instances: Sequence[InstanceStatus], look: Look) -> Iterator[Line]:
    if instances:
        rows = [_instance(instance) for instance in instances]
        headings = ("instance", "release", "slot", "state", "address", "age", "health")
        yield from (line("  ", *each) for each in table(headings, rows, width=look.width - 2 if look.width else None))
        yield from (line("  ", *each) for instance in instances for each in _remarks(instance))


def _standing(server: ServerStatus, look: Look) -> Iterator[str | Span]:
    if server.lifecycle == "immutable":
        yield from _released(server)
    elif server.instances:
        yield f"instances of before the flip still run, until `vitrify retire {server.name} --only instances`"
        if server.url:
            yield Span(server.url, Style.PLACE)
    if server.owned:
        yield f"{many(server.owned, 'resource')} managed"
    if server.last_at is not None:
        by = f" by {server.last_by}" if server.last_by else ""
        run = f"  run {server.last_run}" if server.last_run else ""
        yield f"last changed {ago(look.now - server.last_at)} ago{by}{run}"
    elif server.lifecycle == "mutable" and not server.problem:
        yield "never applied"


def _released(server: ServerStatus) -> Iterator[str | Span]:
    live = f"release {server.live} is live" if server.live else "no release is live yet"
    if server.places:
        there = sum(place.live == server.live for place in server.places)
        yield f"{live} on {there} of {many(len(server.places), 'host')}" if server.live else live
        return
    yield f"{live}, release {server.previous} is previous" if server.previous else live
    if server.url:
        yield Span(server.url, Style.PLACE)


_GOOD_STATES = {"running", "live", "ok"}


def _instance(instance: InstanceStatus) -> tuple[str | Span, ...]:
    state = Span(instance.state, Style.ADDED if instance.state in _GOOD_STATES else Style.CHANGED)
    health = Span("ok", Style.ADDED) if instance.health == "ok" else Span("ill", Style.ALARM) if instance.health else faint("-")
    return instance.id, str(instance.release), instance.slot or "-", state, instance.address or "-", ago(instance.age_seconds), health


def _remarks(instance: InstanceStatus) -> Iterator[Line]:
    """What does not fit a column: why an instance is ill, and that it was restarted."""
    ill = f"health: {instance.health}" if instance.health not in {"", "ok"} else ""
    again = f"restarted {instance.restarts} times" if instance.restarts > 1 else "restarted once" if instance.restarts else ""
    entered = f"{instance.entered}; the next apply replaces it" if instance.entered else ""
    told = "; ".join(part for part in (entered, ill, again) if part)
    if told:
        yield line(Span("! ", Style.CHANGED), f"{instance.id}  {told}")


_WAYS = {"warm": "at once", "stopped": "launch", "image": "launch", "collected": "gone"}
"""How far away a release is -> what going back to it takes."""


def release_lines(releases: Sequence[ReleaseStatus], look: Look) -> Iterator[Line]:
    """One row for each release."""
    if not releases:
        yield line("No releases yet.")
    rows: list[tuple[str | Span, ...]] = []
    for release in releases:
        state = Span(", ".join((release.state, *release.notes[-1:])), Style.ADDED if release.state in _GOOD_STATES else Style.PLAIN)
        image = release.image if look.verbose else short(release.image)
        age = f"{ago(look.now - release.created_at)} ago"
        back = _WAYS.get(release.tier, "-")
        slot = f"{release.slot} on {len(release.live_on)}" if release.live_on[1:] else release.slot or "-"
        rows.append((release.server, str(release.number), state, slot, str(release.running), back, age, image))
    headings = ("server", "release", "state", "slot", "running", "way back", "made", "image")
    yield from _fitting(headings, rows, look)


def _fitting(headings: Sequence[str], rows: Sequence[Sequence[str | Span]], look: Look) -> Iterator[Line]:
    """Where the screen is too narrow the last column, which `-v` tells whole, makes room for the others."""
    whole = table(headings, rows)
    narrow = look.width is not None and not look.verbose and any(sum(columns(span.text) for span in row) > look.width for row in whole)
    yield from table(headings[:-1], [row[:-1] for row in rows], width=look.width) if narrow else whole


def check_lines(checks: Sequence[Check], look: Look) -> Iterator[Line]:
    """One line for each check, and the command that mends what is missing."""
    styles = {"ok": Style.ADDED, "missing": Style.ALARM, "note": Style.CHANGED}
    wide = max((len(check.name) for check in checks), default=0)
    for check in checks:
        before = line(Span(f"{check.state:8}", styles.get(check.state, Style.PLAIN)), f"{check.name:{wide}}  ")
        yield from prose(before, check.found, width=look.width)
        if check.hint:
            yield line(" " * (10 + wide), faint("hint: "), check.hint)
    missing = sum(check.state == "missing" for check in checks)
    yield BLANK
    yield line(strong("All that vitrify needs is here." if not missing else f"{many(missing, 'thing')} missing."))


def verdict_lines(verified: ImageVerified) -> Iterator[Line]:
    """What was established about an image: one line for each thing that was looked at."""
    yield line(faint("image"), " ", verified.image)
    for verdict in verified.verdicts:
        mark = Span("ok       ", Style.ADDED) if verdict.holds else Span("x broken ", Style.ALARM)
        yield line(mark, f"{verdict.name:18}", verdict.found)


def verified_lines(verified: Verified) -> Iterator[Line]:
    """What was established about a ledger."""
    yield line(faint("ledger    "), verified.origin)
    yield line(faint("entries   "), f"{verified.size:,}")
    yield line(faint("root      "), verified.root)
    yield line(faint("signed by "), ", ".join(verified.signed_by) or "nobody")
    if isinstance(witnesses := verified.details.get("witnessed_by"), list):
        yield line(faint("cosigned by "), ", ".join(map(str, witnesses)) or "nobody")
    if verified.problems:
        yield from (line(Span("x broken  ", Style.ALARM), problem) for problem in verified.problems)
    else:
        yield line(Span("ok ", Style.ADDED), "Every entry is where it was put, and nothing was taken away or rewritten.")
