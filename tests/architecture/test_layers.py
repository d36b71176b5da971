"""Which module may import which."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tools.travels import travelling_files

from source import ROOT, Module, module, package

LINT_IMPORTS = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
TRAVELLERS = {module(path).name for path in travelling_files()}


def test_imports_only_ever_point_down() -> None:
    done = subprocess.run([sys.executable, "-c", LINT_IMPORTS], cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", travelling_files(), ids=lambda path: path.stem)
def test_what_travels_imports_the_standard_library_and_itself_only(path: Path) -> None:
    traveller = module(path)

    strangers = {name for name in traveller.imports() if not _may_travel(name)}

    assert not strangers, f"{traveller.place} imports {', '.join(sorted(strangers))}, which a target does not have"


def _may_travel(name: str) -> bool:
    if name.partition(".")[0] in sys.stdlib_module_names:
        return True
    # `from package.module import thing`: the module travels, the thing is in it. `vitrify.core` itself is an empty folder.
    return name in {*TRAVELLERS, "vitrify.core"} or name.rpartition(".")[0] in TRAVELLERS


def _engine_modules(face: Module) -> set[str]:
    allowed = ("vitrify.app", "vitrify.reading", "vitrify.core", "vitrify.cli", "vitrify.__version__")
    ours = {name for name in face.imports() if name.startswith("vitrify.")}
    return {name for name in ours if not any(name == room or name.startswith(f"{room}.") for room in allowed)}


@pytest.mark.parametrize("face", [found for found in package() if "cli" in found.path.parts], ids=lambda face: face.path.stem)
def test_the_command_line_sees_the_app_and_the_core_only(face: Module) -> None:
    assert not _engine_modules(face)
