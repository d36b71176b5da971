from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Change, difference
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Resource
from vitrify.core.system import Command, Completed, Target
from vitrify.resources.firewall import NFT, Firewall, digest_with, filled
from vitrify.testing.memory_programs import MemorySystemctl
from vitrify.testing.memory_system import MemorySystem, Node

FIREWALL = Firewall()
RULES = b"chain input { type filter hook input priority filter; }\n"


def host(*, refuses: bool = False) -> MemorySystem:
    """A host whose kernel lists the script that was loaded last."""
    loaded: list[str] = []

    def nft(system: MemorySystem, command: Command) -> Completed:
        if "-c" in command.argv:
            return Completed(1, "", "syntax error\n") if refuses else Completed(0, "", "")
        if "list" in command.argv:
            return Completed(0, loaded[-1], "") if loaded else Completed(1, "", "No such file or directory\n")
        loaded.append(system.read(command.argv[-1]).decode())
        return Completed(0, "", "")

    system = MemorySystem(target=Target.HOST, programs={NFT: nft, "systemctl": MemorySystemctl()})
    system.put(NFT, Node("file", mode="0755"))
    return system


def firewall(system: MemorySystem, **fields: JSON) -> Resource:
    wished: dict[str, JSON] = {"name": "shop", "content": system.supply(RULES), **fields}
    return Resource(Address("firewall", FIREWALL.identity(wished)), wished)


def needed(resource: Resource, system: MemorySystem) -> Change:
    made = difference(resource, desired=FIREWALL.desired(resource), seen=FIREWALL.observe(resource, system))
    assert made is not None
    return made


def test_the_whole_is_checked_before_anything_is_written() -> None:
    system = host(refuses=True)

    with pytest.raises(TargetFailed, match="nft does not accept the rules of firewall:shop"):
        FIREWALL.enact(needed(firewall(system), system), system)

    assert not [path for path in system.nodes if "vitrify-" in path or path.endswith((".rules", ".nft"))]


def test_a_host_without_nft_says_which_package_brings_it() -> None:
    system = host()
    del system.nodes[NFT]
    with pytest.raises(TargetFailed, match="`package: nftables`"):
        FIREWALL.enact(needed(firewall(system), system), system)


def test_a_table_that_the_kernel_lost_is_put_in_place_again() -> None:
    system = host()
    resource = firewall(system)
    FIREWALL.enact(needed(resource, system), system)
    other = host()
    other.nodes.update(system.nodes)

    made = needed(resource, other)

    assert FIREWALL.because(made) == ("the kernel does not have it",)


def test_a_change_of_a_firewall_can_always_shut_us_out() -> None:
    assert Firewall.locks_out


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"name": "9shop"}, "'9shop' cannot name a table"),
        ({"name": "shop.x"}, "'shop.x' cannot name a table"),
        ({"family": "ipx"}, "'ipx' is not one of inet, ip, ip6, arp, bridge, netdev"),
        ({"vars": {}}, "`vars` has no meaning without `template`"),
    ],
)
def test_a_firewall_that_could_not_be_is_refused(fields: dict[str, JSON], summary: str) -> None:
    problems = FIREWALL.schema.problems({"name": "shop", "content": "x", **fields})
    assert summary in [problem.summary for problem in problems]


LISTED = """table inet shop {
\tset office {
\t\ttype ipv4_addr
\t\tflags interval
\t\telements = { 10.1.0.0/16, 10.2.0.1-10.2.0.9,
\t\t\t     10.4.0.1 comment "a, } b" }
\t}

\tset blocked {
\t\ttype ipv4_addr
\t}

\tset seen {
\t\ttype ipv4_addr
\t\tflags dynamic,timeout
\t\telements = { 192.0.2.1 }
\t}

\tmap ports {
\t\ttype inet_service : verdict
\t\telements = { 22 : accept, 80 : drop }
\t}

\tchain input {
\t\ttcp dport { 22, 80 } accept
\t}
}
"""


@pytest.mark.parametrize(
    ("was", "is_now"),
    [("10.4.0.1", "10.4.0.2"), ("22 : accept", "22 : drop"), ("tcp dport { 22, 80 }", "tcp dport { 22, 443 }")],
)
def test_the_elements_of_sets_that_were_declared_with_some_are_compared(was: str, is_now: str) -> None:
    assert filled(LISTED) == ("office", "ports")
    assert digest_with(LISTED.replace(was, is_now), filled(LISTED)) != digest_with(LISTED, filled(LISTED))


EMPTY = "set blocked {\n\t\ttype ipv4_addr\n"


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ("{ 192.0.2.1 }", "{ 192.0.2.1, 192.0.2.2 }"),
        (EMPTY, f"{EMPTY}\t\telements = {{ 192.0.2.1,\n\t\t\t     192.0.2.2 }}\n"),
    ],
)
def test_what_programs_add_to_sets_that_are_theirs_to_fill_is_not_compared(was: str, is_now: str) -> None:
    assert digest_with(LISTED.replace(was, is_now), filled(LISTED)) == digest_with(LISTED, filled(LISTED))


def test_a_set_whose_elements_were_all_taken_away_differs() -> None:
    emptied = LISTED.replace("\t\telements = { 22 : accept, 80 : drop }\n", "")

    assert digest_with(emptied, filled(LISTED)) != digest_with(LISTED, filled(LISTED))
