"""Templates: what every one of them can say, and how a whole page or a part of one is written."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import quote, unquote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from botmeter.domain.prices import PriceBook
from botmeter.readside.results import AccountDetail, Freshness
from botmeter.web.access.roles import Access
from botmeter.web.page import numbers
from botmeter.web.page.assets import static_url
from botmeter.web.page.freshness import shown
from botmeter.web.page.moments import Clock
from botmeter.web.page.timeline import CYCLES, PLANS

WIDGETS: Final = {"conversations": "conversations", "self_service": "self-service"}
THEMES: Final = frozenset({"light", "dark"})
THEME_COOKIE: Final = "botmeter_theme"


def account_url(account_id: str) -> str:
    """Where an account's page is; an id may hold anything."""
    quoted = quote(account_id, safe="")
    if not quoted.strip("."):
        quoted = quoted.replace(".", "%2E")
    return f"/billing/accounts/{quote(quoted, safe='')}"


def account_of(segment: str) -> str:
    """The account id in a path, which is quoted twice: slashes and dots in it are no folders."""
    return unquote(segment)


@cache
def templates() -> Environment:
    """The templates, everything escaped, a name that is missing an error."""
    found = Environment(
        loader=PackageLoader("botmeter.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters |= {
        "count": numbers.count,
        "signed": numbers.signed,
        "some": numbers.some,
        "percent": numbers.percent,
        "money": numbers.money,
    }
    found.globals |= {
        "static": static_url,
        "account_url": account_url,
        "plans": PLANS,
        "cycles": CYCLES,
        "widgets": WIDGETS,
        "notice": None,
        "theme": None,
        "here": None,
        "result": None,
    }
    return found


def render(template: str, context: Mapping[str, Any]) -> str:
    """A template with what it tells."""
    return templates().get_template(template).render(context)


def of_visitor(access: Access | None, theme: str | None) -> dict[str, Any]:
    """What every page knows of who looks at it."""
    return {"access": access, "theme": theme if theme in THEMES else None}


def of_account(access: Access, detail: AccountDetail, clock: Clock, prices: PriceBook, here: str) -> dict[str, Any]:
    """What every page of an account can tell. Prices are there only for those who see money."""

    def may(command: str) -> bool:
        return access.may_ask_for(command)

    def guarded(command: str) -> Markup:
        """What a form sends along: the visitor's token, and an id by which sending it twice is the same as once."""
        return Markup(
            '<input type="hidden" name="csrf_token" value="{}"><input type="hidden" name="command_id" value="{}">'
        ).format(access.csrf_token, f"page-{command}-{uuid.uuid4()}")

    return {
        "detail": detail,
        "clock": clock,
        "here": here,
        "may": may,
        "guarded": guarded,
        "sees_money": access.sees_money,
        "freshness": freshness_of(detail.freshness, clock),
        **({"prices": prices} if access.sees_money else {}),
    }


def freshness_of(freshness: Freshness, clock: Clock) -> Any:
    """How old the numbers are, in words."""
    return shown(freshness, clock)
