"""Statements of billing cycles, and what if."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from botmeter.readside.results import AutoRecharge, Scenario, Statement
from botmeter.web.access.guard import guard_of
from botmeter.web.page.overview import PACKS_MAX
from botmeter.web.page.settings_page import BELOW, parse_percents
from botmeter.web.page.statement_page import check_copy, cycle_bar, statement_csv, statement_part
from botmeter.web.page.visit import Visit, VisitDep
from botmeter.web.page.what_if_page import what_if_part
from botmeter.web.problems import not_found
from botmeter.web.seal import Seal, sealed

router = APIRouter(include_in_schema=False, prefix="/billing/accounts/{account}")

_CYCLES_MAX = 36
#: The digest or signature of a copy, as a person typed it.
Copied = Annotated[str, Query(max_length=80)]
Number = Annotated[str, Query(max_length=12, pattern=r"^\d*$")]


@router.get("/statements")
def statements(visit: VisitDep) -> HTMLResponse:
    """The statements, newest first."""
    numbers = [cycle.number for cycle in visit.queries.cycles(visit.account_id)[:_CYCLES_MAX]]
    found = [visit.queries.statement(visit.account_id, number, visit.clock.now) for number in numbers]
    part = {"statements": [one for one in found if one is not None], "bar": cycle_bar}
    return visit.page("statements.html", "statements", part)


def _statement(visit: Visit, number: str) -> Statement:
    is_number = number.isascii() and number.isdigit() and len(number) < 7
    found = visit.queries.statement(visit.account_id, int(number), visit.clock.now) if is_number else None
    if found is None:
        raise not_found("statement")
    return found


@router.get("/statements/{number}.csv")
def csv(request: Request, visit: VisitDep, number: str) -> Response:
    """A statement as CSV."""
    found = _statement(visit, number)
    text = statement_csv(found, visit.clock, _seal(request, visit, found))
    return Response(
        text,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="statement-{number}.csv"'},
    )


@router.get("/statements/{number}")
def statement(
    request: Request, visit: VisitDep, number: str, digest: Copied = "", signature: Copied = ""
) -> HTMLResponse:
    """A statement; with a digest and a signature, also whether a copy with them is genuine."""
    found, tokens = _statement(visit, number), guard_of(request).tokens
    notice = check_copy(found, digest, signature, tokens) if visit.access.sees_money else None
    part = statement_part(found, _seal(request, visit, found))
    return visit.page("statement.html", "statements", part, {"notice": notice, "copied": (digest, signature)})


def _seal(request: Request, visit: Visit, found: Statement) -> Seal | None:
    return sealed(found, guard_of(request).tokens).seal if visit.access.sees_money else None


@router.get("/what-if")
def what_if(
    visit: VisitDep,
    packs: Number = "",
    recharge: Annotated[str, Query(max_length=3)] = "",
    below: Number = "",
    recharge_packs: Number = "",
    thresholds: Annotated[str, Query(max_length=500)] = "",
) -> HTMLResponse:
    """The last cycles under other terms."""
    limit, size = int(below or BELOW), max(min(int(recharge_packs or 1), PACKS_MAX), 1)
    percents = tuple(percent for percent in parse_percents(thresholds) if 1 <= percent <= 99)
    scenario = Scenario(
        packs=min(int(packs), PACKS_MAX) if packs else None,
        thresholds=percents or None,
        auto_recharge={"on": AutoRecharge(limit, size), "off": AutoRecharge(0, 0)}.get(recharge),
    )
    found = visit.queries.what_if(visit.account_id, scenario)
    form = {
        "scenario": scenario,
        "recharge": recharge,
        "below": limit,
        "recharge_packs": size,
        "packs_max": PACKS_MAX,
        "thresholds": ", ".join(map(str, percents)),
    }
    part = what_if_part(found, scenario, visit.detail, visit.clock, is_with_money=visit.access.sees_money)
    return visit.page("what_if.html", "what-if", form, part)
