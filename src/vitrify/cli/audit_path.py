"""`vitrify audit explain`, `accept` and `adopt`: one path, what is known of it, that it may stay, and that it is declared so."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import Decorated, flag, shared
from vitrify.cli.render_answers import adoption_lines
from vitrify.cli.render_audit import accepted_lines, known_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import UsageInvalid

_EXITS = (Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION)


def _where(function: Decorated, /) -> Decorated:
    """The flags that say of which server, and on which of its hosts, a path is meant."""
    host = flag("--host", metavar="HOST", default="", help="Only this host, written as in the declaration.")
    return flag("--server", metavar="SERVER", default="", help="Only this server.")(host(function))


@verb(
    "audit explain",
    examples={
        "vitrify audit explain /etc/ssh/sshd_config": "On every host that is chosen.",
        "vitrify audit explain /usr/bin/openssl --server db --host local -o json": "On one host, as a document.",
    },
    exits=_EXITS,
)
@click.argument("path")
@_where
@shared("project", "limit", "exclude", "var")
def explain(invocation: Invocation, path: str, server: str, host: str) -> Exit:
    """Tell all that is known of PATH: how it was in the baseline and is now, which package and which resource it belongs to, which
    entries of the ledger and which rules of noise are about it, and so why it is a finding or is none. Changes nothing.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.known_of(path, server=server, host=host)
    invocation.screen.show(
        lambda: documents.document("known", hosts=[one.to_json() for one in found]), lambda look: known_lines(found, look)
    )
    return Exit.DONE


@verb(
    "audit accept",
    examples={
        "vitrify audit accept /etc/hosts --reason 'the new proxy'": "It is as it should be: compare with it from now on.",
        "vitrify audit accept package:openssl --reason DSA-5764": "All that this package explains, and its version.",
        "vitrify audit accept /usr --reason 'audited from today'": "A folder of `audit` that has no baseline yet.",
    },
    exits=_EXITS,
)
@click.argument("paths", nargs=-1, required=True)
@_where
@flag("--reason", metavar="TEXT", default="", help="Why; it is recorded in the ledger.")
@shared("project", "limit", "exclude", "var", "wait", "yes")
def accept(invocation: Invocation, paths: tuple[str, ...], server: str, host: str, reason: str) -> Exit:
    """Let what is at each of PATHS now be what the next audits compare with: a path with all below it, `package:NAME` for what that
    package explains, or a folder of `audit` that was not recorded yet. Nothing on the host is changed but what vitrify remembers. What a
    resource declares is not accepted by this: change the declaration.
    """  # noqa: D205  the whole paragraph is the help
    if not reason.strip():
        raise UsageInvalid("a difference is accepted for a reason", hint=f"vitrify audit accept {paths[0]} --reason '...'")
    invocation.screen.say(line(f"Accept what is there now: {', '.join(paths)}{f' on {host}' if host else ''}."))
    confirm(invocation, "Accept it?")
    found = invocation.app.accept(paths, server=server, host=host, reason=reason.strip())
    invocation.screen.show(lambda: documents.document("accepted", hosts=[one.to_json() for one in found]), lambda _: accepted_lines(found))
    return Exit.DONE


@verb(
    "audit adopt",
    examples={
        "vitrify audit adopt /etc/motd": "Shows the patch of the declaration, and asks.",
        "vitrify audit adopt service:nginx --server db --host local -y": "Of one resource on one host, without asking.",
    },
    exits=_EXITS,
)
@click.argument("path")
@_where
@shared("project", "limit", "exclude", "var", "yes")
def adopt(invocation: Invocation, path: str, server: str, host: str) -> Exit:
    """Write what is at PATH now, or of the resource of this address, into the declaration: as a patch that is shown first, and in which
    comments and order stay. What cannot be expressed is refused with why. Nothing on the host is changed: the next `plan` says so.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.adoption(path, server=server, host=host)
    for each in adoption_lines(found):
        invocation.screen.say(each)
    if found.patches:
        confirm(invocation, "Write that into the project?")
    entry = invocation.app.adopt(found)
    files = ", ".join(patch.file for patch in found.patches) or "nothing was left to write"
    told = [line(f"Declared as it is there: {found.address} ({files}); ledger entry {entry}.")]
    invocation.screen.show(lambda: documents.document("adopted", **found.to_json(), entry=entry), lambda _: told)
    return Exit.DONE
