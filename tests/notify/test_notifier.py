"""`botmeter notify` as people run it, on a real Kafka, with a real mail server and a real endpoint."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from worker.process import PROGRAM, WorkerProcess

from .endpoint import Endpoint
from .installation import Installation
from .mail_server import MailServer, first_attempts
from .notices import alert, exhausted, standing
from .test_webhooks import NEW

pytestmark = pytest.mark.kafka


@pytest.fixture
def installation(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    with Installation(bootstrap_servers, topic_prefix, tmp_path) as made:
        yield made


def botmeter(installation: Installation, *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, **installation.environment()}
    done = subprocess.run(
        [*PROGRAM, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


def page(notifier: WorkerProcess, path: str) -> str:
    port = re.search(r"localhost:(\d+)", notifier.hears("health and metrics at"))
    assert port is not None
    with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}{path}", timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def in_states(*states: str) -> Any:
    return lambda found: Counter(each["state"] for each in found) == Counter(states)


def test_alerts_reach_mailboxes_and_endpoints_and_what_became_of_them_the_topic(
    installation: Installation,
) -> None:
    with MailServer(first_attempts("answer 451")) as server, Endpoint(500) as endpoint:
        both = [{"email": "jo@northwind.example", "locale": "de", "alerts": ["sessions_exhausted"]}, "maya@x.example"]
        installation.alerts(alert(contacts=both), exhausted(contacts=both))
        installation.open_account("northwind", ("jo@northwind.example",))
        installation.publish(installation.topics.handoffs, standing("bot_suspended", "sessions_exhausted"))
        notifier = installation.notifier(server.port, BOTMETER_NOTIFY_WEBHOOKS=f"{endpoint.url} {NEW}")
        found = installation.await_deliveries(in_states(*["sent"] * 6))

        assert Counter(mail.recipient for mail in server.mails) == {"maya@x.example": 2, "jo@northwind.example": 1}
        types = Counter(json.loads(call.body)["type"] for call in endpoint.calls[1:])
        assert types == {"botmeter.threshold_reached": 1, "botmeter.sessions_exhausted": 1, "botmeter.bot_suspended": 1}
        assert all(Webhook(NEW).verify(call.body, call.headers) for call in endpoint.calls)
        assert 'botmeter_notify_deliveries{channel="email",state="sent"} 3.0' in page(notifier, "/metrics")
        assert page(notifier, "/health") == "running\n"
        assert sorted(each["attempts"] for each in found) == [1, 1, 1, 1, 2, 2]

        reports = installation.published(8)
        assert Counter(report.state for report in reports) == {"sent": 6, "retrying": 2}
        assert {report.recipient for report in reports} <= {
            "m***@x.example",
            "j***@northwind.example",
            "http://127.0.0.1/***",
        }
        notifier.leaves()


def test_read_again_from_the_beginning_nothing_is_sent_again(installation: Installation) -> None:
    installation.alerts(*(alert(version=version) for version in range(5)))
    with MailServer() as server:
        first = installation.notifier(server.port)
        installation.await_deliveries(in_states(*["sent"] * 5))
        first.leaves()
        forget_offsets(installation)
        installation.alerts(alert(version=5))
        installation.notifier(server.port)
        installation.await_deliveries(in_states(*["sent"] * 6))

        assert Counter(mail.message["Message-ID"] for mail in server.mails).most_common(1)[0][1] == 1
        assert len(server.mails) == 6


def forget_offsets(installation: Installation) -> None:
    """As if the topic were replayed: the notifier reads it from its beginning."""
    with sqlite3.connect(installation.environment()["BOTMETER_DATA_DIR"] + "/notify.db") as database:
        database.execute("UPDATE notify_offsets SET next_offset = 0")
    database.close()


def test_what_could_not_be_delivered_is_listed_and_sent_again(installation: Installation) -> None:
    with MailServer(first_attempts("rcpt 550")) as server:
        notifier = installation.notifier(server.port)
        installation.alerts(alert())
        [failed] = installation.await_deliveries(in_states("failed"))

        code, listed = botmeter(installation, "notify", "list", "--state", "failed")
        assert code == 0
        assert failed["delivery_id"] in listed
        assert "550 no such user" in listed
        assert botmeter(installation, "notify", "list", "--account", "nobody")[1] == "no deliveries\n"
        assert botmeter(installation, "notify", "resend", "--state", "failed") == (0, "1 queued\n")
        installation.await_deliveries(in_states("sent"))
        assert len(server.mails) == 1
        assert botmeter(installation, "notify", "resend", "--state", "failed") == (1, "0 queued\n")
        notifier.leaves()


def test_two_notifiers_never_send_one_mail_twice(
    bootstrap_servers: str, topic_prefix: str, tmp_path: Path, database_url: str
) -> None:
    with MailServer() as server, Installation(bootstrap_servers, topic_prefix, tmp_path, database_url) as installation:
        for _ in range(2):
            installation.notifier(server.port).hears("notifier runs")
        installation.alerts(*(alert(f"account-{number}") for number in range(200)))
        installation.await_deliveries(in_states(*["sent"] * 200))

        assert len({mail.id for mail in server.mails}) == len(server.mails) == 200


def test_a_record_that_is_no_message_is_kept_apart_and_holds_nothing_up(installation: Installation) -> None:
    with MailServer() as server:
        broken = alert(version=1)
        del broken["used"]
        installation.alerts(broken, alert(version=2))
        notifier = installation.notifier(server.port)
        installation.await_deliveries(in_states("sent"))

        notifier.hears("is no message of the contract: an alert without used")
        assert "botmeter_notify_unreadable_records 1.0" in page(notifier, "/metrics")


def test_a_mail_server_that_is_away_is_waited_for(installation: Installation) -> None:
    with MailServer() as gone:
        port = gone.port
    installation.alerts(alert())
    notifier = installation.notifier(port)
    installation.await_deliveries(in_states("retrying"))
    notifier.hears("cannot reach the mail server")
    with MailServer(port=port):
        installation.await_deliveries(in_states("sent"))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"BOTMETER_NOTIFY_SMTP_HOST": ""}, "no channel is configured"),
        ({"BOTMETER_NOTIFY_DATABASE_URL": "mysql://x"}, "BOTMETER_NOTIFY_DATABASE_URL"),
        ({"BOTMETER_NOTIFY_WEBHOOKS": "https://x.example"}, "BOTMETER_NOTIFY_WEBHOOKS: should be URLs with"),
        ({"BOTMETER_NOTIFY_MAIL_FROM": "nobody"}, "BOTMETER_NOTIFY_MAIL_FROM: should be an e-mail address"),
    ],
)
def test_a_wrong_setting_is_one_line(installation: Installation, variables: dict[str, str], said: str) -> None:
    notifier = installation.notifier(1, **variables)

    assert notifier.ended() == 2
    assert said in notifier.said
    assert len(notifier.lines) == 1
