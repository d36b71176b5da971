"""The stranger's verifier: believes only the keys that it is given, and shares no code with what writes the ledger.

Everything it reads may be hostile, so nothing here raises on any bytes: what does not hold becomes a problem in words.
The format is specified in `docs/formats/ledger.md`; this is one implementation of it, the writer is another.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vitrify.core.digest import JSONObject
from vitrify.core.report import Verified
from vitrify.ledger.verify.files import sort_paths
from vitrify.ledger.verify.note import Head, read_head, trusted_keys
from vitrify.ledger.verify.policy import Policy
from vitrify.ledger.verify.problems import Problems, shown
from vitrify.ledger.verify.walk import Read, Walk

__all__ = ["verify", "Kept", "Policy", "Read"]


@dataclass(frozen=True)
class Kept:
    """Checkpoints kept from earlier looks, as they were signed. Without one, a ledger that was shortened looks honest."""

    held: bytes | None = None
    """What the ledger has to begin with."""
    proved: bytes | None = None
    """Of a ledger whose every byte held then: only what came after it is read again."""


def verify(
    read: Read, *, trust: Policy, origin: str | None = None, kept: Kept | None = None, paths: Iterable[str] | None = None
) -> Verified:
    """Whether a ledger holds: every signature, entry, bundle and tile of it. Never raises on what it reads.

    Only with what was `kept` can a ledger that was shortened, or replaced by another that the same key signed, be told from an
    honest one. `paths` are all files of the ledger: only with them are files found that do not belong there. A ledger that is
    being appended to meanwhile may show problems that a second look does not.

    `details` hold `promised`: entries signed but not yet published, and `unsigned`: files beyond the signed tree, as an
    interrupted append leaves them. The next append mends both; neither is a problem. Where there are witnesses, they also
    tell which of them cosigned.
    """
    problems, kept = Problems(), kept or Kept()
    trusted = trusted_keys(trust, problems)
    published = read_head(read("checkpoint"), "the checkpoint", trusted, problems)
    if published is None:
        return Verified(origin or "", 0, "", (), tuple(problems.found))
    claims = {"checkpoint": published}
    for name, note in (("state", read("state")), ("held checkpoint", kept.held), ("last verified checkpoint", kept.proved)):
        head = None if note is None else read_head(note, f"the {name}", trusted, problems)
        if head is not None:
            claims[name] = head
    _compare_origins(claims, origin, problems)
    promised, proved = claims.get("state"), claims.get("last verified checkpoint")
    size = max(published.size, promised.size if promised and promised.signed_by else 0)
    listing = sort_paths(paths or (), size, problems)
    marks = frozenset(head.size for head in claims.values())
    walk = Walk(read, size, listing.narrower, problems, marks)
    roots = walk.roots(proved.size if proved and proved.signed_by and proved.size <= size else 0)
    for name, head in claims.items():
        _compare_root(name, head, roots, size, problems)
    details: JSONObject = {"promised": size - published.size, "unsigned": list(listing.unsigned)}
    details |= _witnessed(published, trust, problems)
    root = base64.b64encode(published.root).decode()
    return Verified(shown(published.origin), published.size, root, published.signed_by, tuple(problems.found), details)


def _witnessed(head: Head, trust: Policy, problems: Problems) -> JSONObject:
    if len(head.witnessed_by) < trust.quorum:
        problems.add(f"the checkpoint of {head.size} entries is cosigned by {len(head.witnessed_by)} of {trust.quorum} witnesses")
    return {"witnessed_by": [*head.witnessed_by]} if trust.witnesses or trust.quorum else {}


def _compare_origins(claims: Mapping[str, Head], origin: str | None, problems: Problems) -> None:
    wanted = claims["checkpoint"].origin if origin is None else origin
    for name, head in claims.items():
        if head.origin != wanted:
            problems.add(f"the {name} is of the ledger {shown(head.origin)}, not of {shown(wanted)}")


def _compare_root(name: str, head: Head, roots: Mapping[int, bytes], size: int, problems: Problems) -> None:
    if head.size > size:
        problems.add(f"the {name} covers {head.size} entries, but the ledger has only {size}: it was shortened")
    elif head.size in roots and roots[head.size] != head.root:
        problems.add(f"the {name} is of another tree: the first {head.size} entries here have a different root")
