"""Every program of botmeter, put through what it is there for, with credentials of its own."""

from __future__ import annotations

import json
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from click.testing import CliRunner
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource

from botmeter.cli import program as botmeter
from botmeter.client import BalanceTable, Client, Connection, as_command, as_interaction
from botmeter.contracts.partition_notes import FailureNote, encode_note
from botmeter.contracts.topics import partition_of
from botmeter.errors import BotmeterError
from botmeter.kafka import clients
from botmeter.settings.model import Settings
from worker.cluster import Cluster
from worker.process import PATIENCE_S, WorkerProcess
from worker.traffic import command, interaction, opening

from .secured import SecuredKafka, user_of

#: Of a webhook that nobody answers: what is told of it is a delivery too.
_WEBHOOK: Final = "http://127.0.0.1:1/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_WEB_SIGNS_WITH: Final = "a secret of more than thirty-two characters"
#: An installation that is made only to be made.
_NEW_PREFIX: Final = "made-anew."


@dataclass(frozen=True)
class Ran:
    """What a program said until it ended or had done its work."""

    is_well: bool
    said: str


class Programs:
    """On one installation, whose workers run while `metering` does."""

    def __init__(self, secured: SecuredKafka, cluster: Cluster) -> None:
        self._secured, self._cluster = secured, cluster
        self._way, self._number = "plain", 0
        self._run: Mapping[str, Callable[[], Ran]] = {
            "worker": self._worker,
            "project": lambda: self._service("project", r"level with the journal"),
            "web": self._web,
            "notify": self._notify,
            "simulate": self._simulate,
            "verify": self._verify,
            "dead-letters": lambda: self._commands("dead-letters", ["list"], ["redrive", "--go", "--again"]),
            "partition": self._partition,
            "rules": self._rules,
            "account": self._account,
            "replay": lambda: self._commands("replay", ["--from-cluster", "acme"]),
            "topics": self._topics,
            "doctor": self._doctor,
            "chat platform": lambda: self._client("chat platform", self._publish),
            "billing side": lambda: self._client("billing side", self._send),
            "balance table": lambda: self._connected("balance table", self._look_up),
        }

    def run(self, program: str, way: str = "plain") -> Ran:
        """Puts the program through its work; `way` is how it comes in."""
        self._way, self._number = way, self._number + 1
        try:
            return self._run[program]()
        finally:
            self._way = "plain"

    def settings(self, program: str) -> Settings:
        """What of its settings decides about its permissions."""
        told, is_new = self._cluster.environment(), program == "topics"
        prefix = _NEW_PREFIX if is_new else told["BOTMETER_TOPIC_PREFIX"]
        return Settings(
            group=told["BOTMETER_GROUP"],
            topic_prefix=prefix,
            interactions_topic=f"{prefix}chat.interactions",
            commands_topic=f"{prefix}billing.commands",
            notify_group=f"{told['BOTMETER_GROUP']}-notify",
            notify_projected=True,
        )

    def environment(self, program: str, **more: str) -> dict[str, str]:
        settings = self.settings(program)
        own = {
            "BOTMETER_TOPIC_PREFIX": settings.topic_prefix,
            "BOTMETER_INTERACTIONS_TOPIC": settings.interactions_topic,
            "BOTMETER_COMMANDS_TOPIC": settings.commands_topic,
            "BOTMETER_NOTIFY_GROUP": settings.notify_group,
        }
        user = user_of(program)
        return self._cluster.environment(user, **{**self._secured.environment(self._way, user), **own, **more})

    # --- Services ---

    def started(self, program: str, **more: str) -> WorkerProcess:
        return WorkerProcess(self.environment(program, **more), program)

    def _service(self, program: str, does: str, **more: str) -> Ran:
        with self.started(program, **more) as service:
            return _heard(service, does)

    def _worker(self) -> Ran:
        """Two lives, the second without a store: it reads what the first one wrote."""
        cluster = self._cluster
        for life in ("first", "second"):
            with self.started("worker", BOTMETER_DATA_DIR=str(cluster.data_dir(f"{life}-{self._number}"))) as worker:
                ran = _heard(worker, r"partition 1: (cold|warm) restore of")
                if not ran.is_well:
                    return ran
                cluster.put(cluster.topics.commands, "acme", json.dumps(opening("acme")).encode())
                for number in range(12):  # there are ten sessions: alert, exhaustion, handoffs
                    said = interaction("acme", f"{life}-{number}")
                    cluster.put(cluster.topics.interactions, "acme", json.dumps(said).encode())
                for topic in (cluster.topics.interactions, cluster.topics.commands):
                    cluster.put(topic, "acme", b"not JSON", partition=0)
                cluster.flush()
                cluster.await_all_taken([worker])
                worker.leaves()
        return Ran(is_well=True, said="")

    def alert_somebody(self) -> None:
        """An account comes to its threshold."""
        cluster, account = self._cluster, "alerted"
        cluster.put(cluster.topics.commands, account, json.dumps(opening(account)).encode())
        for number in range(8):
            cluster.put(cluster.topics.interactions, account, json.dumps(interaction(account, f"u-{number}")).encode())
        cluster.flush()

    def _web(self) -> Ran:
        more = {"BOTMETER_AUTH_SECRET": _WEB_SIGNS_WITH, "BOTMETER_HTTP_PORT": "0"}
        with self.started("web", **more) as web:
            ran = _heard(web, r"entitlement is ready")
            if ran.is_well:
                address = re.search(r"http://\S+", web.hears("listening at"))
                assert address is not None
                token = self._commands("web", ["token", "--as", "ops", "--role", "operator"], **more).said.strip()
                self._ask_web(f"{address[0]}/v1", token)
            return ran

    def _ask_web(self, api: str, token: str) -> None:
        said, bought = interaction("acme", "of-web"), {"type": "purchase_packs", "packs": 1}
        for path, body in (("interactions?decision=true", said), ("accounts/acme/commands", bought)):
            headers = {
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                "Idempotency-Key": f"web-{self._number}",
            }
            request = urllib.request.Request(f"{api}/{path}", json.dumps(body).encode(), headers)  # noqa: S310 - http
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
                assert answer.status in (200, 201)
        shown = urllib.request.Request(f"{api}/accounts/acme", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
        self._cluster.await_true(lambda: _is_found(shown), [], PATIENCE_S, "the projection inside did not begin")

    def _notify(self) -> Ran:
        with self.started(
            "notify", BOTMETER_NOTIFY_WEBHOOKS=_WEBHOOK, BOTMETER_NOTIFY_PORT="0", BOTMETER_NOTIFY_PROJECTED="true"
        ) as notifier:
            ran = _heard(notifier, r"delivery \w+ is retrying")
            if ran.is_well:
                deliveries = self._cluster.topics.deliveries
                self._cluster.await_true(
                    lambda: any(self._cluster.ends(deliveries).values()), [notifier], PATIENCE_S, "nothing was told"
                )
            return ran

    # --- Commands ---

    def _commands(self, program: str, *calls: list[str], **more: str) -> Ran:
        """In this process, so that many take little time; up to the first that fails."""
        said = ""
        runner = CliRunner(env=self.environment(program, **more))
        for call in calls:
            result = runner.invoke(botmeter, [program, *call])
            error = result.exception if isinstance(result.exception, BotmeterError) else None
            said += f"{result.output}{'' if error is None else error}\n"
            if result.exit_code:
                return Ran(is_well=False, said=said)
        return Ran(is_well=True, said=said)

    def _simulate(self) -> Ran:
        """First it looks whether it would be among others, which it is; then it is told to publish all the same."""
        looked = self._commands("simulate", ["--count", "5"])
        if "which no simulation opened" not in looked.said:
            return looked
        return self._commands("simulate", ["--count", "5", "--accounts", "1", "--among-others"])

    def _verify(self) -> Ran:
        ran = self._commands("verify", [])
        if not ran.is_well:
            return ran
        follow = "verify --follow --from-snapshots --every 0.1"
        with WorkerProcess(self.environment("verify"), follow) as witness:
            said = interaction("acme", f"of-verify-{self._number}")
            while not witness.has_ended and not re.search(r"[1-9]\d* interactions in", witness.said):
                self._cluster.put(self._cluster.topics.interactions, "acme", json.dumps(said).encode())
                self._cluster.flush()
            is_well = not witness.has_ended
            if is_well:
                witness.stop(signal.SIGTERM)
            return Ran(is_well, witness.said)

    def _partition(self) -> Ran:
        """One that stands at a record, which is skipped, and then a loss of its journal is accepted."""
        cluster, interactions = self._cluster, self._cluster.topics.interactions.name
        number = partition_of(b"acme", cluster.partitions)
        cluster.put(cluster.topics.interactions, "acme", b"not JSON", partition=number)
        cluster.flush()
        offset = cluster.committed()[interactions, number]
        calls = [["skip", str(number), f"{interactions}@{offset}"], ["restore-from", str(number), "journal"]]
        remedy = " or ".join(f"botmeter partition {' '.join(call)}" for call in calls)
        note = encode_note(FailureNote("it is a test", f"run: {remedy}", "2026-11-23T10:00:00Z", "a worker"))
        config = clients.reader_config({}, self._secured.bootstrap_servers, cluster.group)
        with clients.make_consumer(config) as consumer:
            told = TopicPartition(interactions, number, offset, metadata=note)
            consumer.commit(offsets=[told], asynchronous=False)
        signed = ["--yes", "--by", "jane", "--why", "a test"]
        return self._commands("partition", *([*call, *signed] for call in calls))

    def _rules(self) -> Ran:
        """No worker may run."""
        ran = self._commands("rules", ["set", "--yes"], BOTMETER_PACK_SESSIONS="21")
        return self._commands("rules", ["set", "--yes"]) if ran.is_well else ran

    def _account(self) -> Ran:
        opened = f"opened-{self._number}"
        return self._commands(
            "account", ["open", opened, "--plan", "growth", "--timeout", "20"], ["show", opened], ["statement", opened]
        )

    def _topics(self) -> Ran:
        """Where there are none, and then where each of them differs."""
        names = [topic.name for topic in self.settings("topics").topics().all()]
        with self._secured.admin() as admin:
            _delete(admin, names)
            ran = self._commands("topics", ["create"])
            if not ran.is_well:
                return ran
            entry = ConfigEntry("max.message.bytes", "1000", incremental_operation=AlterConfigOpType.SET)
            each = [ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry]) for name in names]
            for altered in admin.incremental_alter_configs(each).values():
                altered.result(PATIENCE_S)
        return self._commands("topics", ["create", "--fix"])

    def _doctor(self) -> Ran:
        ran = self._commands("doctor", ["--permissions-of", "doctor", "--listen", "2"])
        return Ran("permission" not in re.sub("^ok .*", "", ran.said, flags=re.MULTILINE), ran.said)

    # --- Other teams' programs ---

    def _client(self, program: str, do: Callable[[Client], object]) -> Ran:
        def use(connection: Connection) -> None:
            with Client(connection) as client:
                do(client)

        return self._connected(program, use)

    def _connected(self, program: str, use: Callable[[Connection], object]) -> Ran:
        user = user_of(program)
        connection = Connection(
            self._secured.servers(self._way), self._cluster.topics, self._secured.options(self._way, user)
        )
        try:
            use(connection)
        except BotmeterError as error:
            return Ran(is_well=False, said=str(error))
        return Ran(is_well=True, said="")

    def _publish(self, client: Client) -> object:
        return client.publish(as_interaction(interaction("acme", "of-the-platform")))

    def _send(self, client: Client) -> object:
        return client.send(as_command(command("cancel_reduction", "acme", f"side-{self._number}")), timeout_s=20)

    def _look_up(self, connection: Connection) -> None:
        with BalanceTable(connection) as table:
            table.get("acme")


def _delete(admin: AdminClient, names: list[str]) -> None:
    """Returns when they are gone."""
    for deleted in admin.delete_topics(names).values():
        with suppress(KafkaException):  # it was never made
            deleted.result(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while set(names) & set(admin.list_topics(timeout=PATIENCE_S).topics):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _heard(service: WorkerProcess, does: str) -> Ran:
    """Waits until the service says that it does its work, or has ended."""
    try:
        service.hears(does)
    except AssertionError:
        return Ran(is_well=False, said=service.said)
    return Ran(is_well=True, said=service.said)


def _is_found(asked: urllib.request.Request) -> bool:
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:  # noqa: S310 - http
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False
