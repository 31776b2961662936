"""What errors of the Kafka clients are raised as, by the recovery they ask for."""

from __future__ import annotations

import ctypes
import logging
import socket
import sys

import pytest
from confluent_kafka import KafkaError, KafkaException

from botmeter.errors import (
    BotmeterError,
    ClusterError,
    ConfigurationError,
    Forgotten,
    InstanceTaken,
    OutcomeUnknown,
    PermissionMissing,
    Retriable,
    TaskMigrated,
    TransactionAborted,
)
from botmeter.kafka.clients import (
    Config,
    admin_config,
    consumer_config,
    is_lost_connection,
    make_admin,
    make_consumer,
    make_producer,
    producer_config,
    reader_config,
    simple_producer_config,
)
from botmeter.kafka.errors import Catchable, cause, classify
from botmeter.kafka.questions import _reason, wait_for_broker

#: Nobody listens there; an address, because a name may stand for several, each with a fault of its own.
NOWHERE = "127.0.0.1:1"
#: Too long a label for any name server to be asked.
NO_NAME = f"{'x' * 64}.invalid:9092"
#: Several attempts, also where a busy machine makes one of them last.
GIVEN_UP_AFTER_S = 6


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        pytest.param(KafkaError(KafkaError._FENCED, fatal=True), TaskMigrated, id="fenced"),
        pytest.param(KafkaError(KafkaError._FENCED), TaskMigrated, id="fenced, told by produce"),
        pytest.param(KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, fatal=True), TaskMigrated, id="old epoch"),
        pytest.param(KafkaError(KafkaError.PRODUCER_FENCED, fatal=True), TaskMigrated, id="newer producer"),
        pytest.param(KafkaError(KafkaError.INVALID_PRODUCER_ID_MAPPING, fatal=True), TaskMigrated, id="id forgotten"),
        pytest.param(KafkaError(KafkaError.FENCED_INSTANCE_ID, fatal=True), TaskMigrated, id="instance taken"),
        pytest.param(
            KafkaError(KafkaError._FATAL, f"Fatal error: {KafkaError(KafkaError.FENCED_INSTANCE_ID).str()}: ..."),
            ConfigurationError,
            id="instance taken, told by a consumer",
        ),
        pytest.param(
            KafkaError(KafkaError._FATAL, f"Fatal error: {KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str()}: ..."),
            InstanceTaken,
            id="instance not free",
        ),
        pytest.param(KafkaError(KafkaError._MAX_POLL_EXCEEDED), TaskMigrated, id="out of the group"),
        pytest.param(KafkaError(KafkaError._ASSIGNMENT_LOST), TaskMigrated, id="assignment lost"),
        pytest.param(KafkaError(KafkaError.UNKNOWN_MEMBER_ID), TaskMigrated, id="no member any more"),
        pytest.param(
            KafkaError(KafkaError.ILLEGAL_GENERATION, txn_requires_abort=True),
            Forgotten,
            id="offsets of an old generation",
        ),
        pytest.param(
            KafkaError(KafkaError.UNKNOWN_MEMBER_ID, txn_requires_abort=True), Forgotten, id="offsets of no member"
        ),
        pytest.param(
            KafkaError(KafkaError.FENCED_INSTANCE_ID, txn_requires_abort=True),
            TransactionAborted,
            id="offsets of a taken instance",
        ),
        pytest.param(KafkaError(KafkaError.INVALID_TXN_STATE, fatal=True), OutcomeUnknown, id="abort that failed"),
        pytest.param(KafkaError(KafkaError._FATAL), OutcomeUnknown, id="produce after a fatal error"),
        pytest.param(
            KafkaError(KafkaError._TIMED_OUT, fatal=True, retriable=True), OutcomeUnknown, id="fatal before retriable"
        ),
        pytest.param(
            KafkaError(KafkaError._TIMED_OUT, txn_requires_abort=True, retriable=True),
            TransactionAborted,
            id="abort before retriable",
        ),
        pytest.param(KafkaError(KafkaError._MSG_TIMED_OUT), TransactionAborted, id="not delivered"),
        pytest.param(KafkaError(KafkaError._STATE, retriable=True), Retriable, id="marked retriable"),
        pytest.param(KafkaError(KafkaError._TIMED_OUT), Retriable, id="timed out"),
        pytest.param(KafkaError(KafkaError._TRANSPORT), Retriable, id="connection lost"),
        pytest.param(KafkaError(KafkaError._DESTROY_BROKER), Retriable, id="the client lets a broker go"),
        pytest.param(KafkaError(KafkaError.NOT_COORDINATOR), Retriable, id="coordinator moved"),
        pytest.param(KafkaError(KafkaError.CONCURRENT_TRANSACTIONS), Retriable, id="previous transaction ending"),
        pytest.param(KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT), Retriable, id="offsets pending"),
        pytest.param(KafkaError(KafkaError._STATE), OutcomeUnknown, id="wrong state"),
        pytest.param(KafkaError(KafkaError.UNKNOWN), OutcomeUnknown, id="unknown to the broker"),
        pytest.param(KafkaError(123_456), OutcomeUnknown, id="unknown to everyone"),
    ],
)
def test_an_error_is_raised_as_the_recovery_it_asks_for(error: KafkaError, raised: type[BotmeterError]) -> None:
    assert type(classify(error)) is raised


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "docs/security.md"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "docs/security.md"),
        (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "docs/security.md"),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, "docs/security.md"),
        (KafkaError.SASL_AUTHENTICATION_FAILED, "BOTMETER_KAFKA__SASL_"),
        (KafkaError._AUTHENTICATION, "BOTMETER_KAFKA__SASL_"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, "botmeter topics create"),
        (KafkaError._NOENT, "botmeter topics create"),
        (KafkaError.MSG_SIZE_TOO_LARGE, "max.message.bytes"),
        (KafkaError.INVALID_TRANSACTION_TIMEOUT, "BOTMETER_TRANSACTION_TIMEOUT_MS"),
        (KafkaError.INVALID_REPLICATION_FACTOR, "BOTMETER_REPLICATION_FACTOR"),
        (KafkaError.OFFSET_OUT_OF_RANGE, "retention"),
    ],
)
def test_what_a_person_has_to_mend_says_what_and_where(code: int, advice: str) -> None:
    error = classify(KafkaError(code, "Broker: no"), "topic botmeter.journal")

    assert isinstance(error, ClusterError)
    assert error.exit_code == 3
    assert str(error).startswith("topic botmeter.journal: Broker: no (")
    assert advice in str(error)
    assert "\n" not in str(error)


def test_a_missing_permission_ends_the_program_also_when_it_broke_the_transaction() -> None:
    refused = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, txn_requires_abort=True)
    refused_for_good = KafkaError(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, fatal=True)

    named = [classify(error) for error in (refused, refused_for_good)]
    assert [error.resource for error in named if isinstance(error, PermissionMissing)] == ["topic", "transactional id"]


@pytest.mark.parametrize(
    ("said", "in_use"),
    [
        ("FAIL [worker#producer-4] [thrd:T]: TxnCoordinator: Disconnected: (after 1234ms in state UP)", True),
        ("FAIL [worker#producer-4] [thrd:1]: 1 request(s) timed out: disconnect (after 10000ms in state UP)", True),
        ("FAIL [worker#producer-4] in words that a later version chose", True),
        ("FAIL [worker#producer-4] [thrd:1]: Connection refused (after 0ms in state CONNECT)", False),
        ("FAIL [worker#producer-4] [thrd:1]: Disconnected (after 2ms in state APIVERSION_QUERY)", False),
        ("GETPID [worker#producer-4] Failed to acquire PID from broker: retrying", False),
    ],
)
def test_a_lost_connection_that_was_in_use_is_told_from_one_that_did_not_come_about(said: str, *, in_use: bool) -> None:
    assert is_lost_connection(said) is in_use


def test_the_error_is_taken_out_of_the_exception() -> None:
    error = KafkaError(KafkaError._TRANSPORT)

    assert cause(KafkaException(error)) is error


def test_an_exception_without_an_error_is_a_bug() -> None:
    with pytest.raises(TypeError, match="not an error of the client"):
        cause(KafkaException("only text"))


#: What a person may set through BOTMETER_KAFKA__*.
TUNING = {"fetch.min.bytes": "7", "linger.ms": "1", "client.id": "mine", "group.instance.id": "worker-0"}


@pytest.mark.parametrize("kafka", [{}, TUNING, {"group.protocol": "consumer"}])
def test_librdkafka_takes_every_configuration_without_a_warning(
    kafka: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="botmeter"):
        with make_consumer(consumer_config(kafka, NOWHERE, "group")) as member:
            member.poll(0)
        with make_consumer(reader_config(kafka, NOWHERE, "group")) as reader:
            reader.poll(0)
        for config in (producer_config(kafka, NOWHERE, "id", 15_000), simple_producer_config(kafka, NOWHERE)):
            with make_producer(config) as producer:
                producer.poll(0)
        with make_admin(admin_config(kafka, NOWHERE)) as admin:
            admin.poll(0)

    assert [line for line in caplog.messages if "CONFWARN" in line] == []


def every_config(kafka: dict[str, str]) -> list[Config]:
    return [
        consumer_config(kafka, NOWHERE, "group"),
        reader_config(kafka, NOWHERE, "group"),
        producer_config(kafka, NOWHERE, "id", 15_000),
        simple_producer_config(kafka, NOWHERE),
        admin_config(kafka, NOWHERE),
    ]


def test_options_of_the_person_win_over_tuning() -> None:
    configs = every_config({"client.id": "mine", "reconnect.backoff.max.ms": "9"})

    assert {(config["client.id"], config["reconnect.backoff.max.ms"]) for config in configs} == {("mine", "9")}


def test_options_of_the_person_never_win_over_the_guarantees() -> None:
    spoilt = {
        "isolation.level": "read_uncommitted",
        "enable.auto.commit": "true",
        "auto.offset.reset": "latest",
        "partition.assignment.strategy": "range",
        "enable.idempotence": "false",
        "partitioner": "random",
        "transactional.id": "another",
        "transaction.timeout.ms": "1",
        "bootstrap.servers": "elsewhere:9092",
    }
    member, reader, producer, simple, _ = every_config(spoilt)

    assert {config["bootstrap.servers"] for config in every_config(spoilt)} == {NOWHERE}
    for config in (member, reader):
        assert config["isolation.level"] == "read_committed"
        assert config["enable.auto.commit"] is False
        assert config["auto.offset.reset"] == "error"
    assert member["partition.assignment.strategy"] == "cooperative-sticky"
    for config in (producer, simple):
        assert (config["enable.idempotence"], config["partitioner"]) == (True, "murmur2_random")
    assert (producer["transactional.id"], producer["transaction.timeout.ms"]) == ("id", 15_000)


def test_a_reader_is_never_taken_for_the_member_whose_options_it_shares() -> None:
    assert "group.instance.id" not in reader_config(TUNING, NOWHERE, "group")
    assert consumer_config(TUNING, NOWHERE, "group")["group.instance.id"] == "worker-0"


@pytest.mark.parametrize("config", every_config({"no.such.option": "1"}))
def test_an_option_librdkafka_does_not_know_is_a_wrong_setting(config: Config) -> None:
    make = make_consumer if "group.id" in config else make_producer if "acks" in config else make_admin

    with pytest.raises(ConfigurationError, match=r'BOTMETER_KAFKA__NO_SUCH_OPTION: .*"no\.such\.option"'):
        make(config)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"security.protocol": "SSL", "ssl.ca.location": "/nowhere/ca.pem"},
            "BOTMETER_KAFKA__SSL_CA_LOCATION: cannot read /nowhere/ca.pem: ",
        ),
        (
            {"security.protocol": "SSL", "ssl.ca.location": __file__},
            f"BOTMETER_KAFKA__SSL_CA_LOCATION: {__file__}: ",
        ),
        ({"security.protocol": "SASL_PLAINTEXT"}, "BOTMETER_KAFKA__SASL_MECHANISM: "),
        ({"socket.timeout.ms": "soon"}, "BOTMETER_KAFKA__SOCKET_TIMEOUT_MS: "),
    ],
)
def test_the_variable_of_a_wrong_option_is_named(options: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_admin(admin_config(options, NOWHERE))

    assert str(caught.value).startswith(said)


def test_a_client_tells_the_same_once_in_30_s_and_how_often_it_was(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("botmeter.librdkafka")
    for second in range(31):
        for name in ("a", "b"):
            text = f"refused (after {second}ms)"
            record = log.makeRecord(log.name, logging.ERROR, "", 0, "%s [%s] %s", ("FAIL", name, text), None)
            record.created = second
            log.handle(record)

    assert caplog.messages == [
        "FAIL [a] refused (after 0ms)",
        "FAIL [b] refused (after 0ms)",
        "FAIL [a] refused (after 30ms); 29 times more since",
        "FAIL [b] refused (after 30ms); 29 times more since",
    ]


@pytest.mark.parametrize(("servers", "reason"), [(NOWHERE, "Connection refused"), (NO_NAME, "Failed to resolve")])
def test_an_unreachable_broker_is_told_while_trying_and_at_the_end(servers: str, reason: str) -> None:
    lines: list[str] = []

    with pytest.raises(ClusterError) as caught:
        wait_for_broker(admin_config({}, servers), GIVEN_UP_AFTER_S, lines.append)

    assert caught.value.exit_code == 3
    assert {line.partition(" yet")[0] for line in lines} == {f"cannot reach Kafka at {servers}"}
    assert str(caught.value).startswith(f"cannot reach Kafka at {servers}, tried for {GIVEN_UP_AFTER_S} s (")
    assert reason in str(caught.value)
    assert "BOTMETER_BOOTSTRAP_SERVERS" in str(caught.value)


def test_a_port_that_does_not_speak_kafka_is_no_broker() -> None:
    with socket.create_server(("localhost", 0)) as silent:
        port = silent.getsockname()[1]

        with pytest.raises(ClusterError, match=f"cannot reach Kafka at localhost:{port}, tried for 0 s"):
            wait_for_broker(admin_config({}, f"localhost:{port}"), 0, print)


def test_waiting_leaves_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ClusterError):
        wait_for_broker(admin_config({}, NOWHERE), 0, print)

    assert caplog.messages == []


def test_a_refused_login_is_not_waited_out() -> None:
    faults = [KafkaError(KafkaError._AUTHENTICATION, "bad password"), KafkaError(KafkaError._ALL_BROKERS_DOWN)]

    with pytest.raises(ClusterError, match=r"bad password .*check user and password"):
        _reason(faults)


def test_a_login_that_the_listener_does_not_know_is_told_apart() -> None:
    refused = KafkaError(
        KafkaError._AUTHENTICATION,
        "SASL PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state: broker's supported "
        "mechanisms: ",
    )

    assert "check BOTMETER_KAFKA__SECURITY_PROTOCOL" in str(classify(refused))


def raise_bare(error: KafkaError) -> None:
    """Raises the error itself, as the client's own code can."""
    raises = ctypes.pythonapi.PyErr_SetObject
    raises.argtypes, raises.restype = [ctypes.py_object, ctypes.py_object], None
    raises(KafkaError, error)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python raises nothing but exceptions from 3.12 on")
def test_an_error_that_the_client_raises_bare_is_caught_as_any_other() -> None:
    with pytest.raises(KafkaException) as raised, Catchable():
        raise_bare(KafkaError(KafkaError._FENCED, "a newer producer", fatal=True))

    assert isinstance(classify(cause(raised.value)), TaskMigrated)


def test_what_else_is_raised_stays_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), Catchable():
        _ = 1 // 0
