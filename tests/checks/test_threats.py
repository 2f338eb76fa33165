"""Whatever breaks a comparison is found, named rightly and early, and a sound study raises no alarm."""

from collections.abc import Iterable

import pytest

from evaluator.checks.rule import Check
from evaluator.checks.table import RULES
from tests.support.planting import Planted, Threat, Told, grave, told
from tests.support.threats import CLEAN, KNOWN, THREATS, cells, severe


def found_of(threat: Threat, checks: Iterable[Check]) -> set[tuple[str, str]]:
    return {(check.code, check.severity) for check in checks if check.variant == threat.whom}


@pytest.mark.parametrize("threat", [pytest.param(threat, id=threat.name.replace(" ", "-")) for threat in THREATS])
def test_a_threat_is_found_and_nothing_but_it(threat: Threat) -> None:
    came = told(threat)

    codes = {code for code, _ in threat.finds}
    early = {check.code for check in came.before} & codes
    assert set(threat.finds) <= found_of(threat, (*came.before, *came.after)), severe(came)
    assert early == (codes if threat.stage == "before" else set())
    assert severe(came) - set(threat.finds) == set(threat.also)


@pytest.mark.parametrize("name", [pytest.param(name, id=name.replace(" ", "-")) for name in CLEAN])
def test_a_sound_study_raises_no_alarm(name: str) -> None:
    came = told(Threat(name=name, planted="nothing", study=CLEAN[name], finds=()))

    alarms = {(check.code, check.severity): check.message for check in (*came.before, *came.after)}
    assert severe(came) == set(KNOWN.get(name, ())), alarms


def test_every_rule_finds_a_planted_threat() -> None:
    planted = {code for threat in THREATS for code, _ in (*threat.finds, *threat.also)}

    assert planted == {rule.code for rule in RULES}


def test_the_names_of_threats_are_their_own() -> None:
    assert len({threat.name for threat in THREATS}) == len(THREATS)


def test_a_threat_that_was_missed_is_told_as_missed() -> None:
    threat = Threat(name="x", planted="y", study=Planted(), finds=(("context", "block"),))
    other = Check(code="drift", severity="warn", variant="bad", message="m")

    assert cells(threat, Told((), (other,))) == ("x", "y", "NOT FOUND", "", "", "`drift` (warn)")
    assert grave([other]) == {("drift", "warn")}
