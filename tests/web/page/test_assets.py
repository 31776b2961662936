"""What the page is made of belongs to the package, as it was published, and nothing in it is inline."""

from __future__ import annotations

import hashlib
import json
import re

import httpx

from botmeter.web.page.assets import STATIC, static_url
from botmeter.web.page.rendering import account_url

from . import states
from .conftest import Site

VENDOR = STATIC / "vendor"


def test_every_foreign_file_is_the_one_that_was_published() -> None:
    manifest = json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8"))
    hashes = {row["file"]: row["sha256"] for row in manifest}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.name != "manifest.json"
    }

    assert found == hashes


def test_every_foreign_package_brings_its_licence() -> None:
    manifest = json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8"))

    assert {row["package"] for row in manifest} == {
        row["package"] for row in manifest if row["file"].endswith(".LICENSE")
    }


def test_assets_are_kept_for_good_under_an_address_of_their_version(site: Site) -> None:
    with httpx.Client(base_url=site.address) as client:
        answer = client.get(static_url("page.css"))
        outside = client.get("/static/x/..%2f..%2fapp.py")

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert outside.status_code == 404


def test_a_page_has_nothing_inline(site: Site) -> None:
    with httpx.Client(base_url=site.address, follow_redirects=True) as client:
        client.get(site.login("operator"))
        page = client.get(account_url(states.NEAR)).text

    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)|javascript:", page) == []
