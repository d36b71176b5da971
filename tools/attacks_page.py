"""Writes the page of attacks from the attacks themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.attacks import ATTACKS, Attack, put_back_by_apply

HEAD = """\
Ways in which an intruder persists on a Linux host or hides there, each one tried. `./run prove attacks` boots a Debian with systemd,
hardens it by a declaration, lets somebody log in over SSH and become root, and has them do every one of these in a process of its own
while `vitrify watch` is on. Each must be found, classed *unauthorised*, rated as the table says, and named: by process, program,
command line, user, and as whom they had logged in. Then it is put back, an audit of every byte finds nothing, and a program that is no
part of vitrify sees that the tree is what it was. What came of it is in `proofs/attacks.json`. A few of them, others each time, are
done in every run of the tests.

The host is kept from two seats. **Beneath** it, on the machine whose kernel it shares, the watch stands on `audit` and names
everybody; root of the host cannot stop it. **Inside** it, which is a container and may set no rules of audit, the watch stands on
`inotify` and says of each finding `not known, because the watch stood on inotify, which tells paths and nobody's name`. A host with a
kernel of its own stands on `audit` [by itself](../how-to/watch-a-host.md).

*Put back by* says who does it: `apply` where the declaration says how the path is, or that nothing is there; elsewhere whoever reads
the finding, **by hand**, for `apply` never touches what nobody declared. Declare what you find there, even if `absent: true`, and the
next time it is `apply`.
"""


def attacks_page(mark: str) -> str:
    """All of them, the severe ones first."""
    order = ("critical", "high", "medium", "low")
    rows = sorted(ATTACKS, key=lambda attack: (order.index(attack.severity), attack.path, attack.name))
    by_apply = sum(1 for attack in ATTACKS if put_back_by_apply(attack))
    told = f"{len(ATTACKS)} attacks: {by_apply} are put back by `apply`, {len(ATTACKS) - by_apply} by hand."
    return "\n".join(["# Attacks", "", mark, HEAD, told, "", *_table(rows)]) + "\n"


def _table(rows: Iterable[Attack]) -> Iterator[str]:
    yield from ("| attack | told as | severity | put back by |", "|---|---|---|---|")
    for attack in rows:
        name = attack.name.replace(attack.path, f"`{attack.path}`", 1)
        yield f"| {name} | {attack.change} | {attack.severity} | {'`apply`' if put_back_by_apply(attack) else 'hand'} |"
