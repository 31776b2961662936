"""Access, by one matrix over every route: no account sees another's, viewers see no money, nobody comes in unasked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from worker.cluster import Cluster
from worker.traffic import command, interaction, opening

from .application import PATIENCE_S, api_beside, bearer

pytestmark = pytest.mark.kafka

#: What fills in the parameters of a path. `mine` is the caller's account, `theirs` another's.
FILLED: Final = {"cycle": "current", "command_id": "open"}
#: What a POST sends, by the end of its path.
BODIES: Final[dict[str, dict[str, Any]]] = {
    "/commands": {"type": "set_thresholds", "percents": [70]},
    "/interactions": interaction("mine", "u-9"),
}
#: Routes that are about no account in particular.
WITHOUT_ACCOUNT: Final = {"/v1/me", "/v1/accounts", "/v1/interactions"}
VIEWER, ADMIN = bearer("viewer", "mine"), bearer("billing_admin", "mine")
OPERATOR = bearer("operator")
MONEY: Final = {"charge", "pack_price", "amount_minor", "currency", "was_charge", "pack_price_minor", "seal"}


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[httpx.Client]:
    """Two accounts with a history: packs, sessions, an alert, handoffs."""
    cluster.worker().restored(cluster.partitions)
    for account in ("mine", "theirs"):
        for told in (opening(account), command("purchase_packs", account, "buy", packs=1)):
            cluster.put(cluster.topics.commands, account, json.dumps(told).encode())
    cluster.flush()
    for account in ("mine", "theirs"):
        for number in range(22):
            cluster.put(cluster.topics.interactions, account, json.dumps(interaction(account, f"u-{number}")).encode())
    cluster.flush()
    with api_beside(cluster) as client:
        deadline = time.monotonic() + PATIENCE_S
        while any(_handoffs(client, account) < 2 for account in ("mine", "theirs")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield client


def _handoffs(client: httpx.Client, account: str) -> int:
    return len(client.get(f"/v1/accounts/{account}/handoffs", headers=OPERATOR).json().get("handoffs", ()))


@pytest.fixture(scope="module")
def routes(api: httpx.Client) -> list[tuple[str, str]]:
    """Every method and path of the API's own document."""
    document = api.get("/v1/openapi.json").json()
    return [(method.upper(), path) for path, operations in document["paths"].items() for method in operations]


def call(api: httpx.Client, method: str, path: str, account: str, headers: dict[str, str]) -> httpx.Response:
    page = api.get(f"/v1/accounts/{account}/sessions", headers=OPERATOR).json()
    filled = path.format(account_id=account, session_id=page["sessions"][0]["session_id"], **FILLED)
    body = next((body for end, body in BODIES.items() if path.endswith(end)), None)
    if path == "/v1/interactions":
        body = interaction(account, "u-9")
    sent = None if method == "GET" else body
    return api.request(method, filled, headers={"Idempotency-Key": f"k-{time.time_ns()}", **headers}, json=sent)


def test_the_document_has_every_route(api: httpx.Client, routes: list[tuple[str, str]]) -> None:
    app = api.get("/v1/openapi.json").json()
    assert len(routes) >= 19
    assert all(operation.get("summary") for each in app["paths"].values() for operation in each.values())


def test_nobody_comes_in_without_a_credential(api: httpx.Client, routes: list[tuple[str, str]]) -> None:
    bad = [{}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic bTpt"}, {"Cookie": "botmeter=x"}]

    statuses = {
        (method, path, call(api, method, path, "mine", headers).status_code)
        for method, path in routes
        for headers in bad
    }

    assert {status for *_, status in statuses} == {401}, statuses


def test_nobody_sees_the_account_of_another(api: httpx.Client, routes: list[tuple[str, str]]) -> None:
    about_one = [(method, path) for method, path in routes if path not in WITHOUT_ACCOUNT]
    assert len(about_one) >= 15

    for headers in (VIEWER, ADMIN):
        for method, path in [*about_one, ("POST", "/v1/interactions")]:
            answer = call(api, method, path, "theirs", headers)
            assert answer.status_code == 404, (method, path, answer.text)
            assert answer.json()["type"] == "not_found"


def test_an_account_that_is_not_there_looks_like_one_of_another(api: httpx.Client) -> None:
    theirs, nobodys = (api.get(f"/v1/accounts/{name}", headers=VIEWER) for name in ("theirs", "nobodys"))

    assert (theirs.status_code, theirs.json()) == (nobodys.status_code, nobodys.json())


def test_the_list_holds_the_callers_accounts_alone(api: httpx.Client) -> None:
    def listed(headers: dict[str, str], **query: str) -> list[str]:
        told = api.get("/v1/accounts", params=query, headers=headers).json()
        return sorted(each["account_id"] for each in told["accounts"])

    assert listed(OPERATOR) == ["mine", "theirs"]
    assert listed(VIEWER) == listed(ADMIN) == ["mine"]
    assert listed(VIEWER, search="theirs") == []
    assert listed(bearer("billing_admin", "mine", "theirs")) == ["mine", "theirs"]


def names(value: Any) -> set[str]:
    """Every name in an answer, however deep."""
    if isinstance(value, dict):
        return set(value) | {name for inner in value.values() for name in names(inner)}
    return {name for inner in value for name in names(inner)} if isinstance(value, list) else set()


def test_viewers_see_everything_but_money(api: httpx.Client, routes: list[tuple[str, str]]) -> None:
    seen: dict[str, set[str]] = {"viewer": set(), "billing_admin": set()}
    for _, path in [(method, path) for method, path in routes if method == "GET"]:
        for role, headers in (("viewer", VIEWER), ("billing_admin", ADMIN)):
            answer = call(api, "GET", path, "mine", headers)
            expected = 403 if role == "viewer" and path.endswith("/charges") else 200
            assert answer.status_code == expected, (path, answer.text)
            seen[role] |= names(answer.json())

    assert seen["viewer"] & MONEY == set()
    assert seen["billing_admin"] & MONEY >= {"charge", "amount_minor", "currency", "seal"}


@pytest.mark.parametrize("format_", ["csv", "ndjson"])
def test_files_hold_no_money_for_viewers_either(api: httpx.Client, format_: str) -> None:
    path = f"/v1/accounts/mine/statements/current?format={format_}"

    assert "charge.amount_minor" in api.get(path, headers=ADMIN).text
    assert "amount_minor" not in api.get(path, headers=VIEWER).text


def test_an_answer_kept_by_a_viewer_is_not_taken_for_that_of_an_admin(api: httpx.Client) -> None:
    path = "/v1/accounts/mine/statements/current"
    tag = api.get(path, headers=VIEWER).headers["ETag"]

    assert api.get(path, headers={**ADMIN, "If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("type_", "fields", "viewer", "admin", "operator"),
    [
        ("set_thresholds", {"percents": [60]}, 403, 200, 200),
        ("set_contacts", {"contacts": ["a@b.example"]}, 403, 200, 200),
        ("set_auto_recharge", {"below": 0, "packs": 0}, 403, 200, 200),
        ("credit_sessions", {"sessions": 1, "reason": "outage"}, 403, 403, 200),
        ("open_account", {"plan": "pro", "billing_cycle": "monthly"}, 403, 403, 409),
    ],
)
def test_who_may_ask_for_what(
    api: httpx.Client, type_: str, fields: dict[str, Any], viewer: int, admin: int, operator: int
) -> None:
    statuses = [
        api.post(
            "/v1/accounts/mine/commands",
            json={"type": type_, **fields},
            headers={**headers, "Idempotency-Key": f"{type_}-{number}"},
        ).status_code
        for number, headers in enumerate((VIEWER, ADMIN, OPERATOR))
    ]

    assert statuses == [viewer, admin, operator]


def test_a_viewer_publishes_no_interactions(api: httpx.Client) -> None:
    assert api.post("/v1/interactions", json=interaction("mine", "u-1"), headers=VIEWER).status_code == 403
    assert api.post("/v1/interactions", json=interaction("mine", "u-1"), headers=ADMIN).status_code == 202


def test_nobody_can_pass_for_somebody_else(api: httpx.Client) -> None:
    headers = {**bearer("billing_admin", "mine", subject="mallory"), "Idempotency-Key": "issuer"}

    told = api.post(
        "/v1/accounts/mine/commands",
        json={"type": "set_thresholds", "percents": [61], "issued_by": "alice"},
        headers=headers,
    )

    assert told.status_code == 422
    assert "issued_by" in told.json()["detail"]
