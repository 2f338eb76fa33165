"""What was measured of a variant in several runs and starts is put together: nothing is lost, nothing counts twice."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.errors import StudyError
from evaluator.records import Alone
from evaluator.store.folder import resources_path
from evaluator.store.resources import Measured, keep_measured, read_measured, together
from servers.spec import Usage

SIZES = st.none() | st.integers(1, 10**12)
MEASURED = st.builds(
    Measured,
    usage=st.builds(
        Usage,
        load_s=st.none() | st.floats(0, 1000),
        memory_bytes=SIZES,
        gpu_bytes=SIZES,
        kv_cache_bytes=SIZES,
        energy_j=st.none() | st.integers(0, 10**6),
        energy_of=st.just("of 1 graphics card"),
    ),
    alone=st.none() | st.builds(Alone, tokens=st.integers(1, 9)),
    asked_s=st.integers(0, 1000),
)


@given(before=MEASURED, now=MEASURED)
def test_two_together(before: Measured, now: Measured) -> None:
    usage = together(before, now).usage
    first, last = before.usage, now.usage

    assert usage.load_s == (last.load_s if first.load_s is None else first.load_s)
    assert usage.memory_bytes == max(filter(None, (first.memory_bytes, last.memory_bytes)), default=None)
    assert usage.gpu_bytes == max(filter(None, (first.gpu_bytes, last.gpu_bytes)), default=None)
    known = [one for one in (first.energy_j, last.energy_j) if one is not None]
    assert usage.energy_j == (sum(known) if known else None)
    assert together(before, now).alone == (before.alone if now.alone is None else now.alone)


@given(measured=MEASURED)
def test_nothing_measured_takes_nothing_away(measured: Measured) -> None:
    for both in (together(measured, Measured()), together(Measured(), measured)):
        assert both.usage.memory_bytes == measured.usage.memory_bytes
        assert both.usage.energy_j == measured.usage.energy_j
        assert both.alone == measured.alone
        assert both.usage.energy_j is None or both.asked_s == measured.asked_s


def test_seconds_count_only_where_energy_was_measured() -> None:
    with_energy = Measured(usage=Usage(energy_j=10, energy_of="of 1 graphics card"), asked_s=5)

    assert together(with_energy, Measured(asked_s=100)).asked_s == 5
    other = Measured(usage=Usage(energy_j=7, energy_of="of the processors"), asked_s=2)
    both = together(with_energy, other)
    assert (both.usage.energy_j, both.usage.energy_of, both.asked_s) == (7, "of the processors", 2)


def test_how_it_was_measured_goes_with_the_figure() -> None:
    more = Measured(usage=Usage(memory_bytes=9, memory_how="so", gpu_bytes=1, gpu_how="thus"))
    less = Measured(usage=Usage(memory_bytes=2, memory_how="else", gpu_bytes=5, gpu_how="here"))

    usage = together(more, less).usage

    assert (usage.memory_bytes, usage.memory_how, usage.gpu_bytes, usage.gpu_how) == (9, "so", 5, "here")


def test_variants_do_not_touch_each_other(tmp_path: Path) -> None:
    keep_measured(tmp_path, "a", Measured(usage=Usage(memory_bytes=1)))
    keep_measured(tmp_path, "b", Measured(usage=Usage(memory_bytes=2)))
    keep_measured(tmp_path, "a", Measured(usage=Usage(memory_bytes=3)))

    assert {name: one.usage.memory_bytes for name, one in read_measured(tmp_path).items()} == {"a": 3, "b": 2}


def test_an_earlier_versions_run_has_nothing(tmp_path: Path) -> None:
    assert read_measured(tmp_path) == {}


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    resources_path(tmp_path).write_text("[1")

    with pytest.raises(StudyError, match=r"resources\.json: not what whichquant wrote"):
        read_measured(tmp_path)
