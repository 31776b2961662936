"""What topics tell is data: whatever stands in an id, a reason or a contact changes no query, header or table."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest

from worker.cluster import Cluster
from worker.traffic import command, interaction, opening

from .application import PATIENCE_S, api_beside, bearer

pytestmark = pytest.mark.kafka

OPERATOR = bearer("operator")
NASTY: Final = [
    "'; DROP TABLE accounts_a; --",
    '" OR 1=1 --',
    "%' OR account_id LIKE '%",
    "_%",
    "x\\'; SELECT pg_sleep(9)--",
    "${jndi:ldap://x}{{7*7}}",
    "=cmd|' /C calc'!B7",
    "<script>alert(1)</script>",
    "Set-Cookie: a=b; filename=x.exe",
    "\u202e\ufeff\U0001f600",
]


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[httpx.Client]:
    cluster.worker().restored(cluster.partitions)
    for account in ("bystander", *NASTY):
        told = [
            opening(account, contacts=["a@b.example"]) | {"command_id": account},
            command("credit_sessions", account, f"credit {account}", sessions=5, reason=account, issued_by=account),
        ]
        for fields in told:
            cluster.put(cluster.topics.commands, account, json.dumps(fields).encode())
    cluster.flush()
    for account in NASTY:
        fields = dict.fromkeys(("event_id", "conversation_id", "bot_id"), account)
        cluster.put(cluster.topics.interactions, account, json.dumps(interaction(account, account, **fields)).encode())
    cluster.flush()
    with api_beside(cluster) as client:
        deadline = time.monotonic() + PATIENCE_S
        while sum(_sessions(client, account) for account in NASTY) < len(NASTY):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield client


def _path(account: str, rest: str = "") -> str:
    return f"/v1/accounts/{quote(account, safe='')}{rest}"


def _get(api: httpx.Client, path: str, **query: str) -> Any:
    answer = api.get(path, params=query, headers=OPERATOR)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _sessions(api: httpx.Client, account: str) -> int:
    answer = api.get(_path(account, "/sessions"), headers=OPERATOR)
    return len(answer.json()["sessions"]) if answer.status_code == 200 else 0


@pytest.mark.parametrize("account", NASTY)
def test_an_id_is_found_as_it_is_and_finds_nothing_else(api: httpx.Client, account: str) -> None:
    sessions = _path(account, "/sessions")

    assert [each["account_id"] for each in _get(api, "/v1/accounts", search=account)["accounts"]] == [account]
    [found] = _get(api, sessions, end_user_id=account, bot_id=account)["sessions"]
    assert (found["conversation_id"], found["cause"]["id"]) == (account, account)
    assert _get(api, sessions, end_user_id="' OR '1'='1")["sessions"] == []
    assert _get(api, _path(account, f"/commands/{quote(account, safe='')}"))["command"] == "open_account"
    assert _get(api, _path(account, f"/commands/{quote(f'credit {account}', safe='')}"))["issued_by"] == account
    assert _get(api, _path(account, "/entitlement"), end_user_id=account)["reason"] == "session_open"
    assert len(_get(api, "/v1/accounts", limit="500")["accounts"]) == len(NASTY) + 1


@pytest.mark.parametrize("account", NASTY)
def test_a_file_has_a_plain_name_and_plain_cells(api: httpx.Client, account: str) -> None:
    answer = api.get(_path(account, "/sessions"), params={"format": "csv"}, headers=OPERATOR)

    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="sessions-')
    assert disposition.count('"') == 2
    assert not set(disposition) & set("\r\n;=") - set(";=")
    assert "Set-Cookie" not in answer.headers
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert row["end_user_id"].lstrip("'") == account.lstrip("'")
    assert not row["end_user_id"].startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("bad", ["a\r\nSet-Cookie: x=y", "a\x00b", "a\nb", "\x7f"])
def test_control_characters_come_in_nowhere(api: httpx.Client, bad: str) -> None:
    body = interaction("bystander", bad)

    assert api.post("/v1/interactions", json=body, headers=OPERATOR).status_code == 422
    answer = api.get(_path(bad), headers=OPERATOR)
    assert answer.status_code == 404
    assert "Set-Cookie" not in answer.headers
    link = api.get("/login/link", params={"token": bad, "next": bad})
    assert "Set-Cookie" not in link.headers
    assert "\n" not in link.headers["Location"]
