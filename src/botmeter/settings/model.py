"""Every setting of botmeter, with its default, limits and meaning. `load.py` reads their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from botmeter.client_options import REFUSED_OPTIONS, flattened, redacted
from botmeter.contracts.pseudonyms import pseudonyms_by
from botmeter.contracts.topics import Topics
from botmeter.domain.prices import SECOND_MS, Exhaustion, PriceBook, Pseudonyms, Rules
from botmeter.settings import shapes
from botmeter.settings.notify import NotifySettings
from botmeter.settings.readside import ReadsideSettings
from botmeter.settings.web import SECRET_CHARACTERS_MIN, WebSettings

PREFIX: Final = "BOTMETER_"
#: The variable that names the TOML file; it is no setting.
CONFIG_VARIABLE: Final = "BOTMETER_CONFIG"


class Settings(NotifySettings, WebSettings, ReadsideSettings, BaseSettings):
    """All settings, validated and frozen. The constructor reads neither environment nor file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    bootstrap_servers: str = Field(
        default="localhost:9092",
        pattern=shapes.ADDRESSES,
        description="Kafka brokers for the first connection, host:port, separated by commas.",
    )
    data_dir: Path = Field(
        default=Path("botmeter-data"),
        description="Directory of the local store and of the instance's name. If it is deleted, the worker restores it "
        "from Kafka.",
    )
    group: str = Field(
        default="botmeter",
        pattern=shapes.NAME,
        description="Consumer group of the workers; also the prefix of their transactional ids.",
    )
    instance: str = Field(
        default="",
        pattern=shapes.NAME_OR_NOTHING,
        description="Name of this worker, different for each and the same after a restart. "
        "Empty: a random one, stored in the data directory.",
    )
    partitions: int = Field(
        default=12, ge=1, le=1000, description="Number of partitions of every topic, inputs and outputs."
    )
    replication_factor: int = Field(
        default=-1,
        ge=-1,
        le=32767,
        description="Replicas of the topics that `botmeter topics create` creates; -1 is the broker's default.",
    )
    topic_prefix: str = Field(
        default="botmeter.",
        pattern=shapes.NAME_OR_NOTHING,
        description="Prefix of the names of the output topics.",
    )
    interactions_topic: str = Field(
        default="chat.interactions",
        pattern=shapes.TOPIC,
        max_length=249,
        description="Input topic of the chat platform.",
    )
    commands_topic: str = Field(
        default="billing.commands",
        pattern=shapes.TOPIC,
        max_length=249,
        description="Input topic of the billing side.",
    )
    web_port: int = Field(
        default=6066, ge=0, le=65535, description="Port of the worker's health and metrics; 0 is any free one."
    )
    broker_timeout_s: int = Field(
        default=60, ge=0, description="How long to wait for an unreachable broker at the start, in seconds."
    )
    ahead_limit_s: int = Field(
        default=300,
        ge=0,
        description="How far an interaction's occurred_at may be ahead of the broker's timestamp, in seconds; "
        "an interaction beyond it becomes a dead letter, in_future.",
    )
    late_limit_s: int = Field(
        default=172_800,
        ge=0,
        description="How far an interaction's occurred_at may be behind the broker's timestamp, in seconds; "
        "an interaction beyond it becomes a dead letter, too_late.",
    )
    exhaustion: Exhaustion = Field(
        default="new_sessions",
        description="What goes to agents while an account is exhausted: chats that need a new session (new_sessions), "
        "or those with a paid session too (all_chats).",
    )
    pack_sessions: int = Field(default=1000, ge=1, description="Sessions in a pack.")
    pack_price_minor: int = Field(
        default=10_000, ge=0, description="Price of a pack for one billing cycle, in minor units (cents)."
    )
    currency: str = Field(default="USD", pattern=shapes.CURRENCY, description="Currency of the price, three letters.")
    complimentary_sessions: int = Field(
        default=500, ge=0, description="Sessions that an account gets once, on any plan but free."
    )
    default_thresholds: Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], NoDecode] = Field(
        default=(80,),
        description="Percentages that alert, for accounts without own thresholds; ascending, separated by commas.",
    )
    batch_records: int = Field(
        default=20_000, ge=1, le=200_000, description="Most records in a micro-batch, which is one transaction."
    )
    linger_ms: int = Field(
        default=5,
        ge=0,
        le=10_000,
        description="How long a batch waits for more records when traffic is slow, in milliseconds.",
    )
    snapshot_interval_s: int = Field(
        default=60, ge=1, description="Least time between two snapshots of one account, in seconds."
    )
    store_max_age_s: int = Field(
        default=604_800,
        ge=0,
        description="A local store last written longer ago is wiped and restored from Kafka, in seconds.",
    )
    cache_mib: int = Field(
        default=150,
        ge=0,
        description="Memory for session windows, over all partitions of a worker, in MiB; 150 hold a million. "
        "Others are read from the local store.",
    )
    clock_skew_limit_s: int = Field(
        default=30,
        ge=1,
        description="How far the worker's clock may differ from the brokers', in seconds; beyond it the timer rolls no "
        "cycle until they agree.",
    )
    transaction_timeout_ms: int = Field(
        default=15_000,
        ge=1_000,
        le=900_000,
        description="How long until the broker aborts the transaction of a worker that died, in milliseconds; "
        "readers and the next owner wait for it.",
    )
    dead_letter_limit_percent: int = Field(
        default=50,
        ge=1,
        le=100,
        description="A partition fails when a larger share of a minute's records, at least 1,000, became dead letters: "
        "a sender is at fault, and its records stay in the input until it is fixed. 100: never.",
    )
    pseudonym_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key of the end-users' pseudonyms in long-term storage: journal, snapshots, stores, read side "
        "(docs/privacy.md). At least 32 characters, the same for all programs of an installation, and as secret as a "
        "password. Empty: end-users are stored by their ids.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Lowest severity that is logged: DEBUG, INFO, WARNING or ERROR."
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="How worker, web, notify and project log: text for people, or json, one object per line.",
    )
    traces: Literal["none", "otlp"] = Field(
        default="none",
        description="Where worker, web and notify export OpenTelemetry traces: none, or otlp, a collector by OTLP over "
        "HTTP, set by OTEL_* variables such as OTEL_EXPORTER_OTLP_ENDPOINT; needs botmeter[traces].",
    )
    kafka: dict[str, str] = Field(
        default_factory=dict,
        description="Any other librdkafka option, for security and tuning, with _ for each dot: "
        "BOTMETER_KAFKA__SECURITY_PROTOCOL=SASL_SSL. In the file: a table [kafka].",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Uses the arguments alone, so that the same call gives the same settings on every machine."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @field_validator("data_dir", mode="before")
    @classmethod
    def _some_directory(cls, path: object) -> object:
        # pathlib takes an empty path as the current directory, which is not what an empty setting means.
        if path == "":
            raise ValueError("should name a directory")
        return path

    @field_validator("replication_factor")
    @classmethod
    def _some_replica(cls, replicas: int) -> int:
        if replicas == 0:
            raise ValueError("should be -1 or at least 1")
        return replicas

    @field_validator("pseudonym_key")
    @classmethod
    def _strong_key(cls, key: SecretStr) -> SecretStr:
        if 0 < len(key.get_secret_value()) < SECRET_CHARACTERS_MIN:
            raise ValueError(f"should have at least {SECRET_CHARACTERS_MIN} characters")
        return key

    @field_validator("log_level", mode="before")
    @classmethod
    def _capitals(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level

    @field_validator("default_thresholds", mode="before")
    @classmethod
    def _split_at_commas(cls, percents: object) -> object:
        return [text.strip() for text in percents.split(",") if text.strip()] if isinstance(percents, str) else percents

    @field_validator("default_thresholds")
    @classmethod
    def _ascending(cls, percents: tuple[int, ...]) -> tuple[int, ...]:
        if any(low >= high for low, high in pairwise(percents)):
            raise ValueError("should be ascending, each percentage once")
        return percents

    @field_validator("kafka", mode="before")
    @classmethod
    def _flat_options(cls, options: object) -> object:
        return dict(flattened(options)) if isinstance(options, Mapping) else options

    @field_validator("kafka")
    @classmethod
    def _harmless_options(cls, options: dict[str, str]) -> dict[str, str]:
        for option in options:
            if reason := REFUSED_OPTIONS.get(option):
                raise PydanticCustomError(
                    "refused_option", "cannot be set: {reason}", {"option": option, "reason": reason}
                )
        return options

    @model_validator(mode="after")
    def _topics_differ(self) -> Settings:
        outputs = {topic.name for topic in self.topics().all() if topic.direction != "in"}
        inputs = [self.interactions_topic, self.commands_topic]
        if len({*inputs, *outputs}) < len(inputs) + len(outputs):
            raise ValueError(
                "BOTMETER_INTERACTIONS_TOPIC and BOTMETER_COMMANDS_TOPIC should differ from each other "
                "and from the output topics"
            )
        return self

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Yields all fields for repr and str, without secrets."""
        for name, value in super().__repr_args__():
            yield name, redacted(value) if name == "kafka" else value

    def rules(self) -> Rules:
        """Returns the rules that decisions depend on (`A1`, `A3`, `S7`, `S9`, `T1`)."""
        return Rules(
            prices=PriceBook(
                pack_sessions=self.pack_sessions,
                pack_price_minor=self.pack_price_minor,
                currency=self.currency,
                complimentary_sessions=self.complimentary_sessions,
            ),
            ahead_limit_ms=self.ahead_limit_s * SECOND_MS,
            late_limit_ms=self.late_limit_s * SECOND_MS,
            exhaustion=self.exhaustion,
            default_thresholds=self.default_thresholds,
            pseudonyms=self.pseudonyms(),
        )

    def pseudonyms(self) -> Pseudonyms | None:
        """Returns the end-users' pseudonyms; None without a key."""
        key = self.pseudonym_key.get_secret_value()
        return pseudonyms_by(key.encode()) if key else None

    def readside_database(self) -> str:
        """Returns the URL of the read side's database."""
        return self.readside_url.get_secret_value() or f"sqlite:///{self.data_dir.absolute() / 'readside.db'}"

    def topics(self) -> Topics:
        """Returns the topics of the contract with the configured names."""
        return Topics.named(self.topic_prefix, self.interactions_topic, self.commands_topic)


def variable(field: str) -> str:
    """Returns the environment variable of a field."""
    return PREFIX + field.upper()
