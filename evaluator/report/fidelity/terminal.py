"""The fidelity of the builds as the terminal shows it, narrow enough for 80 columns."""

from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleRenderable
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evaluator.decide import wording
from evaluator.fidelity.drop import published
from evaluator.fidelity.nouns import BuildFidelity, Estimate, Fidelity
from evaluator.report import phrases
from evaluator.report.fidelity import words
from evaluator.report.fidelity.rows import against, floor_of, perplexity_of, references
from evaluator.text import strip_control


def show(fidelity: Fidelity, console: Console, apart: Sequence[str] = ()) -> None:
    """Print tables, verdicts, and what they rest on.

    Args:
        fidelity: What was measured.
        console: Where it is printed.
        apart: What is to be said where fidelity and task scores point different ways.
    """
    for renderable in parts(fidelity, apart):
        console.print(renderable)


def parts(fidelity: Fidelity, apart: Sequence[str] = ()) -> Iterator[ConsoleRenderable]:
    """Yield what the terminal shows; see `show`."""
    for reference in references(fidelity):
        yield _distances(fidelity, reference)
        if any(build.perplexity for build in against(fidelity, reference)):
            yield _perplexities(fidelity, reference)
    for item in fidelity.pairs[: words.PAIRS]:
        yield _bullet(words.pair(item), phrases.colour(item.verdict))
    if more := len(fidelity.pairs[words.PAIRS :]):
        yield _bullet(f"{more} more of these stand in the report.")
    for sentence in apart:
        yield _bullet(sentence, "yellow")
    for sentence in (*words.parted(fidelity), *words.floors(fidelity), *published(fidelity)):
        yield _bullet(sentence)
    for sentence in (*fidelity.notes, *words.rests_on(fidelity)):
        yield _bullet(sentence, "dim", "dim")


def _bullet(sentence: str, colour: str = "", style: str = "") -> Padding:
    line = Text(strip_control(sentence), style=style)
    return Padding(Text.assemble(("\u2022 ", colour), line), (0, 0, 0, 2))


def _distances(fidelity: Fidelity, reference: str) -> Table:
    table = _new(f"Fidelity to {reference}")
    table.add_column("verdict", width=15, overflow="fold")
    for heading in ("size", "KL divergence,\nnats a token", "99 %\nbelow", "top-1\nagreement"):
        table.add_column(heading, justify="right", no_wrap=True)
    for build in against(fidelity, reference):
        verdict = Text(build.verdict or "", style=phrases.colour(build.verdict or ""))
        table.add_row(
            Text(strip_control(build.build)),
            Text("\n").join([verdict, *([Text("below the floor")] if build.below_floor else [])]),
            wording.DASH if build.size_bytes is None else phrases.in_bytes(build.size_bytes),
            _divergence(build),
            words.plain(build.p99_kld, words.nats),
            _stacked(build.top1_agreement, words.agreement),
        )
    if floor := floor_of(fidelity, reference):
        kld, top1 = _stacked(floor.mean_kld, words.nats), _stacked(floor.top1_agreement, words.agreement)
        table.add_row(Text(strip_control(f"{floor.build}, twice"), "dim"), Text("the floor", "dim"), "", kld, "", top1)
    return table


def _perplexities(fidelity: Fidelity, reference: str) -> Table:
    table = _new(f"Perplexity; that of {reference} is {perplexity_of(fidelity, reference)}")
    for heading in ("perplexity", "ratio", "median\nKL div.", "largest\nKL div.", "RMS \u0394p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for build in against(fidelity, reference):
        table.add_row(
            Text(strip_control(build.build)),
            _stacked(build.perplexity, words.perplexity),
            _stacked(build.perplexity_ratio, "{:.4f}".format),
            words.plain(build.median_kld, words.nats),
            wording.DASH if build.largest_kld is None else words.nats(build.largest_kld),
            words.plain(build.rms_delta_p, words.agreement),
        )
    return table


def _new(title: str) -> Table:
    table = Table(
        title=Text(strip_control(f"\n{title}")),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("build", overflow="fold")
    return table


def _stacked(estimate: Estimate | None, write: Callable[[float], str]) -> str:
    """Write a number, and its interval below it; a dash where there is none."""
    if estimate is None:
        return wording.DASH
    within = words.within(estimate, write).removesuffix(" %").replace(" to ", wording.DASH)
    return "\n".join(filter(None, [write(estimate.value), within]))


def _divergence(build: BuildFidelity) -> str:
    """Write the mean KL divergence as it is known, in lines."""
    if build.mean_kld is None:
        return wording.DASH
    covered = [] if build.covered is None else [f"{wording.percent(build.covered)} seen"]
    if build.method == "bound":
        return "\n".join([f"at least {words.nats(build.mean_kld.value)}", *covered])
    off = [] if build.error_bound is None else [f"\u00b1 {words.nats(build.error_bound)} more"]
    return "\n".join([_stacked(build.mean_kld, words.nats), *off, *covered])
