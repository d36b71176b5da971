"""The same wishes are the same image bit for bit, whoever bakes them, where, when and with what; and where not, it can be explained."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.amount import amount

from image_circumstances import NOBODY, Circumstances, baked, base, everything, explained, programs, resources
from vitrify.core.digest import JSONObject

pytestmark = pytest.mark.root
ZONES = ("UTC", "Pacific/Apia", "America/St_Johns")
LOCALES = ("C", "C.UTF-8", "POSIX")
MANY_KINDS = 25


def interpreters(least: int) -> list[str]:
    """Every Python 3 from this minor version on that is installed here and runs."""
    named = [shutil.which(f"python3.{minor}") for minor in range(least, 16)]
    managed = [str(path) for minor in range(least, 16) for path in Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3")]
    found = {sys.executable, *(path for path in named if path), *managed}
    return sorted(path for path in found if subprocess.run([path, "-I", "-c", ""], check=False, capture_output=True).returncode == 0)


@contextmanager
def places() -> Iterator[list[Path]]:
    """Folders on different file systems, that everybody may look into."""
    with tempfile.TemporaryDirectory() as disk, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        found = [Path(disk), Path(memory)]
        for place in found:
            place.chmod(0o755)
        yield found


def drawn(chance: random.Random, folder: Path) -> Circumstances:
    """Circumstances by chance. Another user sees no Python in a home."""
    user = chance.choice([0, NOBODY])
    shared = [path for path in interpreters(9) if not user or path.startswith("/usr")] or ["/usr/bin/python3"]
    controls = [path for path in interpreters(11) if not user or path.startswith("/usr")] or ["/usr/bin/python3"]
    return Circumstances(
        folder,
        umask=chance.choice(["000", "022", "077"]),
        user=user,
        python=chance.choice(controls),
        payload=chance.choice(shared),
        seed=chance.randrange(1000),
        environment={"TZ": chance.choice(ZONES), "LC_ALL": chance.choice(LOCALES), "PYTHONHASHSEED": str(chance.randrange(1000))},
    )


def test_the_declaration_is_of_nearly_every_kind_that_needs_no_package() -> None:
    kinds = {str(resource["address"]).partition(":")[0] for resource in resources()}

    assert len(kinds) >= MANY_KINDS
    assert {"command", "user", "group", "tree", "file", "process", "archive", "download"} <= kinds


def test_whoever_bakes_it_where_and_with_what_it_is_one_image() -> None:
    chance = random.Random(os.environ.get("VITRIFY_SEED", "1"))  # noqa: S311  not for secrets
    with places() as found:
        source, wishes = base(found[0] / "source"), resources()
        plain = Circumstances(found[0] / "first")
        expected = baked(source, plain, wishes)
        for number in range(amount("identity", daily=3)):
            given = drawn(chance, found[number % 2] / f"bake{number}")
            digest = baked(source, given, wishes)
            assert digest == expected, f"{given}\n{explained((plain.folder, expected), (given.folder, digest))}"
            shutil.rmtree(given.folder)


def test_a_difference_that_was_planted_is_explained_by_a_comparer_that_is_not_ours() -> None:
    with places() as found:
        source, wishes = base(found[0] / "source"), [wish.to_json() for wish in programs()]
        planted = [with_another_target(one) for one in wishes]
        one, other = Circumstances(found[0] / "one"), Circumstances(found[1] / "other")
        digests = baked(source, one, wishes), baked(source, other, planted)

        told = explained((one.folder, digests[0]), (other.folder, digests[1]))

        assert digests[0] != digests[1]
        assert "srv/made/b" in told
        assert "planted" in told
        assert not [kind for kind in everything().contents if kind in told]


def with_another_target(resource: JSONObject) -> JSONObject:
    """The link of the declaration, leading elsewhere."""
    fields = resource["fields"]
    assert isinstance(fields, dict)
    return {**resource, "fields": {**fields, "to": "planted"}} if resource["address"] == "link:/srv/made/b" else resource
