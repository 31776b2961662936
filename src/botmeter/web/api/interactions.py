"""Interactions over HTTP, for platforms without a Kafka client: the same contract, the same partitions."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from botmeter.client import Place
from botmeter.contracts.inputs import InteractionMessage
from botmeter.contracts.instants import millis
from botmeter.domain.prices import DAY_MS
from botmeter.domain.sessions import is_metered
from botmeter.settings.model import Settings
from botmeter.web.access.guard import FastCaller, require_account
from botmeter.web.api.entitlement import EntitlementAnswer, entitlement_answer, wait_for
from botmeter.web.api.responses import JSON, now_ms
from botmeter.web.api.wire import json_bytes
from botmeter.web.entitlement.answer import Question
from botmeter.web.entitlement.service import Entitlement
from botmeter.web.entitlement.view import HandedOff, Opened
from botmeter.web.problems import documented, forbidden
from botmeter.web.services import ClientDep, EntitlementDep

router = APIRouter(tags=["interactions"])

Outcome = Literal["started", "covered", "handed_off", "refused", "ignored", "in_future", "too_late"]


class Interaction(InteractionMessage):
    """One message or click of an end-user, a bot, an agent or the system, by the contract of the topic."""

    model_config = ConfigDict(defer_build=False)  # FastAPI needs the schema at once


class Decision(BaseModel):
    """The outcome of the interaction."""

    outcome: Annotated[
        Outcome | None,
        Field(
            description="`started` and `covered`: it opened or joined a session. `handed_off`: its chat went to the "
            "agents. `refused`: no session is left, nothing to hand off. `ignored`: it is not metered. `in_future`, "
            "`too_late`: it is a dead letter. null: it opened no session; it is too old for the server to know more."
        ),
    ]
    session_id: Annotated[str | None, Field(description="The session it opened or joined.")]
    handoff_id: Annotated[str | None, Field(description="The handoff it caused.")]
    entitlement: Annotated[EntitlementAnswer, Field(description="Who answers the end-user now.")]


class Published(BaseModel):
    """The brokers have the interaction."""

    event_id: str
    after: Annotated[str, Field(description="Its record, for the parameter `after` of an entitlement.")]
    decision: Annotated[Decision | None, Field(description="null unless it was requested.")]


@router.post(
    "/interactions",
    summary="Publish an interaction",
    response_model=Published,
    status_code=HTTPStatus.ACCEPTED,
    responses={
        HTTPStatus.OK.value: {"model": Published, "description": "Published and decided."},
        **documented(401, 403, 404, 413, 422, 429, 503, 504),
    },
)
async def post_interaction(
    request: Request,
    interaction: Interaction,
    caller: FastCaller,
    client: ClientDep,
    entitlement: EntitlementDep,
    traceparent: Annotated[
        str | None, Header(description="W3C trace context; passed on to every message that the interaction causes.")
    ] = None,
    decision: Annotated[bool, Query(description="Wait until it is decided, and return the decision.")] = False,  # noqa: FBT002 - a parameter of the address
) -> Response:
    """Publishes an interaction, acknowledged by all brokers in sync. The same `event_id` again changes nothing."""
    require_account(caller, interaction.account_id)
    if caller.role == "viewer":
        raise forbidden("a viewer publishes no interactions: they may open sessions, which cost money")
    place = await client.publish(interaction, traceparent)
    published: dict[str, Any] = {"event_id": interaction.event_id, "after": str(place), "decision": None}
    if decision:
        settings: Settings = request.app.state.parts.settings
        await wait_for(entitlement, interaction.account_id, place, settings)
        published["decision"] = _decision(entitlement, interaction, place, settings)
    status = HTTPStatus.OK if decision else HTTPStatus.ACCEPTED
    return Response(json_bytes(published), status, media_type=JSON)


def _decision(
    entitlement: Entitlement, message: InteractionMessage, place: Place, settings: Settings
) -> dict[str, Any]:
    now = entitlement_answer(
        entitlement, Question(message.account_id, message.end_user_id, message.preview, message.widget)
    )
    logged = entitlement.outcome(place.partition, place.topic, place.offset)
    return {
        "outcome": logged.outcome if logged else _unlogged_outcome(message, now["session"], settings),
        "session_id": logged.session_id
        if isinstance(logged, Opened)
        else now["session"] and now["session"]["session_id"],
        "handoff_id": logged.handoff_id if isinstance(logged, HandedOff) else None,
        "entitlement": now,
    }


def _unlogged_outcome(message: InteractionMessage, session: object, settings: Settings) -> Outcome | None:
    """Returns the outcome of an interaction that left no event in the journal."""
    if not is_metered(message.actor, message.bot_id):
        return "ignored"
    age_ms = now_ms() - millis(message.occurred_at)
    if age_ms < -1000 * settings.ahead_limit_s:
        return "in_future"
    if age_ms > 1000 * settings.late_limit_s:
        return "too_late"
    if session is not None:
        return "covered"
    return "refused" if age_ms < DAY_MS else None
