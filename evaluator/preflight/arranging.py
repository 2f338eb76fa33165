"""Measure, for each server that is tried, what each order of the questions costs it, and keep what follows for all."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from evaluator.ask.servers import with_flags
from evaluator.preflight.arrangement import Found, arranged, choose, is_worth_it, look_up
from evaluator.store.serving import Arranged, Cache, Serving, keep_serving, read_serving
from evaluator.study.requests import Ask
from evaluator.study.study import Study
from servers.errors import ServerError
from servers.launch import launch
from servers.spec import Server, ServerSpec
from servers.usage.room import room

WHOLE_WINDOWS = ("--swa-full",)
"""With it llama-server keeps all of a layer's cache, though the layer looks through a sliding window only."""
_ENOUGH = 0.9
"""Of a prompt's beginning: where so much is found again, no flag is tried."""
_BATCH = 512
"""Tokens that llama-server keeps of such a layer beside its window, by default."""
_MLX_HOLDS = 10
"""Prompts that mlx_lm 0.32 keeps: `--prompt-cache-size`."""
_LLAMA_HOLDS = 8 << 30
"""Bytes of prompts that llama-server keeps in the machine's memory: `--cache-ram`."""


class Arranging:
    """What the servers of a study keep of their prompts."""

    def __init__(self, study: Study, asks: Sequence[Ask]) -> None:
        self._study, self._asks, self._places = study, asks, study.tried_at_once
        self.is_worth_it = is_worth_it(asks, self._places)
        self.tried: dict[str, tuple[Arranged, ...]] = {}
        self._found: dict[str, tuple[Found, int | None]] = {}
        """By variant what its server found in its cache, and the bytes of that."""

    async def measure(self, name: str, server: Server, kv_cache_bytes: int | None) -> None:
        """Find out what a variant's server finds again; nothing is known of one that does not say."""
        found = await look_up(server, self._study, self._asks)
        if found is not None:
            self._found[name] = found, kv_cache_bytes
            self.tried[name] = self._arranged(server.spec, found, kv_cache_bytes, ())

    def worth_trying(self, name: str, spec: ServerSpec) -> tuple[str, ...]:
        """Name flags with which a server may find more, where memory is known to hold what they take."""
        found, kv_cache_bytes = self._found.get(name, (None, None))
        started = spec.runtime == "llama_server" and spec.base_url is None and not self._study.router
        if found is None or found.again >= _ENOUGH or not started or not spec.context or kv_cache_bytes is None:
            return ()
        from servers.weights.gguf import sliding_window  # noqa: PLC0415 - it loads gguf and numpy

        window = sliding_window(Path(spec.model))
        if window is None or set(WHOLE_WINDOWS) & set(spec.args):
            return ()
        now = room()
        most = kv_cache_bytes * spec.context / min(spec.context, window + _BATCH)
        return WHOLE_WINDOWS if most < min((now.memory - now.left_alone, *now.cards)) else ()

    async def measure_with(self, name: str, spec: ServerSpec, flags: tuple[str, ...], *, log: Path) -> None:
        """Measure once more with flags; a server that does not start with them, or is lost, is left as it was."""
        with suppress(ServerError, OSError):
            async with launch(with_flags(spec, flags), log=log) as server:
                found = await look_up(server, self._study, self._asks)
            if found is not None:
                self.tried[name] += self._arranged(spec, found, self._found[name][1], flags)

    def _arranged(
        self, spec: ServerSpec, found: Found, kv_cache_bytes: int | None, flags: tuple[str, ...]
    ) -> tuple[Arranged, ...]:
        holds = _MLX_HOLDS if spec.runtime == "mlx_lm" else None
        if spec.runtime == "llama_server" and kv_cache_bytes and spec.context:
            a_prompt = kv_cache_bytes / (spec.context * spec.slots) * found.tokens
            holds = int(_LLAMA_HOLDS / max(a_prompt, 1))
        return arranged(self._asks, found, self._places, holds=holds, flags=flags)


def keep_arranged(folder: Path, study: Study, tried: Mapping[str, Sequence[Arranged]]) -> None:
    """Choose how the servers of a study are asked, from what was found out now and before, and write it down.

    Raises:
        StudyError: What was written before is damaged.
    """
    if not tried:
        return
    serving = read_serving(folder) or Serving()
    before = {name: cache.tried for name, cache in serving.cache.items() if cache.tried}
    names = [variant.name for variant in study.variants]
    chosen = choose({name: mine for name, mine in {**before, **tried}.items() if name in names})
    order = next(iter(chosen.values())).order
    # One whose server does not say what it finds is asked in the same order.
    unknown = {name: Cache(on=None, order=order) for name in names if name not in chosen}
    keep_serving(folder, replace(serving, cache={**unknown, **chosen}))
