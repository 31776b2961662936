"""The files of `schemas/`: JSON Schema 2020-12 of every message, and AsyncAPI 3 documents of every topic.

Imported by `botmeter schemas export` and the tests only. The same models always give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from botmeter.contracts import catalogue
from botmeter.contracts.asyncapi import asyncapi, bundled_asyncapi
from botmeter.contracts.json_schemas import Document, path_of, schema_of
from botmeter.contracts.topics import Topics

ASYNCAPI_FILE: Final = "asyncapi.json"
#: The same document with all schemas included.
ASYNCAPI_BUNDLE_FILE: Final = "asyncapi.bundle.json"

#: Every topic whose values are botmeter's messages: all but the dead letters, whose values are the original ones.
CHANNELS: Final = tuple(channel for channel in catalogue.CHANNELS if channel is not catalogue.DEAD_LETTERS)


def export(directory: Path) -> list[Path]:
    """Writes all files below `directory`, which is created if needed; returns their paths in order."""
    written = []
    for name, document in documents():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
        written.append(path)
    return written


def documents() -> Iterator[tuple[str, Document]]:
    """Yields every file's path below the directory and its content."""
    for channel in CHANNELS:
        for message in channel.messages:
            yield path_of(channel, message), schema_of(channel, message)
    yield ASYNCAPI_FILE, asyncapi(Topics.named())
    yield ASYNCAPI_BUNDLE_FILE, bundled_asyncapi(Topics.named())
