"""Commands: what an account's administrators and operators ask for, and how it was judged."""

from __future__ import annotations

from functools import reduce
from http import HTTPStatus
from operator import or_
from typing import Annotated, Any, Final, get_type_hints
from urllib.parse import quote

from fastapi import APIRouter, Body, Header, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from botmeter.client import InvalidMessage, NoResult, as_command
from botmeter.contracts import outputs
from botmeter.contracts.fields import ID_CHARACTERS_MAX, Id
from botmeter.contracts.inputs import CommandMessage, IssuedMessage
from botmeter.contracts.message_model import members
from botmeter.domain.announcements import Rejected
from botmeter.readside.results import CommandRow
from botmeter.settings.model import Settings
from botmeter.web.access.guard import Caller, require_account
from botmeter.web.api.answers import JSON, LIMIT, AccountId, Limit, answer
from botmeter.web.api.wire import encoded, json_bytes, model_of
from botmeter.web.problems import API_PREFIX, ProblemError, documented, forbidden, invalid, not_found
from botmeter.web.services import Asked, Sending

router = APIRouter(tags=["commands"])

#: The HTTP status of a refusal; of any other reason, 409.
_STATUS: Final = {"invalid": HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_account": HTTPStatus.NOT_FOUND}


def _asked(model: type[BaseModel]) -> type[BaseModel]:
    """A command as a caller writes it: account, id and issuer are known from elsewhere."""
    hints = get_type_hints(model, include_extras=True)
    own = {
        name: (hints[name], ... if field.is_required() else field.default)
        for name, field in model.model_fields.items()
        if name not in IssuedMessage.model_fields
    }
    config = ConfigDict(strict=True, extra="forbid", title=model.__name__.removesuffix("Message"))
    return create_model(model.__name__.removesuffix("Message"), __config__=config, __doc__=model.__doc__, **own)  # type: ignore[call-overload,no-any-return]


AskedCommand = reduce(or_, (_asked(model) for model in members(CommandMessage)))


class Pending(BaseModel):
    """The command is with the brokers; its result is not there yet."""

    command_id: str
    account_id: str
    ask: Annotated[str, Field(description="Where to ask for the result.")]


@router.post(
    "/accounts/{account_id:path}/commands",
    summary="Send a command",
    response_model=outputs.Accepted,
    responses={
        HTTPStatus.ACCEPTED.value: {"model": Pending, "description": "Sent; the result is to be asked for."},
        **documented(401, 403, 404, 409, 413, 422, 429, 503),
    },
)
async def post_command(
    request: Request,
    account_id: AccountId,
    command: Annotated[AskedCommand, Body(discriminator="type")],  # type: ignore[valid-type]
    idempotency_key: Annotated[
        Id, Header(description="The command_id: the same again within 30 days changes nothing, and is answered alike.")
    ],
    caller: Caller,
    client: Sending,
) -> Response:
    """Sends a command and waits for its result. A refusal is a problem whose `type` is the reason."""
    require_account(caller, account_id)
    asked: dict[str, Any] = command.model_dump(mode="json", exclude_unset=True)  # type: ignore[attr-defined]
    if not caller.may_ask_for(asked["type"]):
        raise forbidden(f"a {caller.role} may not ask for {asked['type']}")
    settings: Settings = request.app.state.parts.settings
    try:
        message = as_command(
            {**asked, "command_id": idempotency_key, "account_id": account_id, "issued_by": caller.subject}
        )
        result = await client.send(message, settings.http_command_wait_ms / 1000)
    except InvalidMessage as error:
        raise invalid(str(error)) from None
    except NoResult:
        return _pending(account_id, idempotency_key)
    if isinstance(result, Rejected):
        raise ProblemError(_STATUS.get(result.reason, HTTPStatus.CONFLICT), result.reason, result.message)
    return answer({"type": "accepted", **encoded(result, money=caller.sees_money)}, caller)


def _pending(account_id: str, command_id: str) -> Response:
    where = f"{API_PREFIX}/accounts/{quote(account_id, safe='')}/commands/{quote(command_id, safe='')}"
    told = {"command_id": command_id, "account_id": account_id, "ask": where}
    headers = {"Location": where, "Retry-After": "1"}
    return Response(json_bytes(told), HTTPStatus.ACCEPTED, media_type=JSON, headers=headers)


@router.get(
    "/accounts/{account_id:path}/commands",
    summary="The latest commands",
    response_model=list[model_of(CommandRow)],  # type: ignore[misc]
    responses=documented(401, 404, 422, 429),
)
def get_commands(account_id: AccountId, caller: Caller, queries: Asked, limit: Limit = LIMIT) -> Response:
    """The commands of the account and how they were judged, newest first."""
    require_account(caller, account_id)
    return answer(queries.commands(account_id, limit), caller)


@router.get(
    "/accounts/{account_id:path}/commands/{command_id:path}",
    summary="One command",
    response_model=model_of(CommandRow),
    responses=documented(401, 404, 429),
)
def get_command(
    account_id: AccountId,
    command_id: Annotated[str, Path(min_length=1, max_length=ID_CHARACTERS_MAX)],
    caller: Caller,
    queries: Asked,
) -> Response:
    """How a command was judged."""
    require_account(caller, account_id)
    found = queries.command(account_id, command_id)
    if found is None:
        raise not_found("command, or it is not judged yet")
    return answer(found, caller)
