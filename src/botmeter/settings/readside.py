"""Settings of the read side: its database, the size of its transactions, how long it keeps hourly usage."""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel, Field, SecretStr, field_validator

_URL: Final = re.compile(r"((sqlite|postgresql)(\+[a-z0-9_]+)?://\S+)?")


class ReadsideSettings(BaseModel):
    """The read side's part of `Settings`."""

    readside_url: SecretStr = Field(
        default=SecretStr(""),
        description="Database of the read side, such as postgresql+psycopg://user:password@host/name. "
        "Empty: SQLite, the file readside.db in the data directory.",
    )
    readside_batch_records: int = Field(
        default=100_000,
        ge=1,
        le=500_000,
        description="Most records of the journal in one transaction of the read side.",
    )
    readside_port: int = Field(
        default=-1,
        ge=-1,
        le=65535,
        description="Port of the metrics of `botmeter project`; -1 is none, 0 any free one.",
    )
    readside_hours_days: int = Field(
        default=400,
        ge=1,
        description="How many days usage by the hour is kept; sessions and usage by the day are kept for ever.",
    )

    @field_validator("readside_url")
    @classmethod
    def _a_database(cls, url: SecretStr) -> SecretStr:
        if not _URL.fullmatch(url.get_secret_value()):
            raise ValueError("should be an address such as postgresql+psycopg://user:password@host/name")
        return url
