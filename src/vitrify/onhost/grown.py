"""Which files only grew: all that they were is at their beginning, byte for byte. A log that somebody cut a line out of is none of them."""

from __future__ import annotations

import hashlib
import hmac
from typing import Iterable, List

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import KEYED, PLAIN, JSONObject
from vitrify.onhost.explaining import Told
from vitrify.onhost.scope import Here

_CHUNK = 1 << 20


def grown(here: Here, told: Iterable[Told]) -> List[str]:
    """The paths of files that begin with what they were."""
    return [path for path, before, now in told if before and now and _grew(here, path, before, now)]


def _grew(here: Here, path: str, before: JSONObject, now: JSONObject) -> bool:
    size, larger, digest = before.get("size"), now.get("size"), str(before.get("sha256", ""))
    if not (isinstance(size, int) and isinstance(larger, int) and larger >= size and digest.startswith((PLAIN, KEYED))):
        return False
    running = hmac.new(here.scope.key, digestmod=hashlib.sha256) if digest.startswith(KEYED) else hashlib.sha256()
    try:
        with here.system.open(path) as file:
            while size > 0:
                chunk = file.read(min(_CHUNK, size))
                if not chunk:
                    return False
                running.update(chunk)
                size -= len(chunk)
    except (VitrifyError, OSError):  # gone since it was swept
        return False
    return digest.endswith(f":{running.hexdigest()}")
