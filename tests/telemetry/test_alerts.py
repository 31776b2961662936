"""Every alert rule fires in the fault it is for, and only in that, judged by Prometheus' promtool.

The pages are those of the real metrics, brought into the fault; see `promtool.py` for how time passes.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import cast

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import insert

from botmeter.domain.prices import MINUTE_MS
from botmeter.engine.batch import Batch, Commit
from botmeter.engine.budget import Allowance
from botmeter.engine.processor import Processor
from botmeter.engine.task import Status, Task
from botmeter.host.metrics import Metrics as WorkerMetrics
from botmeter.notify.database import open_database
from botmeter.notify.metrics import Metrics as NotifyMetrics
from botmeter.notify.outbox import Outbox, Unreadable
from botmeter.notify.outcomes import NotAccepted, Refused
from botmeter.notify.tables import reports
from botmeter.readside.metrics import ProjectionMetrics
from botmeter.readside.projection import Progress
from botmeter.telemetry.process import register_process
from botmeter.telemetry.table import TABLE
from botmeter.verification.findings import Difference, Findings
from botmeter.verification.metrics import WitnessMetrics
from botmeter.web.metrics import WebMetrics
from notify.notices import ALERTS, told
from notify.test_outbox import PATIENCE, Clock
from web.application import bearer, browser_at, web_settings
from worker.stub_engine import StubEngine

from .promtool import RULES, Scraped, needs_promtool, shown

ROOT = Path(__file__).parents[2]
GROUPS = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
DEFINED = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
_SHOWING = ("test_alerts.py", "test_alerts_of_a_worker.py")


class WorkerInFault:
    """A worker's metrics on an engine without Kafka."""

    def __init__(self) -> None:
        self.engine = StubEngine()
        self.metrics = WorkerMetrics(cast(Processor, self.engine))
        self._last_at = 0

    def turn(self, took_s: float = 0.0) -> None:
        """A turn completes, whose transaction took so long."""
        self._last_at = max(self._last_at + 1, time.time_ns() // 1_000_000)
        batch = Batch([], None, Allowance(0, 0))
        self.metrics.committed(Commit(batch, is_transaction=took_s > 0, took_s=took_s, ended_at=self._last_at))

    def page(self) -> str:
        return self.metrics.render().decode()

    def runs(self, partition: int, status: Status = Status.RUNNING) -> None:
        """The worker owns the partition."""
        task = self.engine.tasks[partition] = Task(partition)
        for step in (Status.RESTORING, status):
            task.transition_to(step)


def healthy_worker() -> Scraped:
    """One partition runs, turns complete, interactions are metered."""
    worker = WorkerInFault()
    worker.runs(0)
    worker.turn(took_s=0.02)
    before = worker.page()
    worker.engine.counts["started"] += 1000
    worker.turn(took_s=0.02)
    return Scraped("worker-0", before, worker.page(), time.time())


def registry_page(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


@needs_promtool
def test_a_healthy_worker_alerts_nobody(tmp_path: Path) -> None:
    shown(tmp_path, healthy_worker(), alerts=set())


@needs_promtool
def test_nothing_at_all_is_no_worker(tmp_path: Path) -> None:
    shown(tmp_path, alerts={"BotmeterNoWorker"})


@needs_promtool
def test_a_worker_whose_turns_do_not_complete_stands(tmp_path: Path) -> None:
    worker = WorkerInFault()
    worker.runs(0)
    worker.turn(took_s=0.02)
    page = worker.page()
    shown(tmp_path, Scraped("worker-0", page, worker.page(), time.time()), alerts={"BotmeterWorkerStands"})


@needs_promtool
def test_a_worker_whose_clock_is_not_the_brokers(tmp_path: Path) -> None:
    worker = WorkerInFault()
    worker.runs(0)
    worker.turn(took_s=0.02)
    before = worker.page()
    worker.engine.counts["started"] += 1000
    worker.engine.broker_time.answer(time.time_ns() // 1_000_000 - 10 * MINUTE_MS)
    worker.turn(took_s=0.02)
    shown(tmp_path, Scraped("worker-0", before, worker.page(), time.time()), alerts={"BotmeterClocksApart"})


@needs_promtool
def test_a_restore_that_takes_long(tmp_path: Path) -> None:
    worker = WorkerInFault()
    worker.runs(0, Status.RESTORING)
    before = worker.page()
    scraped = Scraped("worker-0", before, worker.page(), time.time())
    shown(tmp_path, scraped, alerts={"BotmeterRestoreTakesLong", "BotmeterNothingMetered"})


@needs_promtool
def test_transactions_that_fail_again_and_again_and_those_that_take_long(tmp_path: Path) -> None:
    worker = WorkerInFault()
    worker.runs(0)
    worker.turn(took_s=0.02)
    before = worker.page()
    for _ in range(5):
        worker.metrics.failed_commits += 1
        worker.turn(took_s=9.0)
    scraped = Scraped("worker-0", before, worker.page(), time.time())
    shown(tmp_path, scraped, alerts={"BotmeterCommitsFail", "BotmeterCommitsSlow"})


@needs_promtool
def test_two_versions_side_by_side_for_long(tmp_path: Path) -> None:
    new = healthy_worker()
    before, page = (re.sub(r'(info{.*\bversion=")[^"]+', r"\g<1>0.0.9", text) for text in (new.before, new.after))
    old = Scraped("worker-1", before, page, new.after_at)
    shown(tmp_path, new, old, alerts={"BotmeterVersionsDiffer"})


@needs_promtool
def test_a_process_that_opens_files_and_never_closes_them(tmp_path: Path) -> None:
    healthy = healthy_worker()
    limit = re.search(r"^process_max_fds (\S+)$", healthy.after, re.MULTILINE)
    assert limit is not None
    page = re.sub(
        r"^process_open_fds .*$", f"process_open_fds {0.9 * float(limit[1])}", healthy.after, flags=re.MULTILINE
    )
    scraped = Scraped("worker-0", healthy.before, page, healthy.after_at)
    shown(tmp_path, scraped, alerts={"BotmeterFilesRunOut"})


@needs_promtool
def test_a_notifier_whose_alerts_do_not_go_out(tmp_path: Path) -> None:
    clock = Clock()
    engine = open_database("", tmp_path / "notify.db")
    outbox, metrics = Outbox(engine, PATIENCE, clock), NotifyMetrics(engine, clock)
    outbox.positions([ALERTS], max_age_ms=MINUTE_MS)
    outbox.record([told(1), told(2)], [Unreadable(ALERTS, 3, "no JSON")], {ALERTS: 4})
    refused, waiting = outbox.claim("email"), outbox.claim("email")
    assert refused is not None
    assert waiting is not None
    outbox.finish(waiting, NotAccepted("421 try again later"))
    clock.now_ms += 1_000
    before = registry_page(metrics.registry)
    metrics.finished(outbox.finish(refused, Refused("550 no such user")))
    with engine.begin() as connection:
        connection.execute(insert(reports), [{"account_id": "northwind", "body": "{}"} for _ in range(200)])
    clock.now_ms += 1_000
    page = registry_page(metrics.registry)
    engine.dispose()
    shown(
        tmp_path,
        healthy_worker(),
        Scraped("notify-0", before, page, time.time()),
        alerts={"BotmeterNotifyWaits", "BotmeterNotifyFailed", "BotmeterNotifyUnreadable", "BotmeterNotifyUnpublished"},
    )


@needs_promtool
@pytest.mark.parametrize(
    ("writes", "alerts"),
    [(1, {"BotmeterReadSideBehind"}), (0, {"BotmeterReadSideBehind", "BotmeterReadSideStands"})],
)
def test_a_projection_that_falls_behind_and_one_that_stands(tmp_path: Path, writes: int, alerts: set[str]) -> None:
    metrics, registry = ProjectionMetrics(), CollectorRegistry()
    registry.register(metrics)
    register_process(registry)
    metrics.take(Progress(records=10, next_offsets=10, ends=10, is_level=True))
    before = registry_page(registry)
    for _ in range(writes):
        metrics.take(Progress(records=10, next_offsets=10, ends=1_000, is_level=False))
    scraped = Scraped("project-0", before, registry_page(registry), time.time())
    shown(tmp_path, healthy_worker(), scraped, alerts=alerts)


@needs_promtool
def test_a_server_that_fails_knows_no_journal_and_shows_old_numbers(tmp_path: Path) -> None:
    metrics = WebMetrics()
    with browser_at(web_settings(), metrics=metrics) as client:
        assert client.get("/v1/me", headers=bearer("operator")).status_code == 200
        before = registry_page(metrics.registry)
        assert client.get("/v1/accounts/acme/balance", headers=bearer("operator")).status_code >= 500
        page = registry_page(metrics.registry) + "botmeter_web_read_side_lag_seconds 300\n"
    scraped = Scraped("web-0", before, page, time.time())
    alerts = {"BotmeterWebErrors", "BotmeterWebNotReady", "BotmeterWebOldNumbers"}
    shown(tmp_path, healthy_worker(), scraped, alerts=alerts)


@needs_promtool
def test_a_witness_that_finds_differences_and_then_stands(tmp_path: Path) -> None:
    findings = Findings()
    metrics, registry = WitnessMetrics(findings), CollectorRegistry()
    registry.register(metrics)
    before = registry_page(registry)
    findings.add(Difference("missing", "botmeter.alerts", 0, None, "an alert is missing"))
    findings.overshoot += 1
    scraped = Scraped("verify-0", before, registry_page(registry), time.time())
    alerts = {"BotmeterDifference", "BotmeterOvershoot", "BotmeterWitnessStands"}
    shown(tmp_path, healthy_worker(), scraped, alerts=alerts)


def test_each_rule_has_a_section_in_the_runbook_and_a_severity() -> None:
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert [heading for heading in headings if heading.startswith("Botmeter")] == list(DEFINED)
    for name, rule in DEFINED.items():
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_the_rules_ask_for_metrics_of_the_table_alone() -> None:
    asked = {name for rule in DEFINED.values() for name in re.findall(r"\b(?:botmeter|process)_\w+", rule["expr"])}
    known = {sample for metrics in TABLE.values() for metric in metrics for sample in metric.samples}

    assert asked - known == set()


def test_each_rule_fires_in_a_test() -> None:
    """By what the tests of this module and of `test_alerts_of_a_worker.py` say they have fire."""
    written = "".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in _SHOWING)

    assert {name for name in DEFINED if f'"{name}"' in written} == set(DEFINED)
