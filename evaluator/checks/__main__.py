"""Print all checks as a Markdown table: what `README.md` beside this file is."""

from collections.abc import Iterator

from evaluator.checks.table import RULES

_HEAD = """\
# Validity checks

Would this comparison survive a hostile reader? Each row is one rule. Rules of the stage *before* look at what a server
reports about itself and at how it answered a few test prompts, and can stop a run before it begins; rules of the stage
*after* look at the records. `block`: there is no verdict. `warn`: read this before you believe a number. `note`: good
to know. Behind *eval* stands what to do instead where one server was evaluated without a study file.

This file is made by `python -m evaluator.checks`.
"""


def lines() -> Iterator[str]:
    """Write the table of all checks."""
    yield _HEAD
    yield "| code | stage | severity | threat | signal | advice |"
    yield "|---|---|---|---|---|---|"
    for rule in RULES:
        advice = f"{rule.advice} *eval*: {rule.in_eval}" if rule.in_eval else rule.advice
        cells = (f"`{rule.code}`", rule.stage, rule.severity, rule.threat, rule.signal, advice)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 - a command that prints
