"""A run's folder: what lies in it, who may write, and whether a study may go on in it."""

import datetime as dt
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from evaluator import __version__
from evaluator.plan import data_hashes
from evaluator.study import Study, StudyError

# What may change between two runs into one folder: it decides how much is asked or how answers are judged and shown,
# not what is sent. Variants and benchmarks may be added and taken away.
_FREE = frozenset(
    {"study", "baseline", "decide", "note", "parallel", "silence", "questions", "repeats", "margin", "binary"}
)


class Plan(Struct, frozen=True, kw_only=True):
    """Written before the first question: what was going to be asked, of whom, and how it would be decided."""

    whichquant: str
    created: str
    """UTC, ISO 8601."""
    data_sha256: dict[str, str]
    study: Study


@contextmanager
def admit(study: Study, text: str, folder: Path) -> Iterator[Plan]:
    """Open a run's folder for writing: new, or one that the same study began.

    Raises:
        StudyError: the folder holds answers to another study, or another whichquant is writing in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudyError(f"{folder}: another whichquant is writing here: wait for it, or end it") from None
        plan = Plan(
            whichquant=__version__,
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            data_sha256=data_hashes(study),
            study=study,
        )
        if (folder / "plan.json").exists():
            before = read_plan(folder)
            _refuse_mixture(before, plan, folder)
            plan = msgspec.structs.replace(plan, created=before.created)
        write(folder / "study.yaml", text.encode())
        write(folder / "plan.json", msgspec.json.format(msgspec.json.encode(plan), indent=2))
        yield plan


def read_plan(folder: Path) -> Plan:
    """Read what a run was going to ask.

    Raises:
        StudyError: there is none, or it is damaged.
    """
    path = folder / "plan.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Plan)
    except OSError:
        raise StudyError(
            f"{folder}: no run lies here (no plan.json): give the folder of a run, as runs/<study>"
        ) from None
    except msgspec.DecodeError as error:
        raise StudyError(
            f"{path}: not what whichquant wrote ({error}): put the file back, or remove the folder"
        ) from None


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _refuse_mixture(before: Plan, now: Plan, folder: Path) -> None:
    old, new = _settings(before), _settings(now)
    changed = [f"{key} was {old[key]}, now {new[key]}" for key in old if key in new and old[key] != new[key]]
    if changed:
        raise StudyError(
            f"{folder}: holds answers to another study: {'; '.join(changed)}. Answers are not mixed:"
            " give this study another name, or remove the folder to start anew"
        )


def _settings(plan: Plan) -> dict[str, str]:
    """Flatten what a plan sends to the models: `variants[q4].kv_cache` -> its value as text."""
    flat = {f"data of {name}": digest[:12] for name, digest in plan.data_sha256.items()}

    def walk(value: Any, path: str) -> None:  # noqa: ANN401 - plain data of any shape
        if isinstance(value, dict):
            for key, below in value.items():
                if key not in _FREE:
                    walk(below, f"{path}.{key}" if path else key)
        elif path == "variants":
            for variant in value:
                walk({key: below for key, below in variant.items() if key != "name"}, f"variants[{variant['name']}]")
        else:
            flat[path] = msgspec.json.encode(value).decode()

    walk(msgspec.to_builtins(plan.study), "")
    return flat
