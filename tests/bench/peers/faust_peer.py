"""The heart of botmeter's job as a Faust agent with tables, exactly once, in botmeter's own environment.

Tables are kept in memory, with changelogs. What it leaves out is what the Kafka Streams peer leaves out; a balance is
written for each session.

Arguments: brokers, group, input topic, records a session (not used), topics of session starts and balances, directory.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import faust

DAY_MS = 86_400_000
#: As Kafka Streams has it here.
COMMIT_INTERVAL_S = 0.1
TOTAL = 1_000_000


def main(servers: str, group: str, topic: str, sessions: str, balances: str, directory: str) -> None:
    """Runs until it is told to stop."""
    app = faust.App(
        group,
        broker=f"kafka://{servers}",
        store="memory://",
        datadir=directory,
        processing_guarantee="exactly_once",
        broker_commit_interval=COMMIT_INTERVAL_S,
        consumer_auto_offset_reset="earliest",
        topic_partitions=1,
        topic_disable_leader=True,
        web_enabled=False,
    )
    windows: Any = app.Table("windows", partitions=1)
    used: Any = app.Table("used", default=int, partitions=1)
    started_topic = app.topic(sessions, key_type=str, value_serializer="json")
    balance_topic = app.topic(balances, key_type=str, value_serializer="json")

    @app.agent(app.topic(topic, key_type=str, value_serializer="json"))
    async def meter(interactions: Any) -> None:
        async for account_id, interaction in interactions.items():
            if interaction["actor"] != "end_user" or interaction["bot_id"] is None:
                continue
            key = f"{account_id}:{interaction['preview']}:{interaction['end_user_id']}"
            occurred_at = round(datetime.fromisoformat(interaction["occurred_at"]).timestamp() * 1000)
            started_at = windows.get(key)
            if started_at is not None and abs(occurred_at - started_at) < DAY_MS:
                continue
            windows[key] = occurred_at
            used[account_id] += 1
            await started_topic.send(key=account_id, value=_started(interaction, occurred_at))
            await balance_topic.send(key=account_id, value=_balance(account_id, used[account_id]))

    faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()


def _started(interaction: dict[str, Any], occurred_at: int) -> dict[str, Any]:
    carried = ("account_id", "end_user_id", "conversation_id", "bot_id")
    return {"type": "session_started", **{name: interaction[name] for name in carried}, "started_at_ms": occurred_at}


def _balance(account_id: str, used: int) -> dict[str, Any]:
    return {"type": "balance", "account_id": account_id, "used": used, "remaining": TOTAL - used}


if __name__ == "__main__":
    servers_, group_, topic_, _per_session, sessions_, balances_, directory_ = sys.argv[1:]
    main(servers_, group_, topic_, sessions_, balances_, directory_)
