"""Renders templates: a whole page or a part of one, and the context that all templates share."""

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
from botmeter.web.page.freshness import freshness_label
from botmeter.web.page.moments import Clock
from botmeter.web.page.timeline import CYCLES, PLANS

WIDGETS: Final = {"conversations": "conversations", "self_service": "self-service"}
THEMES: Final = frozenset({"light", "dark"})
THEME_COOKIE: Final = "botmeter_theme"


def account_url(account_id: str) -> str:
    """Returns the path of an account's page; an id may contain any character."""
    quoted = quote(account_id, safe="")
    if not quoted.strip("."):
        quoted = quoted.replace(".", "%2E")
    return f"/billing/accounts/{quote(quoted, safe='')}"


def account_of(segment: str) -> str:
    """Returns the account id of a path segment. It is quoted twice, so slashes and dots in it are not path segments."""
    return unquote(segment)


@cache
def templates() -> Environment:
    """Returns the templates. All values are escaped; an undefined name is an error."""
    environment = Environment(
        loader=PackageLoader("botmeter.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "count": numbers.count,
        "signed": numbers.signed,
        "some": numbers.some,
        "percent": numbers.percent,
        "money": numbers.money,
    }
    environment.globals |= {
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
    return environment


def render(template: str, context: Mapping[str, Any]) -> str:
    """Renders a template with this context."""
    return templates().get_template(template).render(context)


def visitor_context(access: Access | None, theme: str | None) -> dict[str, Any]:
    """Returns the context of every page: the visitor's access and theme."""
    return {"access": access, "theme": theme if theme in THEMES else None}


def account_context(
    access: Access, detail: AccountDetail, clock: Clock, prices: PriceBook, here: str
) -> dict[str, Any]:
    """Returns the context of every page of an account. It contains prices only for callers who see money."""

    def may(command: str) -> bool:
        return access.may_issue(command)

    def hidden_fields(command: str) -> Markup:
        """Returns the visitor's CSRF token and a command id, which makes sending a form twice the same as once."""
        return Markup(
            '<input type="hidden" name="csrf_token" value="{}"><input type="hidden" name="command_id" value="{}">'
        ).format(access.csrf_token, f"page-{command}-{uuid.uuid4()}")

    return {
        "detail": detail,
        "clock": clock,
        "here": here,
        "may": may,
        "hidden_fields": hidden_fields,
        "sees_money": access.sees_money,
        "freshness": freshness_of(detail.freshness, clock),
        **({"prices": prices} if access.sees_money else {}),
    }


def freshness_of(freshness: Freshness, clock: Clock) -> Any:
    """Returns the label that says how old the numbers are."""
    return freshness_label(freshness, clock)
