"""Who is let in, and by what: bearer tokens, the page's cookie, login links."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from botmeter.web.access.own_tokens import OwnTokens

from .application import SECRET, bearer, browser_at, database_alone, web_settings


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Where used links are remembered, by all servers of the tests."""
    with database_alone(f"sqlite:///{tmp_path_factory.mktemp('access') / 'readside.db'}") as lifespan:
        yield lifespan


@pytest.fixture
def browser(database: Any) -> Iterator[httpx.Client]:
    with browser_at(web_settings(), lifespan=database) as client:
        yield client


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    told = {"sub": "tester", "role": "operator", "aud": "botmeter", "exp": int(time.time()) + 60, **claims}
    return jwt.encode({name: value for name, value in told.items() if value is not None}, secret, algorithm)


def status(client: httpx.Client, bearer_token: str) -> int:
    return client.get("/v1/me", headers={"Authorization": f"Bearer {bearer_token}".rstrip()}).status_code


def log_in(browser: httpx.Client, role: str = "billing_admin", accounts: frozenset[str] = frozenset({"acme"})) -> str:
    """Follows a login link; the CSRF token of the cookie."""
    made = OwnTokens(SECRET).login_link_token("alice", role, accounts)  # type: ignore[arg-type]
    answer = browser.get("/login/link", params={"token": made})
    assert answer.status_code == 303
    return OwnTokens(SECRET).access("cookie", browser.cookies["botmeter"]).csrf_token


def test_a_bearer_token_says_who_asks(browser: httpx.Client) -> None:
    answer = browser.get("/v1/me", headers=bearer("viewer", "acme", "initech"))

    assert answer.json() == {"subject": "tester", "role": "viewer", "accounts": ["acme", "initech"]}


def test_without_a_credential_nobody_is_let_in(browser: httpx.Client) -> None:
    answer = browser.get("/v1/me")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "unauthorized"


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("another key", token(secret="x" * 64)),
        ("no signature", jwt.encode({"sub": "x", "role": "operator", "aud": "botmeter", "exp": 2**33}, "", "none")),
        ("another algorithm", token(algorithm="HS512")),
        ("expired", token(exp=1)),
        ("never expires", token(exp=None)),
        ("another audience", token(aud="other")),
        ("no audience", token(aud=None)),
        ("nobody", token(sub=None)),
        ("a name with a control character", token(sub="a\nb")),
        ("no role", token(role=None)),
        ("unknown role", token(role="root")),
        ("no account", token(role="viewer")),
        ("accounts that are no list", token(role="viewer", accounts="acme")),
        ("a login link", OwnTokens(SECRET).login_link_token("x", "operator", frozenset())),
        ("rubbish", "rubbish"),
        ("nothing", ""),
    ],
)
def test_a_token_that_proves_nothing_is_refused(browser: httpx.Client, name: str, bad: str) -> None:
    assert status(browser, bad) == 401, name


def test_a_token_that_was_good_a_moment_ago_still_expires(browser: httpx.Client) -> None:
    brief = token(exp=int(time.time()) - 6)  # the clocks of issuer and server may differ by 10 s
    assert status(browser, brief) == 200

    while status(browser, brief) == 200:
        time.sleep(0.1)


def test_the_issuer_is_checked_where_one_is_set() -> None:
    with browser_at(web_settings(auth_issuer="https://login.example")) as client:
        assert status(client, token(iss="https://login.example")) == 200
        assert status(client, token(iss="https://evil.example")) == 401
        assert status(client, token()) == 401


def test_keys_of_a_provider_are_used_with_their_own_algorithm_alone(tmp_path: Path) -> None:
    rsa_key = rsa.generate_private_key(65537, 2048)
    ec_key = ec.generate_private_key(ec.SECP256R1())
    public_rsa = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key.public_key())), "kid": "r"}
    public_ec = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(ec_key.public_key())), "kid": "e"}
    key_set = tmp_path / "keys.json"
    key_set.write_text(json.dumps({"keys": [public_rsa, public_ec, {"kty": "oct", "k": "A" * 43, "kid": "o"}]}))
    claims = {"sub": "tester", "role": "operator", "aud": "botmeter", "exp": int(time.time()) + 60}

    with browser_at(web_settings(auth_jwks=str(key_set))) as client:
        assert status(client, jwt.encode(claims, rsa_key, "RS256", {"kid": "r"})) == 200
        assert status(client, jwt.encode(claims, ec_key, "ES256", {"kid": "e"})) == 200
        assert status(client, jwt.encode(claims, rsa_key, "RS512", {"kid": "r"})) == 401
        assert status(client, jwt.encode(claims, rsa_key, "RS256", {"kid": "other"})) == 401
        assert status(client, token()) == 401  # the secret signs no bearer tokens beside a key set
        assert status(client, jwt.encode(claims, bytes(32), "HS256", {"kid": "o"})) == 401


def test_a_key_set_that_cannot_be_read_is_no_reason_to_refuse_for_good(tmp_path: Path) -> None:
    with browser_at(web_settings(auth_jwks=str(tmp_path / "none.json"))) as client:
        answer = client.get("/v1/me", headers={"Authorization": f"Bearer {token()}"})

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"


def test_a_login_link_is_good_once_whichever_server_it_comes_to(browser: httpx.Client, database: Any) -> None:
    made = OwnTokens(SECRET).login_link_token("alice", "operator", frozenset())
    with browser_at(web_settings(), lifespan=database) as another:
        assert another.get("/login/link", params={"token": made}).headers["Location"] == "/"
    refused = browser.get("/login/link", params={"token": made})

    assert refused.headers["Location"].startswith("/login?problem=link")
    assert "botmeter" not in browser.cookies


def test_who_follows_a_link_twice_is_in_already(browser: httpx.Client) -> None:
    made = OwnTokens(SECRET).login_link_token("alice", "operator", frozenset())

    for _ in range(2):
        answer = browser.get("/login/link", params={"token": made, "next": "/billing/accounts/acme"})
        assert answer.headers["Location"] == "/billing/accounts/acme"


def test_the_link_of_a_demo_lets_in_every_browser(browser: httpx.Client) -> None:
    made = OwnTokens(SECRET).login_link_token("demo", "operator", frozenset(), uses="often")

    for _ in range(2):
        browser.cookies.clear()
        assert browser.get("/login/link", params={"token": made}).headers["Location"] == "/"


def test_a_login_link_is_exchanged_for_a_cookie_that_scripts_cannot_read(browser: httpx.Client) -> None:
    made = OwnTokens(SECRET).login_link_token("alice", "billing_admin", frozenset({"acme"}))

    answer = browser.get("/login/link", params={"token": made, "next": "/accounts/acme"})

    assert answer.headers["Location"] == "/accounts/acme"
    assert answer.headers["Cache-Control"] == "no-store"
    flags = answer.headers["Set-Cookie"].lower()
    assert "httponly" in flags
    assert "samesite=lax" in flags
    assert browser.get("/v1/me").json() == {"subject": "alice", "role": "billing_admin", "accounts": ["acme"]}


def test_over_tls_the_cookie_is_for_this_host_and_tls_alone(database: Any) -> None:
    made = OwnTokens(SECRET).login_link_token("alice", "operator", frozenset())
    with browser_at(web_settings(http_public_url="https://billing.example"), lifespan=database) as client:
        answer = client.get("/login/link", params={"token": made})

    assert answer.headers["Set-Cookie"].startswith("__Host-botmeter=")
    assert "secure" in answer.headers["Set-Cookie"].lower()
    assert answer.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", "/\r\nX: y"])
def test_a_login_link_leads_nowhere_else(browser: httpx.Client, target: str) -> None:
    made = OwnTokens(SECRET).login_link_token("alice", "operator", frozenset())

    assert browser.get("/login/link", params={"token": made, "next": target}).headers["Location"] == "/"


@pytest.mark.parametrize(
    "bad", ["", "rubbish", token(), OwnTokens("y" * 40).login_link_token("x", "operator", frozenset())]
)
def test_a_link_that_is_not_ours_logs_nobody_in(browser: httpx.Client, bad: str) -> None:
    answer = browser.get("/login/link", params={"token": bad})

    assert answer.headers["Location"].startswith("/login?")
    assert "Set-Cookie" not in answer.headers


def test_what_changes_something_needs_the_pages_own_token(browser: httpx.Client) -> None:
    csrf = log_in(browser)
    good = {"csrf_token": csrf}

    def log_out(data: dict[str, str] | None = None, **headers: str) -> int:
        return browser.post(
            "/logout", data=data, headers={k.replace("_", "-"): v for k, v in headers.items()}
        ).status_code

    assert log_out() == 403
    assert log_out({"csrf_token": "0" * 64}) == 403
    assert log_out(X_CSRF_Token="0" * 64) == 403
    assert log_out(good, Origin="https://evil.example") == 403
    assert log_out(good, Origin="null") == 403
    assert log_out(good, Sec_Fetch_Site="cross-site") == 403
    assert log_out(good, Origin=str(browser.base_url).rstrip("/")) == 303


def test_without_a_configured_address_the_page_is_under_any_name_of_the_machine(browser: httpx.Client) -> None:
    csrf = {"csrf_token": log_in(browser)}
    port = browser.base_url.port

    named = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}

    cookie = {"Cookie": f"botmeter={browser.cookies['botmeter']}"}
    assert browser.post("/logout", data=csrf, headers={**named, **cookie}).status_code == 303


def test_a_configured_address_is_the_only_one(database: Any) -> None:
    made = OwnTokens(SECRET).login_link_token("alice", "operator", frozenset())
    with browser_at(web_settings(http_public_url="http://billing.example"), lifespan=database) as client:
        client.get("/login/link", params={"token": made})
        csrf = {"csrf_token": OwnTokens(SECRET).access("cookie", client.cookies["botmeter"]).csrf_token}

        other = client.post("/logout", data=csrf, headers={"Origin": str(client.base_url).rstrip("/")})
        own = client.post("/logout", data=csrf, headers={"Origin": "http://billing.example"})

    assert (other.status_code, own.status_code) == (403, 303)


def test_logging_out_deletes_the_cookie(browser: httpx.Client) -> None:
    csrf = log_in(browser)

    browser.post("/logout", headers={"X-CSRF-Token": csrf})

    assert "botmeter" not in browser.cookies
    assert browser.get("/v1/me").status_code == 401


def test_a_cookie_is_no_bearer_token_and_a_bearer_token_no_cookie(browser: httpx.Client) -> None:
    log_in(browser)
    cookie = browser.cookies["botmeter"]
    browser.cookies.clear()

    assert status(browser, cookie) == 401
    browser.cookies["botmeter"] = token()
    assert browser.get("/v1/me").status_code == 401


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    with browser_at(web_settings(http_rate_per_s=1)) as client:
        answers = [client.get("/v1/me", headers=bearer("operator", subject="greedy")) for _ in range(5)]
        other = client.get("/v1/me", headers=bearer("operator", subject="modest"))

    refused = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert refused
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert other.status_code == 200


@pytest.mark.parametrize("path", ["/v1/me", "/v1/nothing", "/login/link", "/v1/openapi.json"])
def test_every_answer_carries_the_security_headers(browser: httpx.Client, path: str) -> None:
    headers = browser.get(path).headers

    assert "'unsafe-" not in headers["Content-Security-Policy"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Cache-Control" in headers


def test_a_body_without_end_is_not_read(browser: httpx.Client) -> None:
    answer = browser.post("/logout", content=b"x" * 2_000_000, headers={"Content-Type": "application/json"})

    assert answer.status_code in {401, 413}


def test_the_server_does_not_start_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOTMETER_AUTH_SECRET", raising=False)

    done = subprocess.run(
        [sys.executable, "-c", "import botmeter.cli; botmeter.cli.main()", "web"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "BOTMETER_AUTH_SECRET is not set" in done.stderr


def test_a_short_secret_is_refused_without_being_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import botmeter.cli; botmeter.cli.main()", "web"],
        env={"BOTMETER_AUTH_SECRET": "hunter2"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "BOTMETER_AUTH_SECRET: should have at least 32 characters" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_worker_imports_nothing_of_the_web() -> None:
    script = (
        "import sys, botmeter.cli.worker; "
        "print(*sorted({'fastapi', 'starlette', 'uvicorn', 'jwt', 'jinja2', 'sqlalchemy', 'httpx', 'botmeter.web'}"
        " & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout == "\n"
