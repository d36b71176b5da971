"""Settings, modules and mounts of a real machine: in the running kernel now, in files for every start, and back again."""

from __future__ import annotations

import pytest

from live_host import LiveHost
from test_services_on_systemd import declare, settled

pytestmark = [pytest.mark.e2e, pytest.mark.root]

FORWARD = "/proc/sys/net/ipv4/ip_forward"
RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
SETTINGS = ("- sysctl: {name: net.ipv4.ip_forward, value: 1}", "- sysctl: {name: net.ipv4.ip_local_port_range, value: 20000 60000}")
SCRATCH = "- mount: {path: /srv/scratch, source: tmpfs, fstype: tmpfs, options: 'OPTIONS'}"
FOLDER = "- directory: /srv/scratch"


def running(host: LiveHost, path: str) -> str:
    """What the machine's own kernel says: another machine's /proc tells of another network."""
    return " ".join(host.run("cat", path).stdout.split())


def mounted(host: LiveHost) -> str:
    """Type and options, or nothing."""
    return host.run("findmnt", "--noheadings", "--output", "FSTYPE,OPTIONS", "/srv/scratch", expect=None).stdout


def test_settings_hold_now_and_are_read_again_at_every_start_and_an_undo_gives_them_back(live_host: LiveHost) -> None:
    live_host.run("sh", "-c", f"echo 0 > {FORWARD}")  # a new network begins with what this machine says
    former = running(live_host, FORWARD), running(live_host, RANGE)
    declare(live_host, *SETTINGS)

    live_host.vitrify("apply")
    now, quiet = (running(live_host, FORWARD), running(live_host, RANGE)), settled(live_host)
    live_host.run("/lib/systemd/systemd-sysctl")
    read_again = running(live_host, FORWARD), running(live_host, RANGE)
    live_host.vitrify("undo", "web")

    assert former[0] == "0"
    assert now == read_again == ("1", "20000 60000")
    assert quiet
    assert (running(live_host, FORWARD), running(live_host, RANGE)) == former
    assert not list(live_host.path("/etc/sysctl.d").glob("99-vitrify*"))


def test_a_setting_that_was_changed_by_hand_is_put_right(live_host: LiveHost) -> None:
    declare(live_host, *SETTINGS)
    live_host.vitrify("apply")
    live_host.run("sh", "-c", f"echo 0 > {FORWARD}")

    audited = live_host.document("audit", "--detailed-exitcode", expect=2)
    live_host.vitrify("apply")

    assert "sysctl:net.ipv4.ip_forward" in str(audited["findings"])
    assert running(live_host, FORWARD) == "1"


def test_a_setting_that_the_kernel_does_not_have_fails_and_is_named(live_host: LiveHost) -> None:
    declare(live_host, "- sysctl: {name: net.ipv4.no_such_setting, value: 1}")

    plan = live_host.vitrify("plan").stdout
    failed = live_host.vitrify("apply", expect=3)

    assert "the kernel has no such setting" in plan
    assert "no_such_setting" in failed.stderr


@pytest.fixture
def with_kernel(live_host: LiveHost) -> LiveHost:
    """The machine with the kernel's own list of modules, which a machine that is a container does not see."""
    live_host.run("mount", "-t", "sysfs", "sysfs", "/sys")
    return live_host


def test_a_module_that_is_part_of_the_kernel_is_loaded_and_stays(with_kernel: LiveHost) -> None:
    modules = with_kernel.path("/sys/module").iterdir()
    built_in = min(path.name for path in modules if not (path / "initstate").exists() and path.name[0].isalpha())
    declare(with_kernel, f"- kernel_module: {built_in}")
    with_kernel.vitrify("apply")
    written, quiet = with_kernel.path(f"/etc/modules-load.d/vitrify-{built_in}.conf").exists(), settled(with_kernel)
    declare(with_kernel, f"- kernel_module: {{name: {built_in}, absent: true}}")

    with_kernel.vitrify("apply")

    assert written
    assert quiet
    assert not with_kernel.path(f"/etc/modules-load.d/vitrify-{built_in}.conf").exists()
    assert settled(with_kernel)


def test_a_module_that_cannot_be_loaded_fails_and_says_what_brings_modprobe(with_kernel: LiveHost) -> None:
    declare(with_kernel, "- kernel_module: no_such_module")
    failed = with_kernel.vitrify("apply", expect=3)
    assert "modprobe" in failed.stderr


def test_a_mount_is_mounted_remounted_with_other_options_and_unmounted(live_host: LiveHost) -> None:
    declare(live_host, FOLDER, SCRATCH.replace("OPTIONS", "size=1m,mode=0700"))
    live_host.vitrify("apply")
    first, quiet = mounted(live_host), settled(live_host)
    live_host.path("/srv/scratch/kept").write_text("kept")
    declare(live_host, FOLDER, SCRATCH.replace("OPTIONS", "size=2m,mode=0700,noexec"))
    live_host.vitrify("apply")
    second, kept = mounted(live_host), live_host.path("/srv/scratch/kept").exists()
    declare(live_host, FOLDER)

    live_host.vitrify("apply")

    assert first.startswith("tmpfs")
    assert "size=1024k" in first
    assert quiet
    assert "size=2048k" in second
    assert "noexec" in second
    assert kept
    assert mounted(live_host) == ""
    assert "/srv/scratch" not in live_host.path("/etc/fstab").read_text()


def test_an_undo_mounts_as_before(live_host: LiveHost) -> None:
    declare(live_host, FOLDER, SCRATCH.replace("OPTIONS", "size=1m"))
    live_host.vitrify("apply")
    declare(live_host, FOLDER, SCRATCH.replace("OPTIONS", "size=2m"))
    live_host.vitrify("apply")
    live_host.vitrify("undo", "web")
    smaller = mounted(live_host)
    declare(live_host, FOLDER, "- mount: {path: /srv/scratch, absent: true}")
    live_host.vitrify("apply")
    gone = mounted(live_host)
    live_host.vitrify("undo", "web")
    again = mounted(live_host)
    live_host.vitrify("undo", "web", "--force")

    assert "size=1024k" in smaller
    assert gone == ""
    assert "size=1024k" in again
    assert mounted(live_host) == ""


def test_what_was_unmounted_by_hand_is_mounted_again_also_at_a_start(live_host: LiveHost) -> None:
    declare(live_host, FOLDER, SCRATCH.replace("OPTIONS", "size=1m"))
    live_host.vitrify("apply")
    live_host.run("umount", "/srv/scratch")
    live_host.vitrify("apply")
    by_hand = mounted(live_host)

    again = live_host.reboot()

    assert by_hand.startswith("tmpfs")
    assert mounted(again).startswith("tmpfs")
    assert settled(again)


def test_a_mount_without_its_folder_says_what_to_declare(live_host: LiveHost) -> None:
    declare(live_host, SCRATCH.replace("OPTIONS", "size=1m"))
    failed = live_host.vitrify("apply", expect=3)
    assert "`directory: /srv/scratch`" in failed.stdout


def test_a_swap_file_that_the_kernel_refuses_fails_in_its_words_and_an_undo_leaves_nothing(live_host: LiveHost) -> None:
    declare(live_host, "- swap: {path: /swapfile, size: 1M}")

    failed = live_host.vitrify("apply", expect=3)
    made = live_host.path("/swapfile").stat()
    live_host.vitrify("undo", "web")

    assert "swapon" in failed.stderr
    assert (made.st_size, made.st_mode & 0o777) == (2**20, 0o600)
    assert not live_host.path("/swapfile").exists()
    assert "swapfile" not in live_host.path("/etc/fstab").read_text()
