"""Rebuilds the input of a decision from the events that it led to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botmeter.contracts.instants import rfc3339
from botmeter.domain import events as ev
from botmeter.domain.account import Account
from botmeter.domain.contacts import Contact, ContactDetails, Contacts
from botmeter.domain.events import Event

Fields = dict[str, Any]


def rebuilt_interaction(group: Iterable[Event], cause: ev.InteractionCause) -> Fields | None:
    """The interaction; None if it only started a billing cycle (`A12`), because its fields cannot be known then."""
    for event in group:
        head = {"event_id": cause.event_id, "account_id": event.account_id}
        if isinstance(event, ev.SessionStarted):
            return head | _chat(event) | {"preview": event.preview, "occurred_at": rfc3339(event.started_at)}
        if isinstance(event, ev.ChatHandedOff):
            occurred_at = event.at if event.occurred_at is None else event.occurred_at
            return head | _chat(event) | {"preview": False, "occurred_at": rfc3339(occurred_at)}
    return None


def _chat(event: ev.SessionStarted | ev.ChatHandedOff) -> Fields:
    return {
        "end_user_id": event.end_user_id,
        "bot_id": event.bot_id,
        "conversation_id": event.conversation_id,
        "widget": event.widget,
        "actor": "end_user",
    }


def rebuilt_command(group: Iterable[Event], cause: ev.CommandCause, before: Account | None) -> Fields:
    """The command; `before` is the account before it.

    The fields of a refused command are lost; an invalid command, which is refused too, takes its place.
    """
    fields: Fields = {"command_id": cause.command_id}
    own: Fields = {}
    for event in group:
        fields["account_id"] = event.account_id
        own |= _command_fields(event)
        if isinstance(event, ev.CommandHandled):
            fields |= {"type": event.command, "issued_by": event.issued_by or "unknown"}
            if event.result == "accepted" and before is not None:  # it may have set what was set already
                terms = before.terms
                own = {"plan": terms.plan, "billing_cycle": terms.next_billing_cycle} | own
    return fields | {name: own[name] for name in _FIELDS.get(fields.get("type", ""), ()) if name in own}


def _command_fields(event: Event) -> Fields:
    """The fields of the event that the command had."""
    match event:
        case ev.AccountOpened():
            return {
                "plan": event.plan,
                "billing_cycle": event.billing_cycle,
                "anchor": rfc3339(event.anchor),
                "time_zone": event.time_zone,
                "contacts": contacts_json(event.contacts),
            }
        case ev.PlanChanged():
            return {"plan": event.plan}
        case ev.PacksPurchased() | ev.PackReductionScheduled():
            return {"packs": event.packs}
        case ev.BillingCycleChangeScheduled():
            return {"billing_cycle": event.billing_cycle}
        case ev.SessionsCredited():
            return {"sessions": event.sessions, "reason": event.reason}
        case ev.ThresholdsSet():
            return {"percents": event.percents}
        case ev.AutoRechargeSet():
            return {"below": event.below, "packs": event.packs}
        case ev.ContactsSet():
            return {"contacts": contacts_json(event.contacts)}
        case _:
            return {}


#: The fields of each command.
_FIELDS = {
    "open_account": ("plan", "billing_cycle", "anchor", "time_zone", "contacts"),
    "change_plan": ("plan",),
    "purchase_packs": ("packs",),
    "reduce_packs": ("packs",),
    "change_billing_cycle": ("billing_cycle",),
    "credit_sessions": ("sessions", "reason"),
    "set_thresholds": ("percents",),
    "set_auto_recharge": ("below", "packs"),
    "set_contacts": ("contacts",),
}


def contacts_json(contacts: Contacts) -> list[Any]:
    """Contacts in the form that a command has."""
    return [_contact_json(contact) for contact in contacts]


def _contact_json(contact: Contact) -> Any:
    if not isinstance(contact, ContactDetails):
        return contact
    own = {name: getattr(contact, name) for name in ("email", "name", "locale", "alerts")}
    return {name: value for name, value in own.items() if value is not None}
