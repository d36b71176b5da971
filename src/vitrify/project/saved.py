"""A plan as a file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.plan import Plan


def write(plan: Plan, path: str) -> None:
    """Write the plan as a document; the file is replaced atomically."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.write_text(json.dumps(plan.to_json(), indent=2) + "\n")
    temporary.replace(target)


def read(path: str) -> JSONObject:
    """The document in this file; UsageInvalid where it holds no plan."""
    hint = f"`vitrify plan -o {path}` writes one"
    try:
        document = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise UsageInvalid(f"{path} is not a saved plan", why=str(error), hint=hint) from None
    return document if isinstance(document, dict) else {}
