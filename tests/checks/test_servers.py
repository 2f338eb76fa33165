"""A server that does not start or is lost is named with its cause, and so is a busy machine beside speeds."""

import pytest
from msgspec.structs import replace

from evaluator.checks.rule import CheckInput
from evaluator.checks.table import after, before
from tests.support.check_inputs import check_input, study_of

CAUSE = "The server ended with exit code 1 before it answered. It crashed: update it."
PROBLEM = {"b": f"{CAUSE}\nEnd of its log (b.log):\n  crashed"}


def silent(_question: object, _number: int) -> None:
    """Answer nothing."""


@pytest.mark.parametrize(
    ("given", "severity"),
    [
        pytest.param(check_input(study_of()), "block", id="before-the-run"),
        pytest.param(check_input(study_of(), {"b": silent}), "block", id="nothing-answered"),
        pytest.param(check_input(study_of(), {}), "warn", id="lost-after-it-answered"),
    ],
)
def test_the_cause_is_named_and_not_its_effect(given: CheckInput, severity: str) -> None:
    checks = (before if not given.records else after)(replace(given, problems=PROBLEM))

    found = [(check.code, check.severity, check.message) for check in checks if check.variant == "b"]
    assert ("no_server", severity, CAUSE.rstrip(".")) in found
    assert "no_reply" not in {code for code, _, _ in found}


def test_a_variant_without_a_problem_is_not_named() -> None:
    assert "no_server" not in {check.code for check in after(check_input(study_of(), {}))}


@pytest.mark.parametrize("times", [0, 1, 2])
def test_each_start_on_a_busy_machine_is_noted(times: int) -> None:
    given = replace(check_input(study_of(), {}), busy=("this machine is busy (load 9.1 on 8 processors)",) * times)

    assert [check.severity for check in after(given) if check.code == "busy_machine"] == ["note"] * times
