"""`vitrify completion`: what a shell needs to complete verbs, flags and names."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.text import line
from vitrify.cli.verb import verb

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_VITRIFY_COMPLETE"

EXAMPLES = {
    'eval "$(vitrify completion bash)"': "In ~/.bashrc.",
    'eval "$(vitrify completion zsh)"': "In ~/.zshrc, after compinit.",
    "vitrify completion fish > ~/.config/fish/completions/vitrify.fish": "Once, for fish.",
}


@verb("completion", examples=EXAMPLES)
@click.argument("shell", type=click.Choice(SHELLS))
@shared()
def completion(invocation: Invocation, shell: str) -> Exit:
    """Print the script that lets a shell complete verbs and flags, and the names of environments, servers, groups and hosts."""
    from click.shell_completion import get_completion_class

    from vitrify.cli.group import vitrify

    known = get_completion_class(shell)
    assert known is not None  # noqa: S101  click brings these three along
    # Not `source()`: for bash that first runs a bash, to complain about versions of before 2016.
    made = known(vitrify, {}, "vitrify", VARIABLE)
    text = made.source_template % made.source_vars()
    shown = text.strip("\n").split("\n")
    invocation.screen.show(lambda: documents.document("completion", program=shell, script=text), lambda _: [line(each) for each in shown])
    return Exit.DONE
