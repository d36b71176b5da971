"""Keys of a project: who has which, and what becomes of one that is replaced, lost or stolen.

Each change is an entry of the ledger first, and a line of `vitrify.keys` after it: killed in between, the same command goes on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vitrify.app.ledger_verbs import LedgerVerbs
from vitrify.core.diagnostic import UsageInvalid, VitrifyError
from vitrify.onhost.failpoint import from_environment

if TYPE_CHECKING:
    from vitrify.core.digest import JSONObject
    from vitrify.core.ledger_report import Approved, KeyMoved, KeyView
    from vitrify.core.plan import Plan
    from vitrify.ledger.checkpoint import Signer
    from vitrify.project.identity import Identity

ROTATED, REVOKED = "key.rotated", "key.revoked"
LOST, STOLEN = "lost", "stolen"


class KeyVerbs(LedgerVerbs):
    """A method for each verb that is about keys, or about what they approve."""

    def known_keys(self) -> tuple[KeyView, ...]:
        """Every key that `vitrify.keys` names."""
        from vitrify.app.ledgers import today
        from vitrify.core.ledger_report import KeyView
        from vitrify.project.keyring import former_keys

        known, ledgers = self._wiring.ledgers.known, self._wiring.ledgers
        ours = {str(key.verifier) for key in (ledgers.signer, *former_keys(ledgers.keys_folder))}
        authors = [
            KeyView(key, "expired" if known.expired(key, today=today()) else "author", key in ours, until=known.until.get(key, ""))
            for key in known.authors
        ]
        former = [KeyView(key, "revoked" if key in known.revoked else "retired", key in ours, size) for key, size in known.former.items()]
        return (*authors, *former, *(KeyView(key, "witness", url=url) for key, url in known.witnesses.items()))

    def rotate(self, *, until: str = "") -> KeyMoved:
        """A new key takes the place of ours in this project; what the old one signed stays signed."""
        from vitrify.core.ledger_report import KeyMoved
        from vitrify.lifecycle import record
        from vitrify.project import identity, keyring

        ledgers, reached = self._wiring.ledgers, from_environment(self._environ)
        known, old, new = ledgers.known, *self._pair()
        key, replacement = str(old.verifier), str(new.verifier)
        log = ledgers.opened(replace(known, authors=(*known.authors, replacement)), old)
        log.recover()
        body: JSONObject = {"operation": f"rotate {identity.short(key)}", "key": key, "new": replacement}
        told = ledgers.telling(log, lambda: self._wiring.declaration)
        entry = record.once(told, ROTATED, body, since=0)
        reached("key-rotate.intent")
        size = known.former.get(key, log.size)
        authors = tuple(dict.fromkeys(replacement if one == key else one for one in (*known.authors, replacement)))
        dates = {**known.until, **({replacement: until} if until else {})}
        dates.pop(key, None)
        identity.write(ledgers.folder, replace(known, authors=authors, until=dates, former={**known.former, key: size}))
        reached("key-rotate.act")
        keyring.promote(ledgers.keys_folder)
        reached("key-rotate.outcome")
        told.settle()
        return KeyMoved(key, "retired", entry, size, replacement)

    def _pair(self) -> tuple[Signer, Signer]:
        """The key to be replaced and its successor: made now, or known already where another project was first or we were killed."""
        from vitrify.project import keyring

        ledgers = self._wiring.ledgers
        known, current = ledgers.known, ledgers.signer
        text = str(current.verifier)
        left = [one for one in keyring.former_keys(ledgers.keys_folder) if str(one.verifier) in known.authors]
        if left:
            return left[0], current
        if text not in (*known.authors, *known.former):
            hint = "there is nothing to replace: the first plan or apply adds your key"
            raise UsageInvalid("this project does not know your key", hint=hint)
        return current, keyring.next_key(ledgers.keys_folder, name=ledgers.name)

    def revoke(self, key: str, *, why: str, since: int | None = None) -> KeyMoved:
        """Somebody else's key counts no more (or a former one of ours): it was `lost` or `stolen`, since this entry where that is known."""
        from vitrify.core.ledger_report import KeyMoved
        from vitrify.lifecycle import record
        from vitrify.project import identity

        ledgers, reached = self._wiring.ledgers, from_environment(self._environ)
        known = ledgers.known
        found = _named(known, key)
        if found == str(ledgers.signer.verifier):
            hint = "`vitrify key rotate` first makes you a new one; then revoke the old one by its id"
            raise UsageInvalid("that is the key you sign with", hint=hint)
        told = ledgers.telling(ledgers.log, lambda: self._wiring.declaration)
        body: JSONObject = {"operation": f"revoke {identity.short(found)} {why}", "key": found, "why": why, "since": since}
        entry = record.once(told, REVOKED, body, since=0)
        reached("key-revoke.intent")
        size = min(known.former.get(found, entry), entry if since is None else since)
        gone = known.revoked | ({found} if why == STOLEN else frozenset())
        authors = tuple(one for one in known.authors if one != found)
        dates = {one: day for one, day in known.until.items() if one != found}
        identity.write(ledgers.folder, replace(known, authors=authors, until=dates, former={**known.former, found: size}, revoked=gone))
        reached("key-revoke.act")
        told.settle()
        return KeyMoved(found, "revoked" if found in gone else "retired", entry, size)

    # -- approvals --------------------------------------------------------------------------------------------------

    def approve(self, path: str) -> Approved:
        """Sign the plan in this file. Who else must is told where the declaration can be read: its secrets may be for others alone."""
        from vitrify.app import approvals

        try:
            declaration = self._wiring.declaration
        except VitrifyError:
            declaration = None
        return approvals.approve(path, self._wiring.ledgers, declaration)

    def approved(self, plan: Plan) -> None:
        """Denied where policy wants approvals that this plan does not have."""
        from vitrify.app import approvals

        approvals.refuse_unapproved(plan, self._wiring.declaration, self._wiring.ledgers)


def _named(known: Identity, wanted: str) -> str:
    """The one key that is meant by a name, a name and id, an id or its whole text."""
    from vitrify.project.identity import name_of, short

    everyone = (*known.authors, *known.former)
    found = [key for key in everyone if wanted in (key, short(key), name_of(key), short(key).rpartition("+")[2])]
    if len(found) != 1:
        what = "several keys are called so" if found else "no key is called so"
        raise UsageInvalid(f"which key is {wanted}?", why=what, hint="`vitrify key list` lists them; name one by its id")
    return found[0]
