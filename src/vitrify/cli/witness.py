"""`vitrify witness`: cosign a ledger as long as it only grows."""

from __future__ import annotations

from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.verb import verb


@verb(
    "witness",
    examples={
        "vitrify witness": "On this machine, for whoever reaches its port 8484 on loopback.",
        "vitrify witness --listen 0.0.0.0:8484 --name w1.example": "For others, under a name that they know.",
    },
    exits=(Exit.INTEGRITY,),
)
@flag("--listen", metavar="ADDRESS:PORT", default="127.0.0.1:8484", show_default=True, help="Where to answer; port 0 takes a free one.")
@flag("--name", metavar="NAME", default="", help="What its key is called when it is made at the first use.")
@shared("project")
def witness(invocation: Invocation, listen: str, name: str) -> Exit:
    """Serve the C2SP tlog-witness protocol for this project's ledger, until interrupted: a checkpoint that continues the last one is kept,
    durably, and then cosigned; one that does not is refused. All it needs of the project is `vitrify.keys`. It prints the line that makes
    it a witness there. Run it on a machine that nobody who writes the ledger can change.
    """  # noqa: D205  the whole paragraph is the help
    invocation.app.serve_witness(listen, name=name)
    return Exit.DONE
