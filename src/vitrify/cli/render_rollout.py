"""Rollouts as a person reads them: what one will do, where it stands, and what a way back takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vitrify.cli.text import Line, Span, Style, faint, line
from vitrify.core.amounts import lasted, many
from vitrify.core.plan import WAITING, ReleasePlan
from vitrify.core.report import PlaceStatus, Released, ServerStatus
from vitrify.core.rollout_report import RolloutStatus, WayBack


def course_lines(plan: ReleasePlan, margin: str) -> Iterator[Line]:
    """How requests will be moved, and how many instances more than now that takes at most."""
    course = plan.course
    if not course.strategy or plan.kind == WAITING:
        return
    more = f"at most {many(course.peak, 'instance')}" if course.peak else "no instance"
    extra = f", {more} more than now at a time" if plan.live else ""
    yield line(margin, course.strategy, faint(extra))
    yield from (line(margin, faint("  "), told) for told in course.told)


def waiting_lines(release: Released) -> Iterator[Line]:
    """What an apply leaves waiting."""
    yield line(Span("... ", Style.CHANGED), " ", release.waits)
    if release.preview:
        yield line("     ", faint("preview   "), Span(release.preview, Style.PLACE))
    if release.url:
        yield line("     ", faint("url       "), Span(release.url, Style.PLACE))


def waiting_on_lines(releases: Sequence[Released]) -> Iterator[Line]:
    """The same of several hosts of one server: for what, once, then each host."""
    yield line(Span("... ", Style.CHANGED), " ", releases[0].waits)
    for one in releases:
        shown = f"  preview {one.preview}" if one.preview else f"  {one.url}" if one.url else ""
        yield line("     ", faint("on        "), Span(one.host, Style.PLACE), faint(shown))


def rollout_lines(name: str, server: ServerStatus | PlaceStatus) -> Iterator[Line]:
    """What is under way with a server, and what becomes of its requests meanwhile."""
    rollout = server.rollout
    if rollout is not None:
        yield line(Span("rollout ", Style.CHANGED), f"{rollout.strategy}, {_stands(rollout)}")
        if rollout.lacking:
            told = f"{many(rollout.lacking, 'instance')} of release {rollout.release} {'does' if rollout.lacking == 1 else 'do'} not run"
            yield line(Span("lacking ", Style.ALARM), told, faint("  (`vitrify apply` starts what is lacking)"))
    if server.preview:
        yield line(Span("preview ", Style.CHANGED), Span(server.preview, Style.PLACE))
    if server.paused:
        yield line(Span("paused  ", Style.CHANGED), f"requests are held until `vitrify resume {name}`")


def _stands(rollout: RolloutStatus) -> str:
    if rollout.waits:
        return f"release {rollout.release} waits {rollout.waits}"
    share = f", with {rollout.percent}% of the requests" if rollout.percent is not None else ""
    return f"release {rollout.release}: {rollout.phase}{share}"


def way_back_lines(way: WayBack) -> tuple[Line, ...]:
    """What a rollback will do, and what that takes."""
    instead = f" in place of release {way.live}" if way.live else ""
    takes = (line("  ", _takes(way)),) if way.tier else ()
    told = f"  release {way.ends} has not ended; that is done first, and `vitrify abort {way.server}` does no more than that"
    ends = (line(told),) if way.ends else ()
    return (line(f"Roll back {way.server}: release {way.release} goes live{instead}."), *takes, *ends)


def _takes(way: WayBack) -> str:
    if way.tier == "warm" and not way.launch:
        left = f"; they run for {lasted(way.left)} more" if way.left is not None and way.left > 0 else ""
        return f"warm: its instances run, so it goes live at once{left}"
    there = {"warm": "only some of its instances run", "stopped": "its instances are stopped", "image": "only its image is left"}
    return f"{way.tier}: {there[way.tier]}; {many(way.launch, 'instance')} to launch, which must be healthy first"
