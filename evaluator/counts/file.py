"""Read bare counts, correct of total: YAML in a file or on the command line, in a long form and in a short one.

    study: two-builds
    baseline: 6bit
    benchmarks:
      humaneval: {margin: 5, counts: {4bit: 90/100, 6bit: 98/100}}

says the same as `humaneval: {4bit: 90/100, 6bit: 98/100}` but for the name and the baseline; without a baseline every
pair is compared. A count is 90/100, [90, 100] or {correct: 90, total: 100}. With `model: gemma-4-26b-a4b`, or a model
for each variant, `models: {4bit: ...}`, counts far from what is published of the model are named.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import Meta, Struct

from evaluator.study.file import line_of
from evaluator.study.study import HumanEval, Margin, MmluPro, StudyError

MOST = 100_000
"""Questions to one variant; exact tests of more take minutes."""
_MARGINS = {"mmlu_pro": MmluPro().margin, "humaneval": HumanEval().margin}
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class Count(Struct, frozen=True, forbid_unknown_fields=True):
    """How many questions one variant solved."""

    correct: Annotated[int, Meta(ge=0)]
    total: Annotated[int, Meta(ge=1, le=MOST)]

    def __str__(self) -> str:
        return f"{self.correct:,} of {self.total:,}"


class CountedBenchmark(Struct, frozen=True):
    """The counts on one benchmark, whichever it is."""

    name: str
    margin: float
    """Points."""
    counts: dict[str, Count]
    """By variant."""


class Counts(Struct, frozen=True, kw_only=True):
    """What is known of a study of which only the counts are left."""

    study: str
    baseline: str | None
    """None: every variant is compared with every other."""
    note: str
    alpha: float
    benchmarks: tuple[CountedBenchmark, ...]
    models: dict[str, str] = {}
    """By variant which model it is a build of, as far as it is told."""


class _Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    study: Name | None = None
    baseline: str | None = None
    note: str = ""
    alpha: Annotated[float, Meta(ge=1e-6, lt=0.5)] = 0.05
    benchmarks: dict[str, Any] = {}
    model: Name | None = None
    models: dict[Name, Name] = {}


class _Source(Struct, frozen=True):
    """A text and what it is called in messages."""

    name: str
    text: str

    def wrong(self, key: str, problem: str) -> StudyError:
        return StudyError(f"{self.name}:{line_of(self.text, key)}: {key}: {problem}")


def read_counts(
    source: str, *, baseline: str | None = None, margins: Mapping[str, float] = {}, alpha: float | None = None
) -> tuple[Counts, str]:
    """Read counts from a file, or from the text itself where no such file exists; give them and their YAML.

    Args:
        source: Path of a file, or YAML.
        baseline: To compare with; None is what the file says.
        margins: Points by benchmark, "" for all others; they go before those of the file.
        alpha: Rate of false alarms over all comparisons together; None is what the file says.

    Raises:
        StudyError: in one sentence with the file, the line and the key.
    """
    given = _find(source)
    data = _load(given)
    fields = frozenset(_Head.__struct_fields__)
    loose = {key: value for key, value in data.items() if key not in fields}
    head = _head(given, {key: value for key, value in data.items() if key in fields})
    for key, value in loose.items():
        if not isinstance(value, dict):
            close = difflib.get_close_matches(str(key), fields, n=1)
            known = f"did you mean {close[0]}?" if close else "a benchmark is written as name: {variant: correct/total}"
            raise given.wrong(str(key), f"unknown key: {known}")
        if key in head.benchmarks:
            raise given.wrong(str(key), "written under benchmarks, too: keep one")
    written = {name: (f"benchmarks.{name}", value) for name, value in head.benchmarks.items()}
    written |= {name: (str(name), value) for name, value in loose.items()}
    if not written:
        raise given.wrong("benchmarks", "missing: write what was counted, as humaneval: {4bit: 90/100, 6bit: 98/100}")
    counts = Counts(
        study=head.study or _named(given),
        baseline=baseline if baseline is not None else head.baseline,
        note=head.note,
        alpha=head.alpha if alpha is None else alpha,
        benchmarks=tuple(_benchmark(given, name, at, value, margins) for name, (at, value) in written.items()),
        models=head.models,
    )
    for key, problem in _contradictions(counts, [at for at, _ in written.values()], margins):
        raise given.wrong(key, problem)
    if head.model:
        named = {variant: head.model for benchmark in counts.benchmarks for variant in benchmark.counts}
        counts = msgspec.structs.replace(counts, models={**named, **head.models})
    return counts, given.text


def _find(source: str) -> _Source:
    try:
        if source and Path(source).exists() and not Path(source).is_file():
            raise StudyError(f"{source}: is no file: give the path of a YAML file with counts")
        return _Source(source, Path(source).read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise StudyError(f"{source}: is not UTF-8 text (byte {error.start}): save it as UTF-8") from None
    except (OSError, ValueError) as error:
        # A text can be too long for a path, or hold what no path can.
        inline = re.search(r":\s", source) or source.lstrip().startswith("{")
        if not inline:
            reason = error.strerror if isinstance(error, OSError) else "no path"
            told = "give the path of a YAML file with counts, or the counts: 'humaneval: {4bit: 90/100, 6bit: 98/100}'"
            raise StudyError(f"{source}: cannot be read ({reason}): {told}") from None
        return _Source("--counts", source)


def _load(given: _Source) -> dict[Any, Any]:
    try:
        line_of(given.text, "")  # refuses what is no YAML, and keys written twice
    except StudyError as error:
        raise StudyError(f"{given.name}{error}") from None
    data = yaml.safe_load(given.text)
    if not isinstance(data, dict):
        raise StudyError(f"{given.name}:1: not counts: write names and counts, as humaneval: {{4bit: 90/100, ...}}")
    return data


def _named(given: _Source) -> str:
    return "counts" if given.name == "--counts" else Path(given.name).stem


def _head(given: _Source, data: dict[str, Any]) -> _Head:
    try:
        return msgspec.convert(data, _Head)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `")
        key = path.removesuffix("`").removeprefix("$.").partition("[")[0] or "benchmarks"
        if key.startswith("key"):
            raise given.wrong("benchmarks", "names of benchmarks are text: put them in quotes") from None
        problem = problem.replace("`", "").partition(", got")[0]
        for theirs, ours in {"str": "text", "float": "a number", "object": "benchmarks with counts"}.items():
            problem = re.sub(rf"\b{theirs}\b(?: \| null)?", ours, problem)
        raise given.wrong(key, f"{problem[0].lower()}{problem[1:]}, not {data.get(key)!r}") from None


def _benchmark(given: _Source, name: object, at: str, value: Any, margins: Mapping[str, float]) -> CountedBenchmark:  # noqa: ANN401 - YAML can be anything
    if not isinstance(name, str):
        raise given.wrong(at, f"names of benchmarks are text: put {name!r} in quotes")
    if not isinstance(value, dict):
        raise given.wrong(at, "write counts, as {4bit: 90/100, 6bit: 98/100}, or {margin: 5, counts: {...}}")
    counted, margin, below = value, None, at
    if isinstance(value.get("counts"), dict):
        counted, margin, below = value["counts"], value.get("margin"), f"{at}.counts"
        if unknown := [key for key in value if key not in ("counts", "margin")]:
            raise given.wrong(f"{at}.{unknown[0]}", "unknown key: known here are margin, counts")
    elif "margin" in value:
        raise given.wrong(f"{at}.margin", "a margin stands beside counts: write {margin: 5, counts: {...}}")
    if len(counted) < 2:
        raise given.wrong(below, "a comparison needs the counts of at least two variants")
    counts = {}
    for variant, count in counted.items():
        if not isinstance(variant, str) or not variant.strip():
            raise given.wrong(f"{below}.{variant}", f"a variant's name is text: put {variant!r} in quotes, or name it")
        counts[variant] = _count(given, f"{below}.{variant}", count)
    told = margins.get(name, margins.get("", margin))
    return CountedBenchmark(name, _margin(given, name, at, told), counts)


def _count(given: _Source, key: str, value: Any) -> Count:  # noqa: ANN401 - YAML can be anything
    told = value
    if isinstance(value, str) and (found := re.fullmatch(r"\s*([0-9]{1,9})\s*/\s*([0-9]{1,9})\s*", value)):
        told = {"correct": int(found[1]), "total": int(found[2])}
    elif isinstance(value, list) and len(value) == 2:
        told = {"correct": value[0], "total": value[1]}
    try:
        count = msgspec.convert(told, Count)
    except msgspec.ValidationError:
        count = None
    if count is None or count.correct > count.total:
        wanted = "write 90/100, [90, 100] or {correct: 90, total: 100}"
        raise given.wrong(key, f"{value!r} is no count of at least one and at most {MOST:,} questions: {wanted}")
    return count


def _margin(given: _Source, name: str, at: str, told: Any) -> float:  # noqa: ANN401 - YAML can be anything
    if told is None:
        told = _MARGINS.get(name)
    if told is None:
        raise given.wrong(at, "no margin is given: write {margin: 5, counts: {...}}, the points that would matter")
    try:
        return msgspec.convert(told, Margin)
    except msgspec.ValidationError:
        raise given.wrong(f"{at}.margin", f"a margin is a number of points between 0 and 100, not {told!r}") from None


def _contradictions(counts: Counts, at: list[str], margins: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    if not 1e-6 <= counts.alpha < 0.5:
        yield "alpha", f"it must lie between 0 and 0.5, and is {counts.alpha}"
    for name in margins:
        if name and name not in [benchmark.name for benchmark in counts.benchmarks]:
            known = ", ".join(benchmark.name for benchmark in counts.benchmarks)
            yield "benchmarks", f"there is no {name}, for which a margin is given: name one of {known}"
    counted = dict.fromkeys(variant for benchmark in counts.benchmarks for variant in benchmark.counts)
    for variant in counts.models:
        if variant not in counted:
            yield f"models.{variant}", f"no count is given for it: name one of {', '.join(counted)}"
    for key, benchmark in zip(at, counts.benchmarks, strict=True):
        if counts.baseline is not None and counts.baseline not in benchmark.counts:
            known = ", ".join(benchmark.counts)
            yield key, f'the baseline "{counts.baseline}" has no count here: name one of {known}, or leave it out'
