"""The demo from the first line to the last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from botmeter.demo import summary
from botmeter.demo.audit import Audit, Auditor
from botmeter.demo.billing import BillingSide
from botmeter.demo.cluster import PARTITIONS, Cluster, running_cluster
from botmeter.demo.model import Model
from botmeter.demo.reading import Place, Reader, read_to_end
from botmeter.demo.screen import Screen, make_screen
from botmeter.demo.stage import Stage
from botmeter.demo.watch import Watch
from botmeter.kafka import clients
from botmeter.metering.records import Record
from botmeter.simulation.accounts import CLOSED, SimulatedAccount, population
from botmeter.simulation.interruption import Interruption, watched_for_interruption
from botmeter.simulation.publisher import Publisher
from botmeter.simulation.traffic import Mix, Traffic

_ACCOUNTS: Final = 12
_MIX: Final = Mix(new_user_share=0.8)


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen. `seconds` of traffic may be infinite."""

    seconds: float
    rate: float
    seed: int


def run(options: Options) -> bool:
    """Runs the demo; whether its proof found nothing wrong.

    Raises KeyboardInterrupt on Ctrl-C, EmbeddedKafkaUnavailable, WorkerEnded, and what the cluster's faults ask for.
    """
    accounts = population(_ACCOUNTS)
    screen = make_screen([account.account_id for account in (*accounts, CLOSED)])
    with running_cluster(screen.say) as cluster:
        screen.say(f"look at it with any Kafka client: bootstrap servers {cluster.settings.bootstrap_servers}")
        with watched_for_interruption() as interruption:
            _play(cluster, screen, accounts, options, interruption)
            cluster.worker.stop()
            audit = _audit(cluster, interruption)
    is_well = not audit.findings.differences
    for line in summary.figures(audit, cluster.topics):
        screen.say(line)
    for line in summary.verdict(audit):
        screen.say(line, "good" if is_well else "bad")
    return is_well


def _play(
    cluster: Cluster,
    screen: Screen,
    accounts: tuple[SimulatedAccount, ...],
    options: Options,
    interruption: Interruption,
) -> None:
    topics = cluster.topics
    traffic = Traffic(options.seed, accounts, topics, PARTITIONS, _MIX)
    billing = BillingSide(accounts, topics.commands.name, options.seed)
    model = Model(topics)
    publisher = Publisher(clients.simple_producer_config({}, cluster.settings.bootstrap_servers))
    with Watch(cluster.reader_config, model, PARTITIONS) as watch, screen:
        stage = Stage(cluster, watch, model, publisher, screen, interruption)
        try:
            stage.open_accounts(traffic)
            stage.play(traffic, billing, options.rate, options.seconds)
            stage.settle()
        finally:
            publisher.close()


def _audit(cluster: Cluster, interruption: Interruption) -> Audit:
    reader = Reader(cluster.reader_config)

    def read(ends: Mapping[Place, int]) -> Iterator[list[Record]]:
        for batch in read_to_end(reader, ends):
            if interruption.has_come:
                raise KeyboardInterrupt
            yield batch

    try:
        ends = cluster.ends(topic.name for topic in cluster.topics.all())
        return Auditor(read, cluster.topics, cluster.settings.rules(), ends).run()
    finally:
        reader.close()
