"""How the mails look in a narrow and a wide client, light and dark, in a real browser.

BOTMETER_TEST_PICTURES names a directory for the pictures; docs/pictures/mail.png is the sheet of them.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from .notices import MAYA, alert, exhausted, standing
from .test_mail import german, made

PICTURES: Final = os.environ.get("BOTMETER_TEST_PICTURES")
WIDTHS: Final = {"narrow": 360, "wide": 800}
Scheme = Literal["light", "dark"]
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
LETTERS: Final = {
    "threshold": (alert(), MAYA),
    "exhausted": (exhausted(), MAYA),
    "projected": (alert(type="projected", percent=50, runs_out_at="2026-11-24T10:00:00.000Z"), MAYA),
    "resumed": (standing("bot_resumed", "packs_purchased"), MAYA),
    "german": (alert(auto_recharge={"below": 500, "packs": 1}), german()),
    "longest-name": (alert("x" * 256), MAYA),
}
#: The part of what a person must be able to read, from WCAG: text against what is behind it.
CONTRAST_MIN: Final = 4.5
#: The contrast of every text, and what sticks out to the right, as the browser paints them.
LOOK: Final = """() => {
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const found = colour(getComputedStyle(each).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("body *")].filter((each) =>
    [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) && each.offsetParent !== null);
  return {
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    texts: texts.map((each) => {
      const [front, back] = [colour(getComputedStyle(each).color), behind(each)].map((each) => light(each.slice(0, 3)));
      const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
      return [each.textContent.trim().slice(0, 40), contrast];
    }),
    requests: performance.getEntriesByType("resource").length,
  };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        installed = shutil.which("chromium") or shutil.which("chromium-browser")
        opened = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        yield opened
        opened.close()


def shown(browser: Browser, letter: str, width: str, scheme: Scheme) -> Page:
    message, recipient = LETTERS[letter]
    body = made(dict(message), recipient).get_body(("html",))
    assert body is not None
    size: Any = {"width": WIDTHS[width], "height": 600}
    page = browser.new_page(viewport=size, color_scheme=scheme, device_scale_factor=2)
    page.set_content(body.get_content())
    return page


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("letter", LETTERS)
def test_a_mail_can_be_read_in_every_client(browser: Browser, letter: str, width: str, scheme: Scheme) -> None:
    page = shown(browser, letter, width, scheme)
    try:
        seen = page.evaluate(LOOK)
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"mail-{letter}-{width}-{scheme}.png", full_page=True)
    finally:
        page.close()

    assert seen["overflow"] == 0
    assert len(seen["texts"]) > 10
    assert [each for each in seen["texts"] if each[1] < CONTRAST_MIN] == []
    assert seen["requests"] == 0


def test_the_sheet_of_the_docs_shows_a_mail_in_every_client(browser: Browser, tmp_path: Path) -> None:
    pictures = []
    for letter, scheme in zip(("threshold", "exhausted"), SCHEMES, strict=True):
        pictures.append((picture(browser, letter, "wide", scheme), 560))
        pictures.append((picture(browser, letter, "narrow", scheme), 252))
    images = "".join(f'<img width="{width}" src="data:image/png;base64,{data}">' for data, width in pictures)
    page = browser.new_page(viewport={"width": 1700, "height": 600})
    page.set_content(f'<body style="margin:12px;display:flex;gap:12px;align-items:start;background:#8a8a8a">{images}')
    sheet = Path(PICTURES or tmp_path) / "mail.png"
    page.screenshot(path=sheet, full_page=True)
    page.close()

    assert sheet.stat().st_size > 50_000


def picture(browser: Browser, letter: str, width: str, scheme: Scheme) -> str:
    page = shown(browser, letter, width, scheme)
    taken = page.screenshot(full_page=True)
    page.close()
    return base64.b64encode(taken).decode()
