"""How each Kafka client is configured and created.

Options of BOTMETER_KAFKA__* override what only tunes, and never what the guarantees depend on.
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any, Final, TypeVar
from weakref import ref

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from botmeter.client_options import KAFKA_PREFIX, kafka_variable
from botmeter.errors import ConfigurationError
from botmeter.kafka.errors import INSTANCE_UNRELEASED, cause

Config = dict[str, Any]
Client = TypeVar("Client")

#: Largest record we read or write. A dead letter keeps the record it is about, and a snapshot is one record.
MESSAGE_MAX_BYTES: Final = 9 * 1024 * 1024

_EVERY_CLIENT: Final[Config] = {
    # Back within seconds after a broker returned; the default of 10 s is longer than most restarts.
    "reconnect.backoff.ms": 200,
    "reconnect.backoff.max.ms": 2_000,
    # Firewalls drop idle connections silently.
    "socket.keepalive.enable": True,
    # Brokers close idle connections as a matter of course; a log line for each would be noise.
    "log.connection.close": False,
    # Pushing client metrics to the broker costs a request at every start and stop, and botmeter does not use them.
    "enable.metrics.push": False,
}
#: A broker that is frozen or cut off keeps its connections. A request to it waits for this long before the client asks
#: its successor: with the default of a minute a worker would stop for a minute, though another broker coordinates its
#: group by then. Longer than any healthy broker takes. A transactional producer derives its own from the transaction's
#: timeout.
_REQUESTS: Final[Config] = {"socket.timeout.ms": 10_000}
_READING: Final[Config] = {
    **_REQUESTS,
    # The broker answers as soon as it has a byte. Only an idle broker holds the request, and for less than the default
    # of 500 ms, because partitions just assigned or rewound have to wait for it.
    "fetch.min.bytes": 1,
    "fetch.wait.max.ms": 100,
    # One partition alone should fill a micro-batch in a few fetches.
    "max.partition.fetch.bytes": 4 * 1024 * 1024,
    # Prefetched beyond the current batch. The backoff is how long fetching pauses once the queue is full: the default
    # of 1 s would let the queue run dry at full speed.
    "queued.min.messages": 50_000,
    "queued.max.messages.kbytes": 32 * 1024,
    "fetch.queue.backoff.ms": 10,
    # A leader that moved is found again at once.
    "fetch.error.backoff.ms": 100,
    # A corrupt record must not be billed.
    "check.crcs": True,
}
_EXACTLY_ONCE_READING: Final[Config] = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    # A lost offset is an error that an operator resolves; the client must not jump to another offset.
    "auto.offset.reset": "error",
    "allow.auto.create.topics": False,
}
_WRITING: Final[Config] = {
    # A commit flushes at once. Until then, a few milliseconds collect records into full batches.
    "linger.ms": 5,
    "compression.type": "lz4",
    # All of one micro-batch, several records for each input.
    "queue.buffering.max.messages": 1_000_000,
    "queue.buffering.max.kbytes": 512 * 1024,
}
_CONTRACTUAL_WRITING: Final[Config] = {
    "enable.idempotence": True,
    "acks": "all",
    # The partition of an account is part of the contract: the one that Java clients compute.
    "partitioner": "murmur2_random",
    "message.max.bytes": MESSAGE_MAX_BYTES,
}
#: How often an admin client is polled for its log.
_LOGS_S: Final = 0.5
_REPETITION_S: Final = 30.0
#: Different lines remembered; forgotten together.
_REPETITIONS_KEPT: Final = 1_000
#: Options only a member of the group may have; two consumers with one group.instance.id fence each other.
_MEMBER_OPTIONS: Final = ("group.instance.id", "group.protocol", "group.remote.assignor")


class _UnusedOptionFilter(logging.Filter):
    """Drops librdkafka's warning that a producer ignores an option of consumers, and so on.

    All options of BOTMETER_KAFKA__* go to all clients, so the warning is expected.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return "property and will be ignored by this" not in record.getMessage()


class _RefusalFilter(logging.Filter):
    """Drops librdkafka's line about an instance id that is not free: the caller gets it as an error.

    A worker joins again every second until the group has forgotten its dead namesake.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return INSTANCE_UNRELEASED not in record.getMessage()


class _RepetitionFilter(logging.Filter):
    """Passes the same warning of a client once in 30 s, with the number of those dropped since.

    During an outage each client reports every attempt to connect, ten a second.
    """

    def __init__(self) -> None:
        super().__init__()
        #: By line, when it was last passed and how often it was dropped since.
        self._passed: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        line = record.getMessage().partition(" (after ")[0]
        passed_at, dropped = self._passed.get(line, (-math.inf, 0))
        if record.created - passed_at < _REPETITION_S:
            self._passed[line] = (passed_at, dropped + 1)
            return False
        if len(self._passed) >= _REPETITIONS_KEPT:
            self._passed.clear()
        self._passed[line] = (record.created, 0)
        if dropped and isinstance(record.args, tuple) and record.args:  # the last argument is the text
            record.args = (*record.args[:-1], f"{record.args[-1]}; {dropped} times more since")
        return True


#: The state of a connection when it ended.
_STATE: Final = re.compile(r"\bin state (\w+)")
_LOG: Final = logging.getLogger("botmeter.librdkafka")
_LOG.addFilter(_UnusedOptionFilter())
_LOG.addFilter(_RefusalFilter())
_LOG.addFilter(_RepetitionFilter())


class _LossListener:
    """Passes on a client's log lines, and calls `on_loss` for each lost connection that was in use."""

    def __init__(self, on_loss: Callable[[], None]) -> None:
        self._on_loss = on_loss

    def log(self, level: int, message: str, *args: object) -> None:
        """As `logging.Logger.log`."""
        if is_lost_connection(message % args):
            self._on_loss()
        _LOG.log(level, message, *args)


def is_lost_connection(line: str) -> bool:
    """Returns whether a line of librdkafka's log reports the end of a connection that may have been in use.

    A failed attempt to connect, such as to a broker that is down, ends in another state.
    """
    state = _STATE.search(line)
    return line.startswith("FAIL ") and (state is None or state[1] in ("UP", "REAUTH"))


class _PolledAdmin(AdminClient):
    """An admin client queues its log lines until it is polled. Its callers never poll, so a thread does."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._closing = Event()
        self._poller = Thread(target=_poll, args=(ref(self), self._closing), name="admin-log", daemon=True)
        self._poller.start()

    def __exit__(self, *raised: object) -> Any:
        # The client must not be destroyed during a poll.
        self._closing.set()
        self._poller.join()
        return super().__exit__(*raised)


def _poll(admin: ref[_PolledAdmin], closing: Event) -> None:
    while not closing.wait(_LOGS_S):
        client = admin()
        if client is None:
            return
        client.poll(0)
        del client


def consumer_config(kafka: Mapping[str, str], bootstrap_servers: str, group: str, worker: str = "") -> Config:
    """Configures the worker's consumer: a member of the group that commits only through the producer's transaction.

    `worker`: its name, which tells the members of the group apart.
    """
    tuned: Config = {
        **_READING,
        "client.id": f"botmeter-worker-{worker}" if worker else "botmeter-worker",
        # A killed worker's partitions move after this time. With less, a long garbage collection of the broker or a
        # paused container would look like a death; the transaction timeout delays the next owner about as long anyway.
        "session.timeout.ms": 15_000,
        "heartbeat.interval.ms": 3_000,
        # The consumer is polled all the time, during restores too; a worker that does not poll for so long hangs.
        "max.poll.interval.ms": 120_000,
        **kafka,
    }
    fixed: Config = {**_EXACTLY_ONCE_READING, "group.id": group, "partition.assignment.strategy": "cooperative-sticky"}
    if tuned.get("group.protocol") == "consumer":  # then the broker decides these, and librdkafka refuses them
        for option in ("session.timeout.ms", "heartbeat.interval.ms"):
            del tuned[option]
        del fixed["partition.assignment.strategy"]
    return _config(bootstrap_servers, tuned, fixed)


def reader_config(kafka: Mapping[str, str], bootstrap_servers: str, group: str) -> Config:
    """Configures a consumer that only uses `assign`, as restores do: it never becomes a member of `group`.

    librdkafka requires a group even then. With the worker's own group, a restore needs no further permission.
    """
    own = {option: value for option, value in kafka.items() if option not in _MEMBER_OPTIONS}
    tuned: Config = {**_READING, "client.id": "botmeter-reader", **own}
    return _config(bootstrap_servers, tuned, {**_EXACTLY_ONCE_READING, "group.id": group})


def query_config(reading: Config) -> Config:
    """Configures a reader that only asks which offsets a group has committed.

    With read_committed it would get no answer while a transaction is open: with a busy worker, never.
    """
    return {**reading, "isolation.level": "read_uncommitted"}


def subscriber_config(kafka: Mapping[str, str], bootstrap_servers: str, group: str, start: str) -> Config:
    """Configures a consumer of outputs: a member of `group` that commits its handled records once a second.

    The caller marks a record as handled by `store_offsets`. `start`, earliest or latest, is where a new group begins.
    """
    fixed: Config = {
        "isolation.level": "read_committed",
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 1_000,
        "enable.auto.offset.store": False,
        "auto.offset.reset": start,
        "allow.auto.create.topics": False,
        "group.id": group,
    }
    return _config(bootstrap_servers, {**_READING, "client.id": "botmeter-subscriber", **kafka}, fixed)


def follower_config(kafka: Mapping[str, str], bootstrap_servers: str, group: str, client_id: str) -> Config:
    """Configures a member of a group that keeps its offsets itself (`subscription.py`)."""
    own = {option: value for option, value in kafka.items() if option not in _MEMBER_OPTIONS}
    tuned: Config = {**_READING, "client.id": client_id, "session.timeout.ms": 15_000, **own}
    fixed = {**_EXACTLY_ONCE_READING, "group.id": group, "partition.assignment.strategy": "cooperative-sticky"}
    return _config(bootstrap_servers, tuned, fixed)


def producer_config(
    kafka: Mapping[str, str], bootstrap_servers: str, transactional_id: str, transaction_timeout_ms: int
) -> Config:
    """Configures the transactional producer of a worker: one micro-batch, one transaction."""
    fixed: Config = {
        **_CONTRACTUAL_WRITING,
        "transactional.id": transactional_id,
        "transaction.timeout.ms": transaction_timeout_ms,
        # By default a client that lost every broker forgets them and bootstraps again. A pending
        # send_offsets_to_transaction then waits for the forgotten coordinator for ever, whatever its timeout
        # (librdkafka 5511).
        "metadata.recovery.strategy": "none",
    }
    return _config(bootstrap_servers, {**_WRITING, "client.id": "botmeter-worker", **kafka}, fixed)


def with_loss_listener(config: Config, on_loss: Callable[[], None]) -> Config:
    """Returns the configuration of a client that calls `on_loss`, during a poll, after losing a connection in use.

    The client repeats the unanswered requests of that connection by itself and reports only the loss, and that only in
    its log.
    """
    return {**config, "log.connection.close": True, "log_level": 6, "logger": _LossListener(on_loss)}


def simple_producer_config(kafka: Mapping[str, str], bootstrap_servers: str) -> Config:
    """Configures a producer without transactions, for writers of inputs: the simulation, the demo, tests."""
    return _config(bootstrap_servers, {**_WRITING, "client.id": "botmeter-source", **kafka}, _CONTRACTUAL_WRITING)


def admin_config(kafka: Mapping[str, str], bootstrap_servers: str) -> Config:
    """Configures the client that describes topics and offsets and creates topics."""
    return _config(bootstrap_servers, {**_REQUESTS, "client.id": "botmeter-admin", **kafka}, {})


def make_consumer(config: Config) -> Consumer:
    """Creates a consumer. Raises ConfigurationError for an option that librdkafka rejects."""
    return _create(Consumer, config)


def make_producer(config: Config) -> Producer:
    """Creates a producer. Raises ConfigurationError for an option that librdkafka rejects."""
    return _create(Producer, config)


def make_admin(config: Config) -> AdminClient:
    """Creates an admin client. Raises ConfigurationError for an option that librdkafka rejects.

    Its log lines, such as those of an outage, reach the log though its caller never polls it.
    """
    return _create(_PolledAdmin, config)


def _config(bootstrap_servers: str, tuned: Config, fixed: Config) -> Config:
    return {**_EVERY_CLIENT, **tuned, **fixed, "bootstrap.servers": bootstrap_servers, "logger": _LOG}


def _create(make: Callable[[Config], Client], config: Config) -> Client:
    try:
        return make(config)
    except KafkaException as exception:
        raise ConfigurationError(_option_fault(cause(exception).str(), config)) from exception


def _option_fault(fault: str, config: Config) -> str:
    """Returns librdkafka's message with the variable of the option that it names, and the file that option names."""
    text = fault.lower().replace("sasl mechanism", "sasl.mechanism")
    option = max((name for name in {*config, "sasl.mechanism"} if name in text), key=len, default=None)
    if option is None:
        return f"{KAFKA_PREFIX}*: {fault}"
    if not option.endswith(".location"):
        return f"{kafka_variable(option)}: {fault}"
    file = config[option]
    return f"{kafka_variable(option)}: {file if os.access(file, os.R_OK) else f'cannot read {file}'}: {fault}"
