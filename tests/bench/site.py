"""A broker, a worker and a server of their own, with accounts whose sessions are open."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from botmeter.embedded import EmbeddedKafka
from worker.cluster import Cluster
from worker.process import WorkerProcess
from worker.traffic import interaction, opening

SECRET = "a secret of the bench, which guards nothing at all"  # noqa: S105 - so it says
PARTITIONS = 4
_RULES = {"BOTMETER_COMPLIMENTARY_SESSIONS": "100000000"}


@dataclass(frozen=True)
class Site:
    """Where the server is, and the cluster beside it."""

    cluster: Cluster
    host: str
    port: int


@contextmanager
def site(accounts: Sequence[str], end_users: int, **variables: str) -> Iterator[Site]:
    """Each account has a session of each of so many end-users, `u-0` and so on; `variables` are the server's."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedKafka(report=print) as broker:
        cluster = Cluster(broker.bootstrap_servers, "bench.", Path(directory), PARTITIONS)
        try:
            _fill(cluster, accounts, end_users)
            told = {"BOTMETER_AUTH_SECRET": SECRET, "BOTMETER_HTTP_PORT": "0", **_RULES, **variables}
            with WorkerProcess(cluster.environment("web", **told), "web") as web:
                address = urlsplit(web.hears("listening at").split()[-1])
                web.hears("entitlement is ready")
                print(f"{len(accounts)} accounts, {len(accounts) * end_users} sessions, {PARTITIONS} partitions")
                yield Site(cluster, str(address.hostname), int(address.port or 0))
        finally:
            cluster.close()


def _fill(cluster: Cluster, accounts: Sequence[str], end_users: int) -> None:
    worker = cluster.worker(**_RULES).restored(PARTITIONS)
    for account in accounts:
        cluster.put(cluster.topics.commands, account, json.dumps(opening(account)).encode())
    cluster.flush()
    for account in accounts:
        for number in range(end_users):
            value = json.dumps(interaction(account, f"u-{number}")).encode()
            cluster.put(cluster.topics.interactions, account, value)
    cluster.flush()
    cluster.await_all_taken([worker])
