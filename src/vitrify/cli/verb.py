"""A verb of the command line: it promises, shows examples, tells its exit codes, and turns every known error into one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from vitrify.cli.exits import MEANINGS, Exit, exit_for
from vitrify.cli.invocation import Invocation, Run, Surroundings
from vitrify.cli.options import FORMATS, spelled_out, taken_from_group
from vitrify.cli.render import Format, Screen, Settings
from vitrify.core.asked import Scope
from vitrify.core.diagnostic import VitrifyError

PREFIX = "VITRIFY"
"""Every flag of every verb has the variable `VITRIFY_<FLAG>`, whatever the verb."""

_SCOPE = {
    "project": "folder",
    "limit": "limit",
    "exclude": "exclude",
    "tag": "tags",
    "env": "environment",
    "var": "overrides",
    "parallel": "parallel",
    "keep_runs": "keep_runs",
    "dead_man": "dead_man",
    "wait": "wait",
}
"""Flag -> the field of the scope that it fills."""
_SHARED = (*_SCOPE, "output", "color", "quiet", "verbose", "yes")
_ALWAYS = (Exit.DONE, Exit.FAILED, Exit.USAGE, Exit.INTERRUPTED, Exit.TERMINATED)


class Verb(click.Command):
    """A click command with examples and exit codes, run with an `Invocation` in place of the shared flags."""

    def __init__(self, *arguments: Any, examples: Mapping[str, str], exits: Sequence[Exit], **attributes: Any) -> None:  # noqa: ANN401  click's own
        super().__init__(*arguments, **attributes)
        self.examples = examples
        self.exits = tuple(sorted({*_ALWAYS, *exits}))
        self.context_settings = {**self.context_settings, "auto_envvar_prefix": PREFIX}

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples and exit codes."""
        with formatter.section("Examples"):
            for command, what in self.examples.items():
                formatter.write(f"{'':{formatter.current_indent}}{command}\n")
                formatter.write_text(f"    {what}")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), MEANINGS[code]) for code in self.exits])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; a flag whose value may be left out never takes the next word for it."""
        return super().parse_args(ctx, spelled_out(args))

    def invoke(self, ctx: click.Context) -> Exit:
        """Run the verb; every `VitrifyError` is shown and becomes its exit code."""
        given = taken_from_group(ctx)
        invocation = _invocation(ctx, given)
        ctx.obj, ctx.params = invocation, {name: value for name, value in given.items() if name not in _SHARED}
        try:
            ended: Exit = super().invoke(ctx)
        except VitrifyError as error:
            invocation.screen.fail(error, folder=invocation.scope.folder)
            return exit_for(error)
        finally:
            invocation.close()
        return ended


def verb(name: str, *, examples: Mapping[str, str], exits: Sequence[Exit] = ()) -> Callable[[Run], Verb]:
    """Make a function the verb of this name. Its docstring is the help: the promise, in one paragraph."""

    def decorate(function: Run) -> Verb:
        return click.command(name, cls=Verb, examples=examples, exits=exits)(click.pass_obj(function))

    return decorate


def _invocation(ctx: click.Context, given: Mapping[str, Any]) -> Invocation:
    surroundings = ctx.find_root().obj
    assert isinstance(surroundings, Surroundings)  # noqa: S101  main passes it, and nobody else makes a root context
    asked = str(given["output"])
    settings = Settings(Format(asked) if asked in FORMATS else Format.TABLE, given["color"], given["quiet"], given["verbose"])
    scope = Scope(**{field: given[flag] for flag, field in _SCOPE.items() if flag in given})
    screen = Screen(surroundings.streams, settings, environ=surroundings.environ, clock=surroundings.clock)
    return Invocation(screen, scope, surroundings, yes=given.get("yes", False), output=asked, again=ctx.command_path)
