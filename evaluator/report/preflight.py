"""The preflight as the terminal shows it: a table of what is confirmed, then the findings with their advice."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, ConsoleRenderable
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evaluator.checks.kv import known_type
from evaluator.checks.rule import Check, Severity
from evaluator.decide.wording import listed
from evaluator.preflight.prompts import CAP, SPARE
from evaluator.report.phrases import about
from evaluator.store.proofs import Proofs
from evaluator.study.study import Variant
from evaluator.text import one_line, strip_control
from servers.spec import ServerFacts

if TYPE_CHECKING:
    from evaluator.preflight.preflight import Preflight

ASPECTS: Mapping[str, tuple[str, ...]] = {
    "thinking": ("thinking_off", "thinking_on", "thinking_differs", "thinking_switch", "unseparated"),
    "context": ("context", "cut_prompts", "context_shift"),
    "sampling": ("sampling_ignored", "sampling_record", "sampling_default", "greedy_differs", "unsent", "seed_serial"),
    "template": ("template", "template_tokens", "tokenizer", "markup"),
    "model": ("model_changed", "changed", "same_model", "same_weights", "model_name"),
    "at once": ("mixed", "one_reply", "batch_noise"),
    "KV": ("kv_cache", "kv_unproved", "kv_unknown"),
}
"""By column of the table, the codes of the findings that contradict it; other findings are only listed."""
_STYLES = {"block": "bold red", "warn": "yellow", "proved": "green", "unknown": "dim"}
_NEARLY = 0.9
"""Share of the needed tokens that suffices: a long prompt is made of whole parts."""


def show(preflight: "Preflight", console: Console) -> None:
    """Print the table, the findings, and what could not be tried."""
    if preflight.proofs:
        console.print(_table(preflight))
    for renderable in findings(preflight.checks):
        console.print(renderable)
    names = [variant.name for variant in preflight.study.variants]
    if left := [name for name in names if name not in preflight.proofs and name not in preflight.problems]:
        console.print(Text(f"not tried, since another server does not start: {listed(left)} (--force tries them)"))
    if not any(check.severity != "note" for check in preflight.checks):
        console.print(Text("Nothing was found that speaks against this comparison.", style="green"))


def findings(checks: Iterable[Check]) -> Iterator[ConsoleRenderable]:
    """Yield each finding: its code, its message and its advice; the most severe first."""
    order: tuple[Severity, ...] = ("block", "warn", "note")
    for check in sorted(checks, key=lambda check: order.index(check.severity)):
        style = _STYLES.get(check.severity, "dim")
        head = (f"{check.severity} {check.code} ", style)
        yield Text.assemble(head, strip_control(about(check)), one_line(check.message))
        if check.advice and check.severity != "note":
            yield Padding(Text(check.advice, style="italic"), (0, 0, 0, 2))


def aspects(preflight: "Preflight", variant: Variant) -> dict[str, str]:
    """Return the state of each aspect: proved, said, unknown, or the severity of the finding that contradicts it."""
    mine = [check for check in preflight.checks if check.variant in {variant.name, None} and check.severity != "note"]
    facts, proofs = preflight.facts.get(variant.name), preflight.proofs.get(variant.name)
    if facts is None or proofs is None:
        return dict.fromkeys(ASPECTS, "unknown")
    states = {
        "thinking": _thinking(variant, proofs),
        "context": _context(facts, proofs),
        "sampling": _state(proved=bool(proofs.applied) or (proofs.cold is not None and proofs.hot is not None)),
        "template": _state(proved=bool(proofs.tokens), said=facts.chat_template_sha256 is not None),
        "model": _state(proved=facts.model_sha256 is not None, said=(proofs.model or facts.model_id) is not None),
        "at once": _state(proved=proofs.together is not None or preflight.study.tried_at_once == 1),
        "KV": _state(said=known_type(variant, facts) is not None),
    }
    for aspect, codes in ASPECTS.items():
        against = {check.severity for check in mine if check.code in codes}
        if against:
            states[aspect] = "block" if "block" in against else "warn"
    return states


def _thinking(variant: Variant, proofs: Proofs) -> str:
    if proofs.thought is None:
        return "unknown"
    return _state(proved=variant.thinking is proofs.thought.reasoned, said=True)


def _context(facts: ServerFacts, proofs: Proofs) -> str:
    longest = max((length.prompt_tokens or 0 for length in proofs.lengths), default=0)
    return _state(proved=longest >= _NEARLY * (min(proofs.needed, CAP) - SPARE), said=facts.context is not None)


def _state(*, proved: bool = False, said: bool = False) -> str:
    return "proved" if proved else "said" if said else "unknown"


def _table(preflight: "Preflight") -> Table:
    """Draw a row for each variant, narrow enough for 80 columns."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("variant", overflow="fold")
    for aspect in ASPECTS:
        table.add_column(aspect, no_wrap=True)
    table.add_column("s", justify="right", no_wrap=True)
    for variant in preflight.study.variants:
        if variant.name not in preflight.proofs:
            continue
        states = aspects(preflight, variant).values()
        proofs = preflight.proofs[variant.name]
        cells = [Text(state, style=_STYLES.get(state, "")) for state in states]
        table.add_row(Text(variant.name), *cells, f"{proofs.seconds:.0f}")
    return table
