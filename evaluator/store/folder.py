"""A run's folder: its files, its lock, and whether a study may go on in it."""

import datetime as dt
import fcntl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from evaluator import __version__
from evaluator.errors import StudyError
from evaluator.study.amendments import changed_rules, is_extended, judged_as_extended, refuse_other_design
from evaluator.study.requests import NEWEST_ORDER, Order, data_hashes
from evaluator.study.study import Study

T = TypeVar("T", bound=Struct)
Kept = TypeVar("Kept")
# Keys that may change when a run goes on: they decide how much is asked, how fast, or how answers are judged and shown,
# not what is sent. Variants and benchmarks may be added and removed.
_FREE = frozenset({"study", "baseline", "decide", "prefer", "note", "questions", "repeats", "margin"}) | frozenset(
    {"fidelity", "parallel", "router", "silence", "concurrency", "api_key_env", "repeatable"}
)

_LOCK_ATTEMPTS = 5
"""Who looks whether a run is going on holds its lock for a moment."""
_LOCK_PAUSE_S = 0.05


def plan_path(folder: Path) -> Path:
    """Return the path of the plan: what was going to be asked."""
    return folder / "plan.json"


def records_folder(folder: Path) -> Path:
    """Return the folder of the journals."""
    return folder / "records"


def records_path(folder: Path, variant: str) -> Path:
    """Return the path of a variant's journal."""
    return records_folder(folder) / f"{variant}.jsonl"


def grades_path(folder: Path) -> Path:
    """Return the path of the grades."""
    return folder / "grades.jsonl"


def facts_path(folder: Path) -> Path:
    """Return the path of what servers reported about themselves."""
    return folder / "facts.json"


def proofs_path(folder: Path) -> Path:
    """Return the path of what servers proved."""
    return folder / "proofs.json"


def resources_path(folder: Path) -> Path:
    """Return the path of what was measured of the servers: memory, speed of one request alone, energy."""
    return folder / "resources.json"


def serving_path(folder: Path) -> Path:
    """Return the path of how the servers were asked: how many questions in flight, in which order, with which cache."""
    return folder / "serving.json"


def fidelity_path(folder: Path, form: str = "json") -> Path:
    """Return the path of how far the builds are from their references, token by token, as `json`, `md` or `html`."""
    return folder / f"fidelity.{form}"


def partings_path(folder: Path) -> Path:
    """Return the path of where answers that flip part, with the probabilities there."""
    return folder / "partings.json"


def report_path(folder: Path, form: str = "json") -> Path:
    """Return the path of a report, in the form `json`, `md` or `html`."""
    return folder / f"report.{form}"


def post_path(folder: Path) -> Path:
    """Return the path of the short report, for a post."""
    return folder / "report-post.md"


def picture_path(folder: Path, name: str, form: str) -> Path:
    """Return the path of a picture of the report, in the form `png` or `svg`."""
    return folder / f"report-{name}.{form}"


def logs_path(folder: Path) -> Path:
    """Return the folder of the servers' logs."""
    return folder / "logs"


def is_run(folder: Path) -> bool:
    """Whether the folder holds a run, begun or finished."""
    return plan_path(folder).exists()


def order_in(folder: Path) -> Order:
    """Return by which rule the questions of a run are put in order: its plan's, or the newest where none is begun.

    Raises:
        StudyError: its plan is damaged.
    """
    return read_plan(folder).order if is_run(folder) else NEWEST_ORDER


class Plan(Struct, frozen=True, kw_only=True):
    """What was going to be asked, of which variants, and how it would be decided; written before the first question."""

    whichquant: str
    """Version that began the run."""
    created: str
    """UTC, ISO 8601."""
    data_sha256: dict[str, str]
    """By benchmark, hash of its questions."""
    study: Study
    asked: dict[str, dict[str, str]]
    """Every setting that records in this folder were made with, of removed variants too: by variant, "" for all."""
    forced: bool = False
    """Whether questions were asked although a check before the first one blocks the claim."""
    unchecked: bool = False
    """Whether questions were asked without that check."""
    changes: tuple[str, ...] = ()
    """Which rules of judging were changed after there were answers, one sentence each."""
    extended: bool = False
    """Whether a fixed number of questions was raised after its report; then the run is judged as sequential."""
    busy: tuple[str, ...] = ()
    """When questions were asked while this machine was busy, and how busy: one sentence each."""
    more_tokens: int | None = None
    """The largest limit, in tokens, with which cut-off questions were asked again; None if none was."""
    order: Order = 1
    """By which rule the questions are put in order; it stays as the run began, or its answers would not count."""


@contextmanager
def open_for_writing(study: Study, text: str, folder: Path, *, more_tokens: int | None = None) -> Iterator[Plan]:
    """Open a run's folder for writing: a new one, or one that the same study began.

    Args:
        study: The study that begins or goes on.
        text: Its YAML.
        folder: The run's.
        more_tokens: Limit of the replies that are asked for again; the study itself keeps its own.

    Raises:
        StudyError: the folder holds answers to another study, or another whichquant is writing in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        hashes = data_hashes(study)
        asked = _settings(study, hashes)
        created, forced, unchecked = dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), False, False
        busy: tuple[str, ...] = ()
        changes: tuple[str, ...] = ()
        extended = False
        if is_run(folder):
            before = read_plan(folder)
            _refuse_mixture(before.asked, asked, folder)
            if _answered(folder):
                refuse_other_design(before.study, study, folder, extended=before.extended)
                changes = (*before.changes, *changed_rules(before.study, study))
                extended = before.extended or is_extended(before.study, study, folder)
            asked = {part: {**before.asked.get(part, {}), **asked.get(part, {})} for part in {**before.asked, **asked}}
            created, forced, unchecked, busy = before.created, before.forced, before.unchecked, before.busy
            more_tokens = max(before.more_tokens or 0, more_tokens or 0) or None
        plan = Plan(
            whichquant=__version__,
            created=created,
            data_sha256=hashes,
            study=judged_as_extended(study) if extended else study,
            asked=asked,
            forced=forced,
            unchecked=unchecked,
            changes=changes,
            extended=extended,
            busy=busy,
            more_tokens=more_tokens,
            order=order_in(folder),
        )
        write(folder / "study.yaml", text.encode())
        write(plan_path(folder), msgspec.json.format(msgspec.json.encode(plan), indent=2))
        yield plan


def mark_plan(folder: Path, *, forced: bool = False, unchecked: bool = False, busy: str = "") -> None:
    """Record in a run's plan how questions were asked; this cannot be undone.

    Args:
        folder: The run's.
        forced: In spite of a check.
        unchecked: Without a check.
        busy: While the machine was busy: how busy, in one sentence.
    """
    plan = read_plan(folder)
    plan = replace(
        plan,
        forced=plan.forced or forced,
        unchecked=plan.unchecked or unchecked,
        busy=(*plan.busy, busy) if busy else plan.busy,
    )
    write(plan_path(folder), msgspec.json.format(msgspec.json.encode(plan), indent=2))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes of whichquant from writing into a run's folder.

    Raises:
        StudyError: another one is writing there now.
    """
    with (folder / ".lock").open("w") as lock:
        for attempts_left in reversed(range(_LOCK_ATTEMPTS)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not attempts_left:
                    raise StudyError(
                        "another whichquant is writing here", source=folder, remedy="wait for it, or end it"
                    ) from None
                time.sleep(_LOCK_PAUSE_S)
        yield


def is_being_written(folder: Path) -> bool:
    """Whether another process of whichquant is writing into a run's folder now; nothing is written to find out."""
    try:
        with (folder / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def read_plan(folder: Path) -> Plan:
    """Read what a run was going to ask.

    Raises:
        StudyError: there is none, or it is damaged.
    """
    try:
        return read_json(plan_path(folder), Plan, remedy="put the file back, or remove the folder")
    except OSError:
        raise StudyError(
            "no run lies here (no plan.json)", source=folder, remedy="give the folder of a run, as runs/<study>"
        ) from None


def read_by_variant(path: Path, kind: type[T]) -> dict[str, T]:
    """Read a file of a run that maps variants to values; empty if there is no such file.

    Raises:
        StudyError: it is damaged.
    """
    if not path.exists():
        return {}
    return read_json(path, dict[str, kind], remedy="remove the file and run again")  # type: ignore[valid-type]


def read_json(path: Path, kind: type[Kept], *, remedy: str) -> Kept:
    """Read a file that whichquant wrote.

    Args:
        path: The file.
        kind: What it holds.
        remedy: What to do about a damaged one.

    Raises:
        OSError: It cannot be read.
        StudyError: It is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"not what whichquant wrote ({error})", source=path, remedy=remedy) from None


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    _write(path, (data,))


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file, whole or not at all, of lines that need not fit into memory together; each is given its end."""
    _write(path, (line + b"\n" for line in lines))


def _write(path: Path, parts: Iterable[bytes]) -> None:
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.writelines(parts)
        part.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def _answered(folder: Path) -> set[str]:
    """Name the variants that have records."""
    return {path.stem for path in records_folder(folder).glob("*.jsonl") if path.stat().st_size}


def _refuse_mixture(before: dict[str, dict[str, str]], now: dict[str, dict[str, str]], folder: Path) -> None:
    """Refuse settings that differ from those of the records; a variant without records may change."""
    answered = _answered(folder)
    changed = [
        f"{f'variants[{part}].' if part else ''}{key} was {old}, now {now[part][key]}"
        for part, settings in before.items()
        for key, old in settings.items()
        if key in now.get(part, {}) and now[part][key] != old and (part in answered if part else answered)
    ]
    if changed:
        raise StudyError(
            f"holds answers to another study: {'; '.join(changed)}. Answers are not mixed",
            source=folder,
            remedy="give this study (eval: --name) another name, or remove the folder to start anew",
        )


def _settings(study: Study, hashes: dict[str, str]) -> dict[str, dict[str, str]]:
    """Flatten what a study sends to the models: by variant, and "" for what all share; values as JSON."""
    shared = {f"data of {name}": digest[:12] for name, digest in hashes.items()}
    parts = {"": shared}

    def walk(value: Any, path: str) -> None:  # noqa: ANN401 - plain data of any shape
        if isinstance(value, dict):
            for key, below in value.items():
                if key not in _FREE:
                    walk(below, f"{path}.{key}" if path else key)
        elif path != "variants":
            shared[path] = msgspec.json.encode(value).decode()

    walk(msgspec.to_builtins(study), "")
    for variant in study.variants:
        fields = msgspec.to_builtins(variant).items()
        kept = [(key, value) for key, value in fields if key != "name" and key not in _FREE]
        parts[variant.name] = {key: msgspec.json.encode(value).decode() for key, value in kept}
    return parts
