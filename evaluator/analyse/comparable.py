"""Refuse runs whose answers cannot be compared; report other differences."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from evaluator.analyse.load import Run
from evaluator.decide import wording
from evaluator.errors import StudyError
from evaluator.grade import grader as grade
from evaluator.store.serving import number_used, read_serving
from evaluator.study.requests import NEWEST_ORDER

Asked = tuple[str, str]
"""A benchmark and the id of one of its questions."""
_SETTINGS = ("parallel", "router", "stream")
_MACHINE = ("os", "chip", "cores", "memory_bytes", "gpu", "power")
_SERVER = ("runtime", "version", "chat_template_sha256", "slots", "context")


def in_common(runs: Sequence[Run]) -> dict[str, tuple[str, ...]]:
    """Choose the questions that all runs plan, by benchmark, in the order in which they were put.

    Raises:
        StudyError: there are none, or they were asked or graded in different ways.
    """
    _refuse_other_graders(runs)
    shared = [name for name in runs[0].order if all(name in run.order for run in runs)]
    for benchmark in shared:
        _refuse_other_asking(runs, benchmark)
    leading = _leading(runs)
    found = {}
    for benchmark in shared:
        others = [set(run.order[benchmark]) for run in runs]
        if ids := tuple(q for q in leading.order[benchmark] if all(q in of for of in others)):
            found[benchmark] = ids
    if not found:
        names = " and ".join(run.name for run in runs)
        raise StudyError(
            f"{names} have no question in common", remedy="give runs of the same benchmark and the same seed"
        )
    return found


def refuse_other_prompts(prompts: Mapping[str, Mapping[Asked, int]], common: Mapping[str, Sequence[str]]) -> None:
    """Refuse variants that were put a question in different words.

    Args:
        prompts: By variant a hash of what was sent.
        common: By benchmark the questions to look at.

    Raises:
        StudyError: it names the first such question.
    """
    for benchmark, ids in common.items():
        differ = []
        for question in ids:
            got = {name: by[benchmark, question] for name, by in prompts.items() if (benchmark, question) in by}
            if len(set(got.values())) > 1:
                differ.append((question, got))
        if differ:
            question, got = differ[0]
            first, *others = got
            other = next(name for name in others if got[name] != got[first])
            more = f" (and {len(differ) - 1:,} more)" if len(differ) > 1 else ""
            raise StudyError(
                f"{wording.name(benchmark)}, question {question}{more}: {other} was not sent the same words as {first},"
                " so their answers cannot be compared",
                remedy="run both studies with the same whichquant",
            )


def remarks(runs: Sequence[Run], common: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Say what sets the runs apart and how that is dealt with; what is neither questions nor grades is compared too."""
    yield from _of_benchmarks(runs, common)
    if seeds := apart(runs, [run.study.seed for run in runs]):
        yield f"the seeds differ ({seeds}): the questions in common are still a random sample, but a smaller one"
    modes = [run.study.decide.mode for run in runs]
    if set(modes) not in ({"fixed"}, {"sequential"}):
        values = apart(runs, modes) or modes[0]
        yield f"decide.mode is {values}: anytime-valid statistics are used for all, which hold whenever one looked"
    settings = {run.name: dict(_settings(run)) for run in runs}
    for difference in (*_differences(runs, settings), *of_servers(runs)):
        yield f"{difference}: this is part of what is compared"


def _of_benchmarks(runs: Sequence[Run], common: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for benchmark in dict.fromkeys(name for run in runs for name in run.order):
        asking = [run.name for run in runs if benchmark in run.order]
        if benchmark in common:
            yield from _counted(runs, benchmark, len(common[benchmark]))
        else:
            why = "no question is in common" if len(asking) == len(runs) else f"only {' and '.join(asking)} asked it"
            yield f"{wording.name(benchmark)} is left out: {why}"


def of_servers(runs: Sequence[Run]) -> tuple[str, ...]:
    """Say in which facts the machines and servers of the runs differ; what is unknown is no difference."""
    return tuple(_differences(runs, {run.name: _facts(run) for run in runs}))


def on_one_machine(runs: Sequence[Run]) -> bool:
    """Whether the runs' machines are not known to differ, so that speed and memory compare."""
    machines = {run.name: {k: v for k, v in _facts(run).items() if k.startswith("machine.")} for run in runs}
    return not any(_differences(runs, machines))


def apart(runs: Sequence[Run], values: Sequence[object]) -> str:
    """Say which run has which value, as `5 in a; 0 in b and c`; empty where all that have one have the same."""
    return describe_values(runs, values) if len({_shown(value) for value in values if value is not None}) > 1 else ""


def describe_values(runs: Sequence[Run], values: Sequence[object]) -> str:
    """Say which run has which value, as `5 in a; 0 in b and c`; None is left out."""
    having: dict[str, list[str]] = {}
    for run, value in zip(runs, values, strict=True):
        if value is not None:
            having.setdefault(_shown(value), []).append(run.name)
    return "; ".join(f"{value} in {' and '.join(names)}" for value, names in having.items())


def _differences(runs: Sequence[Run], values: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for name in dict.fromkeys(name for by_name in values.values() for name in by_name):
        if differ := apart(runs, [values[run.name].get(name) for run in runs]):
            yield f"{name} is {differ}"


def _settings(run: Run) -> Iterator[tuple[str, str]]:
    for name, value in msgspec.structs.asdict(run.study.sampling).items():
        yield f"sampling.{name}", "not set" if value is None else _shown(value)
    yield "concurrency", _shown(number_used(run.study, read_serving(run.folder)) or run.study.concurrency)
    for name in _SETTINGS:
        yield name, _shown(getattr(run.study, name))
    yield "whichquant", run.plan.whichquant


def _facts(run: Run) -> dict[str, str]:
    """Write what the servers of one run say, each value once."""
    values: dict[str, set[str]] = defaultdict(set)
    for facts in run.facts.values():
        known = {f"machine.{name}": getattr(facts.machine, name, None) for name in _MACHINE}
        known |= {name: getattr(facts, name) for name in _SERVER}
        for name, value in known.items():
            if value is not None:
                values[name].add(_shown(value))
    return {name: ", ".join(sorted(shown)) for name, shown in values.items()}


def _counted(runs: Sequence[Run], benchmark: str, common: int) -> Iterator[str]:
    if any(len(run.order[benchmark]) != common for run in runs):
        has = "; ".join(f"{run.name} has {len(run.order[benchmark]):,}" for run in runs)
        yield f"{wording.name(benchmark)}: the {common:,} questions in common are compared ({has})"
    repeats = [run.study.benchmarks.chosen()[benchmark].repeats for run in runs]
    if values := apart(runs, repeats):
        first = "first answer" if min(repeats) == 1 else f"first {min(repeats)} answers"
        yield f"{wording.name(benchmark)}: the {first} to each question are compared (repeats: {values})"


def _leading(runs: Sequence[Run]) -> Run:
    """Choose the run whose order counts: who stopped by what was seen saw it in that order, and no other is valid."""
    looked = [run for run in runs if run.study.decide.mode != "fixed"]
    if seeds := apart(looked, [_order(run) for run in looked]):
        raise StudyError(
            f"these runs were looked at on the way, in different orders (seed: {seeds}), and no statistic holds for"
            " both orders at once",
            remedy="compare runs of one seed, or of decide.mode fixed",
        )
    return [*looked, *runs][0]


def _order(run: Run) -> str:
    """Name the order of a run's questions; runs that an earlier version began keep the one that it had."""
    return f"{run.study.seed}{', put in order by an earlier whichquant' if run.plan.order < NEWEST_ORDER else ''}"


def _refuse_other_graders(runs: Sequence[Run]) -> None:
    if values := apart(runs, [run.grader for run in runs]):
        old = next(run for run in runs if run.grader != grade.VERSION)
        raise StudyError(
            f"the runs were graded by different versions of the graders ({values})",
            remedy=f"run whichquant regrade {old.folder}",
        )


def _refuse_other_asking(runs: Sequence[Run], benchmark: str) -> None:
    if values := apart(runs, [run.plan.data_sha256.get(benchmark, "unknown")[:12] for run in runs]):
        raise StudyError(
            f"the data of {wording.name(benchmark)} differ (sha256: {values}), so these are not the same questions",
            remedy="run both studies with the same whichquant",
        )
    for field in ("shots", "format"):
        if values := apart(runs, [getattr(run.study.benchmarks.chosen()[benchmark], field, None) for run in runs]):
            raise StudyError(
                f"{wording.name(benchmark)} was asked in different ways ({field}: {values})",
                remedy="run one of the studies again, under another name, as the other was",
            )


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
