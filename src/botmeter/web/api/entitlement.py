"""May the bot answer? The response comes from memory; with `after`, it includes the decision on that record."""

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
from botmeter.web.api.responses import JSON, AccountId
from botmeter.web.api.wire import model_of, plain_json
from botmeter.web.entitlement.answer import Answer, Answerer, OpenSession, Question, Reason
from botmeter.web.entitlement.service import AsOf, Entitlement, NotReady
from botmeter.web.problems import ProblemError, documented, invalid, not_found, unavailable
from botmeter.web.services import EntitlementDep

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
            "be opened. `auto_recharge`: packs would be bought for it. Otherwise, why the bot does not answer."
        ),
    ]
    session: Annotated[
        model_of(OpenSession) | None,  # type: ignore[valid-type]
        Field(description="The session that covers the end-user now."),
    ]
    remaining: Annotated[int, Field(ge=0, description="Sessions the account can still charge.")]
    as_of: Annotated[
        model_of(AsOf),  # type: ignore[valid-type]
        Field(description="The answer includes the whole journal below this offset; it was complete at that time."),
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
    entitlement: EntitlementDep,
    end_user_id: Annotated[
        str | None,
        Query(min_length=1, max_length=ID_CHARACTERS_MAX, description="The end-user; left out: a new end-user."),
    ] = None,
    preview: Annotated[bool, Query(description="Whether the bot is tried out.")] = False,  # noqa: FBT002 - a parameter of the address
    widget: Annotated[Widget, Query(description="Where the chat takes place.")] = "conversations",
    after: Annotated[
        str | None,
        Query(
            pattern=f"^{_PLACE.pattern}$",
            description="`topic/partition/offset` of an interaction or command just published: the response waits "
            "until it is decided.",
        ),
    ] = None,
) -> Response:
    """Whether the bot or the agents would answer an interaction now, by the worker's own decision rules."""
    require_account(caller, account_id)
    if after is not None:
        await wait_for(entitlement, account_id, parse_place(after), request.app.state.parts.settings)
    question = Question(account_id, end_user_id, preview, widget)
    return Response(plain_json(entitlement_answer(entitlement, question)), media_type=JSON)


def entitlement_answer(entitlement: Entitlement, question: Question) -> dict[str, Any]:
    """Returns the answer as JSON values. Raises ProblemError 404, 503."""
    try:
        found, as_of = entitlement.answer(question)
    except NotReady as error:
        raise unavailable(str(error)) from None
    if found is None:
        raise not_found("account")
    return answer_json(question, found, as_of)


def parse_place(text: str) -> tuple[str, int, int]:
    """Returns topic, partition and offset. Raises ProblemError 422."""
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


def answer_json(question: Question, answer: Answer, as_of: AsOf) -> dict[str, Any]:
    """Returns the answer as JSON values. The fields are spelled out, because `wire.encoded` would be slower."""
    session = answer.session
    return {
        "account_id": question.account_id,
        "end_user_id": question.end_user_id,
        "preview": question.preview,
        "answer": answer.answer,
        "reason": answer.reason,
        "session": session
        and {
            "session_id": session.session_id,
            "started_at": rfc3339(session.started_at),
            "ends_at": rfc3339(session.ends_at),
        },
        "remaining": answer.remaining,
        "as_of": {
            "topic": as_of.topic,
            "partition": as_of.partition,
            "offset": as_of.offset,
            "at": rfc3339(as_of.at),
        },
    }
