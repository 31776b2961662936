"""What all routes of the page begin with: who asks, for which account, at what moment, in which colours."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from botmeter.domain.prices import PriceBook
from botmeter.readside.queries import Queries
from botmeter.readside.results import AccountDetail, BurnDown, Suspension
from botmeter.settings.model import Settings
from botmeter.web.access.guard import Caller, require_account
from botmeter.web.access.roles import Access
from botmeter.web.page import rendering
from botmeter.web.page.moments import Clock
from botmeter.web.problems import not_found
from botmeter.web.services import Asked


def now_ms() -> int:
    """This moment, UTC ms."""
    return time.time_ns() // 1_000_000


def prices_of(request: Request) -> PriceBook:
    """What packs cost and hold here."""
    settings: Settings = request.app.state.parts.settings
    return settings.rules().prices


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for something of an account that the caller may see."""

    access: Access
    detail: AccountDetail
    clock: Clock
    prices: PriceBook
    queries: Queries
    theme: str | None

    @property
    def account_id(self) -> str:
        """The account."""
        return self.detail.summary.account_id

    @property
    def may_buy(self) -> bool:
        """Whether the caller may change packs."""
        return self.access.may_ask_for("purchase_packs")

    def burn_down(self) -> BurnDown | None:
        """The running cycle."""
        return self.queries.burn_down(self.account_id, self.clock.now)

    def suspension(self) -> Suspension | None:
        """The one that lasts now, if the bots stand still."""
        latest = self.queries.suspensions(self.account_id, 1) if self.detail.summary.state == "exhausted" else ()
        return latest[0] if latest and latest[0].until is None else None

    def context(self, here: str) -> dict[str, Any]:
        """What every page of the account can tell."""
        return rendering.of_visitor(self.access, self.theme) | rendering.of_account(
            self.access, self.detail, self.clock, self.prices, here
        )

    def page(self, template: str, here: str, *parts: dict[str, Any]) -> HTMLResponse:
        """A page or a part of one."""
        context = self.context(here)
        for part in parts:
            context |= part
        return HTMLResponse(rendering.render(template, context))


def visit_of(request: Request, access: Access, queries: Queries, account_id: str) -> Visit:
    """The visit to an account. Raises ProblemError 404 when there is no such account, or it is not the caller's."""
    require_account(access, account_id)
    now = now_ms()
    detail = queries.account(account_id, now)
    if detail is None:
        raise not_found("account")
    clock = Clock(detail.summary.time_zone, now)
    theme = request.cookies.get(rendering.THEME_COOKIE)
    return Visit(access, detail, clock, prices_of(request), queries, theme)


def _visit(request: Request, account: str, caller: Caller, queries: Asked) -> Visit:
    return visit_of(request, caller, queries, rendering.account_of(account))


#: What a route below `/billing/accounts/{account}` is annotated with.
Visited = Annotated[Visit, Depends(_visit)]
