"""May the bot answer? Answered from memory; with `after`, as of a certain interaction."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from botmeter.contracts.fields import ID_CHARACTERS_MAX
from botmeter.contracts.instants import rfc3339
from botmeter.domain.sessions import Widget
from botmeter.settings.model import Settings
from botmeter.web.access.guard import FastCaller, require_account
from botmeter.web.api.answers import JSON, AccountId
from botmeter.web.api.wire import model_of, plain_json
from botmeter.web.entitlement.answer import Answer, Answerer, OpenSession, Question, Reason
from botmeter.web.entitlement.service import AsOf, Entitlement, NotReady
from botmeter.web.problems import ProblemError, documented, invalid, not_found, unavailable
from botmeter.web.services import Entitled

router = APIRouter(tags=["entitlement"])

_PLACE: Final = re.compile(r"([A-Za-z0-9._-]{1,249})/(\d{1,9})/(\d{1,18})")


class EntitlementAnswer(BaseModel):
    """Who answers an interaction of this moment, and why."""

    account_id: str
    end_user_id: str | None
    preview: bool
    answer: Annotated[Answerer, Field(description="`bot`, or `agents` when no session is left for it.")]
    reason: Annotated[
        Reason,
        Field(
            description="`session_open`: the end-user's session is paid for. `sessions_available`: a new session would "
            "be opened. `auto_recharge`: packs would be bought for it. Else why the bot stands still."
        ),
    ]
    session: Annotated[
        model_of(OpenSession) | None,  # type: ignore[valid-type]
        Field(description="The session that covers the end-user now."),
    ]
    remaining: Annotated[int, Field(ge=0, description="Sessions the account can still charge.")]
    as_of: Annotated[
        model_of(AsOf),  # type: ignore[valid-type]
        Field(description="All of the journal below this offset is in the answer; at that moment there was no more."),
    ]


@router.get(
    "/accounts/{account_id:path}/entitlement",
    summary="May the bot answer?",
    response_model=EntitlementAnswer,
    responses=documented(401, 404, 422, 429, 503, 504),
)
async def get_entitlement(
    request: Request,
    account_id: AccountId,
    caller: FastCaller,
    entitlement: Entitled,
    end_user_id: Annotated[
        str | None,
        Query(min_length=1, max_length=ID_CHARACTERS_MAX, description="Whose chat; left out: somebody new."),
    ] = None,
    preview: Annotated[bool, Query(description="Whether the bot is tried out.")] = False,  # noqa: FBT002 - a parameter of the address
    widget: Annotated[Widget, Query(description="Where the chat takes place.")] = "conversations",
    after: Annotated[
        str | None,
        Query(
            pattern=f"^{_PLACE.pattern}$",
            description="`topic/partition/offset` of an interaction or command just published: the answer waits until "
            "it is decided.",
        ),
    ] = None,
) -> Response:
    """Whether an interaction of this moment would be the bot's or the agents', as the worker would decide it."""
    require_account(caller, account_id)
    if after is not None:
        await wait_for(entitlement, account_id, parse_place(after), request.app.state.parts.settings)
    question = Question(account_id, end_user_id, preview, widget)
    return Response(plain_json(entitlement_answer(entitlement, question)), media_type=JSON)


def entitlement_answer(entitlement: Entitlement, question: Question) -> dict[str, Any]:
    """The answer as JSON values. Raises ProblemError 404, 503."""
    try:
        found, as_of = entitlement.answer(question)
    except NotReady as error:
        raise unavailable(str(error)) from None
    if found is None:
        raise not_found("account")
    return told(question, found, as_of)


def parse_place(text: str) -> tuple[str, int, int]:
    """Topic, partition and offset. Raises ProblemError 422."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise invalid("after: should be topic/partition/offset of a record")
    return match[1], int(match[2]), int(match[3])


async def wait_for(entitlement: Entitlement, account_id: str, place: tuple[str, int, int], settings: Settings) -> None:
    """Waits until the record is decided. Raises ProblemError: 422, 503, and 504 when it takes too long."""
    topic, partition, offset = place
    try:
        home = entitlement.partition_of(account_id)
    except NotReady as error:
        raise unavailable(str(error)) from None
    if topic not in entitlement.inputs or partition != home:
        raise invalid(
            f"after: records of this account are on partition {home} of {' and '.join(sorted(entitlement.inputs))}"
        )
    if not await entitlement.wait(topic, partition, offset, settings.http_after_wait_ms / 1000):
        raise ProblemError(
            HTTPStatus.GATEWAY_TIMEOUT,
            "undecided",
            f"{topic}/{partition}/{offset} is not decided yet; does it exist, and does a worker run? Ask again",
            {"Retry-After": "1"},
        )


def told(question: Question, found: Answer, as_of: AsOf) -> dict[str, Any]:
    """The answer as JSON values. Written out: `wire.encoded` would look up each field of each answer."""
    session = found.session
    return {
        "account_id": question.account_id,
        "end_user_id": question.end_user_id,
        "preview": question.preview,
        "answer": found.answer,
        "reason": found.reason,
        "session": session
        and {
            "session_id": session.session_id,
            "started_at": rfc3339(session.started_at),
            "ends_at": rfc3339(session.ends_at),
        },
        "remaining": found.remaining,
        "as_of": {
            "topic": as_of.topic,
            "partition": as_of.partition,
            "offset": as_of.offset,
            "at": rfc3339(as_of.at),
        },
    }
