"""How a call ends, as it is told: with what it returned, or with an error in words. Nobody is ever shown a traceback."""

from __future__ import annotations

import traceback
from typing import Callable, Dict

from vitrify.core.diagnostic import TargetFailed, VitrifyError, error_to_json
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost.faults import failed


def answered(work: Callable[[], JSONObject]) -> JSONObject:
    """`{"return": …}` or `{"error": …}`; EOFError passes, for then there is nobody to tell."""
    try:
        return {"return": work()}
    except EOFError:
        raise
    except VitrifyError as error:
        return {"error": _sent(error)}
    except OSError as error:
        doing = f"{error.filename} refused" if error.filename else "the target refused"
        return {"error": _sent(failed(error, doing))}
    except Exception as error:  # noqa: BLE001  its last line says where to look
        return {"error": _sent(_internal(error))}


def _sent(error: VitrifyError) -> Dict[str, JSON]:
    return {name: str(value) for name, value in error_to_json(error).items()}


def _internal(error: Exception) -> TargetFailed:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].name}, line {frames[-1].lineno} of {frames[-1].filename.rpartition('/')[2]}" if frames else ""
    said = traceback.format_exception_only(type(error), error)[-1].strip()
    return TargetFailed("internal error on the target", why=f"{said}{place}", hint="please report this, with what you ran")
