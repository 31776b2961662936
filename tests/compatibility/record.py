"""Makes the test data of one version: what its real worker writes for some traffic, on a real Kafka.

    git archive VERSION src | tar -x -C DIR
    PYTHONPATH=tests python -m compatibility.record NAME DIR/src

Everything is on one partition. Kept in `written/NAME/`: the inputs and the records of journal, snapshots and balances,
one a line, and the worker's local store as it was after a clean stop.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from confluent_kafka import Message

from botmeter.embedded import EmbeddedKafka
from worker.cluster import Cluster
from worker.traffic import Traffic

WRITTEN: Final = Path(__file__).with_name("written")
KEPT: Final = ("interactions", "commands", "journal", "snapshots", "balances")


def record(name: str, source: str) -> None:
    """Runs the worker in `source` and keeps what it wrote."""
    into = WRITTEN / name
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, EmbeddedKafka() as kafka:
        cluster = Cluster(kafka.bootstrap_servers, "botmeter.", Path(directory), partitions=1)
        traffic = Traffic(cluster, seed=41)
        traffic.open_accounts()
        worker = cluster.worker(PYTHONPATH=source).restored(1)
        traffic.run(interactions=150, commands=8)
        cluster.flush()
        cluster.await_all_taken([worker])
        worker.leaves()
        for topic in KEPT:
            records = cluster.read(getattr(cluster.topics, topic))
            lines = [line(message) for messages in records.values() for message in messages]
            (into / f"{topic}.ndjson").write_text("".join(lines), encoding="utf-8")
        with tarfile.open(into / "store.tar.xz", "w:xz") as archive:
            for file in sorted((cluster.data_dir() / "partition-0").iterdir()):
                if not file.name.startswith("LOG"):
                    archive.add(file, file.name)
        cluster.close()


def line(message: Message) -> str:
    """A record, with its value as text."""
    value = message.value()
    fields = {
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "key": (message.key() or b"").decode(),
        "value": None if value is None else value.decode("utf-8", "surrogateescape"),
    }
    return json.dumps(fields) + "\n"


if __name__ == "__main__":
    record(*sys.argv[1:])
