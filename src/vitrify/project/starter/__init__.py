"""What `vitrify init` writes: a commented declaration that loads as it is, a small web application and a template."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from vitrify.core.diagnostic import UsageInvalid
from vitrify.project.find import PYTHON

_FILES: Final = ("vitrify.yaml", "app/app.py", "templates/motd.j2", "gitignore")
_MACHINE: Final = "machine"
"""The folder that the declaration treats as a server's root."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_SOURCE = Path(__file__).parent / "files"


def write(folder: str, name: str) -> tuple[str, ...]:
    """Write the files and return their paths. UsageInvalid, and nothing written, where one of them exists already."""
    top = Path(folder)
    targets = {file: top / (".gitignore" if file == "gitignore" else file) for file in _FILES}
    present = [str(path) for path in (*targets.values(), top / PYTHON) if path.exists() and path.name != ".gitignore"]
    if present:
        raise UsageInvalid(f"{present[0]} exists already", hint="`vitrify init` begins in a folder without a declaration")
    wanted = {file: path for file, path in targets.items() if not path.exists()}
    texts = {file: (_SOURCE / file).read_text(encoding="utf-8").replace("PROJECT", _project(name)) for file in wanted}
    try:
        (top / _MACHINE).mkdir(parents=True, exist_ok=True)
        for file, path in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[file], encoding="utf-8")
    except OSError as error:
        raise UsageInvalid(f"{error.filename or folder} cannot be written", why=error.strerror or "") from error
    return tuple(str(path) for path in wanted.values())


def _project(name: str) -> str:
    """The name as given where it can be one, else what of it can."""
    if _NAME.fullmatch(name):
        return name
    fitting = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:60]
    return fitting if _NAME.fullmatch(fitting) else f"project-{fitting}".rstrip("-")
