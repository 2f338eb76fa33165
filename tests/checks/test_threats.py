"""Whatever breaks a comparison is found, named rightly and early, and a sound study raises no alarm."""

from collections.abc import Iterable

import pytest

from evaluator.checks.rule import Check
from evaluator.checks.table import RULES
from tests.support.planted_runs import Findings, PlantedRun
from tests.support.threat import Threat, find, grave
from tests.support.threats import CLEAN, KNOWN, THREATS, cells, severe


def blamed(threat: Threat, checks: Iterable[Check]) -> set[tuple[str, str]]:
    return {(check.code, check.severity) for check in checks if check.variant == threat.whom}


@pytest.mark.parametrize("threat", [pytest.param(threat, id=threat.name.replace(" ", "-")) for threat in THREATS])
def test_a_threat_is_found_and_nothing_but_it(threat: Threat) -> None:
    findings = find(threat.study)

    codes = {code for code, _ in threat.finds}
    early = {check.code for check in findings.before} & codes
    assert set(threat.finds) <= blamed(threat, (*findings.before, *findings.after)), severe(findings)
    assert early == (codes if threat.stage == "before" else set())
    assert severe(findings) - set(threat.finds) == set(threat.also)


@pytest.mark.parametrize("name", [pytest.param(name, id=name.replace(" ", "-")) for name in CLEAN])
def test_a_sound_study_raises_no_alarm(name: str) -> None:
    findings = find(CLEAN[name])

    alarms = {(check.code, check.severity): check.message for check in (*findings.before, *findings.after)}
    assert severe(findings) == set(KNOWN.get(name, ())), alarms


def test_every_rule_finds_a_planted_threat() -> None:
    planted = {code for threat in THREATS for code, _ in (*threat.finds, *threat.also)}

    assert planted == {rule.code for rule in RULES}


def test_the_names_of_threats_are_their_own() -> None:
    assert len({threat.name for threat in THREATS}) == len(THREATS)


def test_a_threat_that_was_missed_is_listed_as_missed() -> None:
    threat = Threat(name="x", planted="y", study=PlantedRun(), finds=(("context", "block"),), whom="bad")
    other = Check(code="drift", severity="warn", variant="bad", message="m")

    assert cells(threat, Findings((), (other,))) == ("x", "y", "NOT FOUND", "", "", "`drift` (warn)")
    assert grave([other]) == {("drift", "warn")}
