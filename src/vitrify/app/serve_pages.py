"""What `vitrify serve` answers when it is asked how things stand: metrics for a machine, and how it is itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http import HTTPStatus

from vitrify import __version__
from vitrify.app.endpoint import Answer, Pages
from vitrify.core.digest import JSON, JSONObject
from vitrify.ledger.entry import timestamp
from vitrify.lifecycle.duty import Charge
from vitrify.lifecycle.serve_board import Board
from vitrify.lifecycle.serve_metrics import metrics
from vitrify.lifecycle.serve_tally import Tally

STALLED = 60.0
"""Seconds without a beat after which the process is ill: it looks at what is due every few."""
SCHEMA = "vitrify.dev/serve-health/v1"


def pages(board: Board, last: Callable[[], Charge]) -> Pages:
    """Path -> what answers there; `last` is what is looked after now."""
    from vitrify.lifecycle.serve_exposition import CONTENT_TYPE, exposition  # who looks after everything once tells nothing

    tally = Tally()

    def told() -> Answer:
        charge = last()
        tally.catch_up(charge.world.ledger)
        return Answer(HTTPStatus.OK, CONTENT_TYPE, exposition(metrics(charge, tally)))

    def health() -> Answer:
        stalled = time.time() - max(board.beat_at, board.started_at) > STALLED
        status = HTTPStatus.SERVICE_UNAVAILABLE if stalled else HTTPStatus.OK
        return Answer(status, "application/json", json.dumps(document(board, stalled=stalled)) + "\n")

    return {"/metrics": told, "/health": health}


def document(board: Board, *, stalled: bool) -> JSONObject:
    """How the process is, and how the last turn of each duty ended at each place."""
    turns: list[JSON] = [
        {**vars(turn), "ended_at": timestamp(at), "seconds": round(seconds, 3)} for turn, at, seconds in board.last_turns()
    ]
    return {
        "schema": SCHEMA,
        "status": "stalled" if stalled else "ok",
        "version": __version__,
        "started_at": timestamp(board.started_at),
        "declaration_valid": board.valid,
        "failing": {" ".join(filter(None, (duty, *place))): why for (duty, place), why in sorted(board.failing.items())},
        "turns": turns,
    }
