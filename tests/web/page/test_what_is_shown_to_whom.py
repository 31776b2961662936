"""Money is left out of what a viewer gets, and no account is told to those it does not belong to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from fastapi.routing import APIRoute

from botmeter.web.page.rendering import account_url
from botmeter.web.page.routes import PAGE_ROUTERS

from . import states
from .conftest import Site

_PAGES = ("", "/sessions", "/history", "/statements", "/statements/1", "/settings", "/parts/packs", "/parts/timeline")


@contextmanager
def visitor(site: Site, link: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.address, follow_redirects=True, timeout=60) as client:
        client.get(link)
        yield client


@pytest.mark.parametrize("path", _PAGES)
def test_a_viewer_gets_no_money_and_no_forms(site: Site, path: str) -> None:
    with visitor(site, site.login("viewer", states.NEAR)) as client:
        answer = client.get(account_url(states.NEAR) + path)

    assert answer.status_code == 200
    assert not re.search(r"USD|\$|amount|price|digest|signature", answer.text, re.IGNORECASE)
    assert "/commands/" not in answer.text


def test_a_viewers_statement_has_no_amounts_as_csv_either(site: Site) -> None:
    with visitor(site, site.login("viewer", states.NEAR)) as client:
        answer = client.get(f"{account_url(states.NEAR)}/statements/1.csv")

    assert "amount_minor" not in answer.text
    assert ",sessions,Sessions," in answer.text


def test_another_account_is_not_there_on_any_route(site: Site) -> None:
    filled = {"{account}": states.NEAR, "{number}": "1", "{session_id}": "0" * 32, "{type_}": "purchase_packs"}
    routes = [route for router in PAGE_ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    below = [route for route in routes if route.path.startswith("/billing/accounts/{account}")]
    assert len(below) >= 20

    with visitor(site, site.login("billing_admin", states.OUT)) as client:
        token = re.search(r'name="csrf_token" value="(\w+)"', client.get(account_url(states.OUT)).text)
        assert token is not None
        for route in below:
            path = route.path
            for name, value in filled.items():
                path = path.replace(name, value)
            form = {"csrf_token": token[1], "command_id": "k", "packs": "1"}
            asked = {"billing_cycle": "monthly", "plan": "pro"}
            post = "POST" in (route.methods or ())
            answer = client.post(path, data=form) if post else client.get(path, params=asked)
            assert answer.status_code == 404, path
            assert "This page does not exist" in answer.text
            assert states.NEAR not in answer.text


def test_a_list_shows_ones_own_accounts_alone(site: Site) -> None:
    with visitor(site, site.login("billing_admin", states.OUT, states.QUIET)) as client:
        answer = client.get("/billing/accounts")

    assert set(re.findall(r'href="/billing/accounts/([\w-]+)"', answer.text)) == {states.OUT, states.QUIET}


def test_a_viewer_may_not_command(site: Site) -> None:
    with visitor(site, site.login("viewer", states.NEAR)) as client:
        token = re.search(r'name="csrf_token" value="(\w+)"', client.get(account_url(states.NEAR)).text)
        assert token is not None
        answer = client.post(
            f"{account_url(states.NEAR)}/commands/purchase_packs",
            data={"packs": "1", "csrf_token": token[1], "command_id": "k"},
        )

    assert answer.status_code == 403


def test_without_a_login_one_is_asked_to_log_in_and_led_back(site: Site) -> None:
    with httpx.Client(base_url=site.address) as client:
        answer = client.get(f"{account_url(states.NEAR)}/sessions")
        part = client.get(f"{account_url(states.NEAR)}/parts/packs", headers={"HX-Request": "true"})

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=%2Fbilling")
    assert part.headers["hx-redirect"].startswith("/login")
