"""The flags that several verbs share. Each may stand before the verb or after it, and has a `VITRIFY_<FLAG>` variable."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import click

from vitrify.cli.render import Format

Decorated = TypeVar("Decorated", bound=Callable[..., object])


class Decorator(Protocol):
    """Adds parameters to a verb's function."""

    def __call__(self, function: Decorated, /) -> Decorated:
        """The same function, with one more parameter to parse."""


FORMATS = tuple(form.value for form in Format)


def flag(*names: str, **attributes: Any) -> Decorator:  # noqa: ANN401  click's own parameters, in click's own words
    """A click option whose environment variable is told in the help."""
    return click.option(*names, show_envvar=True, **attributes)


def _assignments(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{each!r} is not NAME=VALUE.")
        found[name] = value
    return found


def _environments(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    from vitrify.reading import environments

    return [name for name in environments(_folder(ctx)) if name.startswith(incomplete)]


def _picked(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    from vitrify.reading import pickable

    return [name for name in pickable(_folder(ctx)) if name.startswith(incomplete)]


def _folder(ctx: click.Context) -> str:
    """The project's folder, given behind the verb or before it."""
    given = [context.params.get("project", ".") for context in (ctx, ctx.find_root())]
    return str(next((folder for folder in given if folder not in (".", None)), "."))


class OutputOrFile(click.ParamType[str]):
    """What `plan -o` takes: a format, or a file to save the plan to."""

    name = "output"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The formats and FILE."""
        return f"[{'|'.join(FORMATS)}|FILE]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The value as it is; one that looks like a mistyped format is refused, lest a plan be saved under the name `jsno`."""
        from difflib import get_close_matches

        near = get_close_matches(value, FORMATS, n=1, cutoff=0.7)
        if value not in FORMATS and near:
            self.fail(
                f"{value!r} is not a format. Did you mean {near[0]!r}? To save the plan to a file of that name: --out {value}", param, ctx
            )
        if not value:
            self.fail("a format or a file name is needed.", param, ctx)
        return value


FOREVER = "forever"


class Duration(click.ParamType[float]):
    """Seconds, written as `500ms`, `30s`, `10m`, `1h` or `forever`."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds."""
        match = re.fullmatch(r"([0-9]+)(ms|s|m|h)", str(value))
        if isinstance(value, float):
            return value
        if value == FOREVER:
            return float("inf")
        if match is None:
            self.fail(
                f"{value!r} is not a duration: a whole number and ms, s, m or h, as in 10m; or nothing, for as long as it takes.",
                param,
                ctx,
            )
        return int(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}[match[2]]


project = flag("-C", "--project", metavar="DIR", default=".", help="The project's folder, or one below it.")
limit = flag(
    "-l",
    "--limit",
    metavar="PATTERN",
    multiple=True,
    shell_complete=_picked,
    help="Only this server, group or host, as in web or 'db*'. Repeatable.",
)
exclude = flag(
    "--exclude",
    metavar="PATTERN",
    multiple=True,
    shell_complete=_picked,
    help="Not this server, group or host. Repeatable; wins over --limit.",
)
env = flag(
    "-e",
    "--env",
    metavar="NAME",
    default="",
    shell_complete=_environments,
    help="The environment whose variables count.",
)
tag = flag("-t", "--tag", metavar="TAG", multiple=True, help="Only resources with this tag, of mutable servers. Repeatable.")
parallel = flag("-j", "--parallel", type=click.IntRange(min=1), metavar="N", default=10, show_default=True, help="So many hosts at a time.")
keep_runs = flag(
    "--keep-runs", type=click.IntRange(min=1), metavar="N", default=20, show_default=True, help="So many runs stay undoable on a host."
)
dead_man = flag(
    "--dead-man",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    default=120,
    show_default=True,
    help="A host takes back a change that could shut us out unless it is confirmed in this time; 0 trusts to luck.",
)
plain_http = flag("--plain-http", is_flag=True, help="Speak without encryption, also with registries on other machines.")
wait = flag(
    "--wait",
    type=Duration(),
    metavar="[=DURATION]",
    default=0.0,
    help="Where somebody else is changing the same server, wait for the end of it: as long as it takes, or this long, as in =10m.",
)
var = flag("--var", metavar="NAME=VALUE", multiple=True, callback=_assignments, help="Set a variable of the declaration. Repeatable.")
output = flag("-o", "--output", type=click.Choice(FORMATS), default="table", help="Form of the data on stdout.")
output_or_file = flag(
    "-o", "--output", type=OutputOrFile(), default="table", help="Form of the data on stdout; any other value is a FILE as in --out."
)
color = flag(
    "--color", type=click.Choice(("auto", "always", "never")), default="auto", help="Colour; auto also obeys NO_COLOR and FORCE_COLOR."
)
quiet = flag("-q", "--quiet", is_flag=True, help="No progress and no remarks on stderr; errors stay.")
verbose = flag("-v", "--verbose", count=True, help="Tell more: every step, whole diffs, whole digests.")
yes = flag("-y", "--yes", is_flag=True, help="Do not ask before changing anything.")

_DECORATORS: Mapping[str, Decorator] = {
    "project": project,
    "limit": limit,
    "exclude": exclude,
    "tag": tag,
    "env": env,
    "var": var,
    "parallel": parallel,
    "keep_runs": keep_runs,
    "dead_man": dead_man,
    "wait": wait,
    "yes": yes,
    "output": output,
    "output_or_file": output_or_file,
    "color": color,
    "quiet": quiet,
    "verbose": verbose,
}


def shared(*names: str) -> Decorator:
    """These shared flags, and those of every verb: how to show. Whoever takes variables takes an environment as well."""
    showing = {"output_or_file" if "output_or_file" in names else "output", "color", "quiet", "verbose"}
    showing |= {"env"} if "var" in names else set()

    def decorate(function: Decorated, /) -> Decorated:
        for name in reversed([each for each in _DECORATORS if each in {*names, *showing}]):
            function = _DECORATORS[name](function)
        return function

    return decorate


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """The words of a command, with a bare `--wait` given the value that it stands for."""
    return [f"--wait={FOREVER}" if word == "--wait" else word for word in arguments]


def taken_from_group(ctx: click.Context) -> dict[str, object]:
    """The verb's parameters, completed by the flags that stood before the verb; a flag that the verb lacks is refused."""
    root = ctx.find_root()
    found = dict(ctx.params)
    offered = {parameter.name for parameter in ctx.command.params}
    for parameter in root.command.params:
        name = parameter.name or ""
        if root.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
            continue
        if name not in offered:
            raise click.UsageError(f"{ctx.command_path!r} does not take {parameter.opts[-1]}.", ctx=ctx)
        before = root.params[name]
        if ctx.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
            found[name] = before
        elif isinstance(before, tuple):
            found[name] = (*before, *found[name])
        elif isinstance(before, dict):
            found[name] = before | found[name]
    return found
