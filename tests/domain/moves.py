"""What can happen to an account, drawn by hypothesis: interactions, commands, ticks, each some time after the last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from hypothesis import strategies as st

from botmeter.domain import commands as cmd
from botmeter.domain.prices import DAY_MS, HOUR_MS, MINUTE_MS
from botmeter.domain.sessions import Actor, Interaction, Widget

from .ledger import MARCH, Ledger


@dataclass(frozen=True)
class Say:
    """An interaction that the broker receives `wait` ms after the last record, `behind` ms after it occurred."""

    wait: int
    behind: int
    end_user: str
    conversation: str
    widget: Widget = "conversations"
    preview: bool = False
    actor: Actor = "end_user"

    def take(self, ledger: Ledger) -> None:
        at = ledger.now + self.wait
        occurred_at = at - self.behind
        heard = Interaction(self.end_user, "b-1", self.conversation, self.widget, self.actor, self.preview, occurred_at)
        ledger.take_interaction(heard, at)


@dataclass(frozen=True)
class Ask:
    """A command that the broker receives `wait` ms after the last record."""

    wait: int
    command: cmd.Command

    def take(self, ledger: Ledger) -> None:
        ledger.take_command(self.command, ledger.now + self.wait)


@dataclass(frozen=True)
class Wait:
    """The timer looks at the account `wait` ms after the last record."""

    wait: int

    def take(self, ledger: Ledger) -> None:
        ledger.take_tick(ledger.now + self.wait)


Move = Say | Ask | Wait

#: Mostly short, now and then on or beside the limits of a rule, rarely over a boundary or the 30 days of `C1`.
waits: Final = st.sampled_from(
    [0] * 8
    + [1, MINUTE_MS, HOUR_MS, 6 * HOUR_MS] * 3
    + [DAY_MS - 1, DAY_MS, 2 * DAY_MS, 9 * DAY_MS, 21 * DAY_MS, 30 * DAY_MS, 70 * DAY_MS]
)
#: Mostly none, else up to and beyond both limits of `S7`.
delays: Final = st.sampled_from(
    [0] * 8
    + [-5 * MINUTE_MS, MINUTE_MS, HOUR_MS, 12 * HOUR_MS, DAY_MS - 1, DAY_MS, 30 * HOUR_MS, 48 * HOUR_MS]
    + [-5 * MINUTE_MS - 1, 48 * HOUR_MS + 1]
)
end_users: Final = st.sampled_from([f"u-{n}" for n in range(8)])
conversations: Final = st.sampled_from(["c-1", "c-2", "c-3"])
widgets: Final = st.sampled_from(["conversations", "conversations", "self_service"])
previews: Final = st.sampled_from([False, False, True])
actors: Final = st.sampled_from(["end_user"] * 9 + ["bot", "agent", "system"])

says: Final = st.builds(
    Say,
    wait=waits,
    behind=delays,
    end_user=end_users,
    conversation=conversations,
    widget=widgets,
    preview=previews,
    actor=actors,
)
#: Interactions that arrive the moment they occur.
prompt_says: Final = says.map(lambda say: replace(say, behind=0))

plans: Final = st.sampled_from(["free", "growth", "pro", "enterprise"])
billing_cycles: Final = st.sampled_from(["monthly", "quarterly", "half_yearly", "annual"])
packs: Final = st.integers(1, 3)
credits_: Final = st.integers(1, 6)
percents: Final = st.lists(st.integers(1, 99), max_size=4, unique=True).map(lambda drawn: tuple(sorted(drawn)))
#: Within a year of the openings, in days that not every month has.
anchors: Final = st.integers(-400, 400).map(lambda days: MARCH + days * DAY_MS)
_ISSUED: Final = {"command_id": st.just(""), "issued_by": st.just("tester")}

later_commands: Final = st.one_of(
    st.builds(cmd.PurchasePacks, **_ISSUED, packs=packs),
    st.builds(cmd.ReducePacks, **_ISSUED, packs=packs),
    st.builds(cmd.CancelReduction, **_ISSUED),
    st.builds(cmd.ChangePlan, **_ISSUED, plan=plans),
    st.builds(cmd.ChangeBillingCycle, **_ISSUED, billing_cycle=billing_cycles),
    st.builds(cmd.CreditSessions, **_ISSUED, sessions=credits_, reason=st.just("outage")),
    st.builds(cmd.SetThresholds, **_ISSUED, percents=percents),
    st.builds(cmd.SetAutoRecharge, **_ISSUED, below=st.integers(0, 15), packs=st.integers(0, 2)),
    st.builds(
        cmd.InvalidCommand, **_ISSUED, type=st.just("purchase_packs"), message=st.just("packs must be at least 1")
    ),
)
openings: Final = st.builds(
    cmd.OpenAccount,
    **_ISSUED,
    plan=plans,
    billing_cycle=billing_cycles,
    anchor=anchors,
    time_zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]),
    contacts=st.just(()),
)


def lives(interactions: st.SearchStrategy[Say] = says) -> st.SearchStrategy[list[Move]]:
    """An account's life from its opening, seldom to its closing; every command has an id of its own."""
    asks = st.builds(Ask, wait=waits, command=later_commands)
    ends = st.builds(Ask, wait=waits, command=st.builds(cmd.CloseAccount, **_ISSUED))
    move = st.one_of(interactions, interactions, interactions, asks, asks, st.builds(Wait, wait=waits))
    bodies = st.lists(move, min_size=1, max_size=60)
    begins = openings.map(lambda opening: Ask(0, opening))
    return st.builds(_with_ids, begins, bodies, st.lists(ends, max_size=1), st.lists(move, max_size=4))


def _with_ids(opening: Ask, body: list[Move], ends: list[Ask], after: list[Move]) -> list[Move]:
    moves = [opening, *body, *ends, *(after if ends else [])]
    return [
        replace(move, command=replace(move.command, command_id=f"k-{n}")) if isinstance(move, Ask) else move
        for n, move in enumerate(moves)
    ]


def live(moves: list[Move], ledger: Ledger) -> Ledger:
    """The ledger after these moves."""
    for move in moves:
        move.take(ledger)
    return ledger
