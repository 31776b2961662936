"""The log of a process, on its standard error: lines for people, or by setting JSON, one object per event.

The JSON fields are stable: `at` (RFC 3339, UTC), `level`, `logger`, `process`, `thread`, `message`; where they apply,
`exception` with `type`, `message` and `traceback`, `client` and `facility` of a line of librdkafka, and fields of the
line itself, such as `partition`.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Literal

Form = Literal["text", "json"]

#: The attributes of every record; all others were passed as `extra`.
_STANDARD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: librdkafka's logger; the client calls it with its facility, its name and the text.
_CLIENT_LOGGER: Final = "botmeter.librdkafka"
_CLIENT_ARGUMENTS: Final = 3

log = logging.getLogger("botmeter")


class JsonLines(logging.Formatter):
    """Formats each record as one JSON object on one line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line, without a line break."""
        fields: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "process": self._process,
            "thread": record.threadName,
            "message": record.getMessage(),
        }
        if record.name == _CLIENT_LOGGER and isinstance(record.args, tuple) and len(record.args) == _CLIENT_ARGUMENTS:
            fields["facility"], fields["client"], fields["message"] = map(str, record.args)
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD_ATTRIBUTES}
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = _exception(record.exc_info[1])
        return json.dumps(fields, ensure_ascii=False, default=str)


def log_to_stderr(level: str, form: Form, process: str) -> None:
    """Sends the log to the standard error; as JSON also Python's own warnings and uncaught exceptions.

    `level` is the lowest severity of botmeter's and librdkafka's lines; for other libraries it is WARNING.
    """
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(JsonLines(process) if form == "json" else text)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    log.setLevel(level)
    if form == "json":
        logging.captureWarnings(capture=True)
        sys.excepthook = _log_bug
        threading.excepthook = _log_bug_of_thread


def is_json() -> bool:
    """Whether the log is JSON."""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers)


def log_bug(error: BaseException) -> None:
    """Logs a bug with its traceback."""
    if is_json():
        log.critical("a bug: %s", error, exc_info=error)
    else:
        traceback.print_exception(error)


def _log_bug(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    del kind, where
    log_bug(error)


def _log_bug_of_thread(hook: threading.ExceptHookArgs) -> None:
    if hook.exc_value is not None:
        log_bug(hook.exc_value)


def _exception(error: BaseException) -> dict[str, str]:
    return {
        "type": type(error).__qualname__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
    }
