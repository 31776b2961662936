"""The steps of docs/backup.md, done: a journal in a file becomes another cluster, and a worker goes on there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from botmeter.contracts import catalogue
from botmeter.domain.announcements import Balance
from botmeter.embedded import EmbeddedKafka
from worker.cluster import Cluster
from worker.process import PATIENCE_S
from worker.traffic import Traffic

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text(encoding="utf-8")
PREFIX = "botmeter."


def script(name: str) -> str:
    """A script of the page, by the name in its first line."""
    blocks = re.findall(r"^( *)```python\n(.*?)^ *```", PAGE, re.MULTILINE | re.DOTALL)
    [found] = [(indent, text) for indent, text in blocks if text.lstrip().startswith(f"# {name}")]
    indent, text = found
    return "\n".join(line.removeprefix(indent) for line in text.splitlines())


def run(name: str, cluster: Cluster, *arguments: str) -> str:
    """Runs it where this cluster is, with the names that it has."""
    text = script(name).replace("localhost:9092", cluster.bootstrap_servers).replace('"botmeter"', f'"{cluster.group}"')
    for topic in (cluster.topics.interactions.name, cluster.topics.commands.name):
        text = text.replace(f'"{topic.removeprefix(PREFIX)}"', f'"{topic}"')
    done = subprocess.run(
        [sys.executable, "-c", text, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def balances(cluster: Cluster) -> dict[str, Balance]:
    found = [message for records in cluster.read(cluster.topics.balances).values() for message in records]
    return {balance.account_id: balance for balance in (catalogue.BALANCES.decode(each.value()) for each in found)}


def test_the_journal_in_a_file_becomes_another_cluster(tmp_path: Path) -> None:
    file = str(tmp_path / "journal.ndjson")
    with EmbeddedKafka() as kafka:
        old = Cluster(kafka.bootstrap_servers, PREFIX, tmp_path / "old")
        traffic = Traffic(old, seed=51)
        traffic.open_accounts()
        worker = old.worker().restored(old.partitions)
        for _ in range(2):  # the second backup goes on where the first ended
            traffic.run(interactions=150, commands=6)
            old.flush()
            old.await_all_taken([worker])
            run("backup.py", old, file)
        worker.leaves()
        before = balances(old)
        written = sum(map(len, old.read(old.topics.journal).values()))
        old.close()
    assert len(Path(file).read_text(encoding="utf-8").splitlines()) == written
    with EmbeddedKafka() as kafka:
        new = Cluster(kafka.bootstrap_servers, PREFIX, tmp_path / "new")
        assert run("restore.py", new, file) == f"{written} events\n"
        run("begin.py", new)
        worker = new.worker().restored(new.partitions)
        traffic = Traffic(new, seed=52)
        traffic.run(interactions=200, commands=6)
        new.flush()
        new.await_all_taken([worker])
        worker.leaves()
        after = balances(new)
        new.close()
    assert len(before) == 6
    assert all(
        after[account_id].version >= balance.version for account_id, balance in before.items() if account_id in after
    )
    assert len(after) > 3
