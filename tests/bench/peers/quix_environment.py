"""The environment in which the Quix Streams peer runs: it wants another Kafka client than we have."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from botmeter.embedded.distribution import default_cache

LOCK: Final = Path(__file__).with_name("quix.txt")
INSTALL_TIMEOUT_S: Final = 600.0


class NoEnvironmentError(Exception):
    """It could not be made; says why in one line."""


def version() -> str:
    """Of Quix Streams, as locked."""
    found = re.search(r"^quixstreams==(\S+)", LOCK.read_text("utf-8"), re.MULTILINE)
    assert found is not None, f"{LOCK.name} locks no quixstreams"
    return found[1]


def python() -> Path:
    """The interpreter of the environment."""
    return _directory() / "bin" / "python"


def build() -> None:
    """Makes the environment, unless it is there. Raises NoEnvironmentError."""
    if _directory().exists():
        return
    staging = _directory().with_name(f"{_directory().name}.partial")
    pip = [str(staging / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-q"]
    try:
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(staging)],
            [*pip, "--require-hashes", "-r", str(LOCK)],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
        # A directory made by venv may be moved as long as its programs are called by the interpreter.
        staging.rename(_directory())
    except subprocess.SubprocessError as error:
        said = getattr(error, "stderr", None) or str(error)
        raise NoEnvironmentError(f"its environment cannot be made: {said.strip().splitlines()[-1]}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _directory() -> Path:
    digest = hashlib.blake2b(LOCK.read_bytes() + sys.version.encode(), digest_size=6).hexdigest()
    return default_cache() / f"bench-quix-{version()}-{digest}"
