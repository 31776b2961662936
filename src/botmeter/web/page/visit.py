"""The visit that all routes of the page start from: the caller, the account, the time, the theme."""

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
from botmeter.web.services import QueriesDep


def now_ms() -> int:
    """The current time, UTC ms."""
    return time.time_ns() // 1_000_000


def prices_of(request: Request) -> PriceBook:
    """Returns the price and size of packs in this installation."""
    settings: Settings = request.app.state.parts.settings
    return settings.rules().prices


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page or part of an account that the caller may see."""

    access: Access
    detail: AccountDetail
    clock: Clock
    prices: PriceBook
    queries: Queries
    theme: str | None

    @property
    def account_id(self) -> str:
        """The account's id."""
        return self.detail.summary.account_id

    @property
    def may_buy(self) -> bool:
        """Whether the caller may change packs."""
        return self.access.may_issue("purchase_packs")

    def burn_down(self) -> BurnDown | None:
        """Returns the burn-down of the current cycle."""
        return self.queries.burn_down(self.account_id, self.clock.now)

    def suspension(self) -> Suspension | None:
        """Returns the current suspension, if agents answer now."""
        latest = self.queries.suspensions(self.account_id, 1) if self.detail.summary.state == "exhausted" else ()
        return latest[0] if latest and latest[0].until is None else None

    def context(self, here: str) -> dict[str, Any]:
        """Returns the context of every page of the account."""
        return rendering.visitor_context(self.access, self.theme) | rendering.account_context(
            self.access, self.detail, self.clock, self.prices, here
        )

    def page(self, template: str, here: str, *parts: dict[str, Any]) -> HTMLResponse:
        """Renders a page or a part of one."""
        context = self.context(here)
        for part in parts:
            context |= part
        return HTMLResponse(rendering.render(template, context))


def visit_of(request: Request, access: Access, queries: Queries, account_id: str) -> Visit:
    """Returns the visit. Raises ProblemError 404 when there is no such account, or the caller may not see it."""
    require_account(access, account_id)
    now = now_ms()
    detail = queries.account(account_id, now)
    if detail is None:
        raise not_found("account")
    clock = Clock(detail.summary.time_zone, now)
    theme = request.cookies.get(rendering.THEME_COOKIE)
    return Visit(access, detail, clock, prices_of(request), queries, theme)


def _visit(request: Request, account: str, caller: Caller, queries: QueriesDep) -> Visit:
    return visit_of(request, caller, queries, rendering.account_of(account))


#: The annotation of the visit in routes below `/billing/accounts/{account}`.
VisitDep = Annotated[Visit, Depends(_visit)]
