"""The table of verbs. A verb's module is imported when the verb is used: help and version must not wait for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

from vitrify import __version__
from vitrify.cli.exits import MEANINGS
from vitrify.cli.options import shared, spelled_out
from vitrify.cli.verb import PREFIX

VERBS: Mapping[str, str] = {
    "init": "Begin a project: write a declaration to start from.",
    "bootstrap": "Let hosts without Python get one from their package manager.",
    "plan": "Show what apply would do, and why; change nothing.",
    "apply": "Make it so: converge mutable servers, release immutable ones.",
    "import": "Take what is there under management without touching it.",
    "undo": "Take back the last apply of a mutable server.",
    "serve": "Look after the servers: restart, watch health, clean up, audit, tell metrics.",
    "status": "Show each server: what is live, what was applied when.",
    "bake": "Bake the image of an immutable server.",
    "verify": "Check an image, and what is said of it, offline.",
    "images": "List the images that are kept here.",
    "store": "Keep the image store small and whole; pin what must stay.",
    "push": "Push an image to a registry.",
    "pull": "Pull an image from a registry.",
    "export": "Write an image to a file that can be carried.",
    "load": "Bring in an image from such a file.",
    "releases": "List the releases of immutable servers.",
    "promote": "Let a rollout that waits go on.",
    "abort": "Take back a rollout that has not ended.",
    "rollback": "Make a former release of an immutable server live again.",
    "contract": "Carry out the second half of a migration; then nothing goes back behind it.",
    "pause": "Hold the requests to a server for a moment.",
    "resume": "Let held requests through.",
    "exec": "Run a command on a server's hosts; inside an instance only with a reason.",
    "logs": "Show what instances wrote.",
    "outdated": "Show which packages are behind, and which patches are for security.",
    "update": "Choose anew what images are made of, and pin that.",
    "audit": "Find every difference from what was declared and authorised.",
    "audit explain": "Tell all that is known of a path, and why it is a finding or none.",
    "audit accept": "Compare with what is there now, from now on.",
    "audit adopt": "Write what is there now into the declaration, as a patch.",
    "quarantine": "List what was taken out of the way as evidence; put it back, discard it.",
    "watch": "Tell every such difference as it comes to be, and who made it.",
    "ledger": "Read, search, prove and verify the tamper-evident record.",
    "approve": "Sign a saved plan, where policy wants it approved.",
    "key": "List, replace and revoke the keys that sign for a project.",
    "witness": "Be a witness of a ledger: cosign it as long as it only grows.",
    "retire": "Take a server out of service, and away what was created for it.",
    "lease": "Show who is changing a server right now; take that away.",
    "forget": "Stop managing hosts, and leave what is there.",
    "explain": "Show where the value of a variable comes from.",
    "inventory": "Bring in what other tools know about hosts.",
    "schema": "Print the JSON Schema of a declaration, for editors.",
    "completion": "Print what a shell needs to complete commands.",
    "doctor": "Check what this machine has and lacks.",
    "demo": "See it work on a real application, in under a minute.",
    "version": "Show the version.",
}
"""Name -> short help, in the order of a project's life. `NAME` is the command `NAME` in the module of that name, unless told else."""

ELSEWHERE: Mapping[str, tuple[str, str]] = {
    "import": ("importing", "import_"),
    "exec": ("executing", "exec_"),
    "audit explain": ("audit_path", "explain"),
    "audit accept": ("audit_path", "accept"),
    "audit adopt": ("audit_path", "adopt"),
}
"""Name -> module and command, where the name is a word of Python's, or two words."""


class Verbs(click.Group):
    """A group that knows its verbs by name and imports the one that is used."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; a flag whose value may be left out never takes the next word for it."""
        return super().parse_args(ctx, spelled_out(args))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the table's order."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb; None where there is none of this name."""
        if cmd_name not in VERBS:
            return None
        module, command = ELSEWHERE.get(cmd_name, (cmd_name, cmd_name))
        found = getattr(import_module(f"vitrify.cli.{module}"), command)
        assert isinstance(found, click.Command)  # noqa: S101  the table of verbs is tested
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb; a mistyped one is refused with the one that was meant."""
        if " ".join(args[:2]) in VERBS:
            args = [" ".join(args[:2]), *args[2:]]
        name = args[0]
        if name in VERBS or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        near = get_close_matches(name, VERBS, n=1)
        raise click.UsageError(f"There is no verb {name!r}.{f' Did you mean {near[0]!r}?' if near else ''}", ctx=ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing what it lists."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The exit codes of all verbs."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in MEANINGS.items()])


@click.group(
    "vitrify",
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": PREFIX, "max_content_width": 100},
    no_args_is_help=True,
    subcommand_metavar="VERB [ARGS]...",
)
@shared("project", "limit", "exclude", "tag", "var", "parallel", "keep_runs", "dead_man", "wait", "yes")
@click.version_option(__version__, "-V", "--version", prog_name="vitrify", message="%(prog)s %(version)s")
def vitrify(**_: object) -> None:
    """Converge live servers in place, or bake the same declaration into images and replace instances.

    Flags may stand before or after the verb. `vitrify VERB -h` explains a verb.
    """
