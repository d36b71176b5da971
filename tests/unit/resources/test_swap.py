from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Change, difference
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Resource
from vitrify.core.system import Attributes, Command, Completed, Target
from vitrify.resources.swap import Swap
from vitrify.testing.memory_system import MemorySystem, Node

SWAP = Swap()
DONE = Completed(0, "", "")
LINE = b"/swapfile none swap sw 0 0\n"


def swap(size: str) -> Resource:
    return Resource(Address("swap", "/swapfile"), {"path": "/swapfile", "size": size})


def host() -> MemorySystem:
    """A host whose swapon and swapoff keep the kernel's list."""

    def dd(system: MemorySystem, command: Command) -> Completed:
        told = dict(word.split("=", 1) for word in command.argv[1:])
        system.write(told["of"], bytes(int(told["count"]) * 2**20), attributes=Attributes())
        return DONE

    def use(content: bytes) -> None:
        system.put("/proc/swaps", Node("file", content=b"Filename Type Size\n" + content))

    def swapon(_: MemorySystem, command: Command) -> Completed:
        use(f"{command.argv[1]} file 1024\n".encode())
        return DONE

    def swapoff(_: MemorySystem, __: Command) -> Completed:
        use(b"")
        return DONE

    def mkswap(_: MemorySystem, __: Command) -> Completed:
        return DONE

    programs = {"dd": dd, "mkswap": mkswap, "swapon": swapon, "swapoff": swapoff}
    system = MemorySystem(target=Target.HOST, programs=programs)
    use(b"")
    system.put("/etc/fstab", Node("file"))
    return system


def converge(resource: Resource, system: MemorySystem) -> Change:
    made = difference(resource, desired=SWAP.desired(resource), seen=SWAP.observe(resource, system))
    assert made is not None
    SWAP.enact(made, system)
    SWAP.enact(made, system)
    assert difference(resource, desired=SWAP.desired(resource), seen=SWAP.observe(resource, system)) is None
    return made


def ran(system: MemorySystem) -> list[str]:
    return [act.subject.split()[0] for act in system.acts if act.verb == "run"]


def test_a_swap_file_is_filled_used_once_and_written_down_last() -> None:
    system = host()

    converge(swap("2M"), system)

    assert ran(system) == ["dd", "mkswap", "swapon"]
    stat = system.stat("/swapfile")
    assert stat is not None
    assert (stat.size, stat.mode) == (2 * 2**20, "0600")
    assert system.read("/etc/fstab") == LINE


def test_another_size_is_made_anew() -> None:
    system = host()
    converge(swap("2M"), system)
    system.acts.clear()

    made = converge(swap("3M"), system)
    back = SWAP.inverse(made)
    assert back is not None
    SWAP.enact(back, system)

    assert ran(system) == ["swapoff", "dd", "mkswap", "swapon"] * 2
    assert SWAP.observe(swap("2M"), system).properties["size"] == 2 * 2**20


def test_a_swap_file_that_is_not_used_is_used_again_without_being_filled() -> None:
    system = host()
    converge(swap("2M"), system)
    system.put("/proc/swaps", Node("file"))
    system.acts.clear()

    converge(swap("2M"), system)

    assert ran(system) == ["mkswap", "swapon"]


def test_the_way_back_leaves_no_file() -> None:
    system = host()
    made = converge(swap("2M"), system)

    back = SWAP.inverse(made)
    assert back is not None
    SWAP.enact(back, system)

    assert system.stat("/swapfile") is None
    assert system.read("/etc/fstab") == b""
    assert ran(system)[-1] == "swapoff"


def test_a_swap_file_that_goes_is_made_again_by_an_undo() -> None:
    system = host()
    converge(swap("2M"), system)
    gone = converge(swap("2M").gone(), system)

    back = SWAP.inverse(gone)
    assert back is not None
    SWAP.enact(back, system)

    assert SWAP.observe(swap("2M"), system).properties["used"] is True


def test_a_folder_in_its_place_is_a_failure() -> None:
    system = host()
    system.put("/swapfile", Node("directory", mode="0755"))
    with pytest.raises(TargetFailed, match="it is a directory"):
        converge(swap("2M"), system)


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"size": "2"}, "'2' is no size"),
        ({"size": "0M"}, "'0M' is no size"),
        ({"size": "100K"}, "a swap file is a whole number of megabytes"),
        ({"path": "/swap file"}, "the path of a swap file cannot hold spaces"),
    ],
)
def test_a_swap_file_that_could_not_be_is_refused(fields: dict[str, JSON], summary: str) -> None:
    assert summary in [problem.summary for problem in SWAP.schema.problems({"path": "/swapfile", "size": "1M", **fields})]
