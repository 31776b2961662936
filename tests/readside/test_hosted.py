"""The projection beside a server: begun anew when it dies, ended with whoever wanted it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from botmeter.cli.project import source_of
from botmeter.readside.hosted import read_side
from botmeter.readside.hosted_process import ProjectionJob
from botmeter.readside.queries import Queries
from web.application import settings_of
from worker.cluster import Cluster
from worker.process import PATIENCE_S, WorkerProcess
from worker.traffic import opening

pytestmark = pytest.mark.kafka

PROGRAM = "botmeter.readside.hosted_process"
ACCOUNTS = ("acme", "globex")


@pytest.fixture
def cluster(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()


def _projections(of: psutil.Process) -> list[psutil.Process]:
    """Those that run; one that has ended may still be listed for a moment."""
    found = []
    for child in of.children():
        with suppress(psutil.NoSuchProcess):  # a zombie is one too
            if PROGRAM in child.cmdline():
                found.append(child)
    return found


def _is_shown(queries: Queries, account_id: str) -> bool:
    return queries.summary(account_id) is not None


def _is_another(old: psutil.Process) -> bool:
    return [each.pid for each in _projections(psutil.Process())] not in ([], [old.pid])


@pytest.mark.chaos
def test_killed_it_is_begun_anew_and_it_ends_with_the_block(cluster: Cluster) -> None:
    settings, worker = settings_of(cluster), cluster.worker()
    job = ProjectionJob(settings.readside_database(), source_of(settings), 1_000, 400, "INFO", "text")
    with read_side(job) as found:
        for account in ACCOUNTS:
            [projection] = _projections(psutil.Process())
            cluster.put(cluster.topics.commands, account, json.dumps(opening(account)).encode())
            cluster.flush()
            shown = partial(_is_shown, found.queries, account)
            cluster.await_true(shown, [worker], PATIENCE_S, "the account is not projected")
            projection.kill()
            cluster.await_true(partial(_is_another, projection), [worker], PATIENCE_S, "it is not begun anew")
    assert _projections(psutil.Process()) == []


def test_it_outlives_no_server(cluster: Cluster) -> None:
    secret = {"BOTMETER_AUTH_SECRET": "a secret of the tests, which guards nothing", "BOTMETER_HTTP_PORT": "0"}
    cluster.worker().restored(cluster.partitions)
    with WorkerProcess(cluster.environment("web", **secret), "web") as web:
        web.hears("entitlement is ready")
        [projection] = _projections(psutil.Process(web.pid))
        web.kill()
        projection.wait(PATIENCE_S)
