"""What stands in a file beside the parts that are held in it: by its digest a change of such a part is told from one of all else."""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping

from vitrify.core.resource import Resource
from vitrify.onhost.scope import Here

Parts = Mapping[str, List[Resource]]
"""Path -> the resources that have a part in that file, in an order of their own."""


def parts_of(here: Here, held: Iterable[Resource]) -> Parts:
    """The files that these resources share with others."""
    found: Dict[str, List[Resource]] = {}
    for resource in sorted(held, key=lambda one: one.address):
        if resource.address.kind not in here.context.kinds or resource.absent:
            continue
        kind = here.context.kinds[resource.address.kind]
        for path in kind.owned_paths(resource) if kind.shares else ():
            found.setdefault(path, []).append(resource)
    return found


def rest_of(here: Here, path: str, parts: Parts) -> str:
    """The keyed digest of a file without these parts; "" where nobody holds one in it, or there is no such file."""
    stat = here.system.stat(path)
    if path not in parts or stat is None or stat.type != "file":
        return ""
    content = whole = here.system.read(path)
    for resource in parts[path]:
        content = here.context.kinds[resource.address.kind].rest(content, resource)
    return here.system.keyed(content) if content != whole else ""
