"""`vitrify verify`: what an image is, who made it from what, and whether that is true."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_report import verdict_lines
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import IntegrityFailed

EXAMPLES = {
    "vitrify verify web": "The image of web's live release.",
    "vitrify verify ./copy --key 'ann@laptop+1f2e3d4c+AbCd…'": "An image that came as an OCI layout, by the key of whoever made it.",
}


@verb("verify", examples=EXAMPLES, exits=(Exit.INTEGRITY,))
@click.argument("image")
@flag(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Trust this public key, as it stands in a vitrify.keys, and not the project's. Repeatable.",
)
@shared("project")
def verify(invocation: Invocation, image: str, keys: tuple[str, ...]) -> Exit:
    """Check an IMAGE offline, from its bytes alone: each digest, the signature, the provenance, and that the bill of materials lists
    just what is in the layers. IMAGE is a server, a digest, or the folder of an OCI layout. Exit 8 where something does not hold.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.verify_image(image, keys=keys)
    invocation.screen.show(lambda: documents.image_verified(found), lambda _: verdict_lines(found))
    if broken := [verdict for verdict in found.verdicts if not verdict.holds]:
        raise IntegrityFailed(
            f"the image {found.image} cannot be vouched for",
            why="; ".join(f"{verdict.name}: {verdict.found}" for verdict in broken),
            hint="do not run it; bake it again, or ask who gave it to you",
        )
    return Exit.DONE
