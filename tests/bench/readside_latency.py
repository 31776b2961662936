"""From an interaction to the number on the page: how long until the read side shows a session that was just started.

    PYTHONPATH=tests python tests/bench/readside_latency.py

One embedded Kafka, a worker and `botmeter project`, each a process of its own; a session every 0.2 s, and the time from
the broker's acknowledgement of the interaction until the balance in the database has counted it.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from botmeter.embedded import EmbeddedKafka
from botmeter.readside.database import open_database
from botmeter.readside.migrations import migrate
from botmeter.readside.queries import Queries
from worker.cluster import Cluster
from worker.process import WorkerProcess
from worker.traffic import Traffic, interaction

SESSIONS: Final = 150
EVERY_S: Final = 0.2


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, EmbeddedKafka() as broker:
        cluster = Cluster(broker.bootstrap_servers, "latency.", Path(directory))
        url = f"sqlite:///{directory}/readside.db"
        engine = open_database(url)
        migrate(engine)
        queries = Queries(engine, cluster.topics.journal.name)
        told = cluster.environment("readside", BOTMETER_READSIDE_URL=url, BOTMETER_COMPLIMENTARY_SESSIONS="500")
        with (
            WorkerProcess(told | {"BOTMETER_DATA_DIR": f"{directory}/worker"}) as worker,
            WorkerProcess(told, "project"),
        ):
            traffic = Traffic(cluster, seed=1)
            traffic.open_accounts()
            cluster.await_all_taken([worker])
            found = sorted(_measured(cluster, traffic, queries, number) for number in range(SESSIONS))
        cluster.close()
    print(
        f"shown after p50 {median(found):.0f} ms, p95 {found[int(0.95 * SESSIONS)]:.0f} ms, longest {found[-1]:.0f} ms"
    )


def _measured(cluster: Cluster, traffic: Traffic, queries: Queries, number: int) -> float:
    traffic.say(interaction("acme", f"u-{number}"))
    cluster.flush()
    begun_s = time.perf_counter()
    while (shown := queries.summary("acme")) is None or shown.used <= number:
        time.sleep(0.002)
    passed_ms = (time.perf_counter() - begun_s) * 1_000
    while time.perf_counter() < begun_s + EVERY_S:
        time.sleep(0.01)
    return passed_ms


if __name__ == "__main__":
    main()
