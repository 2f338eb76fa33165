"""Questions of a run in a terminal: a list with a mark for each reply, or one of them with all that was replied."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from evaluator.analyse.choosing import State, label, state
from evaluator.analyse.questions import Asked, Reply
from evaluator.benchmarks import BENCHMARKS
from evaluator.decide import wording
from evaluator.text import one_line, shortened, spelled_out

_LEAST = 5
"""Columns that a mark takes."""
_MOST = 20
"""Columns of a name or a category, at most."""
_READABLE = 10_000
"""Characters of one text, at most, unless all of it is asked for."""
_WRAPPED = 20_000
"""A longer line is left to the terminal to be broken."""
_MARKS: dict[State, tuple[str, str, str]] = {
    "correct": ("\u2713", "green", "correct"),
    "wrong": ("\u2717", "red", "wrong"),
    "truncated": ("cut", "yellow", "cut off by the output limit"),
    "empty": ("empty", "yellow", "nothing was answered"),
    "unparsed": ("?", "yellow", "no answer could be read"),
    "refused": ("ref.", "yellow", "refused to answer"),
    "failed": ("fail", "magenta", "no reply came"),
    "not_scored": ("n.s.", "magenta", "code that could not be run, so it has no score"),
    "not_graded": ("\u2026", "dim", "not graded yet"),
    "not_asked": ("\u2013", "dim", "not asked yet"),
}
"""Of each state its mark, colour and meaning."""


def show_list(asked: Sequence[Asked], variants: Sequence[str], console: Console) -> None:
    """Print one line for each question, with a mark for each variant's reply, and what the marks mean."""
    names = [(label(each) + _time(each), one_line(each.question.category)) for each in asked]
    widths = [min(_MOST, max((len(name[i]) for name in names), default=0)) for i in range(2)]
    left = console.width - sum(widths) - 4
    columns, legend = _columns(variants, left)
    for explained in legend:
        console.print(Text(explained, style="dim"), soft_wrap=True)
    head = "".join(f"{column:<{width}}" for column, width in columns)
    if asked:
        console.print(Text(f"{'question':<{widths[0]}}  {'category':<{widths[1]}}  {head}".rstrip(), style="bold"))
    for each, (name, category) in zip(asked, names, strict=True):
        line = Text(f"{_cut(name, widths[0])}  {_cut(category, widths[1])}  ")
        for variant, (_, width) in zip(variants, columns, strict=True):
            line.append(*_mark(each, variant, width))
        line.rstrip()
        console.print(line, soft_wrap=True)
    used = {state(each, variant) for each in asked for variant in variants}
    meanings = [f"{mark} = {meaning}" for key, (mark, _, meaning) in _MARKS.items() if key in used]
    if meanings:
        console.print(Text(f"\n{', '.join(meanings)}", style="dim"))


def show_question(
    times: Sequence[Asked],
    variants: Sequence[str],
    baseline: str,
    console: Console,
    *,
    thinking: bool,
    full: bool,
    partings: Sequence[str] = (),
) -> None:
    """Print a question and all that was replied to it.

    Args:
        times: The question, as often as it was put.
        variants: In the order of the study.
        baseline: One of them.
        console: Where it is printed.
        thinking: Whether the thinking is printed whole.
        full: Whether the worked examples and long texts are.
        partings: Sentences on where answers that flip leave the baseline's.
    """
    first = times[0]
    console.print(Text(f"{label(first)} ({', '.join(_about(first))})", style="bold"))
    console.print()
    _print_text(_prompt(first, full=full).rstrip(), console, full=True, style="dim")
    console.print()
    if right := _right_answer(first):
        _print_text(right, console, full=False, indent="")
    for variant in variants:
        for asked in times:
            if (reply := asked.replies.get(variant)) is not None:
                console.print()
                _show_reply(asked, reply, console, is_baseline=variant == baseline, thinking=thinking, full=full)
            elif not asked.again:
                console.print(Text.assemble("\n", (variant, "bold"), f"{_time(asked)}: not asked yet"))
    for sentence in partings:
        console.print()
        _print_text(one_line(sentence), console, full=True, indent="")


def _show_reply(asked: Asked, reply: Reply, console: Console, *, is_baseline: bool, thinking: bool, full: bool) -> None:
    variant = reply.record.variant
    grade = state(asked, variant) or "not_asked"
    _, colour, meaning = _MARKS[grade]
    outcome = grade if reply.grade else meaning
    extracted = reply.grade.extracted if reply.grade and asked.question.kind != "code" else None
    line = Text.assemble(
        (variant, "bold"),
        " (baseline)" if is_baseline else "",
        f"{_time(asked)}: ",
        (outcome.replace("_", " "), f"bold {colour}"),
        f", {shortened(extracted, 60)}" if extracted else "",
    )
    console.print(line, soft_wrap=True)
    details = [reply.grade.why if reply.grade else "", _failure(reply), _cost(reply)]
    for sentence in filter(None, details):
        _print_text(one_line(sentence), console, full=False, style="dim")
    if reply.thinking and thinking:
        console.print(Text("  thinking:", style="dim"))
        _print_text(reply.thinking, console, full=full, style="dim", indent="  | ")
    elif reply.thinking:
        note = f"[{len(reply.thinking):,} characters of thinking: --thinking shows them]"
        console.print(Text(f"  {note}", style="dim"))
    if reply.text.strip():
        console.print()
        _print_text(reply.text.strip("\r\n"), console, full=full)


def _print_text(text: str, console: Console, *, full: bool, style: str = "", indent: str = "  ") -> None:
    """Print a text of a model or a data set, made harmless, indented, and broken where the terminal ends."""
    rest = 0 if full else len(text) - _READABLE
    for line in spelled_out(text if rest <= 0 else text[:_READABLE]).split("\n"):
        for piece in _wrapped(line, console, console.width - len(indent)):
            console.print(Text(f"{indent}{piece}".rstrip(), style=style), soft_wrap=True)
    if rest > 0:
        console.print(Text(f"{indent}[{rest:,} more characters: --full shows them]", style="dim"), soft_wrap=True)


def _wrapped(line: str, console: Console, width: int) -> Iterable[str]:
    if len(line) <= width or len(line) > _WRAPPED:
        return [line]
    return (piece.plain for piece in Text(line).wrap(console, max(20, width), overflow="fold"))


def _prompt(asked: Asked, *, full: bool) -> str:
    """Write what was sent, its worked examples as one line unless all is asked for."""
    text, (begin, end) = asked.question.text, asked.question.examples
    if full or begin == end:
        return text
    note = f"[worked examples, {end - begin:,} characters: --full shows them]\n\n"
    return text[:begin] + note + text[end:]


def _about(asked: Asked) -> Iterator[str]:
    yield wording.name(asked.key.benchmark)
    if asked.question.category not in ("python", "mathematics") or not _is_only_category(asked):
        yield one_line(asked.question.category)


def _is_only_category(asked: Asked) -> bool:
    benchmark = BENCHMARKS.get(asked.key.benchmark)
    return benchmark is None or not benchmark.categories()


def _right_answer(asked: Asked) -> str:
    question = asked.question
    if question.kind == "code":
        return f"Right: what passes the tests of {question.answer}"
    option = ""
    if question.answer in question.letters and question.options:
        option = f" ({one_line(question.options[question.letters.index(question.answer)])})"
    also = f"; as well {', '.join(question.also_right)}" if question.also_right else ""
    return f"Right: {question.answer}{option}{also}"


def _failure(reply: Reply) -> str:
    failure, attempts = reply.record.failure, len(reply.record.attempts)
    if failure is None:
        return f"after {attempts} failed attempt{'' if attempts == 1 else 's'}" if attempts else ""
    status = f", HTTP status {failure.status}" if failure.status else ""
    return f"{failure.kind.replace('_', ' ')}{status}: {shortened(failure.message, 500)}"


def _cost(reply: Reply) -> str:
    """Write what a reply took: `27 tokens in 0.31 s, the first after 0.25 s; prompt 190 tokens; ended by "stop"`."""
    answer = reply.record.answer
    if answer is None:
        return ""
    tokens = "" if answer.completion_tokens is None else f"{answer.completion_tokens:,} tokens "
    first = "" if answer.first_token_s is None else f", the first after {answer.first_token_s:.2f} s"
    prompt = "" if answer.prompt_tokens is None else f"; prompt {answer.prompt_tokens:,} tokens"
    end = "" if answer.finish_reason is None else f'; ended by "{shortened(answer.finish_reason, 40)}"'
    return f"{tokens}in {answer.duration_s:.2f} s{first}{prompt}{end}"


def _time(asked: Asked) -> str:
    """Say which time a question was put, where it was put more than once."""
    if asked.again:
        return " again"
    return f" #{asked.key.repeat + 1}" if asked.key.repeat else ""


def _columns(variants: Sequence[str], width: int) -> tuple[list[tuple[str, int]], list[str]]:
    """Return heading and width of each variant's column, and lines that explain the headings where names are long."""
    named = [(name, max(_LEAST, len(name)) + 2) for name in variants]
    if sum(size for _, size in named) - 2 <= width:
        return named, []
    numbered = [(f"[{i}]", _LEAST + 2) for i in range(1, len(variants) + 1)]
    return numbered, [f"{number} {name}" for (number, _), name in zip(numbered, variants, strict=True)]


def _mark(asked: Asked, variant: str, width: int) -> tuple[str, str]:
    found = state(asked, variant)
    if found is None:
        return " " * width, ""
    mark, colour, _ = _MARKS[found]
    reply = asked.replies.get(variant)
    extracted = reply.grade.extracted if reply and reply.grade and found in ("correct", "wrong") else None
    if extracted and asked.question.kind != "code":
        mark = f"{mark} {shortened(extracted, width - 6)}"
    return f"{mark:<{width}}", colour


def _cut(text: str, width: int) -> str:
    return f"{text if len(text) <= width else text[: width - 1] + chr(0x2026):<{width}}"
