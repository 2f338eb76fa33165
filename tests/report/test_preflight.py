"""The table of a check holds what was tried, and nothing else."""

import io

from rich.console import Console

from evaluator.checks.rule import Check
from evaluator.preflight.preflight import Preflight
from evaluator.report.preflight import show
from evaluator.store.proofs import Proofs
from servers.spec import ServerFacts
from tests.support.check_inputs import study_of


def shown(preflight: Preflight) -> str:
    text = io.StringIO()
    show(preflight, Console(file=text, width=80))
    return text.getvalue()


STOPS = Check(code="no_server", severity="block", variant="a", message="its file is damaged", advice="Mend that.")


def test_servers_that_were_not_tried_have_no_row() -> None:
    text = shown(Preflight(study=study_of(), facts={}, proofs={}, problems={"a": "damaged"}, checks=(STOPS,)))

    assert "unknown" not in text
    assert "thinking" not in text
    assert "block no_server a: its file is damaged" in text
    assert "not tried, since another server does not start: b" in text


def test_those_that_were_have_one() -> None:
    known = ServerFacts(runtime="openai", engine="x")
    tried = {"a": Proofs(seconds=3.0, settings="")}
    text = shown(Preflight(study=study_of(), facts={"a": known}, proofs=tried, problems={}, checks=()))

    assert [line.split()[0] for line in text.splitlines() if "unknown" in line] == ["a"]
