"""The heart of botmeter's job on Quix Streams, exactly once. Runs in an environment of its own (`quix.txt`).

State is kept per account in RocksDB with a changelog. What it leaves out is what the Kafka Streams peer leaves out; a
balance is written for each session, since a commit cannot be hooked into.

Arguments: brokers, group, input topic, records a session (not used), topics of session starts and balances, directory.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

from quixstreams import Application, State

DAY_MS = 86_400_000
#: As Kafka Streams has it here.
COMMIT_INTERVAL_S = 0.1
TOTAL = 1_000_000


def main(servers: str, group: str, topic: str, sessions: str, balances: str, directory: str) -> None:
    """Runs until it is told to stop."""
    application = Application(
        servers,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=COMMIT_INTERVAL_S,
        state_dir=directory,
        auto_create_topics=True,
        loglevel="WARNING",
        producer_extra_config={"compression.type": "lz4"},
    )
    stream = application.dataframe(application.topic(topic))
    started = stream.filter(is_metered).apply(start_session, stateful=True).filter(lambda event: event is not None)
    started.to_topic(application.topic(sessions))
    started.apply(count, stateful=True).to_topic(application.topic(balances))
    application.run()


def is_metered(interaction: dict[str, Any]) -> bool:
    """Whether it opens or joins a session."""
    return interaction["actor"] == "end_user" and interaction["bot_id"] is not None


def start_session(interaction: dict[str, Any], state: State) -> dict[str, Any] | None:
    """The start of a session, None where a known one covers the interaction."""
    key = f"{interaction['preview']}:{interaction['end_user_id']}"
    occurred_at = round(datetime.fromisoformat(interaction["occurred_at"]).timestamp() * 1000)
    started_at = state.get(key)
    if started_at is not None and abs(occurred_at - started_at) < DAY_MS:
        return None
    state.set(key, occurred_at)
    return {
        "type": "session_started",
        "account_id": interaction["account_id"],
        "end_user_id": interaction["end_user_id"],
        "conversation_id": interaction["conversation_id"],
        "bot_id": interaction["bot_id"],
        "started_at_ms": occurred_at,
    }


def count(event: dict[str, Any], state: State) -> dict[str, Any]:
    """The account's new balance."""
    used = state.get("used", 0) + 1
    state.set("used", used)
    return {"type": "balance", "account_id": event["account_id"], "used": used, "remaining": TOTAL - used}


if __name__ == "__main__":
    servers_, group_, topic_, _per_session, sessions_, balances_, directory_ = sys.argv[1:]
    main(servers_, group_, topic_, sessions_, balances_, directory_)
