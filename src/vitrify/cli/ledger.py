"""`vitrify ledger`: read, search, prove and verify the record."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_ledger import entry_lines, shown_lines
from vitrify.cli.render_report import verified_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import IntegrityFailed, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.ledger_report import Asked, Shown


@click.group("ledger")
def ledger() -> None:
    """Read and verify the tamper-evident record of every plan, apply, release, switch, rollback and finding."""


@verb(
    "show",
    examples={"vitrify ledger show": "The newest entries.", "vitrify ledger show -n 100 -o json": "A hundred of them, with their bodies."},
    exits=(Exit.INTEGRITY,),
)
@flag("-n", "--last", type=click.IntRange(min=1), default=20, metavar="COUNT", help="How many entries, from the end.")
@shared("project")
def show(invocation: Invocation, last: int) -> Exit:
    """List the newest entries of the project's ledger, oldest first: number, time, author, kind and what they say."""
    found = invocation.app.entries(last=last)
    invocation.screen.show(lambda: documents.entries(found), lambda look: entry_lines(found, look))
    return Exit.DONE


@verb(
    "grep",
    examples={
        "vitrify ledger grep --server web --kind 'switch.*'": "When traffic of web moved.",
        "vitrify ledger grep sha256:ab12": "Every entry that names this digest.",
        "vitrify ledger grep --actor anna -o json": "What anna did, or a pipeline that she started.",
    },
    exits=(Exit.INTEGRITY,),
)
@click.argument("text", default="")
@flag("--server", metavar="NAME", default="", help="About this server.")
@flag("--host", metavar="NAME", default="", help="About this host.")
@flag("--kind", metavar="KIND", default="", help="Of this kind; `*` stands for anything, as in 'apply.*'.")
@flag("--actor", metavar="NAME", default="", help="By this author, person, machine or pipeline.")
@flag("--since", type=click.IntRange(min=0), default=0, metavar="ENTRY", help="From this entry on.")
@shared("project")
def grep(invocation: Invocation, text: str, since: int, **asked: str) -> Exit:
    """List the entries that fit all that is asked, oldest first. TEXT is looked for in the entry as it was signed."""
    wanted = Asked(text=text, since=since, **asked)
    found = invocation.app.grep(wanted)
    invocation.screen.show(lambda: documents.entries(found), lambda look: entry_lines(found, look, none="No entry fits."))
    return Exit.DONE


@verb(
    "prove",
    examples={
        "vitrify ledger prove 17 --out 17.tlog-proof": "A receipt for entry 17, to hand to somebody.",
        "vitrify ledger verify --receipt 17.tlog-proof": "What they do with it: `vitrify.keys` is all that it takes.",
    },
    exits=(Exit.INTEGRITY,),
)
@click.argument("entry", type=click.IntRange(min=0))
@flag("--out", metavar="FILE", default="", help="Write it to FILE, byte for byte.")
@shared("project")
def prove(invocation: Invocation, entry: int, out: str) -> Exit:
    """Print a receipt for ENTRY: the entry, the hashes from it to the root, and the signed checkpoint (a C2SP tlog-proof). Whoever knows
    the authors' public keys can check it, without us, the ledger or vitrify.
    """  # noqa: D205  the whole paragraph is the help
    return _text(invocation, invocation.app.prove(entry), "receipt", out)


@verb(
    "checkpoint",
    examples={
        "vitrify ledger checkpoint --out kept.checkpoint": "Keep it where whoever could rewrite the ledger cannot write.",
        "vitrify ledger checkpoint --cosign": "Ask the witnesses that have not cosigned it.",
    },
    exits=(Exit.UNREACHABLE, Exit.INTEGRITY),
)
@flag("--out", metavar="FILE", default="", help="Write it to FILE, byte for byte.")
@flag("--cosign", is_flag=True, help="First have the witnesses of `vitrify.keys` cosign it.")
@shared("project")
def checkpoint(invocation: Invocation, out: str, *, cosign: bool) -> Exit:
    """Print the published checkpoint: how many entries there are, the root over them, and who signed and cosigned that."""
    missing = invocation.app.cosign().missing if cosign else ()
    for name, why in missing:
        invocation.screen.say(line(f"{name} did not cosign: {why}"))
    _text(invocation, invocation.app.checkpoint(), "checkpoint", out)
    return Exit.UNREACHABLE if missing else Exit.DONE


@verb(
    "export",
    examples={"vitrify ledger export > ledger.ndjson": "One entry a line.", "vitrify ledger export --since 4000": "What is new to you."},
    exits=(Exit.INTEGRITY,),
)
@flag("--since", type=click.IntRange(min=0), default=0, metavar="ENTRY", help="From this entry on.")
@flag("--out", metavar="FILE", default="", help="Write it to FILE, byte for byte.")
@shared("project")
def export(invocation: Invocation, since: int, out: str) -> Exit:
    """Print every entry as it was signed, one a line (NDJSON), for a log store or an auditor. A line's SHA-256 behind a zero byte is its
    leaf in the tree.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.export_ledger(since=since)
    if out:
        return _written(invocation, (f"{each}\n" for each in found), out)
    invocation.screen.show(
        lambda: documents.document("ledger-export", entries=[json.loads(each) for each in found]), lambda _: (line(each) for each in found)
    )
    return Exit.DONE


@verb(
    "verify",
    examples={
        "vitrify ledger verify": "The project's own ledger, every byte of it.",
        "vitrify ledger verify --quick": "Only what is new since it last held.",
        "vitrify ledger verify ./copy": "A copy of it, from anywhere.",
        "vitrify ledger verify --receipt 17.tlog-proof": "A receipt that somebody gave you.",
        "vitrify ledger verify --at-host ssh://admin@db1.example": "Whether all that this host saw of it is still in it.",
    },
    exits=(Exit.UNREACHABLE, Exit.INTEGRITY, Exit.DECLARATION),
)
@click.argument("path", default="")
@flag("--quick", is_flag=True, help="Read only what came after the checkpoint under which everything held last.")
@flag("--receipt", metavar="FILE", default="", help="Check this receipt instead of the ledger.")
@flag("--at-host", metavar="HOST", default="", help="Compare the ledger with what this host kept of it.")
@shared("project")
def verify(invocation: Invocation, path: str, receipt: str, at_host: str, *, quick: bool) -> Exit:
    """Check the project's ledger, or a copy of it at PATH, from its bytes: every entry is under the signed root, nothing was
    rewritten, reordered or cut off, known keys signed it, and as many witnesses cosigned it as `vitrify.keys` asks for. What held before
    must still be in it. Exit 8 where that does not hold.
    """  # noqa: D205  the whole paragraph is the help
    if sum(map(bool, (path, quick, receipt, at_host))) > 1:
        raise UsageInvalid("one thing is verified at a time", hint="PATH, --quick, --receipt or --at-host")
    if at_host:
        return _shown(invocation, invocation.app.verify_at(at_host), f"the ledger as {at_host} saw it")
    if receipt:
        return _shown(invocation, invocation.app.check_receipt(receipt), f"the receipt {receipt}")
    verified = invocation.app.verify(path, quick=quick)
    invocation.screen.show(lambda: documents.verified(verified), lambda _: verified_lines(verified))
    _refuse(verified.problems, f"the ledger {verified.origin}")
    return Exit.DONE


@verb(
    "recover",
    examples={"vitrify ledger recover --from-hosts": "After the machine that had the ledger was lost."},
    exits=(Exit.INTEGRITY, Exit.DECLARATION),
)
@flag("--from-hosts", is_flag=True, help="From what the hosts of the declaration kept.")
@shared("project", "parallel", "yes")
def recover(invocation: Invocation, *, from_hosts: bool) -> Exit:
    """Put the ledger together again from what its hosts kept: each has the entries that concern it, those that concern no host, and
    the newest checkpoint that it saw. What comes out is under that signature, byte for byte, or nothing is written: exit 8 tells what
    is missing.
    """  # noqa: D205  the whole paragraph is the help
    if not from_hosts:
        raise UsageInvalid("from what is the ledger to be recovered?", hint="vitrify ledger recover --from-hosts")
    confirm(invocation, "Write what the hosts kept as this project's ledger here?")
    found = invocation.app.recover()
    told = f"{found.size} entries, {found.size - found.before} of them from {', '.join(found.heard) or 'nobody'}"
    silent = f"; {', '.join(found.silent)} could not be asked" if found.silent else ""
    said: JSONObject = {"before": found.before, "size": found.size, "heard": [*found.heard], "silent": [*found.silent]}
    invocation.screen.show(lambda: documents.document("recovered", **said), lambda _: [line(f"The ledger has {told}{silent}.")])
    return Exit.DONE


def _shown(invocation: Invocation, shown: Shown, what: str) -> Exit:
    said: JSONObject = {"subject": shown.subject, "problems": [*shown.problems], "holds": not shown.problems, "details": shown.details}
    invocation.screen.show(lambda: documents.document("shown", **said), lambda _: shown_lines(shown))
    _refuse(shown.problems, what)
    return Exit.DONE


def _refuse(problems: tuple[str, ...], what: str) -> None:
    if problems:
        first, *more = problems
        raise IntegrityFailed(
            f"{what} does not hold",
            why=f"{first}{f', and {len(more)} more' if more else ''}",
            hint="keep this copy as it is, and compare it with the hosts' own entries",
        )


def _text(invocation: Invocation, text: str, name: str, out: str) -> Exit:
    if out:
        return _written(invocation, (text,), out)
    lines = text.removesuffix("\n").split("\n")
    invocation.screen.show(lambda: documents.document(name, text=text), lambda _: [line(each) for each in lines])
    return Exit.DONE


def _written(invocation: Invocation, texts: Iterable[str], out: str) -> Exit:
    try:
        with Path(out).open("w", encoding="utf-8", newline="") as file:
            file.writelines(texts)
    except OSError as error:
        raise UsageInvalid(f"{out} cannot be written", why=error.strerror or "") from None
    invocation.screen.say(line(f"Written to {out}."))
    return Exit.DONE


for _verb in (show, grep, prove, checkpoint, export, verify, recover):
    ledger.add_command(_verb)
