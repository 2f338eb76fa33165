"""What the servers of a run said of themselves: kept beside the records, and compared before more are added."""

import os
import sys
from pathlib import Path

import msgspec

from evaluator.folder import write
from evaluator.study import StudyError
from servers.spec import ServerFacts


def read_facts(folder: Path) -> dict[str, ServerFacts]:
    """Read what the servers of a run said of themselves, by variant."""
    path = folder / "facts.json"
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, ServerFacts])
    except msgspec.DecodeError as error:
        raise StudyError(f"{path}: not what whichquant wrote ({error}): remove the file and run again") from None


def keep_facts(folder: Path, variant: str, facts: ServerFacts, *, known: bool) -> None:
    """Write down who answers; refuse when somebody else answered before.

    Raises:
        StudyError: the weights, the template or the server's build changed since.
    """
    everything, now = read_facts(folder), _portable(facts)
    before = everything.get(variant)
    fields = ["model_sha256", "chat_template_sha256", "version"]
    if not facts.command:  # of a server that we launch the path may change, the weights are hashed
        fields += ["model_id", "model_path"]
    for name in fields if known and before else []:
        old, new = getattr(before, name), getattr(now, name)
        if old is not None and new is not None and old != new:
            raise StudyError(
                f'{folder}: another server answered for variant "{variant}" before: its {name} was {old}, now {new}.'
                " Answers are not mixed: give the study another name, or put back what was there"
            )
    everything[variant] = now
    write(folder / "facts.json", msgspec.json.format(msgspec.json.encode(everything), indent=2))


def _portable(facts: ServerFacts) -> ServerFacts:
    """Take this machine's folders out of what will be shown to others."""
    places = {sys.executable: "python", f"{Path.cwd()}{os.sep}": "", f"{Path.home()}{os.sep}": f"~{os.sep}"}

    def tidy(text: str) -> str:
        for place, shown in places.items():
            if place != os.sep * 2:  # someone whose home or folder is /
                text = text.replace(place, shown)
        return text

    return msgspec.structs.replace(
        facts,
        engine=tidy(facts.engine),
        model_path=tidy(facts.model_path) if facts.model_path else None,
        command=tuple(tidy(word) for word in facts.command),
    )
