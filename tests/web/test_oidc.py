"""Login by an OpenID provider, a process of its own: code flow with PKCE, and what must not log anybody in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from .application import browser_at, web_settings

ISSUER = Path(__file__).with_name("issuer_process.py")
#: Of the page at the provider.
PASSWORD = "open sesame"  # noqa: S105 - of a test
BILLING = {"role": "billing_admin", "accounts": ["acme"], "email": "alice@acme.example", "email_verified": True}


@contextmanager
def logging_in(claims: dict[str, Any], password: str = PASSWORD) -> Iterator[httpx.Client]:
    """A browser of the page whose provider says this of everybody."""
    command = [sys.executable, str(ISSUER), "billing-page", PASSWORD, json.dumps(claims)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as issuer:
        assert issuer.stdout is not None
        try:
            address = issuer.stdout.readline().strip()
            settings = web_settings(oidc_issuer=address, oidc_client_id="billing-page", oidc_client_secret=password)
            with browser_at(settings) as browser:
                yield browser
        finally:
            issuer.kill()


def sent_back(browser: httpx.Client, wanted: str = "/accounts/acme") -> httpx.URL:
    """Goes to the provider, and to where it sends the person back."""
    begun = browser.get("/login/oidc", params={"next": wanted})
    assert begun.status_code == 303
    return httpx.URL(httpx.get(begun.headers["Location"]).headers["Location"])


def test_the_provider_says_who_it_is_and_what_they_may() -> None:
    with logging_in(BILLING) as browser:
        finished = browser.get(sent_back(browser))

        assert (finished.status_code, finished.headers["Location"]) == (303, "/accounts/acme")
        assert browser.get("/v1/me").json() == {
            "subject": "alice@acme.example", "role": "billing_admin", "accounts": ["acme"],
        }  # fmt: skip


def test_an_address_that_is_not_verified_is_no_name() -> None:
    with logging_in(BILLING | {"email_verified": False}) as browser:
        browser.get(sent_back(browser))

        assert browser.get("/v1/me").json()["subject"] == "p-1"


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("no role", {"accounts": ["acme"]}),
        ("no accounts", {"role": "viewer"}),
        ("another page's token", BILLING | {"aud": "another"}),
        ("another issuer", BILLING | {"iss": "https://evil.example"}),
        ("an old token", BILLING | {"exp": 1}),
        ("another login's nonce", BILLING | {"nonce": "another"}),
    ],
)
def test_an_answer_that_proves_nothing_logs_nobody_in(name: str, claims: dict[str, Any]) -> None:
    with logging_in(claims) as browser:
        assert browser.get(sent_back(browser)).status_code == 403, name
        assert browser.get("/v1/me").status_code == 401, name


def test_a_login_is_finished_by_the_browser_that_began_it() -> None:
    with logging_in(BILLING) as browser:
        back = sent_back(browser)

        assert browser.get(back.copy_set_param("state", "another")).status_code == 403
        browser.cookies.clear()
        assert browser.get(back).headers["Location"] == "/login?problem=expired"
        assert browser.get("/v1/me").status_code == 401


def test_a_code_is_good_once() -> None:
    with logging_in(BILLING) as browser:
        back = sent_back(browser)
        cookie = {"Cookie": f"botmeter-login={browser.cookies['botmeter-login']}"}
        assert browser.get(back, headers=cookie).headers["Location"] == "/accounts/acme"
        browser.cookies.clear()

        assert browser.get(back, headers=cookie).status_code == 503


def test_a_provider_that_does_not_answer_is_told_as_such() -> None:
    with browser_at(web_settings(oidc_issuer="http://127.0.0.1:9", oidc_client_id="billing-page")) as browser:
        answer = browser.get("/login/oidc")

    assert answer.status_code == 503
    assert "login provider" in answer.json()["detail"]


def test_a_wrong_password_of_the_page_is_no_login() -> None:
    with logging_in(BILLING, password="wrong") as browser:  # noqa: S106 - of a test
        assert browser.get(sent_back(browser)).status_code == 503
