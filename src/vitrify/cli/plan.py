"""`vitrify plan`: what apply would do, before it does."""

from __future__ import annotations

from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import FORMATS, flag, shared
from vitrify.cli.text import line
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify plan": "Show every change, its reason and its diff.",
    "vitrify plan -o plan.json": "Show it and save it; `vitrify apply plan.json` does exactly that, or refuses.",
    "vitrify plan -e prod -l 'db*'": "In the environment prod, only servers, groups or hosts that are called so.",
    "vitrify plan --detailed-exitcode -q": "In a pipeline: exit 2 where something would change.",
    "vitrify plan -o json --out plan.json": "Print the document as well as saving it.",
}


@verb(
    "plan",
    examples=EXAMPLES,
    exits=(Exit.CHANGES, Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DENIED, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION),
)
@flag("--out", metavar="FILE", default="", help="Save the plan to FILE, for `vitrify apply FILE`.")
@flag("--detailed-exitcode", is_flag=True, help="Exit 2 where something would change.")
@shared("project", "limit", "exclude", "tag", "var", "parallel", "output_or_file")
def plan(invocation: Invocation, out: str, detailed_exitcode: bool) -> Exit:  # noqa: FBT001  a flag of the command line
    """Look at every server, compare it with the declaration, and show what apply would do: each change with its reason, how sure
    it is and whether it can be undone; each release with the instances it replaces. Changes nothing.
    """  # noqa: D205  the whole paragraph is the help
    planned = invocation.app.plan()
    from vitrify.cli.render_plan import plan_lines  # not before: the hosts are being called meanwhile

    invocation.screen.show(planned.to_json, lambda look: plan_lines(planned, look))
    file = out or ("" if invocation.output in FORMATS else invocation.output)
    if file:
        invocation.app.save(planned, file)
        invocation.screen.say(line(f"Saved. `vitrify apply {file}` does exactly this, or refuses where something has moved."))
    if planned.problems:
        return Exit.UNREACHABLE if all(problem.unreachable for problem in planned.problems) else Exit.HOSTS_FAILED
    return Exit.CHANGES if detailed_exitcode and not planned.empty else Exit.DONE
