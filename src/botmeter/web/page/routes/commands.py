"""Commands from the page's forms: sends them, waits for the result, and shows it beside the form."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Final

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from botmeter.client import AsyncClient, InvalidMessage, NoResult
from botmeter.domain.announcements import Accepted
from botmeter.errors import Retriable
from botmeter.settings.model import Settings
from botmeter.web.access.guard import Caller, require_account
from botmeter.web.access.roles import Access
from botmeter.web.page import rendering
from botmeter.web.page.form_commands import COMMANDS, command_of
from botmeter.web.page.notices import Notice, not_answered, not_sent, not_valid, result_notice
from botmeter.web.page.overview import UsageView
from botmeter.web.page.routes.account import overview_parts, packs_of
from botmeter.web.page.routes.settings import settings_response
from botmeter.web.page.visit import visit_of
from botmeter.web.problems import forbidden, not_found
from botmeter.web.services import ClientDep, QueriesDep, services_of

router = APIRouter(include_in_schema=False)

#: The commands of the card of packs; all others come from the settings.
_PACKS: Final = frozenset({"purchase_packs", "reduce_packs", "cancel_reduction"})
#: How long the page waits until the read side includes the change; later, a live update shows it.
_READ_SIDE_S: Final = 3.0
_POLL_S: Final = 0.05


@router.post("/billing/accounts/{account}/commands/{type_}")
async def command(
    request: Request, account: str, type_: str, caller: Caller, queries: QueriesDep, client: ClientDep
) -> Response:
    """Sends a command and shows the part it came from, with the result."""
    account_id = rendering.account_of(account)
    require_account(caller, account_id)
    if type_ not in COMMANDS:
        raise not_found("command")
    if not caller.may_issue(type_):
        raise forbidden("Your role may look, not change. A billing admin of this account can.")
    notice = await _send(request, type_, account_id, caller, client)
    is_whole = not request.headers.get("HX-Request")
    if is_whole and notice.tone == "ok":
        place = "#packs" if type_ in _PACKS else "/settings"
        return RedirectResponse(rendering.account_url(account_id) + place, HTTPStatus.SEE_OTHER)

    def render() -> Response:
        visit = visit_of(request, caller, queries, account_id)
        if type_ not in _PACKS:
            return settings_response(visit, notice)
        if is_whole:
            return visit.page("account.html", "overview", overview_parts(visit, UsageView()), {"result": notice})
        return visit.page("parts/packs.html", "overview", packs_of(visit), {"result": notice})

    return await to_thread.run_sync(render)


async def _send(request: Request, type_: str, account_id: str, caller: Access, client: AsyncClient) -> Notice:
    """Sends the command, waits for its result, and then until the read side includes it."""
    settings: Settings = request.app.state.parts.settings
    try:
        message = command_of(type_, account_id, caller.subject, await request.form())
        result = await client.send(message, settings.http_command_wait_ms / 1000)
    except InvalidMessage as error:
        return not_valid(str(error))
    except NoResult:
        return not_answered()
    except Retriable:
        return not_sent()
    if isinstance(result, Accepted):
        await _wait_for_read_side(request, account_id, result.version)
    return result_notice(message, result)


async def _wait_for_read_side(request: Request, account_id: str, version: int) -> None:
    queries, until_s = services_of(request).queries, time.monotonic() + _READ_SIDE_S
    while time.monotonic() < until_s:
        summary = await to_thread.run_sync(queries.summary, account_id)
        if summary is not None and summary.place.version >= version:
            return
        await asyncio.sleep(_POLL_S)
