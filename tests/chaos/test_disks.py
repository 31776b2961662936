"""A worker's disk that is full or cannot be written to: one line that says so, and nothing lost once it is mended."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from worker.load import await_progress

from .installation import Installation

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

#: RocksDB sets some megabytes aside for each partition before it writes the first.
DISK: Final = "size=128m"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", path], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: no small disk can be mounted here, which takes root: {mounted.stderr.decode()}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def fill(disk: Path) -> Path:
    """A file that takes all that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            return filler


def test_a_worker_whose_disk_runs_full_says_so_and_goes_on_once_there_is_room(
    cluster: Installation, disk: Path
) -> None:
    variables = {"BOTMETER_DATA_DIR": str(disk / "data")}
    with cluster.load(6):
        worker = cluster.fragile_worker("worker", **variables).restored(cluster.partitions)
        await_progress(cluster, [worker])
        filler = fill(disk)

        assert worker.ended() == 2, worker.said
        assert "cannot write the store at" in worker.lines[-1]
        assert "No space left on device" in worker.lines[-1]
        again = cluster.fragile_worker("worker", **variables)
        assert again.ended() == 2, again.said
        filler.unlink()
        following = cluster.fragile_worker("worker", **variables).restored(cluster.partitions)
        await_progress(cluster, [following])
    cluster.end_well(following)


def test_a_worker_whose_disk_is_read_only_says_so_and_goes_on_once_it_is_not(cluster: Installation, disk: Path) -> None:
    variables = {"BOTMETER_DATA_DIR": str(disk / "data")}
    with cluster.load(7):
        worker = cluster.fragile_worker("worker", **variables).restored(cluster.partitions)
        await_progress(cluster, [worker])
        worker.kill()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        refused = cluster.fragile_worker("worker", **variables)

        assert refused.ended() == 2, refused.said
        assert str(disk) in refused.lines[-1]
        assert "Read-only file system" in refused.lines[-1]
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        following = cluster.fragile_worker("worker", **variables).restored(cluster.partitions)
        await_progress(cluster, [following])
    cluster.end_well(following)
