"""What the servers of a run reported about themselves: kept beside the records, compared before more are added."""

import os
import sys
from pathlib import Path

import msgspec
from msgspec.structs import asdict

from evaluator.errors import StudyError
from evaluator.store.folder import facts_path, read_by_variant, write
from servers.spec import ServerFacts

_NOT_THE_SAME = {"--port", "-lv"}
"""Flags whose value is another at each start, or of the check alone."""


_FOR_PROMPTS = {"--swa-full"}
"""Flags that a run may have and its check had not: what they say of the cache is not its type."""


def read_facts(folder: Path) -> dict[str, ServerFacts]:
    """Read what the servers of a run reported about themselves, by variant."""
    return read_by_variant(facts_path(folder), ServerFacts)


def keep_facts(folder: Path, variant: str, facts: ServerFacts, *, known: bool, again: bool = False) -> None:
    """Save which server answers; refuse it if another one answered before.

    Args:
        folder: The run's.
        variant: Whose server it is.
        facts: What is known of the server.
        known: Whether answers of this variant are on disk.
        again: Whether the server was started again because it stopped in the middle.

    Raises:
        StudyError: The weights, the template or the server's build have changed.
    """
    everything, now = read_facts(folder), _portable(facts)
    earlier = everything.get(variant)
    before = earlier if known else None
    if earlier and now.command and now.kv_cache is None and _as_started(now.command) == _as_started(earlier.command):
        now = msgspec.structs.replace(now, kv_cache=earlier.kv_cache)  # as the log of the check says, which says more
    if before:
        _refuse_change(folder, variant, before, now)
        # A server that is about to fail may no longer report everything; what it reported before is kept.
        lost = {name: value for name, value in asdict(before).items() if getattr(now, name) is None}
        now = msgspec.structs.replace(now, **lost, restarts=before.restarts + again)
    everything[variant] = now
    write(facts_path(folder), msgspec.json.format(msgspec.json.encode(everything), indent=2))


def _as_started(command: tuple[str, ...]) -> list[str]:
    """Leave out of a command what is another at each start, or only for more words in the log."""
    values = {at + 1 for at, word in enumerate(command) if word in _NOT_THE_SAME}
    return [word for at, word in enumerate(command) if at not in values and word not in _NOT_THE_SAME | _FOR_PROMPTS]


def refuse_changed_server(folder: Path, variant: str, facts: ServerFacts) -> None:
    """Refuse a server that is not the one whose answers are on disk.

    Raises:
        StudyError: The weights, the template or the server's build have changed.
    """
    if before := read_facts(folder).get(variant):
        _refuse_change(folder, variant, before, _portable(facts))


def _refuse_change(folder: Path, variant: str, before: ServerFacts, now: ServerFacts) -> None:
    fields = ["runtime", "model_sha256", "chat_template_sha256", "version"]
    if not now.command:  # if we started it, its path may change: the weights are hashed
        fields += ["model_id", "model_path"]
    for name in fields:
        old, new = getattr(before, name), getattr(now, name)
        if old is not None and new is not None and old != new:
            raise StudyError(
                f'another server answered for variant "{variant}" before: its {name} was {old}, now {new}.'
                " Answers are not mixed",
                source=folder,
                remedy="give the study (eval: --name) another name, or put back what was there",
            )


def _portable(facts: ServerFacts) -> ServerFacts:
    """Remove this machine's folders from what will be shown to others."""
    places = {sys.executable: "python", f"{Path.cwd()}{os.sep}": "", f"{Path.home()}{os.sep}": f"~{os.sep}"}

    def tidy(text: str) -> str:
        for place, shown in places.items():
            if place != os.sep * 2:  # the home or working directory is /
                text = text.replace(place, shown)
        return text

    return msgspec.structs.replace(
        facts,
        engine=tidy(facts.engine),
        model_path=tidy(facts.model_path) if facts.model_path else None,
        command=tuple(tidy(word) for word in facts.command),
    )
