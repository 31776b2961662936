"""`botmeter demo` itself, with its own Kafka and worker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from playwright.sync_api import Page, expect

from botmeter.demo.story import ACCOUNT_IDS, RENEWING, RUNNING_OUT
from web.page.conftest import PICTURES

pytestmark = pytest.mark.kafka

#: An end to hanging, not a measure.
PATIENCE_S = 300
PATIENCE_MS = 60_000
#: They would make a terminal of a pipe, for rich.
OF_TERMINALS = {"FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}


@contextmanager
def demo(*options: str) -> Iterator[subprocess.Popen[str]]:
    """The demo as people start it, whatever settings they have for other clusters."""
    inherited = {name: value for name, value in os.environ.items() if name not in OF_TERMINALS}
    with subprocess.Popen(
        [sys.executable, "-c", "from botmeter.cli import main; main()", "demo", *options],
        env={**inherited, "BOTMETER_BOOTSTRAP_SERVERS": "nowhere.invalid:9092", "BOTMETER_PACK_SESSIONS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def read_until(running: subprocess.Popen[str], text: str) -> str:
    """The rest of the first line in which it stands."""
    assert running.stdout is not None
    found = next((line.partition(text)[2].strip() for line in running.stdout if text in line), None)
    assert found is not None, f"it ended before it said {text!r}"
    return found


def family(running: subprocess.Popen[str]) -> list[psutil.Process]:
    """Kafka, the worker, the notifier, the web server, and the guards of all."""
    return psutil.Process(running.pid).children(recursive=True)


def keep_picture(page: Page, name: str) -> None:
    """For people to look at."""
    folder = PICTURES / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True)


@pytest.mark.chaos
def test_it_runs_proves_itself_and_ends() -> None:
    with demo("--seconds", "10") as running:  # a busy machine may be late in all of five
        stdout, stderr = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 0, stdout + stderr
    figures = dict(re.findall(r"^  (?:  )?([a-z][a-z ]+?) +([\d,]+)(?:  |$)", stdout, re.MULTILINE))
    counts = {name: int(number.replace(",", "")) for name, number in figures.items()}
    assert counts["interactions read"] > 5_000
    assert counts["sessions charged"] > 500
    assert counts["duplicates absorbed"] > 0
    assert counts["dead letters"] > 10
    assert counts["overshoot"] == 0
    assert counts["balances equal"] > 100
    assert "bots suspended" in stdout
    assert re.search(r"[1-9]\d* mails, [1-9]\d* webhooks, .*, chat to mailbox p50 \d+ ms p99 \d+ ms", stdout)
    assert stdout.splitlines()[-1].startswith("OK: ")


@pytest.mark.timeout(PATIENCE_S)
def test_a_person_buys_a_pack_on_the_page_sees_bots_answer_again_and_ends_all_of_it(
    open_page: Callable[..., Page],
) -> None:
    with demo("--keep", "--rate", "500") as running:
        page = open_page(read_until(running, "log in as an operator: "))
        read_until(running, "harbor: bots suspended")
        expect(page.locator("h1")).to_have_text("Accounts", timeout=PATIENCE_MS)
        while not all(page.get_by_role("link", name=name).count() for name in ACCOUNT_IDS):
            page.reload()  # the read side may be behind
        keep_picture(page, "accounts")

        page.get_by_role("link", name=RUNNING_OUT.account_id).click()
        expect(page.locator("#state")).to_contain_text("Agents answer since", timeout=PATIENCE_MS)
        keep_picture(page, "run-out")
        page.locator("#packs").get_by_role("button", name=re.compile("Buy 1.pack for 100.USD")).click()
        expect(page.locator("#state")).to_contain_text("The bot answers.", timeout=PATIENCE_MS)
        keep_picture(page, "bought")
        read_until(running, "harbor: bought 1 pack for 100.00 USD")
        read_until(running, "harbor: a bot answers a new chat, ")

        told = page.locator("#timeline li", has_text="All sessions used: agents answer")
        expect(told).to_contain_text("mail to 1, delivered · webhook to 1, delivered", timeout=PATIENCE_MS)

        page.goto(page.url.replace(RUNNING_OUT.account_id, RENEWING.account_id))
        expect(page.locator("#timeline")).to_contain_text("Cycle 2 began, 1 pack renewed", timeout=PATIENCE_MS)
        keep_picture(page, "renewed")
        processes = family(running)
        assert len(processes) >= 8
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 0, stdout + stderr
    assert stdout.splitlines()[-1].startswith("OK: ")
    gone, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    assert len(gone) == len(processes), alive


@pytest.mark.chaos  # one more whole demo
def test_a_second_ctrl_c_interrupts_at_once() -> None:
    with demo("--keep", "--rate", "500") as running:
        read_until(running, "bots suspended")
        running.send_signal(signal.SIGINT)
        read_until(running, "ends with the traffic")
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 130, stdout + stderr


def test_a_worker_that_dies_is_shown_with_the_end_of_its_log() -> None:
    with demo() as running:
        read_until(running, "bots suspended")
        [worker] = [process for process in family(running) if process.cmdline()[-1:] == ["worker"]]
        worker.kill()
        _, stderr = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 1
    assert "the worker ended, code -9; its log ends:" in stderr
    assert "partition 0: assigned" in stderr


def test_without_its_packages_it_says_what_to_install() -> None:
    program = """
import sys
sys.modules["rich"] = None
sys.argv = ["botmeter", "demo"]
from botmeter.cli import main
main()
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )

    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        "botmeter: the demo needs rich; install botmeter with its demo extra: pip install 'botmeter[demo]'"
    ]
