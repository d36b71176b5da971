"""Settings, modules and mounts on a host in memory, whose kernel is a few files and programs."""

from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change, difference
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Resource
from vitrify.core.system import Command, Completed, Target
from vitrify.resources.kernel_module import KernelModule
from vitrify.resources.mount import Mount
from vitrify.resources.sysctl import Sysctl
from vitrify.testing.memory_system import MemorySystem, Node

SYSCTL, MODULE, MOUNT = Sysctl(), KernelModule(), Mount()
DONE = Completed(0, "", "")


def wish(kind: Kind, **fields: JSON) -> Resource:
    return Resource(Address(kind.name, kind.identity(fields)), fields)


def change(kind: Kind, resource: Resource, system: MemorySystem) -> Change | None:
    return difference(resource, desired=kind.desired(resource), seen=kind.observe(resource, system))


def needed(kind: Kind, resource: Resource, system: MemorySystem) -> Change:
    found = change(kind, resource, system)
    assert found is not None
    return found


def ran(system: MemorySystem) -> list[str]:
    return [act.subject for act in system.acts if act.verb == "run"]


def kernel(**settings: str) -> MemorySystem:
    """A host whose sysctl reads the file that it is given."""

    def sysctl(system: MemorySystem, command: Command) -> Completed:
        for line in system.read(command.argv[-1]).decode().splitlines():
            name, value = line.split(" = ")
            system.put(f"/proc/sys/{name.replace('.', '/')}", Node("file", content=value.encode()))
        return DONE

    system = MemorySystem(target=Target.HOST, programs={"/usr/sbin/sysctl": sysctl})
    system.put("/usr/sbin/sysctl", Node("file", mode="0755"))
    for name, value in settings.items():
        system.put(f"/proc/sys/kernel/{name}", Node("file", content=f"{value}\n".encode()))
    return system


def test_many_settings_are_set_in_one_go_and_those_that_hold_are_left_alone() -> None:
    system = kernel(one="0", two="0", three="3")
    wishes = [wish(SYSCTL, name=f"kernel.{name}", value=value) for name, value in (("one", 1), ("two", "a  b"), ("three", 3))]

    SYSCTL.enact_all([needed(SYSCTL, one, system) for one in wishes], system)

    assert ran(system) == ["/usr/sbin/sysctl -q -p /run/vitrify/sysctl.conf"]
    assert system.read("/proc/sys/kernel/two") == b"a b"
    assert [change(SYSCTL, one, system) for one in wishes] == [None, None, None]
    assert "/run/vitrify/sysctl.conf" not in system.nodes


def test_the_way_back_of_a_setting_is_its_former_running_value() -> None:
    system = kernel(one="0")
    made = needed(SYSCTL, wish(SYSCTL, name="kernel.one", value=1), system)
    SYSCTL.enact(made, system)

    back = SYSCTL.inverse(made)
    assert back is not None
    SYSCTL.enact(back, system)

    assert system.read("/proc/sys/kernel/one") == b"0"


def test_a_setting_that_the_kernel_lacks_says_so_and_what_may_bring_it() -> None:
    made = needed(SYSCTL, wish(SYSCTL, name="net.bridge.call", value=1), kernel(one="0"))
    module = wish(MODULE, name="br_netfilter")

    assert SYSCTL.because(made) == ("the kernel has no such setting: this will fail unless a change before it brings one",)
    earlier = {module.address: Change(module, Action.CREATE, MISSING, {})}
    assert SYSCTL.assumed(made, earlier) == "kernel_module br_netfilter may bring this setting"
    assert SYSCTL.inverse(made) is None


def test_a_host_without_a_sysctl_says_which_package_brings_one() -> None:
    system = kernel(one="0")
    del system.nodes["/usr/sbin/sysctl"]
    with pytest.raises(TargetFailed, match="procps"):
        SYSCTL.enact(needed(SYSCTL, wish(SYSCTL, name="kernel.one", value=1), system), system)


@pytest.mark.parametrize(
    ("kind", "fields", "summary"),
    [
        (SYSCTL, {"name": "forward", "value": 1}, "'forward' is not the name of a setting"),
        (SYSCTL, {"name": "net..x", "value": 1}, "'net..x' is not the name of a setting"),
        (SYSCTL, {"name": "net.x", "value": True}, "expected text or a whole number"),
        (SYSCTL, {"name": "net.x", "value": "1\nnet.y = 2"}, "a value is one line that is not empty"),
        (SYSCTL, {"name": "net.x"}, "the field `value` is missing"),
        (MODULE, {"name": "a.b"}, "'a.b' is not the name of a module"),
        (MODULE, {"name": "a", "options": {"x": "1 2"}}, "this option cannot be written for modprobe"),
        (MOUNT, {"path": "/a", "source": "tmpfs", "fstype": "tmp fs"}, "`fstype` is one word"),
        (MOUNT, {"path": "/a", "source": "tmpfs", "fstype": "tmpfs", "options": "a, b"}, "`options` is one word"),
        (MOUNT, {"path": "/a", "source": "/dev/vdb", "fstype": "swap"}, "swap is mounted nowhere"),
        (MOUNT, {"path": "/a", "source": "/dev/vdb", "fstype": "ext4", "pass": -1}, "expected 0 or more"),
        (MOUNT, {"path": "/a", "source": "/dev/vdb"}, "the field `fstype` is missing"),
    ],
)
def test_what_could_not_be_written_is_refused(kind: Kind, fields: dict[str, JSON], summary: str) -> None:
    assert summary in [problem.summary for problem in kind.schema.problems(fields)]


def with_modules(*, used: bool = False) -> MemorySystem:
    """A host whose modprobe adds a folder to /sys/module, or takes it away."""

    def modprobe(system: MemorySystem, command: Command) -> Completed:
        folder = f"/sys/module/{command.argv[-1].replace('-', '_')}"
        if "-r" in command.argv and used:
            return Completed(1, "", "modprobe: FATAL: Module is in use.\n")
        if "-r" in command.argv:
            del system.nodes[f"{folder}/initstate"], system.nodes[folder]
        else:
            system.put(f"{folder}/initstate", Node("file", content=b"live\n"))
        return DONE

    system = MemorySystem(target=Target.HOST, programs={"modprobe": modprobe})
    system.put("/sys/module/kernel", Node("directory", mode="0755"))
    return system


def test_a_module_is_loaded_once_and_unloaded_by_the_way_back() -> None:
    system, resource = with_modules(), wish(MODULE, name="nf-conntrack")
    made = needed(MODULE, resource, system)
    MODULE.enact(made, system)
    MODULE.enact(made, system)
    settled = change(MODULE, resource, system)

    back = MODULE.inverse(made)
    assert back is not None
    MODULE.enact(back, system)

    assert settled is None
    assert ran(system) == ["modprobe nf-conntrack", "modprobe -r nf-conntrack"]


def test_a_module_that_is_absent_is_unloaded_though_nothing_is_written_of_it() -> None:
    system, resource = with_modules(), wish(MODULE, name="floppy")
    system.put("/sys/module/floppy/initstate", Node("file"))

    MODULE.enact(needed(MODULE, resource.gone(), system), system)

    assert change(MODULE, resource.gone(), system) is None


def test_a_module_that_is_in_use_is_named_with_where_to_look() -> None:
    system, resource = with_modules(used=True), wish(MODULE, name="floppy")
    system.put("/sys/module/floppy/initstate", Node("file"))
    with pytest.raises(TargetFailed, match="lsmod"):
        MODULE.enact(needed(MODULE, resource.gone(), system), system)


def with_mounts(*lines: str) -> MemorySystem:
    """A host whose mount and umount only tell; what is mounted stands in a file."""
    programs = {"mount": lambda _system, _command: DONE, "umount": lambda _system, _command: DONE}
    system = MemorySystem(target=Target.HOST, programs=programs)
    system.put("/proc/self/mounts", Node("file", content="".join(f"{line}\n" for line in lines).encode()))
    system.put("/srv/a b", Node("directory", mode="0755"))
    system.put("/etc/fstab", Node("file"))
    return system


DATA = wish(MOUNT, path="/srv/a b", source="/dev/vdb", fstype="ext4", options="noatime")


@pytest.mark.parametrize(
    ("mounts", "fstab", "expected"),
    [
        ((), "", ["mount -t ext4 -o noatime /dev/vdb /srv/a b"]),
        (("/dev/vdb /srv/a\\040b ext4 rw 0 0",), "", []),
        (("/dev/vdb /srv/a\\040b ext4 rw 0 0",), "/dev/vdb /srv/a\\040b ext4 defaults 0 0\n", ["mount -o remount,noatime /srv/a b"]),
        (("x /srv/a\\040b tmpfs rw 0 0",), "", ["umount /srv/a b", "mount -t ext4 -o noatime /dev/vdb /srv/a b"]),
    ],
    ids=["nothing is mounted", "it is mounted", "its options differ", "something else is mounted"],
)
def test_what_is_mounted_decides_what_is_run(mounts: tuple[str, ...], fstab: str, expected: list[str]) -> None:
    system = with_mounts(*mounts)
    system.put("/etc/fstab", Node("file", content=fstab.encode()))

    MOUNT.enact(needed(MOUNT, DATA, system), system)

    assert ran(system) == expected
    assert system.read("/etc/fstab") == b"/dev/vdb /srv/a\\040b ext4 noatime 0 0\n"


def test_the_line_is_written_after_the_mount() -> None:
    system = with_mounts()
    MOUNT.enact(needed(MOUNT, DATA, system), system)
    assert [act.verb for act in system.acts] == ["run", "write"]


def test_a_mount_of_noauto_is_only_written() -> None:
    system = with_mounts()
    MOUNT.enact(needed(MOUNT, wish(MOUNT, path="/srv/a b", source="/dev/vdb", fstype="ext4", options="noauto,ro"), system), system)
    assert ran(system) == []


def test_a_mount_says_that_its_folder_is_missing_or_will_be_made() -> None:
    system = with_mounts()
    del system.nodes["/srv/a b"]
    made, folder = needed(MOUNT, DATA, system), Resource(Address("directory", "/srv/a b"), {})

    assert MOUNT.because(made) == ("the folder does not exist: this will fail unless it does by then",)
    assert MOUNT.assumed(made, {folder.address: Change(folder, Action.CREATE, MISSING, {})}) == "directory:/srv/a b brings the folder"
    assert MOUNT.implied(DATA, {folder.address: folder}) == (folder.address,)
