"""The routing service and the gate, on a real broker with a real worker."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from gate import Gate
from routing_service import Routing

from botmeter.client import Client, Connection, handoffs, interaction, open_account, purchase_packs
from botmeter.contracts import catalogue
from botmeter.embedded import EmbeddedKafka
from worker.cluster import Cluster

PATIENCE_S = 120.0
#: Complimentary sessions of the tests' price book.
SESSIONS = 10
SAMPLES = Path(__file__).parents[2] / "samples"


def use_up(client: Client) -> None:
    client.send(open_account("acme", plan="growth", issued_by="crm"), PATIENCE_S)
    for number in range(SESSIONS):
        client.publish(interaction("acme", end_user_id=f"u-{number}", conversation_id=f"c-{number}", bot_id="b"))


@pytest.mark.kafka
def test_chats_go_to_agents_in_turn_and_the_bot_goes_on_after_a_purchase(
    cluster: Cluster, connection: Connection
) -> None:
    worker = cluster.worker()
    with Client(connection) as client:
        use_up(client)
        for number in range(3):
            said = interaction("acme", end_user_id=f"new-{number}", conversation_id=f"n-{number}", bot_id="b")
            client.publish(said)
        cluster.await_all_taken([worker])
        client.send(purchase_packs("acme", packs=1, issued_by="crm"), PATIENCE_S)
    routing = Routing(["ann", "ben"])
    lines = []
    with handoffs(connection, group=f"{cluster.group}-routing") as subscription:
        for received in subscription:
            lines.append(routing.take(received.message))
            if received.message.type == "bot_resumed":
                subscription.stop()

    assert lines == [
        "acme: the bot is suspended (sessions_exhausted)",
        "acme: chat n-0 goes to ann (sessions_exhausted)",
        "acme: chat n-1 goes to ben (sessions_exhausted)",
        "acme: chat n-2 goes to ann (sessions_exhausted)",
        "acme: the bot is resumed (packs_purchased)",
    ]
    assert routing.suspended == {}
    routing.resolve("acme", "n-0")
    assert sorted(routing.agent_of) == [("acme", "n-1"), ("acme", "n-2")]


@pytest.mark.kafka
def test_the_gate_lets_the_bot_answer_those_whose_session_is_paid_and_no_others(
    cluster: Cluster, connection: Connection
) -> None:
    cluster.worker()
    with Client(connection) as client:
        client.send(open_account("acme", plan="growth", issued_by="crm"), PATIENCE_S)

    async def ask() -> list[str]:
        async with Gate(connection, "b-1") as gate:
            answers: list[str] = [await gate.ask("acme", f"u-{number}", f"c-{number}") for number in range(SESSIONS)]
            await asyncio.to_thread(
                cluster.await_true,
                lambda: getattr(gate._balances.get("acme"), "status", "") == "exhausted",
                [],
                PATIENCE_S,
                "the account was not exhausted",
            )
            answers += [await gate.ask("acme", "u-1", "c-1")]  # within its 24 hours
            answers += [await gate.ask("acme", "u-new", "c-new") for _ in range(2)]
            return answers

    assert asyncio.run(ask()) == ["bot"] * (SESSIONS + 1) + ["agents"] * 2


@pytest.mark.kafka
def test_the_routing_service_runs_as_its_first_lines_say(tmp_path: Path) -> None:
    example = next(message.example for message in catalogue.HANDOFFS.messages if message.type == "chat_handed_off")
    with EmbeddedKafka(report=print) as broker:
        cluster = Cluster(broker.bootstrap_servers, "botmeter.", tmp_path)
        value = json.dumps(example).encode()
        cluster.put(cluster.topics.handoffs, "acme", value, headers=[("ce_id", b"handoff/acme/444")])
        cluster.flush()
        command = [sys.executable, str(SAMPLES / "routing_service.py"), broker.bootstrap_servers, "ann"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as service:
            assert service.stdout is not None
            said = service.stdout.readline()
            service.send_signal(signal.SIGINT)
            code = service.wait(PATIENCE_S)
        cluster.close()

    assert said == "acme: chat c-9 goes to ann (sessions_exhausted)\n"
    assert code == 0
