"""Settings: where values come from, and the one line that says what is wrong with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from botmeter.client_options import REFUSED_OPTIONS
from botmeter.contracts.pseudonyms import pseudonyms_by
from botmeter.domain.prices import PriceBook, Rules
from botmeter.errors import ConfigurationError
from botmeter.settings.load import instance_id, load
from botmeter.settings.model import Settings, variable
from botmeter.settings.page import describe, page, rows

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BOTMETER_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "botmeter.toml"


def fault(config_file: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(config_file)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_variables_and_file_the_defaults_hold() -> None:
    settings = load()

    assert settings == Settings()
    assert (settings.bootstrap_servers, settings.partitions, settings.group) == ("localhost:9092", 12, "botmeter")
    assert settings.rules() == Rules()


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('partitions = 4\ngroup = "from-file"\n')
    monkeypatch.setenv("BOTMETER_PARTITIONS", "8")

    settings = load(file)

    assert (settings.partitions, settings.group, settings.web_port) == (8, "from-file", 6066)


def test_a_variable_names_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("web_port = 0\n")
    monkeypatch.setenv("BOTMETER_CONFIG", str(file))

    assert load().web_port == 0


def test_settings_made_directly_ignore_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTMETER_PARTITIONS", "8")

    assert Settings().partitions == 12


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().partitions = 3  # type: ignore[misc]


#: A value of each setting that is not its default.
OTHER_VALUES = {
    "bootstrap_servers": "kafka-1:9092,kafka-2:9092",
    "data_dir": "elsewhere",
    "group": "meters",
    "instance": "worker-0",
    "partitions": "3",
    "replication_factor": "2",
    "topic_prefix": "eu.",
    "interactions_topic": "in",
    "commands_topic": "commands",
    "web_port": "0",
    "broker_timeout_s": "1",
    "ahead_limit_s": "2",
    "late_limit_s": "3",
    "clock_skew_limit_s": "7",
    "exhaustion": "all_chats",
    "pack_sessions": "10",
    "pack_price_minor": "99",
    "currency": "EUR",
    "complimentary_sessions": "5",
    "default_thresholds": "50, 80",
    "batch_records": "7",
    "linger_ms": "0",
    "snapshot_interval_s": "9",
    "store_max_age_s": "10",
    "cache_mib": "11",
    "transaction_timeout_ms": "5000",
    "dead_letter_limit_percent": "90",
    "log_format": "json",
    "traces": "otlp",
    "log_level": "debug",
    "notify_group": "notifiers",
    "notify_database_url": "sqlite:////elsewhere/notify.db",
    "notify_port": "0",
    "notify_smtp_host": "mail.example",
    "notify_smtp_port": "25",
    "notify_smtp_security": "tls",
    "notify_smtp_user": "botmeter",
    "notify_smtp_password": "open sesame",
    "notify_smtp_timeout_s": "1.5",
    "notify_mail_from": "Billing <billing@example.com>",
    "notify_reply_to": "people@example.com",
    "notify_idempotency_header": "Resend-Idempotency-Key",
    "notify_billing_url": "https://billing.example/{account_id}",
    "notify_locale": "de",
    "notify_webhooks": "https://example.com/hook whsec_c2VjcmV0",
    "notify_webhook_timeout_s": "2",
    "notify_projected": "true",
    "notify_max_age_s": "0",
    "notify_retry_s": "1",
    "notify_retry_max_s": "2",
    "notify_give_up_s": "3",
    "notify_repeat_s": "4",
    "notify_repeats_max": "1",
    "notify_claim_s": "5",
    "notify_mail_senders": "6",
    "readside_url": "sqlite:////elsewhere/readside.db",
    "pseudonym_key": "a key of more than thirty-two characters",
    "readside_batch_records": "12",
    "readside_port": "0",
    "readside_hours_days": "13",
    "http_host": "::1",
    "http_port": "0",
    "http_metrics_port": "6068",
    "http_public_url": "https://billing.example",
    "http_rate_per_s": "1",
    "http_fast_rate_per_s": "2",
    "http_command_wait_ms": "3",
    "http_after_wait_ms": "4",
    "auth_secret": "0123456789abcdef0123456789abcdef",
    "auth_jwks": "keys.json",
    "auth_issuer": "https://login.example",
    "auth_audience": "billing",
    "auth_role_claim": "r",
    "auth_accounts_claim": "a",
    "auth_login_s": "60",
    "oidc_issuer": "https://login.example",
    "oidc_client_id": "botmeter-page",
    "oidc_client_secret": "open sesame",
}


def test_every_setting_has_a_variable_that_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OTHER_VALUES.keys() == Settings.model_fields.keys() - {"kafka"}
    for field, text in OTHER_VALUES.items():
        monkeypatch.setenv(variable(field), text)

    settings = load()

    assert [field for field in OTHER_VALUES if getattr(settings, field) == getattr(Settings(), field)] == []
    assert settings.rules() == Rules(
        prices=PriceBook(pack_sessions=10, pack_price_minor=99, currency="EUR", complimentary_sessions=5),
        ahead_limit_ms=2_000,
        late_limit_ms=3_000,
        exhaustion="all_chats",
        default_thresholds=(50, 80),
        pseudonyms=pseudonyms_by(OTHER_VALUES["pseudonym_key"].encode()),
    )
    assert [topic.name for topic in settings.topics().all()][:3] == ["in", "commands", "eu.journal"]


@pytest.mark.parametrize(("text", "percents"), [("80", (80,)), ("1,50,99", (1, 50, 99)), ("", ())])
def test_thresholds_are_separated_by_commas(
    text: str, percents: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOTMETER_DEFAULT_THRESHOLDS", text)

    assert load().default_thresholds == percents


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BOTMETER_PARTITIONS", "0"),
        ("BOTMETER_PARTITIONS", "1001"),
        ("BOTMETER_PARTITIONS", "many"),
        ("BOTMETER_PARTITIONS", ""),
        ("BOTMETER_BOOTSTRAP_SERVERS", ""),
        ("BOTMETER_BOOTSTRAP_SERVERS", "one two"),
        ("BOTMETER_WEB_PORT", "65536"),
        ("BOTMETER_REPLICATION_FACTOR", "0"),
        ("BOTMETER_EXHAUSTION", "never"),
        ("BOTMETER_CURRENCY", "dollars"),
        ("BOTMETER_LOG_LEVEL", "LOUD"),
        ("BOTMETER_INTERACTIONS_TOPIC", "chat interactions"),
        ("BOTMETER_INSTANCE", "a/b"),
        ("BOTMETER_DEFAULT_THRESHOLDS", "80,50"),
        ("BOTMETER_DEFAULT_THRESHOLDS", "50,50"),
        ("BOTMETER_DEFAULT_THRESHOLDS", "100"),
        ("BOTMETER_DEFAULT_THRESHOLDS", "0"),
        ("BOTMETER_DEFAULT_THRESHOLDS", "half"),
    ],
)
def test_a_wrong_value_is_one_line_with_variable_and_value(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)

    line = fault()

    assert line.startswith(f"{name}: ")
    assert repr(text.split(",", maxsplit=1)[0])[:-1] in line


def test_of_several_faults_the_first_is_told_and_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTMETER_PARTITIONS", "0")
    monkeypatch.setenv("BOTMETER_WEB_PORT", "-1")
    monkeypatch.setenv("BOTMETER_CURRENCY", "")

    assert fault() == "BOTMETER_PARTITIONS: should be greater than or equal to 1, not '0' (2 more)"


def test_a_wrong_value_of_the_file_names_the_file(file: Path) -> None:
    file.write_text("partitions = 0\n")

    assert fault(file) == f"partitions in {file}: should be greater than or equal to 1, not 0"


def test_a_misspelt_variable_is_refused_with_the_nearest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTMETER_LATE_LIMITS", "1")

    assert fault() == "BOTMETER_LATE_LIMITS: there is no such setting; did you mean BOTMETER_LATE_LIMIT_S?"


def test_the_client_options_have_no_variable_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTMETER_KAFKA", "{}")

    assert fault().startswith("BOTMETER_KAFKA: there is no such setting")


def test_a_misspelt_key_of_the_file_is_refused_with_the_nearest_one(file: Path) -> None:
    file.write_text("partition = 3\n")

    assert fault(file) == f"partition in {file}: there is no such setting; did you mean partitions?"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BOTMETER_SERVICE_HOST", "10.0.0.1"),
        ("BOTMETER_SERVICE_PORT_HTTP", "6066"),
        ("BOTMETER_PORT", "tcp://10.0.0.1:6066"),
        ("BOTMETER_PORT_6066_TCP_ADDR", "10.0.0.1"),
    ],
)
def test_variables_that_kubernetes_sets_for_a_service_are_not_taken_for_misspelt_ones(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)

    assert load() == Settings()


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    assert fault(file) == f"cannot read the settings file {file}: No such file or directory"


@pytest.mark.parametrize("content", [b"partitions", b"group = '\xff'"])
def test_a_file_that_is_not_toml_is_named(content: bytes, file: Path) -> None:
    file.write_bytes(content)

    assert fault(file).startswith(f"the settings file {file} is not TOML: ")


def test_inputs_and_outputs_need_different_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTMETER_COMMANDS_TOPIC", "botmeter.journal")

    assert "BOTMETER_COMMANDS_TOPIC should differ" in fault()


def test_client_options_of_the_environment_have_dots_for_underscores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTMETER_KAFKA__SECURITY_PROTOCOL", "SASL_SSL")

    assert load().kafka == {"security.protocol": "SASL_SSL"}


@pytest.mark.parametrize("password", ["1e5", "007", "true", "null", '{"a": 1}'])
def test_a_password_is_handed_on_as_it_was_written(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTMETER_KAFKA__SASL_PASSWORD", password)

    assert load().kafka == {"sasl.password": password}


def test_client_options_of_the_file_may_be_quoted_or_not_and_are_joined_with_those_of_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('[kafka]\n"linger.ms" = 20\nsocket.nagle.disable = true\nsecurity.protocol = "SSL"\n')
    monkeypatch.setenv("BOTMETER_KAFKA__SECURITY_PROTOCOL", "SASL_SSL")

    assert load(file).kafka == {
        "linger.ms": "20",
        "socket.nagle.disable": "true",
        "security.protocol": "SASL_SSL",
    }


@pytest.mark.parametrize("option", REFUSED_OPTIONS)
def test_an_option_that_would_break_the_guarantees_is_refused_with_the_reason(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"BOTMETER_KAFKA__{option.replace('.', '_').upper()}"
    monkeypatch.setenv(name, "x")

    assert fault() == f"{name}: cannot be set: {REFUSED_OPTIONS[option]}"


def test_an_option_of_the_file_is_refused_too(file: Path) -> None:
    file.write_text("[kafka]\nenable.auto.commit = true\n")

    assert fault(file).startswith(f"kafka.enable.auto.commit in {file}: cannot be set: ")


def test_a_wrong_kind_of_client_option_does_not_print_its_value(file: Path) -> None:
    file.write_text('[kafka]\nsasl.password = ["hunter2"]\n')

    assert fault(file) == f"kafka.sasl.password in {file}: should be a valid string"


@pytest.mark.parametrize(
    "option", ["sasl.password", "ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.client.secret", "some.token"]
)
def test_secrets_are_not_printed(option: str) -> None:
    settings = Settings(kafka={option: "hunter2", "sasl.username": "botmeter"})

    assert "hunter2" not in f"{settings!r} {settings}"
    assert "'sasl.username': 'botmeter'" in repr(settings)
    assert settings.kafka[option] == "hunter2"


def test_the_configured_instance_is_the_instance(tmp_path: Path) -> None:
    assert instance_id(Settings(instance="worker-0", data_dir=tmp_path / "none")) == "worker-0"
    assert not (tmp_path / "none").exists()


def test_an_instance_without_a_name_keeps_the_one_it_was_given_at_first(tmp_path: Path) -> None:
    here, there = Settings(data_dir=tmp_path / "deep" / "here"), Settings(data_dir=tmp_path / "there")

    assert instance_id(here) == instance_id(here)
    assert instance_id(here) != instance_id(there)


def test_a_damaged_instance_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "instance").write_text("\n")

    with pytest.raises(ConfigurationError, match=r"instance holds no instance name; delete it"):
        instance_id(Settings(data_dir=tmp_path))


def test_a_data_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file")

    with pytest.raises(ConfigurationError, match="BOTMETER_DATA_DIR: cannot use"):
        instance_id(Settings(data_dir=tmp_path / "occupied"))


def test_every_setting_is_described() -> None:
    described = {name for name, _, meaning in rows() if meaning}

    assert described == {variable(field) for field in Settings.model_fields if field != "kafka"} | {
        "BOTMETER_CONFIG",
        "BOTMETER_KAFKA__<OPTION>",
    }
    assert all(name in describe() for name in described)
    assert max(map(len, describe().splitlines())) <= 80


def test_the_page_of_settings_is_up_to_date() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == page()
