"""The permissions that each program needs on a cluster with an authorizer (table in docs/security.md), and the check.

In Kafka, READ and WRITE imply DESCRIBE, ALTER_CONFIGS implies DESCRIBE_CONFIGS, and WRITE on any topic implies a
producer's IDEMPOTENT_WRITE (brokers since 3.0), so the table lacks permissions that are implied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from botmeter.client.results import RESULTS_GROUP
from botmeter.client.table import BALANCES_GROUP
from botmeter.contracts.topics import Topic
from botmeter.errors import BotmeterError, ClusterError, PermissionMissing, Resource
from botmeter.history.log import LOG_GROUP
from botmeter.kafka import clients, descriptions
from botmeter.kafka.descriptions import Admin
from botmeter.operations.findings import Finding
from botmeter.operations.redrive import group_of
from botmeter.operations.rules import transactional_id
from botmeter.settings.model import Settings

Operation = Literal["READ", "WRITE", "CREATE", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"]

_READ: Final[tuple[Operation, ...]] = ("READ",)
_WRITE: Final[tuple[Operation, ...]] = ("WRITE",)
_SEE: Final[tuple[Operation, ...]] = ("DESCRIBE",)
#: Resources for which brokers do not report the allowed operations.
_UNREPORTED: Final = frozenset({"transactional id", "cluster"})
#: Needed, besides READ or WRITE, to check the settings of a topic.
_CONFIGS: Final[tuple[Operation, ...]] = ("DESCRIBE_CONFIGS",)
_OPTIONS: Final[Mapping[Resource, str]] = {
    "topic": "--topic {}",
    "group": "--group {}",
    "transactional id": "--transactional-id {}",
    "cluster": "--cluster",
}


@dataclass(frozen=True, slots=True)
class Permission:
    """One row: operations on a resource, by its full name or, when `prefixed`, by the prefix of its name."""

    resource: Resource
    name: str
    operations: tuple[Operation, ...]
    pattern: Literal["literal", "prefixed"] = "literal"

    def of(self, operation: Operation) -> Permission:
        """Returns this row with only one operation."""
        return Permission(self.resource, self.name, (operation,), self.pattern)

    def command(self, bootstrap_servers: str, principal: str) -> str:
        """Returns the command that grants it."""
        words = " ".join(f"--operation {each.title().replace('_', '')}" for each in self.operations)
        where = _OPTIONS[self.resource].format(self.name)
        pattern = " --resource-pattern-type prefixed" if self.pattern == "prefixed" else ""
        return (
            f"kafka-acls.sh --bootstrap-server {bootstrap_servers} --add --allow-principal '{principal}' "
            f"{words} {where}{pattern}"
        )

    def __str__(self) -> str:
        begin = "s that begin with" if self.pattern == "prefixed" else ""
        name = "" if self.resource == "cluster" else f" {self.name}"
        return f"{', '.join(self.operations)} on {self.resource}{begin}{name}"


def principal_of(kafka: Mapping[str, str]) -> str:
    """Returns the principal that the brokers see, as far as the client's options show it."""
    protocol = kafka.get("security.protocol", "plaintext").lower()
    if protocol == "plaintext":
        return "User:ANONYMOUS"
    return f"User:{kafka.get('sasl.username', '<principal>') if protocol.startswith('sasl') else '<principal>'}"


def needed(program: str, settings: Settings) -> list[Permission]:
    """Returns the rows of a program: a command of `botmeter` or another team's role. All and only these are needed."""
    return PROGRAMS[program](settings)


def missing(admin: Admin, permissions: Iterable[Permission]) -> list[Permission]:
    """Returns the operations of these rows that the brokers report as not allowed, one row each.

    Brokers do not report the operations allowed on transactional ids. Raises ClusterError, Retriable.
    """
    rows = list(permissions)
    topic_operations = descriptions.topic_operations(admin, [row.name for row in rows if row.resource == "topic"])
    lacking = []
    for row in rows:
        if row.resource == "topic":
            allowed = topic_operations[row.name]
        elif row.resource == "group":
            allowed = descriptions.group_operations(admin, row.name)
        else:
            continue
        lacking += [] if allowed is None else [row.of(operation) for operation in _lacking(row, allowed)]
    return lacking


def _lacking(row: Permission, allowed: frozenset[str]) -> list[Operation]:
    lacking = [operation for operation in row.operations if operation not in allowed]
    # Without DESCRIBE, brokers do not report the other operations.
    return ["DESCRIBE"] if "DESCRIBE" in lacking else lacking


def require(settings: Settings, program: str) -> None:
    """Raises ClusterError, with each missing permission, unless the program has all that the brokers report.

    Raises also Retriable.
    """
    with clients.make_admin(clients.admin_config(settings.kafka, settings.bootstrap_servers)) as admin:
        lacking = missing(admin, needed(program, settings))
    if lacking:
        raise ClusterError(_line(lacking, settings))


def named(error: PermissionMissing, program: str, settings: Settings) -> ClusterError:
    """Returns the error that ended a program, with the missing permission if the brokers report it."""
    rows = needed(program, settings)
    lacking = [row for row in rows if row.resource == error.resource and row.resource in _UNREPORTED]
    config = clients.admin_config(settings.kafka, settings.bootstrap_servers)
    with suppress(BotmeterError), clients.make_admin(config) as admin:
        lacking = missing(admin, rows) or lacking
    return ClusterError(f"{_line(lacking, settings)} ({error.fault})") if lacking else error


def check(admin: Admin, program: str, settings: Settings) -> Iterator[Finding]:
    """Checks that these credentials have what a program needs. Initializes a transactional producer, writes nothing."""
    if not descriptions.has_authorizer(admin):
        yield Finding("permissions", "ok", "the brokers check none: every client may do anything")
        return
    rows = needed(program, settings)
    lacking = missing(admin, rows) + _refused_transactions(rows, settings)
    principal = principal_of(settings.kafka)
    for row in lacking:
        remedy = f"run: {row.command(settings.bootstrap_servers, principal)}"
        yield Finding("permissions", "problem", f"missing: {row}", remedy)
    if not lacking:
        yield Finding("permissions", "ok", f"{principal} may do all that `{program}` needs")


def _refused_transactions(rows: Iterable[Permission], settings: Settings) -> list[Permission]:
    """Returns the row of a transactional id that may not be used."""
    for row in (row for row in rows if row.resource == "transactional id"):
        name = f"{row.name}doctor" if row.pattern == "prefixed" else row.name
        config = clients.producer_config(
            settings.kafka, settings.bootstrap_servers, name, settings.transaction_timeout_ms
        )
        try:
            descriptions.require_transactions(config)
        except PermissionMissing:
            return [row]
    return []


def _line(lacking: list[Permission], settings: Settings) -> str:
    principal = principal_of(settings.kafka)
    names = ", ".join(map(str, lacking))
    more = "" if len(lacking) == 1 else "; for the others alike"
    command = lacking[0].command(settings.bootstrap_servers, principal)
    return f"missing permission of {principal}: {names}; run: {command}{more}"


# --- The table ---


def _topic(topic: Topic, *operations: tuple[Operation, ...]) -> Permission:
    return Permission("topic", topic.name, tuple(operation for each in operations for operation in each))


def _group(name: str, operations: tuple[Operation, ...]) -> Permission:
    return Permission("group", name, operations)


def _worker(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    return [
        *(_topic(topic, _READ, _CONFIGS) for topic in (topics.interactions, topics.commands)),
        *(_topic(topic, _READ, _WRITE, _CONFIGS) for topic in (topics.journal, topics.snapshots, topics.rules)),
        *(
            _topic(topic, _WRITE, _CONFIGS)
            for topic in (topics.balances, topics.alerts, topics.handoffs, topics.command_results, topics.dead_letters)
        ),
        _topic(topics.deliveries, _SEE, _CONFIGS),
        _group(settings.group, _READ),
        Permission("transactional id", f"{settings.group}-", _WRITE, "prefixed"),
    ]


def _project(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    read = [topics.journal, topics.deliveries, topics.rules]
    return [*(_topic(topic, _READ) for topic in read), _group(settings.group, _SEE)]


def _web(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    projects = settings.readside_database().startswith("sqlite")
    return [
        *(_topic(topic, _WRITE) for topic in (topics.interactions, topics.commands)),
        *(_topic(topic, _READ) for topic in (topics.journal, topics.snapshots, topics.command_results, topics.rules)),
        *([_topic(topics.deliveries, _READ)] if projects else []),
        _group(settings.group, _SEE),
        _group(RESULTS_GROUP, _SEE),
    ]


def _notify(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    read = [topics.alerts, topics.handoffs, topics.journal, *([topics.balances] if settings.notify_projected else [])]
    return [
        *(_topic(topic, _READ) for topic in read),
        _topic(topics.deliveries, _WRITE),
        _group(settings.notify_group, _READ),
    ]


def _simulate(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    return [
        *(_topic(topic, _WRITE, _CONFIGS) for topic in (topics.interactions, topics.commands)),
        _topic(topics.journal, _READ, _CONFIGS),
        _group(settings.group, _SEE),
    ]


def _verify(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    return [
        *(_topic(topic, _READ, _CONFIGS) for topic in topics.all() if topic is not topics.deliveries),
        _topic(topics.deliveries, _SEE, _CONFIGS),
        _group(settings.group, _SEE),
    ]


def _dead_letters(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    return [
        _topic(topics.dead_letters, _READ),
        *(_topic(topic, _WRITE) for topic in (topics.interactions, topics.commands)),
        _group(group_of(settings.group), _READ),
        Permission("transactional id", group_of(settings.group), _WRITE),
    ]


def _partition(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    read = (
        topics.interactions, topics.commands, topics.journal, topics.balances, topics.command_results,
        topics.dead_letters,
    )  # fmt: skip
    return [
        *(_topic(topic, _READ, _CONFIGS) for topic in read),
        _topic(topics.rules, _READ, _WRITE, _CONFIGS),
        *(_topic(topic, _SEE, _CONFIGS) for topic in topics.all() if topic not in (*read, topics.rules)),
        _group(settings.group, _READ),
        Permission("transactional id", transactional_id(settings.group), _WRITE),
    ]


def _rules(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    return [
        _topic(topics.rules, _READ, _WRITE, _CONFIGS),
        *(_topic(topic, _SEE, _CONFIGS) for topic in topics.all() if topic is not topics.rules),
        _group(settings.group, _SEE),
        Permission("transactional id", transactional_id(settings.group), _WRITE),
    ]


def _account(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    read = (topics.command_results, topics.journal, topics.balances, topics.snapshots)
    return [
        _topic(topics.commands, _WRITE),
        *(_topic(topic, _READ) for topic in read),
        _group(RESULTS_GROUP, _SEE),
        _group(LOG_GROUP, _SEE),
    ]


def _topics(settings: Settings) -> list[Permission]:
    operations: tuple[Operation, ...] = ("CREATE", "DESCRIBE", "ALTER_CONFIGS")
    return [_topic(topic, operations) for topic in settings.topics().all()]


def _doctor(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    return [
        *(_topic(topic, _READ, _CONFIGS) for topic in (topics.interactions, topics.rules)),
        *(_topic(topic, _SEE, _CONFIGS) for topic in topics.all() if topic not in (topics.interactions, topics.rules)),
        _group(settings.group, _SEE),
        Permission("transactional id", f"{settings.group}-doctor", _WRITE),
        Permission("cluster", "kafka-cluster", _CONFIGS),
    ]


def _chat_platform(settings: Settings) -> list[Permission]:
    return [_topic(settings.topics().interactions, _WRITE)]


def _billing_side(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    return [
        _topic(topics.commands, _WRITE),
        _topic(topics.command_results, _READ),
        _group(RESULTS_GROUP, _SEE),
    ]


def _balance_table(settings: Settings) -> list[Permission]:
    return [_topic(settings.topics().balances, _READ), _group(BALANCES_GROUP, _SEE)]


def _replay(settings: Settings) -> list[Permission]:
    topics = settings.topics()
    return [
        *(_topic(topic, _READ) for topic in (topics.interactions, topics.commands, topics.journal, topics.rules)),
        _group(settings.group, _SEE),
        _group(LOG_GROUP, _SEE),
    ]


PROGRAMS: Final[Mapping[str, Callable[[Settings], list[Permission]]]] = {
    "worker": _worker,
    "project": _project,
    "web": _web,
    "notify": _notify,
    "simulate": _simulate,
    "verify": _verify,
    "dead-letters": _dead_letters,
    "partition": _partition,
    "rules": _rules,
    "account": _account,
    "replay": _replay,
    "topics": _topics,
    "doctor": _doctor,
    "chat platform": _chat_platform,
    "billing side": _billing_side,
    "balance table": _balance_table,
}


def rows(settings: Settings) -> Iterator[tuple[str, Permission]]:
    """Yields the whole table."""
    for program, find in PROGRAMS.items():
        for permission in find(settings):
            yield program, permission
