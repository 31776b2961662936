"""Commands: sending them for administrators and operators, and their results."""

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
from botmeter.web.api.responses import JSON, LIMIT, AccountId, Limit, json_response
from botmeter.web.api.wire import encoded, json_bytes, model_of
from botmeter.web.problems import API_PREFIX, ProblemError, documented, forbidden, invalid, not_found
from botmeter.web.services import ClientDep, QueriesDep

router = APIRouter(tags=["commands"])

#: The HTTP status by the reason of a rejection; any other reason is 409.
_STATUS: Final = {"invalid": HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_account": HTTPStatus.NOT_FOUND}


def _request_model(model: type[BaseModel]) -> type[BaseModel]:
    """Returns the model of a command in a request body: account, id and issuer come from path, header and token."""
    hints = get_type_hints(model, include_extras=True)
    own = {
        name: (hints[name], ... if field.is_required() else field.default)
        for name, field in model.model_fields.items()
        if name not in IssuedMessage.model_fields
    }
    config = ConfigDict(strict=True, extra="forbid", title=model.__name__.removesuffix("Message"))
    return create_model(model.__name__.removesuffix("Message"), __config__=config, __doc__=model.__doc__, **own)  # type: ignore[call-overload,no-any-return]


CommandRequest = reduce(or_, (_request_model(model) for model in members(CommandMessage)))


class Pending(BaseModel):
    """The brokers have the command; there is no result yet."""

    command_id: str
    account_id: str
    ask: Annotated[str, Field(description="The path of the result.")]


@router.post(
    "/accounts/{account_id:path}/commands",
    summary="Send a command",
    response_model=outputs.Accepted,
    responses={
        HTTPStatus.ACCEPTED.value: {"model": Pending, "description": "Sent; there is no result yet."},
        **documented(401, 403, 404, 409, 413, 422, 429, 503),
    },
)
async def post_command(
    request: Request,
    account_id: AccountId,
    command: Annotated[CommandRequest, Body(discriminator="type")],  # type: ignore[valid-type]
    idempotency_key: Annotated[
        Id, Header(description="The command_id: a repeat within 30 days changes nothing and returns the same result.")
    ],
    caller: Caller,
    client: ClientDep,
) -> Response:
    """Sends a command and waits for its result. A rejection is a problem whose `type` is the reason."""
    require_account(caller, account_id)
    fields: dict[str, Any] = command.model_dump(mode="json", exclude_unset=True)  # type: ignore[attr-defined]
    if not caller.may_issue(fields["type"]):
        raise forbidden(f"a {caller.role} may not ask for {fields['type']}")
    settings: Settings = request.app.state.parts.settings
    try:
        message = as_command(
            {**fields, "command_id": idempotency_key, "account_id": account_id, "issued_by": caller.subject}
        )
        result = await client.send(message, settings.http_command_wait_ms / 1000)
    except InvalidMessage as error:
        raise invalid(str(error)) from None
    except NoResult:
        return _pending(account_id, idempotency_key)
    if isinstance(result, Rejected):
        raise ProblemError(_STATUS.get(result.reason, HTTPStatus.CONFLICT), result.reason, result.message)
    return json_response({"type": "accepted", **encoded(result, money=caller.sees_money)}, caller)


def _pending(account_id: str, command_id: str) -> Response:
    location = f"{API_PREFIX}/accounts/{quote(account_id, safe='')}/commands/{quote(command_id, safe='')}"
    pending = {"command_id": command_id, "account_id": account_id, "ask": location}
    headers = {"Location": location, "Retry-After": "1"}
    return Response(json_bytes(pending), HTTPStatus.ACCEPTED, media_type=JSON, headers=headers)


@router.get(
    "/accounts/{account_id:path}/commands",
    summary="The latest commands",
    response_model=list[model_of(CommandRow)],  # type: ignore[misc]
    responses=documented(401, 404, 422, 429),
)
def get_commands(account_id: AccountId, caller: Caller, queries: QueriesDep, limit: Limit = LIMIT) -> Response:
    """The commands of the account and their results, newest first."""
    require_account(caller, account_id)
    return json_response(queries.commands(account_id, limit), caller)


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
    queries: QueriesDep,
) -> Response:
    """The result of a command."""
    require_account(caller, account_id)
    found = queries.command(account_id, command_id)
    if found is None:
        raise not_found("command, or it is not judged yet")
    return json_response(found, caller)
