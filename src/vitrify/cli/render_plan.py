"""A plan as a person reads and approves it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vitrify.cli.render_report import problem_lines
from vitrify.cli.render_rollout import course_lines
from vitrify.cli.text import BLANK, Line, Span, Style, faint, line, prose, strong
from vitrify.core.amounts import lasted, many, size
from vitrify.core.difference import Action, Change
from vitrify.core.plan import WAITING, HostPlan, Plan, ReleasePlan, counts
from vitrify.core.resource import Sureness

if TYPE_CHECKING:
    from vitrify.cli.render import Look

LONGEST_DIFF = 200
"""Lines of a diff shown without -v."""

_SYMBOLS = {
    Action.CREATE: ("  +", Style.ADDED),
    Action.UPDATE: ("  ~", Style.CHANGED),
    Action.REPLACE: ("-/+", Style.CHANGED),
    Action.REMOVE: ("  -", Style.REMOVED),
    Action.NONE: ("   ", Style.PLAIN),
}
_MARGIN = " " * 14


def plan_lines(plan: Plan, look: Look) -> Iterator[Line]:
    """Each server with its changes and their reasons, and the line that sums it up."""
    for number, server in enumerate(plan.servers):
        if number:
            yield BLANK
        yield from _release(server, look) if isinstance(server, ReleasePlan) else _host(server, look)
    if plan.servers:
        yield BLANK
    yield from problem_lines(plan.problems)
    yield from _legend(plan)
    yield summary(plan)


def summary(plan: Plan) -> Line:
    """The last line of every plan."""
    if plan.empty:
        waits = any(isinstance(one, ReleasePlan) and one.kind == WAITING for one in plan.servers)
        return line(strong("No changes."), " What is declared waits to be promoted." if waits else " What runs is what is declared.")
    found = counts(plan)
    told = f"{found.add:,} to add, {found.change:,} to change, {found.remove:,} to remove, {many(found.replace, 'instance')} to replace"
    return line(strong("Plan:"), f" {told}")


def _header(server: HostPlan | ReleasePlan, told: str) -> Line:
    return line(strong(server.server), " on ", Span(server.host, Style.PLACE), faint(f"  {told}"))


def _host(plan: HostPlan, look: Look) -> Iterator[Line]:
    yield _header(plan, "mutable, changed in place" if not plan.empty else "mutable, as declared")
    if plan.held:
        yield line(Span("  ! ", Style.CHANGED), f"is being changed right now by {plan.held}")
    elif plan.run:
        yield line(Span("  ~ ", Style.CHANGED), f"continues the unfinished run {plan.run}")
    for change in plan.changes:
        yield from _change(change, look)
    for resource in plan.forgotten:
        yield line("    ", faint("kept"), f"    {resource.address}", faint("  left the declaration; stays, but unmanaged"))
    if plan.settled:
        yield line("    ", faint("as is"), f"   {many(len(plan.settled), 'resource')} as declared already, to be managed from now on")
        if look.verbose:
            yield from (line(_MARGIN, faint(str(resource.address))) for resource in plan.settled)
    yield from _notices(plan.notices, look)


def _change(change: Change, look: Look) -> Iterator[Line]:
    symbol, style = _SYMBOLS[change.action]
    marks = ", ".join(_marks(change))
    yield line(
        Span(f"{symbol} {change.action.value:9}", style),
        " ",
        strong(str(change.resource.address)),
        Span(f"  [{marks}]" if marks else "", Style.CHANGED),
    )
    yield from (line(_MARGIN, reason) for reason in change.because)
    if change.resource.secret:
        yield line(_MARGIN, faint("secret: its content is never shown"))
    elif change.diff:
        yield from _diff(change.diff, whole=look.verbose > 0)


def _marks(change: Change) -> Iterator[str]:
    if change.sureness is not Sureness.CERTAIN:
        yield change.sureness.value
    if not change.undoable:
        yield "cannot be undone"
    if change.resource.protect:
        yield "protected"


_DIFF_STYLES = {"+": Style.ADDED, "-": Style.REMOVED, "@": Style.PLACE}


def _diff(diff: str, *, whole: bool) -> Iterator[Line]:
    """A unified diff, line by line; only a newline ends a line, whatever else the content holds."""
    found = diff.removesuffix("\n").split("\n")
    shown = found if whole else found[:LONGEST_DIFF]
    for each in shown:
        style = Style.STRONG if each.startswith(("--- ", "+++ ")) else _DIFF_STYLES.get(each[:1], Style.PLAIN)
        yield line(_MARGIN, Span(each, style))
    if len(found) > len(shown):
        yield line(_MARGIN, faint(f"... {many(len(found) - len(shown), 'more line')} (-v shows all)"))


def _release(plan: ReleasePlan, look: Look) -> Iterator[Line]:
    yield _header(plan, _told(plan))
    if plan.kind == WAITING:
        yield from (line(Span("  ~ ", Style.CHANGED), reason) for reason in plan.because)
        yield from _instances(plan)
    if plan.contract:
        told = "what only older releases need is taken away first, and nothing can be rolled back behind it"
        yield line(Span("  - contract ", Style.REMOVED), " ", strong(str(plan.contract)), f"  {told}")
    if plan.kind not in ("none", WAITING):
        symbol, style = _SYMBOLS[Action.NONE if _stays(plan) else Action.REPLACE if plan.live else Action.CREATE]
        yield line(Span(f"{symbol} {'keep' if _stays(plan) else plan.kind:9}", style), " ", *_aim(plan))
        yield from (line(_MARGIN, reason) for reason in plan.because)
        yield from _resources(plan, look)
        yield from _instances(plan)
        yield from course_lines(plan, _MARGIN)
        if plan.bytes_to_read:
            yield line(_MARGIN, faint(f"reads {size(plan.bytes_to_read)}{_last_time(plan)}"))
        elif plan.last_seconds is not None:
            yield line(_MARGIN, faint(_last_time(plan).removeprefix("; ")))
    yield from _notices(plan.notices, look)


def _told(plan: ReleasePlan) -> str:
    if plan.kind == WAITING:
        return f"immutable, release {plan.live} is live" if plan.live else "immutable, no release is live yet"
    return f"immutable, release {plan.live} is live as declared" if plan.empty else "immutable, replaced as a whole"


def _stays(plan: ReleasePlan) -> bool:
    """Whether what is live keeps all its instances: all that is done is to end what was begun beside it."""
    return plan.kind == "replace" and not plan.launch and not plan.replace


def _aim(plan: ReleasePlan) -> Line:
    if plan.kind == "replace" and _stays(plan):
        return line(strong(f"release {plan.release}"), ", with the instances that it has")
    if plan.kind == "replace":
        return line("instances of ", strong(f"release {plan.release}"))
    if plan.kind == "join":
        return line("with ", strong(f"release {plan.release}"), f" in place of {plan.live}" if plan.live else "")
    number = strong(str(plan.release) if plan.kind == "release" else f"release {plan.release}")
    begun = "; its rollout was interrupted, and goes on" if plan.kind == "resume" else ""
    return line(
        number, f" in place of {plan.live}" if plan.live else ", the first one" if plan.release == 1 else ", while none is live", begun
    )


def _resources(plan: ReleasePlan, look: Look) -> Iterator[Line]:
    first_release = plan.live is None
    if first_release and not look.verbose and plan.resources:
        yield line(_MARGIN, f"{many(len(plan.resources), 'resource')} in its image", faint(" (-v lists them)"))
        return
    for address, action in plan.resources:
        symbol, style = _SYMBOLS.get(_ACTIONS.get(action, Action.NONE), _SYMBOLS[Action.NONE])
        yield line(_MARGIN, Span(f"{symbol.strip()} {action:6}", style), f" {address}")


_ACTIONS = {action.value: action for action in Action}


def _instances(plan: ReleasePlan) -> Iterator[Line]:
    if plan.launch:
        yield line(_MARGIN, Span("+", Style.ADDED), f" {many(plan.launch, 'instance')} to launch")
    yield from (
        line(_MARGIN, Span("-", Style.REMOVED), f" {instance}", faint("" if plan.kind == "replace" else "  goes out of traffic"))
        for instance in plan.replace
    )


def _last_time(plan: ReleasePlan) -> str:
    return f"; the last rollout took {lasted(plan.last_seconds)}" if plan.last_seconds is not None else ""


def _notices(notices: tuple[str, ...], look: Look) -> Iterator[Line]:
    for notice in notices:
        yield from prose(line(Span("  ! notice ", Style.CHANGED), "  "), notice, width=look.width)


_EXPLAINED = {
    Sureness.OPAQUE: "opaque: a command runs; what it changes cannot be foreseen",
    Sureness.ASSUMED: "assumed: concluded from an earlier line of this plan, not seen",
}


def _legend(plan: Plan) -> Iterator[Line]:
    found = {change.sureness for server in plan.servers if isinstance(server, HostPlan) for change in server.changes}
    told = [text for sureness, text in _EXPLAINED.items() if sureness in found]
    yield from (line(faint(text)) for text in told)
    if told:
        yield BLANK
