"""What a run shows in the terminal while it is going on: its events, and a live table."""

from contextlib import ExitStack
from typing import Self

from rich.console import Console
from rich.text import Text

from evaluator.decide.wording import listed, name
from evaluator.events import Begun, Checked, Checking, Described, Event, Graded, NotScored, Planned, Status, Unfinished
from evaluator.report.checking import CheckingLines
from evaluator.report.preflight import findings
from evaluator.report.progress import Progress
from evaluator.report.server import describe
from evaluator.study.study import Study
from evaluator.text import strip_control


class Display:
    """Shows events; `with` ends the live table, whatever happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._stack = ExitStack()
        self._checking = CheckingLines(console)
        self._stack.callback(self._checking.close)
        self._unfinished: list[Unfinished] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Checking():
                self._checking.show(event)
            case Planned(keys):
                self._checking.close()
                self._progress = self._stack.enter_context(Progress(keys, self._console))
            case Status(variant, text, seconds) if self._progress is not None:
                self._progress.show_status(variant, text, seconds)
            case Graded(record, grade) if self._progress is not None:
                self._progress.graded(record, grade)
            case Unfinished():
                self._unfinished.append(event)
            case _:
                self._print(event)

    def _print(self, event: Event) -> None:
        match event:
            case Described(_, facts, warnings):
                for label, value in describe(facts):
                    self._line(f"{label}: {strip_control(value)}")
                for sentence in warnings:
                    self._line(("warn ", "yellow"), strip_control(sentence))
            case Begun(study, busy):
                self._line(opening(study))
                if busy:
                    self._line(("note ", "dim"), busy)
            case Checked(checks):
                self._checking.close()
                for renderable in findings([check for check in checks if check.severity != "note"]):
                    self._console.print(renderable)
            case NotScored(benchmarks, reason, remedy):
                self._line((f"{' and '.join(benchmarks)} will not be scored: ", "bold red"), f"{reason}\n{remedy}")

    def _line(self, *parts: str | tuple[str, str]) -> None:
        """Print text, parts of it in a style; only the terminal folds lines."""
        self._console.print(Text.assemble(*parts), soft_wrap=True)

    def show_logs(self) -> None:
        """Show the end of the log of each variant that could not be finished."""
        for event in self._unfinished:
            _, _, details = event.why.partition("\n")
            if details:
                self._console.print(Text(strip_control(f"\n{event.variant}: {details}")), soft_wrap=True)


def opening(study: Study) -> str:
    """Say in one sentence what is going to be asked of whom."""
    names = [variant.name for variant in study.variants]
    who = names[0] if len(names) == 1 else f"{len(names)} variants ({listed(names)})"
    what = listed(f"{settings.questions} {name(key)}" for key, settings in study.benchmarks.chosen().items())
    each = "" if len(names) == 1 else " each"
    return f"{study.study}: {what} questions{each} for {who}"
