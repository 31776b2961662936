"""The local store of one partition on this machine: a cache of the journal, which may be deleted at any time."""

from __future__ import annotations

import shutil
from pathlib import Path

from botmeter.errors import ConfigurationError


def bytes_of(path: Path) -> int | None:
    """Returns the size of a store on disk; None when there is none."""
    if not path.exists() and not path.is_symlink():
        return None
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if not file.is_dir())


def delete(path: Path) -> None:
    """Deletes a store that no worker uses; for a link, only the link. Raises ConfigurationError when that fails."""
    try:
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path)
    except OSError as error:
        raise ConfigurationError(f"cannot delete {path}: {error.strerror}") from error
