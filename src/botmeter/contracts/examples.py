"""One example of each message, for the schemas and the documentation; the tests hold them to both."""

from __future__ import annotations

from typing import Any, Final

Example = dict[str, Any]

_AT: Final = "2026-11-23T10:00:00.000Z"
_CYCLE_STARTS: Final = "2026-11-01T04:00:00.000Z"
_CYCLE_ENDS: Final = "2026-12-01T05:00:00.000Z"
_BY_INTERACTION: Final = {"topic": "chat.interactions", "partition": 0, "offset": 17, "event_id": "e-1"}
_BY_COMMAND: Final = {
    "topic": "billing.commands",
    "partition": 0,
    "offset": 5,
    "command_id": "k-2",
    "before_offset": 18,
}
_BY_TIMER: Final = {"timer": "cycle", "before_offset": 18}
_CHARGE: Final = {"amount_minor": 20_000, "currency": "USD"}

INTERACTION: Final[Example] = {
    "event_id": "e-1",
    "account_id": "acme",
    "end_user_id": "u-1",
    "bot_id": "b-1",
    "conversation_id": "c-1",
    "widget": "conversations",
    "actor": "end_user",
    "preview": False,
    "occurred_at": _AT,
}


def _command(type_: str, **own: Any) -> Example:
    return {"type": type_, "command_id": "k-2", "account_id": "acme", "issued_by": "admin", **own}


COMMANDS: Final[list[Example]] = [
    _command(
        "open_account",
        plan="growth",
        billing_cycle="monthly",
        anchor="2026-11-01T00:00:00.000Z",
        time_zone="America/New_York",
        contacts=["admin@acme.example"],
    ),
    _command("change_plan", plan="pro"),
    _command("purchase_packs", packs=2),
    _command("reduce_packs", packs=1),
    _command("cancel_reduction"),
    _command("change_billing_cycle", billing_cycle="quarterly"),
    _command("credit_sessions", sessions=100, reason="outage 11 Nov"),
    _command("set_thresholds", percents=[50, 80, 95]),
    _command("set_auto_recharge", below=500, packs=1),
    _command("set_contacts", contacts=["billing@acme.example"]),
    _command("close_account"),
]


def _event(type_: str, version: int, cause: Example, **own: Any) -> Example:
    return {"type": type_, "account_id": "acme", "version": version, "at": _AT, **own, "cause": cause}


_USAGE: Final = {"pool": "purchased", "cycle_number": 3, "cycle_ends_at": _CYCLE_ENDS}

JOURNAL: Final[list[Example]] = [
    _event(
        "account_opened",
        1,
        _BY_COMMAND,
        plan="growth",
        billing_cycle="monthly",
        anchor=_CYCLE_STARTS,
        time_zone="America/New_York",
        contacts=["admin@acme.example"],
        thresholds=[80],
        starts_at=_CYCLE_STARTS,
        ends_at=_CYCLE_ENDS,
    ),
    _event("plan_changed", 4, _BY_COMMAND, plan="pro"),
    _event("complimentary_granted", 2, _BY_COMMAND, sessions=500),
    _event("complimentary_forfeited", 4, _BY_COMMAND, sessions=480),
    _event(
        "packs_purchased",
        5,
        _BY_COMMAND,
        packs=2,
        sessions=2000,
        charge=_CHARGE,
        total=2000,
        used=0,
        trigger="command",
    ),
    _event("pack_reduction_scheduled", 7, _BY_COMMAND, packs=1, packs_next_cycle=1),
    _event("pack_reduction_cancelled", 9, _BY_COMMAND, packs_next_cycle=2),
    _event(
        "cycle_started",
        11,
        _BY_TIMER,
        number=3,
        starts_at=_CYCLE_STARTS,
        ends_at=_CYCLE_ENDS,
        billing_cycle="monthly",
        anchor=_CYCLE_STARTS,
        pool="purchased",
        packs=2,
        total=2000,
        used=0,
        expired=400,
        charge=_CHARGE,
    ),
    _event("billing_cycle_change_scheduled", 12, _BY_COMMAND, billing_cycle="quarterly", effective_at=_CYCLE_ENDS),
    _event("sessions_credited", 14, _BY_COMMAND, sessions=100, reason="outage", pool="purchased", total=2100, used=3),
    _event("thresholds_set", 16, _BY_COMMAND, percents=[50, 80, 95], reached=[50]),
    _event("auto_recharge_set", 18, _BY_COMMAND, below=500, packs=1),
    _event("contacts_set", 20, _BY_COMMAND, contacts=["billing@acme.example"]),
    _event(
        "session_started",
        41,
        _BY_INTERACTION,
        session_id="3f0c9d1e5b7a48826c4d0e9f1a2b3c4d",
        end_user_id="u-1",
        preview=False,
        started_at=_AT,
        ends_at="2026-11-24T10:00:00.000Z",
        cycle_number=3,
        pool="purchased",
        used=1600,
        bot_id="b-1",
        conversation_id="c-1",
        widget="conversations",
    ),
    _event("threshold_reached", 42, _BY_INTERACTION, percent=80, used=1600, total=2000, remaining=400, **_USAGE),
    _event(
        "sessions_exhausted",
        443,
        _BY_INTERACTION,
        reason="sessions_exhausted",
        used=2000,
        total=2000,
        remaining=0,
        **_USAGE,
    ),
    _event("sessions_available", 451, _BY_COMMAND, reason="packs_purchased", used=2000, total=3000, remaining=1000),
    _event(
        "chat_handed_off",
        444,
        _BY_INTERACTION,
        handoff_id="acme/444",
        conversation_id="c-9",
        end_user_id="u-7",
        bot_id="b-1",
        reason="sessions_exhausted",
    ),
    _event("account_closed", 460, _BY_COMMAND, was_exhausted=False),
    _event(
        "command_handled",
        461,
        _BY_COMMAND,
        command_id="k-2",
        command="reduce_packs",
        issued_by="admin",
        result="rejected",
        reason="reduces_below_zero",
        message="the next cycle has 1 packs, 2 cannot be taken away",
    ),
]

BALANCE: Final[Example] = {
    "type": "balance",
    "account_id": "acme",
    "version": 42,
    "at": _AT,
    "status": "active",
    "plan": "growth",
    "pool": "purchased",
    "total": 2000,
    "used": 1600,
    "remaining": 400,
    "used_percent": 80.0,
    "packs": 2,
    "packs_next_cycle": 1,
    "cycle": {"number": 3, "billing_cycle": "monthly", "starts_at": _CYCLE_STARTS, "ends_at": _CYCLE_ENDS},
}


def _alert(type_: str, version: int, percent: int, used: int) -> Example:
    return {
        "type": type_,
        "alert_id": f"acme/{version}",
        "account_id": "acme",
        "version": version,
        "at": _AT,
        "percent": percent,
        "used": used,
        "total": 2000,
        "remaining": 2000 - used,
        **_USAGE,
        "contacts": ["admin@acme.example"],
    }


ALERTS: Final[list[Example]] = [_alert("threshold_reached", 42, 80, 1600), _alert("sessions_exhausted", 443, 100, 2000)]


def _handoff(type_: str, version: int, **own: Any) -> Example:
    return {"type": type_, "account_id": "acme", "version": version, "at": _AT, **own}


HANDOFFS: Final[list[Example]] = [
    {
        "type": "chat_handed_off",
        "handoff_id": "acme/444",
        "account_id": "acme",
        "version": 444,
        "at": _AT,
        "conversation_id": "c-9",
        "end_user_id": "u-7",
        "bot_id": "b-1",
        "reason": "sessions_exhausted",
    },
    _handoff(
        "bot_suspended",
        443,
        reason="sessions_exhausted",
        conversations="transfer_to_agents",
        self_service="stopped",
    ),
    _handoff("bot_resumed", 451, reason="packs_purchased"),
]

RESULTS: Final[list[Example]] = [
    {"type": "accepted", "command_id": "k-2", "account_id": "acme", "version": 7, "at": _AT},
    {
        "type": "rejected",
        "command_id": "k-3",
        "account_id": "acme",
        "at": _AT,
        "reason": "reduces_below_zero",
        "message": "the next cycle has 1 packs, 2 cannot be taken away",
    },
]

SNAPSHOT: Final[Example] = {
    "type": "snapshot",
    "account_id": "acme",
    "version": 42,
    "journal_offset": 1018,
    "account": {"account_id": "acme", "version": 42, "status": "active"},
}
