from __future__ import annotations

from pathlib import Path

import pytest

from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.onhost.assemble import Place, assemble, layers
from vitrify.onhost.mounts import Mount
from vitrify.onhost.sandbox import Sandbox, Step, instance_argv


@pytest.fixture
def plan(tmp_path: Path) -> tuple[Mount, ...]:
    for folder in ("image/srv/app", "image/etc", "host/usr/bin", "host/etc"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "image/srv/file").write_text("")
    return (
        Mount("/", (str(tmp_path / "image"),), "overlay"),
        Mount("/bin", (), "symlink", "usr/bin"),
        Mount("/etc", (str(tmp_path / "image/etc"), str(tmp_path / "host/etc")), "overlay"),
        Mount("/usr", (), "bind", str(tmp_path / "host/usr")),
        Mount("/proc", (), "proc"),
        Mount("/dev", (), "dev"),
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "making").mkdir()
    return Place(str(tmp_path / "making"), "/home/web-1")


def at(steps: tuple[Step, ...], path: str) -> Step:
    return next(step for step in steps if step.at == path)


def test_every_overlay_has_folders_of_its_own_and_they_are_named_where_they_will_lie(plan: tuple[Mount, ...], place: Place) -> None:
    steps = assemble(plan, [], place)

    uppers = [step.upper for step in steps if step.kind == "overlay"]
    assert uppers == ["/home/web-1/layer0/upper", "/home/web-1/layer2/upper"]
    assert all(Path(upper.replace("/home/web-1", place.making)).is_dir() for upper in uppers)


def test_mount_points_lie_in_a_layer_of_their_own_beneath_the_image(plan: tuple[Mount, ...], place: Place) -> None:
    steps = assemble(plan, ["/var/cache/shop"], place)

    assert at(steps, "/").lowers[-1] == "/home/web-1/points"
    points = Path(place.making, "points")
    assert {name for name in ("usr", "etc", "proc", "dev", "var/cache/shop") if (points / name).is_dir()} == {
        "usr",
        "etc",
        "proc",
        "dev",
        "var/cache/shop",
    }
    assert str((points / "bin").readlink()) == "usr/bin"


def test_a_writable_folder_that_the_image_fills_shows_its_content(plan: tuple[Mount, ...], place: Place, tmp_path: Path) -> None:
    found = at(assemble(plan, ["/srv/app"], place), "/srv/app")

    assert (found.kind, found.lowers, found.writable) == ("overlay", (str(tmp_path / "image/srv/app"),), True)


def test_a_writable_folder_that_is_new_is_an_empty_one(plan: tuple[Mount, ...], place: Place) -> None:
    found = at(assemble(plan, ["/tmp"], place), "/tmp")

    assert (found.kind, found.writable) == ("bind", True)
    assert Path(found.source.replace(place.final, place.making)).stat().st_mode & 0o7777 == 0o1777


def test_a_new_writable_folder_on_a_folder_of_the_host_gets_its_place_without_touching_the_host(
    plan: tuple[Mount, ...], place: Place, tmp_path: Path
) -> None:
    steps = assemble(plan, ["/usr/shop"], place)

    assert at(steps, "/usr").lowers == (str(tmp_path / "host/usr"), "/home/web-1/points/usr")
    assert not (tmp_path / "host/usr/shop").exists()


def test_a_writable_folder_within_another_needs_no_mount_of_its_own(plan: tuple[Mount, ...], place: Place) -> None:
    steps = assemble(plan, ["/var/cache", "/var/cache/shop"], place)

    assert [step.at for step in steps if step.writable] == ["/var/cache"]


def test_shared_memory_is_a_file_system_in_memory(plan: tuple[Mount, ...], place: Place) -> None:
    assert at(assemble(plan, ["/dev/shm"], place), "/dev/shm").kind == "tmpfs"


@pytest.mark.parametrize("path", ["/", "/proc", "/proc/sys"])
def test_some_folders_are_never_writable(plan: tuple[Mount, ...], place: Place, path: str) -> None:
    with pytest.raises(Denied):
        assemble(plan, [path], place)


def test_a_file_cannot_be_a_writable_folder(plan: tuple[Mount, ...], place: Place) -> None:
    with pytest.raises(TargetFailed):
        assemble(plan, ["/srv/file"], place)


def test_only_sealed_layers_are_kept_for_the_audit(plan: tuple[Mount, ...], place: Place) -> None:
    assert [layer["at"] for layer in layers(assemble(plan, ["/srv/app"], place))] == ["/", "/etc"]


def test_arguments_seal_every_layer_and_the_devices_and_the_root_last(plan: tuple[Mount, ...], place: Place) -> None:
    argv = instance_argv(Sandbox("/bwrap", assemble(plan, ["/srv/app"], place), ("/bin/web", "--port", "1"), workdir="/srv/app"))

    sealed = [argv[index + 1] for index, argument in enumerate(argv) if argument == "--remount-ro"]
    assert sealed[-1] == "/"
    assert set(sealed) == {"/", "/etc", "/dev"}
    assert argv[-6:] == ("--chdir", "/srv/app", "--", "/bin/web", "--port", "1")
    assert argv[argv.index("--cap-drop") + 1] == "ALL"
    assert {"--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"} <= set(argv)


def test_the_lowest_layer_of_an_overlay_is_named_first() -> None:
    argv = instance_argv(Sandbox("/bwrap", (Step("/", "overlay", lowers=("/top", "/low"), upper="/u", work="/w"),), ("/bin/web",)))

    start = argv.index("--overlay-src")
    assert argv[start : start + 8] == ("--overlay-src", "/low", "--overlay-src", "/top", "--overlay", "/u", "/w", "/")
