"""The API on a real Kafka with a real worker: what is sent takes effect, what is asked is answered from the journal."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from botmeter.contracts.topics import partition_of
from worker.cluster import Cluster
from worker.traffic import interaction

from .application import PATIENCE_S, api_beside, bearer, read_side_of

pytestmark = pytest.mark.kafka

OPERATOR = bearer("operator", subject="olga")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def api(kafka: Any, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Beside a cluster and a database of each kind."""
    directory = tmp_path_factory.mktemp(request.param)
    cluster = Cluster(kafka.bootstrap_servers, f"web-api-{request.param}.", directory)
    postgresql = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    try:
        cluster.worker().restored(cluster.partitions)
        with (
            read_side_of(cluster, postgresql) as read_side,
            api_beside(cluster, http_after_wait_ms=60_000, http_command_wait_ms=60_000, **read_side) as client,
        ):
            yield client
    finally:
        cluster.close()


def ask(
    api: httpx.Client, account: str, key: str, type_: str, headers: dict[str, str] = OPERATOR, **fields: Any
) -> httpx.Response:
    return api.post(
        f"/v1/accounts/{account}/commands",
        json={"type": type_, **fields},
        headers={**headers, "Idempotency-Key": key},
    )


def opened(api: httpx.Client, account: str, plan: str = "growth") -> str:
    answer = ask(api, account, "open", "open_account", plan=plan, billing_cycle="monthly")
    assert answer.status_code == 200, answer.text
    return account


def say(api: httpx.Client, account: str, end_user: str, **changed: Any) -> dict[str, Any]:
    answer = api.post(
        "/v1/interactions?decision=true", json=interaction(account, end_user, **changed), headers=OPERATOR
    )
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def shown(api: httpx.Client, path: str, is_there: Any, headers: dict[str, str] = OPERATOR) -> Any:
    """What the read side answers once it has read so far."""
    deadline = time.monotonic() + PATIENCE_S
    while not ((answer := api.get(path, headers=headers)).status_code == 200 and is_there(answer.json())):
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
    return answer.json()


def test_an_account_is_opened_used_up_and_bought_for(api: httpx.Client) -> None:
    account = opened(api, "story")
    for number in range(10):
        told = say(api, account, f"u-{number}")["decision"]
        assert told["outcome"] == "started"
        assert told["entitlement"]["answer"] == "bot"
        assert told["entitlement"]["session"]["session_id"] == told["session_id"]
    assert say(api, account, "u-3")["decision"]["outcome"] == "covered"
    refused = say(api, account, "u-77")["decision"]
    assert refused["outcome"] == "handed_off"
    assert refused["entitlement"]["reason"] == "sessions_exhausted"
    assert say(api, account, "u-78", widget="self_service")["decision"]["outcome"] == "refused"
    assert say(api, account, "u-79", actor="bot")["decision"]["outcome"] == "ignored"

    bought = ask(api, account, "buy-1", "purchase_packs", bearer("billing_admin", account, subject="bea"), packs=1)

    assert bought.json()["type"] == "accepted"
    assert say(api, account, "u-77")["decision"]["outcome"] == "started"
    balance = shown(api, f"/v1/accounts/{account}/balance", lambda told: told["used"] == 1)
    assert (balance["state"], balance["total"], balance["remaining"], balance["packs"]) == ("active", 20, 19, 1)
    command = shown(api, f"/v1/accounts/{account}/commands/buy-1", lambda _: True)
    assert (command["issued_by"], command["result"]) == ("bea", "accepted")  # who asked stands in the journal
    [charge] = api.get(f"/v1/accounts/{account}/charges", headers=OPERATOR).json()
    assert charge["charge"] == {"amount_minor": 10_000, "currency": "USD"}
    assert charge["issued_by"] == "bea"
    alerts = api.get(f"/v1/accounts/{account}/alerts", headers=OPERATOR).json()["entries"]
    assert [each["type"] for each in alerts] == ["sessions_exhausted", "threshold_reached"]
    handoffs = api.get(f"/v1/accounts/{account}/handoffs", headers=OPERATOR).json()["handoffs"]
    assert [each["conversation_id"] for each in handoffs] == ["c-u-77"]
    [suspension] = api.get(f"/v1/accounts/{account}/suspensions", headers=OPERATOR).json()
    assert suspension["resumed_by"] == "packs_purchased"
    statement = api.get(f"/v1/accounts/{account}/statements/current", headers=OPERATOR).json()
    assert statement["remaining"] == 19
    assert statement["charge"] == {"amount_minor": 10_000, "currency": "USD"}


def test_a_session_is_explained_down_to_the_record_it_came_from(api: httpx.Client) -> None:
    account = opened(api, "why")
    told = say(api, account, "u-1")
    session_id = told["decision"]["session_id"]

    why = shown(api, f"/v1/accounts/{account}/sessions/{session_id}", lambda _: True)

    cause = why["session"]["cause"]
    assert f"{cause['topic']}/{cause['partition']}/{cause['offset']}" == told["after"]
    assert cause["partition"] == partition_of(account.encode(), 2)
    assert (why["used_before"], why["used_after"], why["remaining_after"]) == (0, 1, 9)
    assert api.get(f"/v1/accounts/story/sessions/{session_id}", headers=OPERATOR).status_code == 404


def test_the_same_key_again_changes_nothing_and_gets_the_same_answer(api: httpx.Client) -> None:  # C1
    account = opened(api, "twice")

    first, second = (ask(api, account, "buy", "purchase_packs", packs=1) for _ in range(2))

    assert first.json() == second.json()
    shown(api, f"/v1/accounts/{account}/commands/buy", lambda _: True)
    assert len(api.get(f"/v1/accounts/{account}/charges", headers=OPERATOR).json()) == 1


@pytest.mark.parametrize(
    ("type_", "fields", "status", "reason"),
    [
        ("reduce_packs", {"packs": 5}, 409, "reduces_below_zero"),
        ("cancel_reduction", {}, 409, "no_pending_reduction"),
        ("open_account", {"plan": "pro", "billing_cycle": "monthly"}, 409, "account_exists"),
        ("purchase_packs", {"packs": 0}, 422, "invalid"),
        ("purchase_packs", {"packs": "1"}, 422, "invalid"),
        ("purchase_packs", {"packs": 1, "price": 0}, 422, "invalid"),
        ("paint_it_black", {}, 422, "invalid"),
    ],
)
def test_a_refusal_is_a_problem_with_a_stable_reason(
    api: httpx.Client, type_: str, fields: dict[str, Any], status: int, reason: str
) -> None:
    account = "refusals"
    ask(api, account, "open", "open_account", plan="growth", billing_cycle="monthly")

    answer = ask(api, account, f"key-{type_}", type_, **fields)

    assert (answer.status_code, answer.json()["type"]) == (status, reason)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_command_to_nobody_is_not_found(api: httpx.Client) -> None:
    assert ask(api, "nobody", "k", "close_account").status_code == 404


def test_a_command_without_a_key_is_not_sent(api: httpx.Client) -> None:
    answer = api.post("/v1/accounts/story/commands", json={"type": "close_account"}, headers=OPERATOR)

    assert answer.status_code == 422
    assert "idempotency-key" in answer.json()["detail"].lower()


def test_all_sessions_come_as_csv_and_ndjson_and_in_pages(api: httpx.Client) -> None:
    account = opened(api, "export")
    for number in range(7):
        say(api, account, f"u-{number}", bot_id="=HYPERLINK(1)" if number == 0 else "b-1")
    path = f"/v1/accounts/{account}/sessions"
    shown(api, path, lambda told: len(told["sessions"]) == 7)

    table = api.get(path, headers={**OPERATOR, "Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(table.text)))
    lines = [json.loads(line) for line in api.get(f"{path}?format=ndjson", headers=OPERATOR).text.splitlines()]
    pages, cursor = [], None
    while True:
        page = api.get(path, params={"limit": 3, **({"cursor": cursor} if cursor else {})}, headers=OPERATOR).json()
        pages.append([each["end_user_id"] for each in page["sessions"]])
        if (cursor := page["next_cursor"]) is None:
            break

    assert table.headers["Content-Type"].startswith("text/csv")
    assert 'filename="sessions-export.csv"' in table.headers["Content-Disposition"]
    assert (
        [row["end_user_id"] for row in rows] == [line["end_user_id"] for line in lines] == [f"u-{n}" for n in range(7)]
    )
    assert rows[0]["bot_id"] == "'=HYPERLINK(1)"  # no formula in anybody's spreadsheet
    assert rows[3]["cause.offset"] == str(lines[3]["cause.offset"])
    assert pages == [["u-6", "u-5", "u-4"], ["u-3", "u-2", "u-1"], ["u-0"]]
    filtered = api.get(path, params={"end_user_id": "u-4"}, headers=OPERATOR).json()
    assert [each["end_user_id"] for each in filtered["sessions"]] == ["u-4"]
    assert api.get(path, params={"cursor": "rubbish"}, headers=OPERATOR).status_code == 422


def test_usage_is_told_by_hour_and_day(api: httpx.Client) -> None:
    account = opened(api, "usage")
    say(api, account, "u-1")
    say(api, account, "u-2", preview=True)
    path = f"/v1/accounts/{account}/usage"

    days = shown(api, f"{path}?by=mode", lambda told: told["total"] == 2)
    hours = api.get(f"{path}?bucket=hour", headers=OPERATOR).json()

    assert sum(each["sessions"] for each in days["buckets"]) == sum(each["sessions"] for each in hours["buckets"]) == 2
    assert days["keys"]
    assert api.get(f"{path}?since=2020-01-01T00:00:00Z", headers=OPERATOR).status_code == 422
    assert api.get(f"{path}?format=csv", headers=OPERATOR).text.startswith("starts_at,")
    assert api.get(f"/v1/accounts/{account}/burn-down", headers=OPERATOR).json()["is_current"]


def asked_twice(api: httpx.Client, path: str) -> tuple[httpx.Response, httpx.Response]:
    """The answer, and what comes of asking for it again."""
    answer = api.get(path, headers=OPERATOR)
    return answer, api.get(path, headers={**OPERATOR, "If-None-Match": answer.headers["ETag"]})


def test_what_is_known_already_is_not_sent_again(api: httpx.Client) -> None:
    account = opened(api, "etag")
    path = f"/v1/accounts/{account}/balance"
    shown(api, path, lambda _: True)
    answer, again = asked_twice(api, path)
    while answer.headers["ETag"] != again.headers["ETag"]:  # what opened the account is still being read to its end
        answer, again = asked_twice(api, path)
    say(api, account, "u-1")
    shown(api, path, lambda told: told["used"] == 1)
    after = api.get(path, headers={**OPERATOR, "If-None-Match": answer.headers["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert (after.status_code, after.json()["used"]) == (200, 1)
    assert after.headers["ETag"] != answer.headers["ETag"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "end_user_id=u-1",
        "end_user_id=u-2&preview=true",
        "preview=false",
        "end_user_id=",
        "preview=x",
        "end_user_id=%FF",
    ],
)
def test_the_fast_lane_and_the_route_give_the_same_answer(api: httpx.Client, query: str) -> None:
    account = "lanes"
    ask(api, account, "open", "open_account", plan="growth", billing_cycle="monthly")
    say(api, account, "u-1")
    path = f"/v1/accounts/{account}/entitlement?{query}"

    fast = api.get(path, headers=OPERATOR)
    slow = api.get(f"{path}&widget=conversations", headers=OPERATOR)  # a parameter the fast lane leaves to the route

    assert fast.status_code == slow.status_code
    assert {**fast.json(), "as_of": None} == {**slow.json(), "as_of": None}
    assert {name: fast.headers[name] for name in slow.headers if name not in {"date", "content-length"}} == {
        name: text for name, text in slow.headers.items() if name not in {"date", "content-length"}
    }


def test_entitlement_waits_for_what_was_just_published(api: httpx.Client) -> None:
    account = opened(api, "after")
    place = api.post("/v1/interactions", json=interaction(account, "u-1"), headers=OPERATOR)
    assert place.status_code == 202

    path = f"/v1/accounts/{account}/entitlement"
    answer = api.get(path, params={"end_user_id": "u-1", "after": place.json()["after"]}, headers=OPERATOR).json()

    assert (answer["answer"], answer["reason"]) == ("bot", "session_open")
    assert answer["as_of"]["offset"] > 0
    topic, partition, offset = place.json()["after"].split("/")
    wrong = (f"{topic}/{1 - int(partition)}/{offset}", f"elsewhere/{partition}/{offset}", "rubbish")
    assert [api.get(path, params={"after": text}, headers=OPERATOR).status_code for text in wrong] == [422, 422, 422]


def test_ids_may_be_anything_the_contract_allows(api: httpx.Client) -> None:
    account = "a/b c?d#%2F&\u00fc\u2603"
    encoded = "a%2Fb%20c%3Fd%23%252F%26%C3%BC%E2%98%83"
    assert ask(api, encoded, "key/1?", "open_account", plan="growth", billing_cycle="monthly").status_code == 200
    told = say(api, account, "u/1 \u00e9")

    session_id = told["decision"]["session_id"]
    shown(api, f"/v1/accounts/{encoded}/sessions/{session_id}", lambda why: why["session"]["account_id"] == account)
    assert shown(api, f"/v1/accounts/{encoded}/commands/key%2F1%3F", lambda _: True)["command_id"] == "key/1?"
    assert api.get(f"/v1/accounts/{encoded}", headers=OPERATOR).json()["summary"]["account_id"] == account
    assert (
        api.get(f"/v1/accounts/{encoded}/sessions?format=csv", headers=OPERATOR)
        .headers["Content-Disposition"]
        .isascii()
    )
