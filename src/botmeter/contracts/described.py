"""Fields that many messages share, each with its meaning, unit and order."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from botmeter.contracts import contact, fields, message_model
from botmeter.domain import account, commands, cycles, events, sessions

# --- Who and when ----------------------------------------------------------------------------------------------------

AccountId = Annotated[fields.Id, Field(description="The account. In UTF-8 it is also the record's key.")]
Version = Annotated[
    fields.Positive,
    Field(
        description="The account's version after this: 1, 2, 3, ... It orders the messages of an account across all "
        "topics; messages of one version follow from one event."
    ),
]
At = Annotated[fields.Moment, Field(description="When it took effect, UTC, by the broker's clock.")]
EndUserId = Annotated[fields.Id, Field(description="The end-user, as the chat platform names them.")]
BotId = Annotated[fields.Id, Field(description="The bot that the end-user talked to.")]
ConversationId = Annotated[fields.Id, Field(description="The conversation, as the chat platform names it.")]
Widget = Annotated[
    sessions.Widget,
    Field(description="Where the chat takes place. Only chats in conversations are ever handed to agents."),
]
CommandId = Annotated[fields.Id, Field(description="The command, as its issuer named it.")]

# --- Terms -----------------------------------------------------------------------------------------------------------

Plan = Annotated[commands.Plan, Field(description="The account's plan.")]
BillingCycle = Annotated[
    cycles.BillingCycle,
    Field(description="How long a billing cycle is: 1, 3, 6 or 12 months of the account's time zone."),
]
TimeZone = Annotated[str, Field(description="The account's IANA time zone, in which billing cycles are reckoned.")]
Contacts = Annotated[
    list[contact.Contact],
    Field(
        description="The account's contacts, in the order in which they were given: an e-mail address, or an object "
        "with more details. A contact that lists alerts receives only those."
    ),
]
Charge = Annotated[
    message_model.Charge, Field(description="What it costs, once for the rest of the billing cycle; never prorated.")
]
Below = Annotated[
    fields.Count, Field(description="Packs are bought when fewer sessions than this remain, and when none remain.")
]
RechargePacks = Annotated[
    fields.Count, Field(description="How many packs are bought each time; 0: auto-recharge is off.")
]

# --- Usage -----------------------------------------------------------------------------------------------------------

Status = Annotated[
    account.Status,
    Field(
        description="active: new sessions start. exhausted: no session is left; bots only answer end-users with an "
        "open session. closed: for good."
    ),
]
Pool = Annotated[
    events.Pool,
    Field(
        description="Where sessions are taken from: complimentary (granted once, they do not expire), purchased or "
        "credited for the billing cycle, or none."
    ),
]
Total = Annotated[
    fields.Count, Field(description="Sessions in the pool, used or not; purchased ones are of this billing cycle.")
]
Used = Annotated[fields.Count, Field(description="Sessions of the pool that are used; never more than total.")]
Remaining = Annotated[fields.Count, Field(description="Sessions that are left: total less used.")]
Packs = Annotated[fields.Count, Field(description="Packs of this billing cycle; they renew with each cycle.")]
PacksNextCycle = Annotated[
    fields.Count, Field(description="Packs of the next billing cycle; fewer than packs while a reduction is pending.")
]
CycleNumber = Annotated[
    fields.Positive, Field(description="The billing cycle's number; 1 is the cycle in which the account was opened.")
]
CycleStartsAt = Annotated[fields.Moment, Field(description="When the billing cycle starts, UTC.")]
CycleEndsAt = Annotated[
    fields.Moment, Field(description="When the billing cycle ends, UTC; that moment belongs to the next cycle.")
]

# --- Reasons ---------------------------------------------------------------------------------------------------------

ExhaustionReason = Annotated[
    events.ExhaustionReason,
    Field(description="sessions_exhausted: all are used. no_sessions: the account has none."),
]
AvailableReason = Annotated[
    events.AvailableReason, Field(description="Why the account has sessions again; the bots are resumed because of it.")
]
