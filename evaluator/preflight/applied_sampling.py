"""What a server itself reports of the sampling of a request: of those known only llama-server shows it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from evaluator.preflight.prompts import OPEN
from evaluator.preflight.trial import Trial
from servers.http import fetch, root
from servers.request import headers
from servers.spec import Sampling

_RECORDED = Sampling.__struct_fields__
"""Sampling values in llama-server's record, by the names that they have here."""
_ANY_SEED = 2**32 - 1
"""What llama-server writes where it draws a seed itself."""


async def applied_sampling(trial: Trial) -> dict[str, float]:
    """Read llama-server's record of a request with the study's sampling, which is broken off as soon as it runs.

    Empty for servers of other kinds.

    Raises:
        ServerError: The server is gone.
    """
    server = trial.server
    if server.spec.runtime != "llama_server":
        return {}
    begun = asyncio.Event()
    asked = trial.request_for(OPEN, trial.study.sampling, stream=True)
    running = asyncio.create_task(trial.put(asked, on_token=begun.set))
    waiting = asyncio.create_task(begun.wait())
    try:
        await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
        slots = await fetch(f"{root(server.base_url)}/slots?model={server.model}", headers=headers(server.spec))
        if running.done():
            running.result()
    finally:
        running.cancel()
        waiting.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
    listed = [slot for slot in slots.body or () if isinstance(slot, dict)] if isinstance(slots.body, list) else []
    return _recorded(listed)


def _recorded(slots: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Take the values of the latest task."""
    used = [slot for slot in slots if isinstance(slot.get("params"), dict) and isinstance(slot.get("id_task"), int)]
    params = max(used, key=lambda slot: int(slot["id_task"]))["params"] if used else {}
    named = {"max_tokens": params.get("n_predict"), **params}
    if named.get("seed") == _ANY_SEED:
        del named["seed"]
    # It keeps single precision: 0.7 would come back as 0.699999988.
    return {
        name: round(float(value), 6)
        for name in _RECORDED
        if isinstance(value := named.get(name), int | float) and not isinstance(value, bool)
    }
