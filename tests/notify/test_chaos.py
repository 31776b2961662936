"""Many alerts through a mail server that fails now and then: every alert arrives, and doubles only where marked.

BOTMETER_TEST_ALERTS says how many, BOTMETER_TEST_SEED which ones meet which fault; `make chaos` sends 10,000.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

import pytest

from .installation import Installation
from .mail_server import FAULTS, UNANSWERED, MailServer
from .notices import alert

pytestmark = pytest.mark.kafka

ALERTS: Final = int(os.environ.get("BOTMETER_TEST_ALERTS", "500"))
SEED: Final = int(os.environ.get("BOTMETER_TEST_SEED", str(time.time_ns() % 10**6)))
CHAOS: Final = 0.05
#: An end to hanging: some 20 mails a second on a machine that is busy with other things.
WITHIN_S: Final = 60 + ALERTS / 20


@pytest.mark.timeout(int(2 * WITHIN_S) + 900)
@pytest.mark.chaos
def test_every_alert_arrives_and_doubles_only_where_marked(
    bootstrap_servers: str, topic_prefix: str, tmp_path: Path, figures: Counter[str]
) -> None:
    dice = Random(SEED)
    server = MailServer(lambda _: dice.choice(FAULTS) if dice.random() < CHAOS else None)
    with server, Installation(bootstrap_servers, topic_prefix, tmp_path) as installation:
        installation.alerts(*(alert(f"account-{number}") for number in range(ALERTS)))
        began_s = time.monotonic()
        installation.notifier(server.port)
        found = installation.await_deliveries(
            lambda found: len(found) == ALERTS and not any(each["next_at"] for each in found), WITHIN_S
        )
        took_s = time.monotonic() - began_s

    copies = Counter(taken.id for taken in server.mails)
    states = Counter(each["state"] for each in found)
    marked = {f"<{each['delivery_id']}@botmeter.example>" for each in found if each["state"] == "maybe_twice"}
    print(  # noqa: T201 - the figures; pytest shows them with -s, and when the test fails
        f"\nseed {SEED}: {ALERTS} alerts, {len(server.mails)} mails in {took_s:.1f} s; {dict(states)}; "
        f"{sum(number > 1 for number in copies.values())} came twice or more; faults {dict(server.faults)}"
    )

    figures["alerts sent through a failing mail server"] += ALERTS
    figures["mails that came twice, marked"] += sum(number > 1 for number in copies.values())

    assert set(states) <= {"sent", "maybe_twice"}
    assert len(copies) == ALERTS
    assert {id_ for id_, number in copies.items() if number > 1} <= marked
    assert len(marked) <= sum(server.faults[fault] for fault in UNANSWERED)
