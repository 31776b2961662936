"""A notifier that is killed at every step of a mail: nothing is lost, and what may be double is marked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from .installation import Installation
from .mail_server import MailServer
from .notices import alert

pytestmark = pytest.mark.kafka

OUTBOX: Final = "botmeter.notify.outbox:Outbox"
SMTP: Final = "smtplib:SMTP"
#: Where it dies; how many mails had arrived by then; what the delivery is in the end.
STEPS: Final = {
    "before what was read is committed": (f"{OUTBOX}.record", "before", 0, "sent"),
    "after what was read is committed": (f"{OUTBOX}.record", "after", 0, "sent"),
    "before the claim": (f"{OUTBOX}.claim", "before", 0, "sent"),
    "after the claim": (f"{OUTBOX}.claim", "after", 0, "sent"),
    "after RCPT": (f"{SMTP}.rcpt", "after", 0, "sent"),
    "before the dot is announced": (f"{OUTBOX}.mark_past_return", "before", 0, "sent"),
    "between the announcement and the dot": (f"{OUTBOX}.mark_past_return", "after", 0, "maybe_twice"),
    "after the 250, before the commit": (f"{OUTBOX}.finish", "before", 1, "maybe_twice"),
    "after the commit": (f"{OUTBOX}.finish", "after", 1, "sent"),
}


@pytest.fixture
def installation(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    with Installation(bootstrap_servers, topic_prefix, tmp_path) as made:
        yield made


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_it_takes_up_where_it_was(installation: Installation, step: str) -> None:
    place, moment, mails_before, end = STEPS[step]
    installation.alerts(alert())
    with MailServer() as server:
        assert installation.doomed(server.port, place, moment).ended() == -9
        assert len(server.mails) == mails_before

        installation.notifier(server.port)
        [delivery] = installation.await_deliveries(lambda found: [each["state"] for each in found] == [end])

        copies = 1 + mails_before if end == "maybe_twice" else 1
        assert len(server.mails) == copies
        assert len({taken.id for taken in server.mails}) == 1
        assert len({taken.content for taken in server.mails}) == 1
        assert delivery["unanswered"] == (end == "maybe_twice")


def test_killed_by_the_server_between_the_dot_and_the_250(installation: Installation) -> None:
    installation.alerts(alert())
    with MailServer() as server:
        victim = installation.notifier(server.port)
        has_died = threading.Event()

        def strike() -> None:
            if not has_died.is_set():
                victim.kill()
                has_died.set()

        server.at_dot = strike
        assert has_died.wait(120)
        installation.notifier(server.port)
        installation.await_deliveries(lambda found: [each["state"] for each in found] == ["maybe_twice"])

        assert 1 <= len(server.mails) <= 2
        assert len({taken.id for taken in server.mails}) == 1
