"""Refreshes the page's third-party assets from their npm packages, and writes down what they are.

Run by hand, as `make vendor`, when a version below changes; needs npm. Installing and running botmeter does not: the
files are part of the package, and a test compares them with the manifest.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Final

VENDOR: Final = Path(__file__).parents[1] / "src" / "botmeter" / "web" / "static" / "vendor"

#: Package, version, licence, and which of its files become which of ours. Each has its reason in docs/billing-page.md.
PACKAGES: Final = (
    ("htmx.org", "2.0.11", "0BSD", {"dist/htmx.min.js": "htmx.js", "LICENSE": "htmx.LICENSE"}),
    ("htmx-ext-sse", "2.2.4", "0BSD", {"dist/sse.min.js": "htmx-sse.js", "LICENSE": "htmx-sse.LICENSE"}),
    (
        "@fontsource-variable/inter",
        "5.3.0",
        "OFL-1.1",
        {
            "files/inter-latin-opsz-normal.woff2": "inter-latin.woff2",
            "files/inter-latin-ext-wght-normal.woff2": "inter-latin-ext.woff2",
            "LICENSE": "inter.LICENSE",
        },
    ),
)


def unpacked(package: str, version: str, folder: Path) -> Path:
    """The files of one npm package, downloaded by npm into `folder`."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), f"{package}@{version}"]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    with tarfile.open(folder / name) as tar:
        tar.extractall(folder, filter="data")
    return folder / "package"


def main() -> None:
    """Copies the files and writes `manifest.json`: name, package, version, licence and SHA-256 of each."""
    rows = []
    for package, version, licence, files in PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            source = unpacked(package, version, Path(folder))
            for theirs, ours in files.items():
                body = (source / theirs).read_bytes()
                (VENDOR / ours).write_bytes(body)
                digest = hashlib.sha256(body).hexdigest()
                row = {"file": ours, "package": package, "version": version, "licence": licence, "sha256": digest}
                rows.append({**row, "from": theirs})
    (VENDOR / "manifest.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
