"""The stranger's verifier: believes only the keys that it is given, and shares no code with what writes the ledger.

Everything it reads may be hostile, so nothing here raises on any bytes: what does not hold becomes a problem in words.
The format is specified in `docs/formats/ledger.md`; this is one implementation of it, the writer is another.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence

from vitrify.core.digest import JSONObject
from vitrify.core.report import Verified
from vitrify.ledger.verify.files import sort_paths
from vitrify.ledger.verify.note import Head, read_head, trusted_keys
from vitrify.ledger.verify.problems import Problems, shown
from vitrify.ledger.verify.walk import Read, Walk

__all__ = ["verify", "Read"]


def verify(
    read: Read, *, keys: Sequence[str], origin: str | None = None, held: bytes | None = None, paths: Iterable[str] | None = None
) -> Verified:
    """Whether a ledger holds: every signature, entry, bundle and tile of it. Never raises on what it reads.

    `keys` are the authors' public keys in text form. `held` is a checkpoint kept from an earlier look: only with one can
    a ledger that was shortened, or replaced by another that the same key signed, be told from an honest one. `paths` are
    all files of the ledger: only with them are files found that do not belong there. A ledger that is being appended to
    meanwhile may show problems that a second look does not.

    `details` hold `promised`: entries signed but not yet published, and `unsigned`: files beyond the signed tree, as an
    interrupted append leaves them. The next append mends both; neither is a problem.
    """
    problems = Problems()
    trusted = trusted_keys(keys, problems)
    published = read_head(read("checkpoint"), "the checkpoint", trusted, problems)
    if published is None:
        return Verified(origin or "", 0, "", (), tuple(problems.found))
    note = read("state")
    promised = None if note is None else read_head(note, "the state", trusted, problems)
    kept = None if held is None else read_head(held, "the held checkpoint", trusted, problems)
    claims = [(name, head) for name, head in (("checkpoint", published), ("state", promised), ("held checkpoint", kept)) if head]
    _compare_origins(claims, origin, problems)
    size = max(published.size, promised.size if promised and promised.signed_by else 0)
    listing = sort_paths(paths or (), size, problems)
    walk = Walk(read, size, listing.narrower, problems, frozenset(head.size for _, head in claims))
    roots = walk.roots()
    for name, head in claims:
        _compare_root(name, head, roots, size, problems)
    details: JSONObject = {"promised": size - published.size, "unsigned": list(listing.unsigned)}
    root = base64.b64encode(published.root).decode()
    return Verified(shown(published.origin), published.size, root, published.signed_by, tuple(problems.found), details)


def _compare_origins(claims: Sequence[tuple[str, Head]], origin: str | None, problems: Problems) -> None:
    wanted = claims[0][1].origin if origin is None else origin
    for name, head in claims:
        if head.origin != wanted:
            problems.add(f"the {name} is of the ledger {shown(head.origin)}, not of {shown(wanted)}")


def _compare_root(name: str, head: Head, roots: Mapping[int, bytes], size: int, problems: Problems) -> None:
    if head.size > size:
        problems.add(f"the {name} covers {head.size} entries, but the ledger has only {size}: it was shortened")
    elif head.size in roots and roots[head.size] != head.root:
        problems.add(f"the {name} is of another tree: the first {head.size} entries here have a different root")
