"""A receipt for one entry (C2SP tlog-proof): all that a stranger needs, besides the authors' public keys, to see that it was logged."""

from __future__ import annotations

import base64

from vitrify.core.diagnostic import UsageInvalid
from vitrify.ledger import proof
from vitrify.ledger.checkpoint import claimed_size
from vitrify.ledger.log import CHECKPOINT, Log
from vitrify.ledger.stored import Stored


def receipt(log: Log, number: int) -> bytes:
    """The proof of entry `number` under the published checkpoint, the entry itself along with it as its extra data."""
    log.head()  # refuses a checkpoint that nobody known signed
    note = log.store.read(CHECKPOINT)
    size = 0 if note is None else claimed_size(note)
    if note is None or not 0 <= number < size:
        raise UsageInvalid(f"the ledger has no entry {number}", why=f"it has {size}", hint="`vitrify ledger show` lists the newest")
    stored = Stored(log.store, size)
    _, entry = next(stored.entries(number))
    lines = [b"c2sp.org/tlog-proof@v1", b"extra " + base64.b64encode(entry), b"index %d" % number]
    lines += [base64.b64encode(part) for part in proof.inclusion(number, size, stored.hash_at)]
    return b"\n".join(lines) + b"\n\n" + note
