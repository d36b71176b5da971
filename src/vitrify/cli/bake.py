"""`vitrify bake`: an image, and nothing else."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.text import line
from vitrify.cli.verb import verb
from vitrify.core.amounts import size
from vitrify.core.diagnostic import UsageInvalid

EXAMPLES = {
    "vitrify bake web": "Bake the image of web and print its digest.",
    "vitrify bake web -o json": "The digest and the size, as a document.",
    "vitrify bake web --as qcow2 --out web.qcow2": "A disk that a virtual machine boots from.",
}


@verb("bake", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.DENIED, Exit.INTEGRITY, Exit.DECLARATION))
@click.argument("server")
@flag("--as", "form", type=click.Choice(["raw", "qcow2"]), help="Write a bootable disk, too. The image has to hold a kernel and systemd.")
@flag("--out", metavar="FILE", help="The disk's file; SERVER.raw or SERVER.qcow2 where not given.")
@shared("project", "var")
def bake(invocation: Invocation, server: str, form: str | None, out: str | None) -> Exit:
    """Bake the image of an immutable SERVER into the store and print its digest, which is the same wherever the same declaration
    is baked. Starts nothing and moves no traffic.
    """  # noqa: D205  the whole paragraph is the help
    if form is not None:
        return _disk(invocation, server, form, out or f"{server}.{form}")
    if out is not None:
        raise UsageInvalid("--out names the file of a disk", hint="say which: `--as raw` or `--as qcow2`")
    digest, count = invocation.app.bake(server)
    invocation.screen.show(
        lambda: documents.document("bake", server=server, image=digest, bytes=count), lambda _: [line(f"{digest}  {size(count)}")]
    )
    return Exit.DONE


def _disk(invocation: Invocation, server: str, form: str, into: str) -> Exit:
    digest, count = invocation.app.bake_disk(server, form=form, into=into)
    invocation.screen.show(
        lambda: documents.document("disk", server=server, image=digest, format=form, path=into, bytes=count),
        lambda _: [line(f"{into}  {size(count)}"), line(f"of {digest}")],
    )
    return Exit.DONE
