"""Every threat to a comparison, planted one at a time; `python -m tests.support.threats` prints what was found."""

from collections.abc import Callable, Iterator
from typing import Any

from servers.fake.dialects import LM_STUDIO, MLX_LM, OLLAMA, OMLX, VLLM
from tests.support.check_inputs import with_
from tests.support.planted_runs import SHORT, Findings, PlantedRun, Served, changed_reply, coding, started, thoughts
from tests.support.threat import Codes, Threat, by_hand, find, grave
from tests.support.threats_after import AFTER
from tests.support.threats_before import BEFORE, NO_RECORD, THINK_NOT, WARM

THREATS = (*BEFORE, *AFTER)
KNOWN: dict[str, Codes] = {"mlx_lm that runs already": (("unmet", "warn"),)}
"""What is changed_reply of clean studies all the same: that server does not tell which model it has."""
CANNOT_THINK: dict[str, Any] = {"thinking_tokens": {"on": 20, "off": 20}}
UNCOUNTED: dict[str, Any] = {"tokens": {}, "thinking_tokens": {}, "lengths": ()}
CLEAN: dict[str, PlantedRun | Callable[[], Findings]] = {
    "any OpenAI server": PlantedRun(),
    "llama-server": by_hand(),
    "llama-server that is started, KV declared": PlantedRun(
        good=started(settings="kv_cache: f16"), bad=started(settings="kv_cache: f16")
    ),
    "llama-server, thinking on": thoughts(changed_reply()),
    "llama-server, thinking off": by_hand(THINK_NOT),
    "declared off, and cannot think": by_hand(
        THINK_NOT,
        facts={name: {"thinking_heard": False} for name in "ab"},
        proofs=dict.fromkeys("ab", CANNOT_THINK),
    ),
    "drawn at 0.7": by_hand(WARM, proofs={"a": NO_RECORD, "b": NO_RECORD}),
    "Ollama": PlantedRun(good=Served(dialect=OLLAMA), bad=Served(dialect=OLLAMA), sampling=SHORT, concurrency=1),
    "LM Studio": PlantedRun(good=Served(dialect=LM_STUDIO), bad=Served(dialect=LM_STUDIO), sampling=SHORT),
    "mlx_lm that runs already": PlantedRun(good=Served(dialect=MLX_LM), bad=Served(dialect=MLX_LM), sampling=SHORT),
    "oMLX": PlantedRun(good=Served(dialect=OMLX), bad=Served(dialect=OMLX), sampling=SHORT),
    "vLLM": PlantedRun(good=Served(dialect=VLLM), bad=Served(dialect=VLLM), sampling=SHORT),
    "all at once": PlantedRun(extra="parallel: true\n"),
    "not streamed": PlantedRun(extra="stream: false\n"),
    "decided on the way": PlantedRun(extra="decide: {mode: sequential}\n"),
    "no tokens counted": by_hand(
        proofs=dict.fromkeys("ab", UNCOUNTED),
        replies={name: with_(100, prompt_tokens=None, completion_tokens=None) for name in "ab"},
    ),
    "HumanEval": PlantedRun(
        good=Served(script=coding), bad=Served(script=coding), benchmark="humaneval: {questions: 5}"
    ),
    "baseline asked twice": PlantedRun(extra="decide: {noise_floor: 20}\n"),
}
"""Studies in which nothing is wrong."""


def severe(findings: Findings) -> set[tuple[str, str]]:
    """Give what warned or blocked, at any time."""
    return grave((*findings.before, *findings.after))


def lines() -> Iterator[str]:
    """Plant everything, and write the table of what was found."""
    yield "| threat | planted by | found as | severity | found | also |"
    yield "|---|---|---|---|---|---|"
    for threat in THREATS:
        yield "| " + " | ".join(cells(threat, find(threat.study))) + " |"
    yield "\n| nothing planted | false alarms | notes |"
    yield "|---|---|---|"
    for name, study in CLEAN.items():
        findings = find(study)
        notes = {check.code for check in findings.after if check.severity == "note"}
        yield f"| {name} | {_listed(severe(findings))} | {', '.join(sorted(notes)) or 'none'} |"


def cells(threat: Threat, findings: Findings) -> tuple[str, ...]:
    """Give one row of the table."""
    (code, severity), also = threat.finds[0], severe(findings) - set(threat.finds)
    blamed = [check for check in (*findings.before, *findings.after) if check.variant == threat.whom]
    seen = (code, severity) in {(check.code, check.severity) for check in blamed}
    early = code in {check.code for check in findings.before}
    when = "before the first question" if early else "after the run"
    return (
        threat.name,
        threat.planted.replace("|", "\\|"),
        f"`{code}`" if seen else "NOT FOUND",
        severity if seen else "",
        when if seen else "",
        _listed(also),
    )


def _listed(codes: set[tuple[str, str]]) -> str:
    return ", ".join(f"`{code}` ({severity})" for code, severity in sorted(codes)) or "none"


if __name__ == "__main__":
    for line in lines():
        print(line, flush=True)  # noqa: T201 - it is what this prints
