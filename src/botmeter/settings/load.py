"""Loads settings from `BOTMETER_*` variables, an optional TOML file and the defaults, in this order.

Only `load` reads the environment and the file. A fault ends the program with one line that names the variable. An
unknown name is a fault too, because a misspelt limit that is silently ignored would cost money.
"""

from __future__ import annotations

import difflib
import os
import re
import secrets
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

from botmeter.client_options import KAFKA_PREFIX, flattened, kafka_variable
from botmeter.errors import ConfigurationError
from botmeter.settings import shapes
from botmeter.settings.model import CONFIG_VARIABLE, PREFIX, Settings, variable

#: Variables of the test suite, which share the prefix.
_TEST_PREFIX: Final = "BOTMETER_TEST_"
#: Variables that Kubernetes adds to every pod when there is a Service whose name begins with `botmeter`.
_SERVICE_LINK: Final = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$"
)
_SERVICE_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://")


def load(config_file: Path | None = None) -> Settings:
    """Loads settings from the environment and the TOML file `config_file`, by default the one BOTMETER_CONFIG names.

    Raises:
        ConfigurationError: a value is wrong, a name unknown or the file unreadable; the message names it in one line.
    """
    _refuse_unknown_variables(os.environ)
    file = config_file or (Path(named) if (named := os.environ.get(CONFIG_VARIABLE)) else None)
    values = _read(file) if file else {}
    from_environment = _Environment(Settings)()
    options = values.get("kafka")
    if isinstance(options, Mapping):
        from_environment["kafka"] = dict(flattened(options)) | from_environment.get("kafka", {})
    try:
        return Settings(**values | from_environment)
    except ValidationError as error:
        raise ConfigurationError(_explain(error.errors(include_url=False), file)) from None


def instance_id(settings: Settings) -> str:
    """Returns this worker's name: the configured one, else the one stored in the data directory, else a random one.

    Raises:
        ConfigurationError: the data directory cannot be used.
    """
    if settings.instance:
        return settings.instance
    file = settings.data_dir / "instance"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            # Written to another file and renamed, so that a crash never leaves an incomplete name.
            new = file.with_suffix(".new")
            new.write_text(secrets.token_hex(8) + "\n", encoding="ascii")
            new.replace(file)
        kept = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"BOTMETER_DATA_DIR: cannot use {file}: {error}") from error
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", kept):
        raise ConfigurationError(f"BOTMETER_DATA_DIR: {file} holds no instance name; delete it to get a new one")
    return kept


class _Environment(EnvSettingsSource):
    """Reads BOTMETER_* variables. Client options stay text: a password 1e5 is not a number."""

    def explode_env_vars(self, field_name: str, field: FieldInfo, env_vars: Mapping[str, str | None]) -> dict[str, Any]:
        del field
        prefix = f"{PREFIX}{field_name}__".lower()
        return {
            name.removeprefix(prefix).replace("_", "."): text
            for name, text in env_vars.items()
            if name.startswith(prefix)
        }


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the settings file {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the settings file {file} is not TOML: {error}") from error


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = {variable(field) for field in Settings.model_fields} - {variable("kafka")} | {CONFIG_VARIABLE}
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in known or name.startswith((KAFKA_PREFIX, _TEST_PREFIX)):
            continue
        if _SERVICE_LINK.search(name) or _SERVICE_ADDRESS.match(value):
            continue
        raise ConfigurationError(
            f"{name}: there is no such setting{_did_you_mean(name, known | {f'{KAFKA_PREFIX}<OPTION>'})}"
        )


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _explain(faults: list[ErrorDetails], file: Path | None) -> str:
    """Returns the first fault in one line, with the number of the others."""
    fault = faults[0]
    others = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
    field = str(fault["loc"][0]) if fault["loc"] else ""
    text = _expectation(fault)
    match fault["type"]:
        case "extra_forbidden":
            return f"{field} in {file}: there is no such setting{_did_you_mean(field, Settings.model_fields)}{others}"
        case "refused_option":
            option = fault["ctx"]["option"]
            return f"{_place(kafka_variable(option), f'kafka.{option}', file)}: {text}{others}"
        case _ if not field:
            return f"{text}{others}"
        case _ if field == "kafka":  # the value may be a secret
            return f"{_place(KAFKA_PREFIX, '.'.join(map(str, fault['loc'])), file)}: {text}{others}"
        case _ if Settings.model_fields[field].annotation is SecretStr:
            return f"{_place(variable(field), field, file)}: {text}{others}"
    value = fault["input"]
    return f"{_place(variable(field), field, file)}: {text}, not {value!r}{_from_a_service(value)}{others}"


def _expectation(fault: ErrorDetails) -> str:
    """Returns what the value should be, in words for the operator."""
    match fault["type"]:
        case "string_pattern_mismatch":
            return f"should be {shapes.IN_WORDS[fault['ctx']['pattern']]}"
        case "int_parsing" | "int_type" | "int_from_float":
            return "should be a whole number"
        case "float_parsing":
            return "should be a number"
        case "bool_parsing":
            return "should be true or false"
    return re.sub(r"^(Value error, |Input |String )", "", fault["msg"])


def _from_a_service(value: object) -> str:
    """Explains a value that is an address, which Kubernetes sets."""
    if not _SERVICE_ADDRESS.match(str(value)):
        return ""
    return "; Kubernetes sets it beside a Service of that name: set enableServiceLinks: false in the pod"


def _place(name: str, key: str, file: Path | None) -> str:
    """Returns the origin of a value; the environment overrides the file."""
    return f"{key} in {file}" if file and name not in os.environ else name
