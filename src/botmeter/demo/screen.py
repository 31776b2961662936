"""Where the demo shows itself: a live page on a terminal, lines of text anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live

from botmeter.demo import progress
from botmeter.demo.model import Model, Tone
from botmeter.demo.view import STYLES, Page, render


class Screen(Protocol):
    """Shows the model while its block runs."""

    @property
    def interval_s(self) -> float:
        """How often `show` is worth calling."""

    def __enter__(self) -> Self:
        """Begins to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends it."""

    def say(self, line: str, tone: Tone = "plain") -> None:
        """One line, outside of the block."""

    def show(self, model: Model, title: str, billing: str) -> None:
        """The model as it is now; the caller sees to it that it does not change meanwhile.

        `title` and `billing`, the way to Admin > Billing, are for a page, not for lines.
        """


class LiveScreen:
    """A page of the terminal, which shows what was there before when it is over, and the last state below."""

    interval_s: Final = 0.2

    def __init__(self, console: Console, accounts: Sequence[str]) -> None:
        """`accounts` in the order of their rows."""
        self._console, self._accounts = console, accounts
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._page: RenderableType = ""

    def __enter__(self) -> Self:
        """Take the whole terminal."""
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give it back, and leave the last page on it."""
        self._live.__exit__(kind, error, traceback)
        self._console.print(self._page)

    def say(self, line: str, tone: Tone = "plain") -> None:
        """One line, in the colour of its tone."""
        self._console.print(line, style=STYLES[tone], highlight=False, markup=False)

    def show(self, model: Model, title: str, billing: str) -> None:
        """The model as a page."""
        page = Page(title, billing, self._console.width, self._console.height)
        self._page = render(model, page, self._accounts)
        self._live.update(self._page, refresh=True)


class LineScreen:
    """Lines of text, for logs."""

    interval_s: Final = 3.0

    def __init__(self, console: Console) -> None:
        """Writes to the console, whatever it is."""
        self._console = console
        self._seen = 0

    def __enter__(self) -> Self:
        """Nothing to prepare."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def say(self, line: str, tone: Tone = "plain") -> None:
        """One line, however wide."""
        del tone
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def show(self, model: Model, title: str, billing: str) -> None:
        """What is new, and the figures."""
        del title, billing
        for line in progress.news(model, self._seen):
            self.say(line)
        self._seen = model.alert_lines
        if model.samples and model.samples[-1].sent:
            self.say(progress.figures(model))


def make_screen(accounts: Sequence[str]) -> Screen:
    """The one that fits standard output."""
    console = Console()
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveScreen(console, accounts)
    return LineScreen(console)
