"""The finished parts of a proof that takes long, kept where git does not look: whoever is interrupted goes on behind them."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.results import Results


@dataclass(frozen=True)
class Parts:
    """What is finished of one proof, of code of one digest, with one seed."""

    folder: Path
    seed: int

    @classmethod
    def begin(cls, folder: Path, *, covers: str, seed: int | None) -> Parts:
        """Go on with what is there, where it is of the same code and no other seed is asked for; else begin with nothing."""
        begun = folder / "begun.json"
        known = json.loads(begun.read_text(encoding="utf-8")) if begun.is_file() else {}
        if known.get("covers") == covers and seed in (None, known["seed"]):
            return cls(folder, int(known["seed"]))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        chosen = secrets.randbelow(2**32) if seed is None else seed
        begun.write_text(json.dumps({"covers": covers, "seed": chosen}), encoding="utf-8")
        return cls(folder, chosen)

    def finished(self, number: int) -> tuple[Results, float] | None:
        """What came out of a part, and the seconds that it took; None where it has not been finished."""
        path = self._path(number)
        if not path.is_file():
            return None
        kept = json.loads(path.read_text(encoding="utf-8"))
        results = kept["results"]
        return Results(**{**results, "skipped": tuple(results["skipped"])}), float(kept["seconds"])

    def keep(self, number: int, results: Results, *, seconds: float) -> None:
        """Remember a part that held."""
        new = self._path(number).with_suffix(".new")
        new.write_text(json.dumps({"results": asdict(results), "seconds": seconds}), encoding="utf-8")
        new.rename(self._path(number))

    def forget(self) -> None:
        """All is done, and written elsewhere."""
        shutil.rmtree(self.folder)

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number}.json"
