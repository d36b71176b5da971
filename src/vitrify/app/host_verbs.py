"""The ledger as hosts kept it: compared with ours, or put together again from what they kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrify.app.key_verbs import KeyVerbs
from vitrify.core.diagnostic import IntegrityFailed, UsageInvalid, VitrifyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vitrify.core.digest import JSONObject
    from vitrify.core.ledger_report import Recovered, Shown
    from vitrify.ledger.log import Log
    from vitrify.ledger.rebuild import Found
    from vitrify.lifecycle.testimony import Testimony

RECOVERED = "ledger.recovered"
_SHOWN = 12


class HostVerbs(KeyVerbs):
    """A method for each verb that asks hosts about the ledger."""

    def verify_at(self, host: str) -> Shown:
        """Whether what a host keeps is in our ledger, and our ledger holds."""
        from vitrify.core.ledger_report import Shown

        kept = self._testimony(host)
        if not kept.checkpoint:
            return Shown(host, (f"{host} keeps nothing of this ledger: nothing was changed there since it began to",), {})
        ledgers = self._wiring.ledgers
        verified = ledgers.verify("", held=kept.checkpoint.encode())
        wrong = _differing(kept, ledgers.log)
        seen: JSONObject = {"seen": kept.checkpoint.split("\n")[1], "of": verified.size, "entries": len(kept.entries), "home": kept.home}
        return Shown(host, (*verified.problems, *wrong), {**seen, "signed_by": [*verified.signed_by]})

    def recover(self) -> Recovered:
        """Put the ledger together again from what the hosts of the declaration kept."""
        from vitrify.core.ledger_report import Recovered
        from vitrify.ledger.rebuild import rebuild

        log = self._wiring.ledgers.log
        asked = self._asked()
        heard = {name: one for name, one in asked.items() if not isinstance(one, VitrifyError)}
        silent = tuple(name for name in asked if name not in heard)
        found = _found(heard, log)
        before = log.size
        if found is None or found.head.size <= before:
            return Recovered(before, before, tuple(heard), silent)
        if found.missing:
            named = ", ".join(map(str, found.missing[:_SHOWN])) + (" and more" if len(found.missing) > _SHOWN else "")
            why = f"entries {named} of {found.head.size} are kept by none of {', '.join(heard)}"
            hint = f"ask {', '.join(silent)} as well, once they can be reached" if silent else "another copy of the ledger may have them"
            raise IntegrityFailed("the ledger cannot be rebuilt", why=why, hint=hint)
        rebuild(log.store, found)
        ledger = self._wiring.ledgers.telling(log, lambda: self._wiring.declaration)
        ledger.append(RECOVERED, {"size": found.head.size, "before": before, "from": [*heard]})
        ledger.settle()
        return Recovered(before, found.head.size, tuple(heard), silent)

    def _testimony(self, host: str) -> Testimony:
        found = self._asked(host)[host]
        if isinstance(found, VitrifyError):
            raise found
        return found

    def _asked(self, only: str = "") -> Mapping[str, Testimony | VitrifyError]:
        from vitrify.lifecycle import testimony

        where = [place for place in testimony.places(self._wiring.declaration.servers) if only in ("", place[1].name)]
        if not where:
            raise UsageInvalid(f"no server lives on {only}", hint="a host as the declaration names it")
        return self._run(testimony.asked(where, self._wiring.world, parallel=self._options.parallel))


def _differing(kept: Testimony, log: Log) -> tuple[str, ...]:
    """Entries that a host keeps otherwise than they are here."""
    from vitrify.ledger.rebuild import numbered

    theirs = numbered(kept.entries)
    ours = {entry.sequence: entry.encode() for entry in log.entries() if entry.sequence in theirs}
    wrong = sorted(number for number, entry in theirs.items() if ours.get(number) != entry)
    return tuple(f"entry {number} is another one on {kept.host} than here" for number in wrong[:_SHOWN])


def _found(heard: Mapping[str, Testimony], log: Log) -> Found | None:
    """The newest checkpoint that was signed, and all entries that anybody kept, ours included; None where nobody saw any."""
    from vitrify.ledger.checkpoint import claimed_size, open_checkpoint
    from vitrify.ledger.rebuild import Found, numbered

    heads = []
    for one in heard.values():
        note = one.checkpoint.encode()
        try:
            heads.append((open_checkpoint(note, origin=log.origin, trusted=log.keys(claimed_size(note))), note))
        except IntegrityFailed:
            continue
    if not heads:
        return None
    head, note = max(heads, key=lambda one: one[0].size)
    entries: dict[int, bytes] = {}
    for one in heard.values():
        entries |= numbered(one.entries)
    entries |= {entry.sequence: entry.encode() for entry in log.entries()}
    return Found(head, note, entries)
