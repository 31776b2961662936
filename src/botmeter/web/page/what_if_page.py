"""What if: the last cycles replayed under other terms, and the recommended number of packs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from botmeter.readside.results import AccountDetail, Scenario, WhatIf, WhatIfCycle
from botmeter.web.page.charts.what_if_bars import what_if_chart
from botmeter.web.page.moments import Clock
from botmeter.web.page.numbers import count, money, percent, some


def what_if_part(
    found: WhatIf | None, scenario: Scenario, detail: AccountDetail, clock: Clock, *, is_with_money: bool
) -> dict[str, Any]:
    """Returns the table, its summary and the advice."""
    if found is None or not found.cycles or not found.peak_demand:
        return {
            "outcome": {
                "title": "Too early",
                "says": "No session has started yet, so there is nothing to replay. Come back after the first days.",
                "rows": [],
            }
        }
    return {
        "outcome": {
            "title": _title(scenario),
            "says": _summary(found, is_with_money=is_with_money),
            "rows": [_row(one, clock) for one in found.cycles],
            "chart": what_if_chart(found.cycles, found.pack_sessions, clock, "outcome-says"),
            "legend": _legend(found),
            "advice": f"{some(found.recommended_packs, 'pack')} a cycle would fit."
            if found.recommended_packs
            else "No packs are needed.",
            "reason": _reason(found) + (_cost(found, detail) if is_with_money else ""),
            "to_buy": max(found.recommended_packs - detail.summary.packs_next_cycle, 0),
        }
    }


def _title(scenario: Scenario) -> str:
    terms = []
    if scenario.packs is not None:
        terms.append(f"{some(scenario.packs, 'pack')} a cycle")
    if scenario.auto_recharge is not None:
        recharge = scenario.auto_recharge
        terms.append(
            f"auto-recharge of {some(recharge.packs, 'pack')} below {count(recharge.below)}"
            if recharge.packs
            else "without auto-recharge"
        )
    if scenario.thresholds is not None:
        terms.append(f"alerts at {' and '.join(map(percent, scenario.thresholds))}")
    return f"With {', '.join(terms)}".replace("With without", "Without") if terms else "As it was"


def _summary(found: WhatIf, *, is_with_money: bool) -> str:
    was = sum(one.was_to_agents for one in found.cycles)
    text = f"{some(found.to_agents, 'chat')} would have gone to agents; in truth {count(was)} did."
    if is_with_money:
        text += f" It would have cost {money(found.charge)}; in truth it cost {money(found.was_charge)}."
    stopped = sum(one.stopped for one in found.cycles)
    if stopped:
        text += f" {some(stopped, 'chat')} more, in self-service or previews, would have found no bot."
    if found.is_lower_bound:
        text += " There may have been more to serve: while agents answer, self-service stands still and is not counted."
    return text


def _legend(found: WhatIf) -> list[tuple[str, str]]:
    """Returns the legend of the chart: the colours that occur in it."""
    cycles = found.cycles
    entries = [
        ("bar-1", "served by the bot", True),
        ("bar-out", "to agents", any(one.to_agents or one.was_to_agents for one in cycles)),
        ("bar-stopped", "found no bot", any(one.stopped for one in cycles)),
        ("bar-foreseen", "to come, at its pace", any(one.whole_demand > one.demand for one in cycles)),
        ("bar-was", "as it was", True),
    ]
    return [(class_, name) for class_, name, is_there in entries if is_there]


def _row(one: WhatIfCycle, clock: Clock) -> dict[str, str]:
    was = f"{count(one.was_served)} served, {count(one.was_to_agents)} to agents"
    if one.was_ran_out_at:
        was += f", ran out {clock.short_day(one.was_ran_out_at)}"
    return {
        "cycle": f"{one.cycle.number}: {clock.span(one.cycle.starts_at, one.cycle.ends_at)}",
        "demand": count(one.demand),
        "at_its_pace": count(one.whole_demand) if one.whole_demand > one.demand else "",
        "served": count(one.served),
        "to_agents": count(one.to_agents),
        "stopped": count(one.stopped),
        "alerts": ", ".join(f"{percent(reached)} {clock.short_day(at)}" for reached, at in one.thresholds_reached)
        or "none",
        "runs_out": clock.short_day(one.ran_out_at) if one.ran_out_at else "lasts",
        "cost": money(one.charge),
        "was": was,
    }


def _reason(found: WhatIf) -> str:
    if len(found.cycles) == 1:
        return (
            f"This cycle, counted to its end at its pace, wants {some(found.peak_demand, 'session')}. "
            f"A pack holds {count(found.pack_sessions)}."
        )
    cycles = some(len(found.cycles), "cycle")
    return (
        f"Of the last {cycles}, the running one counted to its end at its pace, the busiest wants "
        f"{some(found.peak_demand, 'session')} and the middle one {count(found.median_demand)}. "
        f"A pack holds {count(found.pack_sessions)}."
    )


def _cost(found: WhatIf, detail: AccountDetail) -> str:
    """Says what the recommended packs cost, at the price paid last."""
    price, packs = detail.pack_price, found.recommended_packs
    if price is None or not packs:
        return ""
    return f" {some(packs, 'pack')} cost {money(replace(price, amount_minor=packs * price.amount_minor))} a cycle."


def advice_part(found: WhatIf | None, detail: AccountDetail) -> dict[str, Any] | None:
    """Returns a card for the account's page when another number of packs than the next cycle's would fit better."""
    if found is None or not found.peak_demand or detail.summary.state == "closed":
        return None
    planned, wanted = detail.summary.packs_next_cycle, found.recommended_packs
    if planned == wanted or detail.summary.pool == "complimentary":
        return None
    return {"title": f"{some(wanted, 'pack')} would fit better than {count(planned)}", "reason": _reason(found)}
