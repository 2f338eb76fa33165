"""Which build to run, as the terminal shows it: before all else, and in one line again at the end."""

from collections.abc import Iterator

from rich.console import ConsoleRenderable
from rich.padding import Padding
from rich.text import Text

from evaluator.decide.recommendation import Recommendation
from evaluator.text import strip_control


def recommendation_parts(recommendation: Recommendation | None) -> Iterator[ConsoleRenderable]:
    """Show what to run, what is to be said of the others, and what is missing; nothing where there is one variant."""
    if recommendation is None:
        return
    yield Text("\n").append(headline(recommendation))
    yield from _listed("•", recommendation.others)
    if recommendation.missing:
        yield Text("What is missing", style="bold")
        yield from _listed("•", recommendation.missing)


def headline(recommendation: Recommendation) -> Text:
    """Write what to run in one sentence: green where there is something to run, else yellow."""
    style = "bold green" if recommendation.variant else "bold yellow"
    return Text(strip_control(recommendation.sentence), style=style)


def _listed(sign: str, sentences: tuple[str, ...]) -> Iterator[ConsoleRenderable]:
    for sentence in sentences:
        yield Padding(Text(f"{sign} {strip_control(sentence)}"), (0, 0, 0, 2))
