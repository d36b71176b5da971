"""A folder with packages as dpkg keeps them: its database, its lists, its checksums, and the files themselves."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class DebianRoot:
    """What dpkg would leave after each of these, written by hand."""

    root: Path
    installed: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)

    def install(self, name: str, version: str, files: Mapping[str, str]) -> None:
        """Install, or upgrade: files (path -> text; a text that begins with `-> ` is a link) that are in it no more go."""
        self._take(set(self.installed.get(name, ("", {}))[1]) - set(files))
        for path, text in files.items():
            place = self.root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            if text.startswith("-> "):
                place.symlink_to(text[3:])
            else:
                place.write_text(text)
        self.installed[name] = (version, dict(files))
        folders = sorted({str(parent) for path in files for parent in Path(path).parents})
        lines = ["/." if path == "/" else path for path in sorted([*folders, *files])]
        self._note(name, "list", "".join(f"{line}\n" for line in lines))
        sums = {path: _md5(text) for path, text in files.items() if text[:3] != "-> "}
        self._note(name, "md5sums", "".join(f"{md5}  {path.lstrip('/')}\n" for path, md5 in sums.items() if not path.startswith("/etc/")))
        self._database()

    def remove(self, name: str) -> None:
        """Purge it."""
        self._take(set(self.installed.pop(name)[1]))
        for kind in ("list", "md5sums"):
            (self.root / f"var/lib/dpkg/info/{name}.{kind}").unlink()
        self._database()

    def _take(self, paths: set[str]) -> None:
        for path in paths:
            place = self.root / path.lstrip("/")
            place.unlink(missing_ok=True)
            if not any(place.parent.iterdir()):
                shutil.rmtree(place.parent)

    def _note(self, name: str, kind: str, text: str) -> None:
        place = self.root / f"var/lib/dpkg/info/{name}.{kind}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def _database(self) -> None:
        stanzas = [self._stanza(name, version, files) for name, (version, files) in self.installed.items()]
        (self.root / "var/lib/dpkg/status").write_text("\n\n".join(stanzas) + "\n")

    def _stanza(self, name: str, version: str, files: Mapping[str, str]) -> str:
        settings = [f" {path} {_md5(text)}" for path, text in files.items() if path[:5] == "/etc/"]
        head = [f"Package: {name}", "Status: install ok installed", "Architecture: amd64", f"Version: {version}"]
        return "\n".join([*head, *(["Conffiles:", *settings] if settings else [])])


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
