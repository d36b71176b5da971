"""Clients that ask a shop all the while, and never repeat a request: a program of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from shop import Shop
from vitrify.core.digest import JSONObject


class Load:
    """Keep-alive POSTs until it is ended; `more` are flags of `vitrify.testing.load`."""

    def __init__(self, shop: Shop, *more: str) -> None:
        command = [sys.executable, "-m", "vitrify.testing.load", f"http://127.0.0.1:{shop.port}/", "--pause", "0.02", *more]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})

    def ended(self) -> JSONObject:
        """End it, and what it counted."""
        self._process.terminate()
        report, _ = self._process.communicate(timeout=90)
        found = json.loads(report)
        assert isinstance(found, dict)
        return found
