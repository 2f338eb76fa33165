"""What is done with the servers before the first question: one line that changes, or lines now and then."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from evaluator.events import Checking
from evaluator.text import strip_control

if TYPE_CHECKING:
    from rich.status import Status

_LINE_EVERY_S = 15.0


class CheckingLines:
    """Shows how each server is checked: in a terminal one line below the others, elsewhere a line for each step."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._now: dict[str, str] = {}
        """By variant what is done with its server."""
        self._last: dict[str, str] = {}
        """By variant the text that was printed last, without numbers of requests."""
        self._line_at = clock()
        self._status: Status | None = None

    def show(self, event: Checking) -> None:
        """Show one step."""
        text = strip_control(event.text)
        counted = f"{text} ({event.done} of {event.planned})" if event.planned else text
        self._now.pop(event.variant, None)
        if not event.ended:
            self._now[event.variant] = counted
        if event.ended:
            self._print(event.variant, text, "dim")
        elif not self._console.is_terminal and (text != self._last.get(event.variant) or self._is_due()):
            self._print(event.variant, counted, "dim")
        self._last[event.variant] = text
        self._update()

    def close(self) -> None:
        """Take the changing line away."""
        self._now.clear()
        self._update()

    def _update(self) -> None:
        if not self._console.is_terminal:
            return
        line = "; ".join(f"{variant}: {text}" for variant, text in self._now.items())
        if not line:
            if self._status is not None:
                self._status.stop()
                self._status = None
        elif self._status is None:
            self._status = self._console.status(Text(line, "dim"))
            self._status.start()
        else:
            self._status.update(Text(line, "dim"))

    def _is_due(self) -> bool:
        return self._clock() >= self._line_at + _LINE_EVERY_S

    def _print(self, variant: str, text: str, style: str) -> None:
        self._line_at = self._clock()
        self._console.print(Text(f"{variant}: {text}", style), soft_wrap=True)
