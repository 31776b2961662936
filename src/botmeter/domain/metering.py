"""Decisions on interactions: which open a session, and what that causes. Pure (`J2`).

`decide_interaction` returns the events in journal order; the state after them is their fold (`account.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from botmeter.domain import events as ev
from botmeter.domain.account import Account, PastCycle
from botmeter.domain.billing import purchase, roll_due_cycles
from botmeter.domain.decision import Decision, exhaust_when_empty, usage
from botmeter.domain.events import Cause, Event
from botmeter.domain.prices import DAY_MS, Rules
from botmeter.domain.sessions import Interaction, Starts, is_covered, is_metered, session_id
from botmeter.domain.thresholds import newly_reached, reached_at

#: The outcome of an interaction; all except the first five are dead letters.
Outcome = Literal[
    "ignored",  # not metered (S3)
    "covered",  # joined a session (S5, S6)
    "started",  # opened and charged a session
    "refused",  # no session left, nothing to hand off, or handed off already (T4)
    "handed_off",  # no session left, the chat goes to the agents (T4)
    "in_future",
    "too_late",
    "unknown_account",
    "account_closed",
]


@dataclass(frozen=True, slots=True)
class Memory:
    """The state of one interaction's end-user and conversation, which is kept outside the account.

    `starts`: known session starts of its window key. `handed_off_at`: when its conversation was last handed off (the
    event's `at`, UTC ms), None if never.
    """

    starts: Starts = ()
    handed_off_at: int | None = None


def decide_interaction(
    account: Account | None, interaction: Interaction, memory: Memory, at: int, cause: Cause, rules: Rules
) -> tuple[list[Event], Outcome]:
    """Returns events and outcome of an interaction, received by the broker at `at` (UTC ms) (`S`, `T1` to `T5`)."""
    decision = Decision(account, cause)
    return decision.events, take_interaction(decision, interaction, memory, at, rules)


def take_interaction(decision: Decision, interaction: Interaction, memory: Memory, at: int, rules: Rules) -> Outcome:
    """Like `decide_interaction`, but adds the events to a new `decision`."""
    account = decision.before
    if account is not None:
        roll_due_cycles(decision, at, rules)
    if not is_metered(interaction.actor, interaction.bot_id):
        return "ignored"
    if interaction.occurred_at - at > rules.ahead_limit_ms:
        return "in_future"
    if at - interaction.occurred_at > rules.late_limit_ms:
        return "too_late"
    if account is None:
        return "unknown_account"
    if account.status == "closed":
        return "account_closed"
    if rules.exhaustion == "all_chats" and decision.account.status == "exhausted" and _is_chat(interaction):
        return _outcome_for_all_chats(decision, interaction, memory, at, rules)
    if is_covered(memory.starts, interaction.occurred_at):
        return "covered"
    past = _past_cycle_open_to(decision, interaction)
    if past is not None:
        _start_session(decision, interaction, past.number, past.used + 1, past.pool, at)
        return "started"
    return _start_or_refuse(decision, interaction, memory, at, rules)


def counts_only_below(account: Account) -> int:
    """Returns the usage below which a session start in the current cycle only counts: the next one with consequences.

    A start that raises `used` to it reaches a threshold (`T1`), recharges (`A11`) or uses the last session (`T3`). 0
    when every start has to be decided in full, because the account is not active.
    """
    if account.status != "active":
        return 0
    terms, allowance = account.terms, account.allowance
    total = allowance.total
    limits = [reached_at(percent, total) for percent in terms.thresholds if percent not in allowance.reached]
    if terms.recharge_packs and allowance.pool != "complimentary":  # a complimentary pool is recharged once it is empty
        limits.append(total - terms.recharge_below + 1)
    return min([total, *limits])


def _is_chat(interaction: Interaction) -> bool:
    """Whether the interaction can be handed off to agents at all (`S4`, `T4`)."""
    return interaction.widget == "conversations" and not interaction.preview


def _outcome_for_all_chats(
    decision: Decision, interaction: Interaction, memory: Memory, at: int, rules: Rules
) -> Outcome:
    """Hands off a chat of an exhausted account, also one with a paid session (`S9`, setting `all_chats`)."""
    if not is_covered(memory.starts, interaction.occurred_at):
        return _start_or_refuse(decision, interaction, memory, at, rules)  # starts only if auto-recharge buys packs
    return "covered" if _refuse(decision, interaction, memory, at, rules) == "refused" else "handed_off"


def _start_or_refuse(decision: Decision, interaction: Interaction, memory: Memory, at: int, rules: Rules) -> Outcome:
    has_recharged = _recharge_when_empty(decision, at, rules)
    cycle, allowance = decision.account.cycle, decision.account.allowance
    if allowance.remaining == 0:
        return _refuse(decision, interaction, memory, at, rules)
    _start_session(decision, interaction, cycle.number, allowance.used + 1, allowance.pool, at)
    _reach_thresholds(decision, at)
    if not has_recharged:
        _recharge_when_low(decision, at, rules)
    exhaust_when_empty(decision, at)
    return "started"


def _past_cycle_open_to(decision: Decision, interaction: Interaction) -> PastCycle | None:
    """Returns the previous cycle, if the interaction lies in it and its purchased pool has sessions left (`A13`)."""
    past, cycle = decision.account.past_cycle, decision.account.cycle
    if past is None or not past.starts_at <= interaction.occurred_at < cycle.starts_at:
        return None
    return past if past.pool == "purchased" and past.used < past.total else None


def _start_session(
    decision: Decision, interaction: Interaction, cycle_number: int, used: int, pool: ev.Pool, at: int
) -> None:
    account_id, started_at = decision.account.account_id, interaction.occurred_at
    decision.emit(
        ev.SessionStarted(
            **decision.head(at),
            session_id=session_id(account_id, interaction.end_user_id, interaction.preview, started_at),
            end_user_id=interaction.end_user_id,
            preview=interaction.preview,
            started_at=started_at,
            ends_at=started_at + DAY_MS,
            cycle_number=cycle_number,
            pool=pool,
            used=used,
            bot_id=interaction.bot_id or "",
            conversation_id=interaction.conversation_id,
            widget=interaction.widget,
        )
    )


def _refuse(decision: Decision, interaction: Interaction, memory: Memory, at: int, rules: Rules) -> Outcome:
    """Refuses a session; hands a chat off to the agents, once per conversation in 24 h, no preview (`S4`, `T4`)."""
    if not _is_chat(interaction) or _is_with_the_agents(interaction, memory.handed_off_at, at, rules):
        return "refused"
    head = decision.head(at)
    decision.emit(
        ev.ChatHandedOff(
            **head,
            handoff_id=f"{head['account_id']}/{head['version']}",
            conversation_id=interaction.conversation_id,
            end_user_id=interaction.end_user_id,
            bot_id=interaction.bot_id or "",
            reason=decision.account.exhaustion_reason,
            widget=interaction.widget,
            occurred_at=interaction.occurred_at,
        )
    )
    return "handed_off"


def _is_with_the_agents(interaction: Interaction, handed_off_at: int | None, at: int, rules: Rules) -> bool:
    """Whether the conversation was handed off less than 24 h ago, by broker time like every limit (`S7`, `T4`).

    Also true when the interaction may have occurred before that handoff, given the allowed clock difference: a late or
    repeated interaction never hands off again, however late it is (`S6`).
    """
    if handed_off_at is None:
        return False
    return at - handed_off_at < DAY_MS or interaction.occurred_at - handed_off_at <= rules.ahead_limit_ms


def _reach_thresholds(decision: Decision, at: int) -> None:
    """Emits one alert for each threshold that the session just started has reached, ascending (`T1`)."""
    terms, allowance = decision.account.terms, decision.account.allowance
    for percent in newly_reached(terms.thresholds, allowance.reached, allowance.used, allowance.total):
        decision.emit(ev.ThresholdReached(**decision.head(at), percent=percent, **usage(decision.account)))


def _recharge_when_empty(decision: Decision, at: int, rules: Rules) -> bool:
    """Auto-recharges instead of refusing a session, once (`A11`); returns whether it did."""
    packs, allowance = decision.account.terms.recharge_packs, decision.account.allowance
    if allowance.remaining > 0 or not packs:
        return False
    purchase(decision, packs, "auto_recharge", at, rules)
    return True


def _recharge_when_low(decision: Decision, at: int, rules: Rules) -> None:
    """Auto-recharges, once; a complimentary pool only when it is used up (`A11`)."""
    terms, allowance = decision.account.terms, decision.account.allowance
    is_due = allowance.remaining < terms.recharge_below
    if allowance.pool == "complimentary":
        is_due = is_due and allowance.remaining == 0
    if is_due and terms.recharge_packs:
        purchase(decision, terms.recharge_packs, "auto_recharge", at, rules)
