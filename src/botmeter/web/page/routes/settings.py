"""The settings of an account, and the effect of each change before it is saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from botmeter.domain.commands import Plan
from botmeter.domain.cycles import BillingCycle
from botmeter.readside.results import AutoRecharge
from botmeter.web.page import settings_page
from botmeter.web.page.notices import Notice
from botmeter.web.page.visit import Visit, VisitDep

router = APIRouter(include_in_schema=False, prefix="/billing/accounts/{account}")


@router.get("/settings")
def settings(visit: VisitDep) -> HTMLResponse:
    """All settings."""
    return settings_response(visit, None)


def settings_response(visit: Visit, result: Notice | None) -> HTMLResponse:
    """Renders the settings, with the result of a change."""
    burn = visit.burn_down()
    part = settings_page.settings_page(
        visit.detail,
        burn.forecast if burn else None,
        visit.prices,
        visit.clock,
        may_change=visit.access.may_issue("set_thresholds"),
        is_with_money=visit.access.sees_money,
    )
    return visit.page("settings.html", "settings", part, {"result": result})


def _effect(visit: Visit, name: str, lines: Sequence[str]) -> HTMLResponse:
    return visit.page("parts/effect.html", "settings", {"effect_id": f"{name}-effect", "effect_lines": lines})


@router.get("/parts/recharge")
def recharge(
    visit: VisitDep,
    below: Annotated[int, Query(ge=0, le=1_000_000_000)] = settings_page.BELOW,
    packs: Annotated[int, Query(ge=0, le=1_000_000)] = 1,
) -> HTMLResponse:
    """What auto-recharge would buy next."""
    burn = visit.burn_down()
    prices = visit.prices if visit.access.sees_money else None
    forecast = burn.forecast if burn else None
    wanted = AutoRecharge(below, packs)
    return _effect(visit, "recharge", settings_page.recharge_lines(visit.detail, forecast, prices, wanted, visit.clock))


@router.get("/parts/thresholds")
def thresholds(visit: VisitDep, percents: Annotated[str, Query(max_length=500)] = "") -> HTMLResponse:
    """Where each threshold would alert."""
    return _effect(
        visit,
        "thresholds",
        settings_page.threshold_lines(visit.detail, settings_page.parse_percents(percents), visit.clock),
    )


@router.get("/parts/cycle")
def cycle(visit: VisitDep, billing_cycle: BillingCycle) -> HTMLResponse:
    """When another billing cycle would begin."""
    return _effect(visit, "cycle", settings_page.cycle_lines(visit.detail, billing_cycle, visit.clock))


@router.get("/parts/plan")
def plan(visit: VisitDep, plan: Plan) -> HTMLResponse:
    """What another plan would change."""
    return _effect(visit, "plan", settings_page.plan_lines(visit.detail, plan, visit.prices))
