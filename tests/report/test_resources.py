"""The table of what each variant takes: every figure labelled, what is unknown left open, nothing mixed."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from evaluator.analyse.report import Report
from evaluator.analyse.run import analyse
from evaluator.decide.resources import Resources, against_baseline
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox
from evaluator.records import Alone
from evaluator.report.compared import takes
from evaluator.report.resources import resource_table
from tests.support.scripted import Bench, mostly

FULL = Resources(
    variant="a",
    file_bytes=8_000_000_000,
    memory_bytes=9_000_000_000,
    memory_how="counted in one way",
    alone=Alone(prompt_tokens_per_second=1000.0, tokens_per_second=50.0, first_token_s=0.5, by_server=True),
    in_flight=4,
    tokens_per_second=150.0,
    first_token_s=1.5,
)


@pytest.fixture
def report(bench: Bench) -> Report:
    result = bench.run(bench.study(10, bad=mostly(0.9, "a"), good=mostly(0.9, "b")))
    assert result.exit_code == 0, result.output
    return analyse(Path(bench.folder / "runs" / "s"), grader=Grader(NoSandbox(reason="", install="")))


def rows(report: Report, *every: Resources) -> dict[str, list[str]]:
    table = resource_table(replace(report, resources=against_baseline(every, "a")))
    return {} if table is None else {label: cells for label, *cells in table.rows} | {"": [table.note]}


def test_one_request_alone_is_never_taken_for_all_in_flight(report: Report) -> None:
    found = rows(report, FULL, replace(FULL, variant="b", file_bytes=4_000_000_000, memory_how="in another"))

    assert found["one request alone: writes at"] == ["50 tokens/s", "50 tokens/s (1.00 ×)"]
    assert found["3 at once: all write at"] == ["150 tokens/s", "150 tokens/s (1.00 ×)"]
    assert found["file size"] == ["8.00 GB", "4.00 GB (0.50 ×)"]
    assert found["memory at most"] == ["9.00 GB", "9.00 GB"]
    assert all(word in found[""][0] for word in ("Memory of a: counted in one way.", "Memory of b: in another."))


def test_what_is_known_of_one_only_is_left_open_for_the_other(report: Report) -> None:
    found = rows(report, FULL, Resources(variant="b"))

    assert {cells[1] for label, cells in found.items() if label} == {"\u2013"}
    assert "load time" not in found


def test_where_nothing_is_known_there_is_no_table(report: Report) -> None:
    assert rows(report, Resources(variant="a"), Resources(variant="b")) == {}


def test_a_run_has_every_variant_in_the_order_of_the_study(report: Report) -> None:
    assert [one.variant for one in report.resources] == ["bad", "good"]
    assert report.resources[0].ratios["tokens_per_correct"] > 0


def test_a_ratio_in_the_table_of_builds_is_of_the_number_beside_it(report: Report) -> None:
    base = replace(FULL, memory_bytes=1_000_000_000, gpu_bytes=9_000_000_000, tokens_per_second=100.0)
    other = replace(base, variant="b", gpu_bytes=1_500_000_000, tokens_per_second=110.0)
    found = takes(replace(report, resources=against_baseline([base, other], "a")))

    assert [texts["b"] for texts in found.values()] == ["110 (1.10\u00a0\u00d7)", "2.50 GB (0.25\u00a0\u00d7)"]
