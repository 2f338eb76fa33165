"""Read bare counts, correct of total: YAML in a file or on the command line, in a long form and in a short one.

    study: two-builds
    baseline: 6bit
    benchmarks:
      humaneval: {margin: 6, counts: {4bit: 90/100, 6bit: 98/100}}

means the same as `humaneval: {4bit: 90/100, 6bit: 98/100}` except for name and baseline; without a baseline every
pair is compared. A count is 90/100, [90, 100] or {correct: 90, total: 100}. With `model: gemma-4-26b-a4b`, or a model
for each variant, `models: {4bit: ...}`, counts far from the published scores of the model are reported.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from evaluator.benchmarks import BENCHMARKS
from evaluator.benchmarks.benchmark import Margin
from evaluator.errors import StudyError
from evaluator.study.yaml import Document, convert, read_yaml

MOST = 100_000
"""Questions to one variant; exact tests of more take minutes."""
_MARGINS = {name: benchmark.defaults.margin for name, benchmark in BENCHMARKS.items()}
Name = Annotated[str, Meta(min_length=1, max_length=200)]
_INLINE = "--counts"
"""Name in messages of counts that are given in the option itself, not in a file."""
_FORM = "a benchmark is written as name: {variant: correct/total}"


class Count(Struct, frozen=True, forbid_unknown_fields=True):
    """How many questions one variant solved."""

    correct: Annotated[int, Meta(ge=0)]
    total: Annotated[int, Meta(ge=1, le=MOST)]

    def __str__(self) -> str:
        return f"{self.correct:,} of {self.total:,}"


class CountedBenchmark(Struct, frozen=True):
    """The counts on one benchmark, one of ours or any other."""

    name: str
    margin: float
    """Points."""
    counts: dict[str, Count]
    """By variant."""


class Counts(Struct, frozen=True, kw_only=True):
    """A study of which only the counts are known."""

    study: str
    baseline: str | None
    """None: every variant is compared with every other."""
    note: str
    alpha: float
    benchmarks: tuple[CountedBenchmark, ...]
    models: dict[str, str] = {}
    """By variant, the model it is a build of, as far as it is given."""


class _Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    study: Name | None = None
    baseline: str | None = None
    note: str = ""
    alpha: Annotated[float, Meta(ge=1e-6, lt=0.5)] = 0.05
    benchmarks: Any = {}
    """By name; as there are several forms, they are read one by one."""
    model: Name | None = None
    models: dict[Name, Name] = {}


_Written = Mapping[Any, tuple[str, Any]]
"""By a benchmark's name, its key in the document and the value there."""


def read_counts(
    source: str, *, baseline: str | None = None, margins: Mapping[str, float] = {}, alpha: float | None = None
) -> tuple[Counts, str]:
    """Read counts from a file, or from the text itself where no such file exists; return them and their YAML.

    Args:
        source: Path of a file, or YAML.
        baseline: To compare with; None: the one in the file.
        margins: Points by benchmark, "" for all others; they override those in the file.
        alpha: Rate of false alarms over all comparisons together; None: the one in the file.

    Raises:
        StudyError: The counts are wrong; the message names the file, the line and the key.
    """
    name, text = _find(source)
    document = read_yaml(text, name, Any)
    head, written = _head_and_benchmarks(document)
    counts = Counts(
        study=head.study or ("counts" if name == _INLINE else Path(name).stem),
        baseline=baseline if baseline is not None else head.baseline,
        note=head.note,
        alpha=head.alpha if alpha is None else alpha,
        benchmarks=tuple(_benchmark(document, key, *at_value, margins) for key, at_value in written.items()),
        models=head.models,
    )
    for problem in _contradictions(counts, [at for at, _ in written.values()], margins):
        raise document.error(*problem)
    if head.model:
        named = {variant: head.model for benchmark in counts.benchmarks for variant in benchmark.counts}
        counts = msgspec.structs.replace(counts, models={**named, **head.models})
    return counts, text


def _find(source: str) -> tuple[str, str]:
    """Return the name of the counts in messages, and their YAML."""
    try:
        if source and Path(source).exists() and not Path(source).is_file():
            raise StudyError("is no file", source=source, remedy="give the path of a YAML file with counts")
        return source, Path(source).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (byte {error.start})"
        raise StudyError(problem, source=source, remedy="save it as UTF-8") from None
    except (OSError, ValueError) as error:
        # A text can be too long for a path, or contain what a path cannot.
        if re.search(r":\s", source) or source.lstrip().startswith("{"):
            return _INLINE, source
        reason = error.strerror if isinstance(error, OSError) else "no path"
        remedy = "give the path of a YAML file with counts, or the counts: 'humaneval: {4bit: 90/100, 6bit: 98/100}'"
        raise StudyError(f"cannot be read ({reason})", source=source, remedy=remedy) from None


def _head_and_benchmarks(document: Document[Any]) -> tuple[_Head, _Written]:
    """Separate known keys from benchmarks written beside them."""
    if not isinstance(document.value, dict):
        remedy = "write names and counts, as humaneval: {4bit: 90/100, ...}"
        raise StudyError("not counts", source=document.source, line=1, remedy=remedy)
    known = frozenset(_Head.__struct_fields__)
    loose = {key: value for key, value in document.value.items() if key not in known}
    settings = {key: value for key, value in document.value.items() if key in known}
    head = convert(document, settings, _Head, top="benchmarks")
    if not isinstance(head.benchmarks, dict):
        raise document.error("benchmarks", f"expected benchmarks with counts, not {head.benchmarks!r}")
    for key, value in loose.items():
        if not isinstance(value, dict):
            close = difflib.get_close_matches(str(key), known, n=1)
            remedy = f"did you mean {close[0]}?" if close else _FORM
            raise document.error(str(key), "unknown key", remedy)
        if key in head.benchmarks:
            raise document.error(str(key), "written under benchmarks, too", "keep one")
    written = {name: (f"benchmarks.{name}", value) for name, value in head.benchmarks.items()}
    written |= {name: (str(name), value) for name, value in loose.items()}
    if not written:
        remedy = "write what was counted, as humaneval: {4bit: 90/100, 6bit: 98/100}"
        raise document.error("benchmarks", "missing", remedy)
    return head, written


def _benchmark(
    document: Document[Any],
    name: object,
    at: str,
    value: Any,  # noqa: ANN401 - YAML can be anything
    margins: Mapping[str, float],
) -> CountedBenchmark:
    if not isinstance(name, str):
        raise document.error(at, "names of benchmarks are text", f"put {name!r} in quotes")
    below, counted, margin = _counts_and_margin(document, at, value)
    counts = {}
    for variant, count in counted.items():
        if not isinstance(variant, str) or not variant.strip():
            remedy = f"put {variant!r} in quotes, or name it"
            raise document.error(f"{below}.{variant}", "a variant's name is text", remedy)
        counts[variant] = _count(document, f"{below}.{variant}", count)
    chosen = margins.get(name, margins.get("", margin))
    return CountedBenchmark(name, _margin(document, name, at, chosen), counts)


def _counts_and_margin(document: Document[Any], at: str, value: Any) -> tuple[str, dict[Any, Any], Any]:  # noqa: ANN401 - YAML can be anything
    """Read a benchmark's long or short form: the key of its counts, the counts, and the margin where one is given."""
    if not isinstance(value, dict):
        raise document.error(at, "write counts, as {4bit: 90/100, 6bit: 98/100}, or {margin: 5, counts: {...}}")
    below, counted, margin = at, value, None
    if isinstance(value.get("counts"), dict):
        below, counted, margin = f"{at}.counts", value["counts"], value.get("margin")
        if unknown := [key for key in value if key not in ("counts", "margin")]:
            raise document.error(f"{at}.{unknown[0]}", "unknown key", "known here are margin, counts")
    elif "margin" in value:
        raise document.error(f"{at}.margin", "a margin stands beside counts", "write {margin: 5, counts: {...}}")
    if len(counted) < 2:
        raise document.error(below, "a comparison needs the counts of at least two variants")
    return below, counted, margin


def _count(document: Document[Any], key: str, value: Any) -> Count:  # noqa: ANN401 - YAML can be anything
    fields = value
    if isinstance(value, str) and (parts := re.fullmatch(r"\s*([0-9]{1,9})\s*/\s*([0-9]{1,9})\s*", value)):
        fields = {"correct": int(parts[1]), "total": int(parts[2])}
    elif isinstance(value, list) and len(value) == 2:
        fields = {"correct": value[0], "total": value[1]}
    try:
        count = msgspec.convert(fields, Count)
    except msgspec.ValidationError:
        count = None
    if count is None or count.correct > count.total:
        problem = f"{value!r} is no count of at least one and at most {MOST:,} questions"
        raise document.error(key, problem, "write 90/100, [90, 100] or {correct: 90, total: 100}")
    return count


def _margin(document: Document[Any], name: str, at: str, given: Any) -> float:  # noqa: ANN401 - YAML can be anything
    margin = _MARGINS.get(name) if given is None else given
    if margin is None:
        remedy = "write {margin: 5, counts: {...}}, the points that would matter"
        raise document.error(at, "no margin is given", remedy)
    try:
        return msgspec.convert(margin, Margin)
    except msgspec.ValidationError:
        problem = f"a margin is a number of points between 0 and 100, not {margin!r}"
        raise document.error(f"{at}.margin", problem) from None


def _contradictions(counts: Counts, at: list[str], margins: Mapping[str, float]) -> Iterator[tuple[str, str, str]]:
    if not 1e-6 <= counts.alpha < 0.5:
        yield "alpha", f"it must lie between 0 and 0.5, and is {counts.alpha}", ""
    for name in margins:
        if name and name not in [benchmark.name for benchmark in counts.benchmarks]:
            known = ", ".join(benchmark.name for benchmark in counts.benchmarks)
            yield "benchmarks", f"there is no {name}, for which a margin is given", f"name one of {known}"
    counted = dict.fromkeys(variant for benchmark in counts.benchmarks for variant in benchmark.counts)
    for variant in counts.models:
        if variant not in counted:
            yield f"models.{variant}", "no count is given for it", f"name one of {', '.join(counted)}"
    for key, benchmark in zip(at, counts.benchmarks, strict=True):
        if counts.baseline is not None and counts.baseline not in benchmark.counts:
            remedy = f"name one of {', '.join(benchmark.counts)}, or leave it out"
            yield key, f'the baseline "{counts.baseline}" has no count here', remedy
