"""The live view: renders the model as a page of the terminal's size. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from botmeter.demo.model import Happening, Model, Tone, clock, in_order, percentile
from botmeter.domain.announcements import Balance

STYLES: Final[dict[Tone, str]] = {"good": "green", "warning": "yellow", "bad": "bold red", "plain": ""}
#: Blocks of eighths for the end of a bar.
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
#: Lines that are always shown: title, billing page, the table's head, the feeds' frames, the figures.
_FIXED_LINES: Final = 2 + 1 + 2 + 5
_FEED_LINES_MIN: Final = 3
_FEED_LINES_MAX: Final = 16
_BAR_COLUMNS_MIN: Final = 8
_MAILBOX_WIDTH_MIN: Final = 120


@dataclass(frozen=True, slots=True)
class Page:
    """The parts of the page that do not come from the model."""

    title: str
    #: The address of Admin > Billing.
    billing: str
    #: Columns and lines of the terminal.
    width: int
    height: int


def render(model: Model, page: Page, accounts: Sequence[str]) -> RenderableType:
    """Renders the page: the accounts in this order, the latest events, and the figures."""
    room = page.height - _FIXED_LINES
    rows = min(len(accounts), max(room - _FEED_LINES_MIN, 1))
    feed_lines = min(max(room - rows, _FEED_LINES_MIN), _FEED_LINES_MAX)
    return Group(
        Text(page.title, style="bold", no_wrap=True, overflow="ellipsis"),
        _invitation(model, page.billing),
        _accounts(model, accounts[:rows], page.width),
        _feeds(model, feed_lines, page.width),
        _figures(model),
    )


def _invitation(model: Model, billing: str) -> Text:
    """Renders the address of the billing page, and what to do there."""
    line = Text("Admin > Billing ", no_wrap=True, overflow="ellipsis").append(billing, style=f"bold link {billing}")
    balances = (model.balances.get(account_id) for account_id in sorted(model.watched))
    out = [balance.account_id for balance in balances if balance is not None and balance.status == "exhausted"]
    if out:
        line.append(f"  {out[0]} has run out: buy it a pack there", style=STYLES["warning"])
    return line


# --- Accounts ---


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table; it is shown on terminals of at least `width_min`."""

    title: str
    cell: Callable[[Model, Balance], RenderableType]
    width_min: int = 0
    justify: Literal["left", "right"] = "left"


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%d %b %Y}"


def _number(count: int) -> Text:
    return Text(f"{count:,}" if count else "-")


_COLUMNS: Final = (
    _Column("account", lambda _, balance: Text(balance.account_id, style="bold")),
    _Column("plan", lambda _, balance: Text(balance.plan), width_min=100),
    _Column("usage", lambda _, balance: Bar(balance.used, balance.total, colour(balance))),
    _Column("%", lambda _, balance: Text(f"{balance.used_percent:.1f}", style=colour(balance)), justify="right"),
    _Column("used / total", lambda _, balance: Text(f"{balance.used:,} / {balance.total:,}"), justify="right"),
    _Column("pool", lambda _, balance: Text(balance.pool), width_min=100),
    _Column("packs", lambda _, balance: _number(balance.packs), justify="right"),
    _Column("status", lambda _, balance: Text(balance.status, style=colour(balance))),
    _Column("to agents", lambda model, balance: _number(model.handed_off[balance.account_id]), justify="right"),
    _Column("cycle", lambda _, balance: Text(balance.cycle.billing_cycle, style="dim"), width_min=140),
    _Column("cycle ends", lambda _, balance: Text(_day(balance.cycle.ends_at), style="dim"), width_min=110),
)


def _accounts(model: Model, accounts: Sequence[str], width: int) -> Table:
    columns = [column for column in _COLUMNS if width >= column.width_min]
    table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
    for column in columns:
        ratio = 1 if column.title == "usage" else None
        table.add_column(column.title, justify=column.justify, no_wrap=True, ratio=ratio)
    for account_id in accounts:
        balance = model.balances.get(account_id)
        if balance is None:
            table.add_row(Text(account_id, style="dim"))
        else:
            table.add_row(*(column.cell(model, balance) for column in columns))
    return table


def colour(balance: Balance) -> str:
    """Returns green, yellow from 80 %, red when no session is left, dim when closed."""
    if balance.status == "closed":
        return "dim"
    if balance.status == "exhausted":
        return "red"
    return "yellow" if balance.used_percent >= 80 else "green"


class Bar:
    """Usage as a bar of the available width; full only when all is used."""

    def __init__(self, used: int, total: int, style: str) -> None:
        self._used, self._total, self._style = used, total, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Renders the bar in the given width."""
        width = options.max_width
        whole, rest = divmod(self._used * width * 8 // self._total if self._total else 0, 8)
        filled = "█" * whole + (_EIGHTHS[rest] if rest else "")
        yield Text(filled, style=self._style).append("·" * (width - len(filled)), style="dim")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Requests at least a few columns."""
        return Measurement(_BAR_COLUMNS_MIN, max(options.max_width, _BAR_COLUMNS_MIN))


# --- Feeds ---


def _feeds(model: Model, lines: int, width: int) -> Table:
    """Renders the feeds side by side; the mailbox only on a wide terminal."""
    grid = Table.grid(expand=True)
    for ratio in (3, 2, 3) if width >= _MAILBOX_WIDTH_MIN else (3, 2):
        grid.add_column(ratio=ratio)
    alerts = sum(model.alerted.values())
    feeds = [
        _feed(f"alerts ({alerts}), suspensions, packs", model.alerts, lines),
        _feed(f"chats to agents ({model.handed_off.total():,})", model.chats, lines),
        _feed(f"mailbox ({model.arrived['email']:,})", model.mails, lines),
    ]
    grid.add_row(*feeds[: len(grid.columns)])
    return grid


def _feed(title: str, happenings: Iterable[Happening], lines: int) -> Panel:
    latest = in_order(happenings)[-lines:]
    rows = Group(*(_line(happening) for happening in latest))
    return Panel(rows, title=title, title_align="left", height=lines + 2, padding=0)


def _line(happening: Happening) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{clock(happening.at)} ", style="dim")
    line.append(f"{happening.account_id:<9} ", style="bold")
    return line.append(happening.text, style=STYLES[happening.tone])


# --- Figures ---


def _figures(model: Model) -> Group:
    sent_rate, metered_rate = model.rates()
    last = model.samples[-1] if model.samples else None
    traffic = Text(no_wrap=True, overflow="ellipsis")
    traffic.append("interactions  ", style="dim")
    traffic.append(f"sent {sent_rate:,.0f}/s", style="bold").append(f" ({last.sent if last else 0:,})   ")
    traffic.append(f"metered {metered_rate:,.0f}/s", style="bold").append(f" ({last.metered if last else 0:,})   ")
    traffic.append(f"{model.sessions:,} sessions", style="bold")
    return Group(traffic, *_latency(model), _mails(model), _dead_letters(model))


def _latency(model: Model) -> tuple[Text, Text]:
    middle, high = model.latency_ms(50), model.latency_ms(99)
    line = Text("latency       ", style="dim", no_wrap=True, overflow="ellipsis")
    found = "not yet" if middle is None or high is None else f"half within {middle} ms, 99 % within {high} ms"
    line.append(found, style="not dim bold")
    meaning = "              interaction's broker timestamp to its committed session, read"
    return line, Text(meaning, style="dim", no_wrap=True, overflow="ellipsis")


def _mails(model: Model) -> Text:
    """Renders the number of mails and webhooks, and the time from a chat to the alert's mail."""
    ordered = sorted(model.mail_latencies_ms)
    middle, high = percentile(ordered, 50), percentile(ordered, 99)
    line = Text("mails         ", style="dim", no_wrap=True, overflow="ellipsis")
    line.append(f"{model.arrived['email']:,}", style="not dim bold").append(
        f"  {model.arrived['webhook']:,} webhooks", style="not dim"
    )
    if middle is not None and high is not None:
        line.append(f"; from chat to mailbox half within {middle:,} ms, 99 % within {high:,} ms", style="not dim")
    return line


def _dead_letters(model: Model) -> Text:
    line = Text("dead letters  ", style="dim", no_wrap=True, overflow="ellipsis")
    line.append(f"{model.dead_letters.total():,}", style="not dim bold")
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in model.dead_letters.most_common())
    return line.append(f"  {reasons}", style="not dim")
