"""The demo's output: a live page on a terminal, lines of text anywhere else."""

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
        """How often to call `show`."""

    def __enter__(self) -> Self:
        """Starts showing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops showing."""

    def print_line(self, line: str, tone: Tone = "plain") -> None:
        """Prints one line, outside of the block."""

    def show(self, model: Model, title: str, billing: str) -> None:
        """Shows the model as it is now; the caller ensures that it does not change meanwhile.

        `title` and `billing`, the address of Admin > Billing, are for a page, not for lines.
        """


class LiveScreen:
    """A page over the whole terminal; at its end the previous content is back, followed by the last page."""

    interval_s: Final = 0.2

    def __init__(self, console: Console, accounts: Sequence[str]) -> None:
        """`accounts` are in the order of their rows."""
        self._console, self._accounts = console, accounts
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._page: RenderableType = ""

    def __enter__(self) -> Self:
        """Takes over the whole terminal."""
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restores the terminal, and prints the last page."""
        self._live.__exit__(kind, error, traceback)
        self._console.print(self._page)

    def print_line(self, line: str, tone: Tone = "plain") -> None:
        """Prints one line, in the colour of its tone."""
        self._console.print(line, style=STYLES[tone], highlight=False, markup=False)

    def show(self, model: Model, title: str, billing: str) -> None:
        """Shows the model as a page."""
        page = Page(title, billing, self._console.width, self._console.height)
        self._page = render(model, page, self._accounts)
        self._live.update(self._page, refresh=True)


class LineScreen:
    """Lines of text, for logs."""

    interval_s: Final = 3.0

    def __init__(self, console: Console) -> None:
        """Writes to any console."""
        self._console = console
        self._seen = 0

    def __enter__(self) -> Self:
        """Does nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Does nothing."""

    def print_line(self, line: str, tone: Tone = "plain") -> None:
        """Prints one line of any width."""
        del tone
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def show(self, model: Model, title: str, billing: str) -> None:
        """Prints the new lines, and the figures."""
        del title, billing
        for line in progress.new_lines(model, self._seen):
            self.print_line(line)
        self._seen = model.alert_lines
        if model.samples and model.samples[-1].sent:
            self.print_line(progress.figures(model))


def make_screen(accounts: Sequence[str]) -> Screen:
    """Returns the screen that fits the standard output."""
    console = Console()
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveScreen(console, accounts)
    return LineScreen(console)
