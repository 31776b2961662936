"""What people do on the page, in a real browser with a real Kafka and worker: buy, reduce, undo, run out, resume."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from botmeter.cli.project import source_of
from botmeter.client import Client, Connection, interaction, open_account
from botmeter.settings.model import Settings
from botmeter.web.page.rendering import account_url
from botmeter.web.running import connected
from notify.installation import QUICK
from notify.mail_server import MailServer
from web.application import SECRET, read_side_of
from worker.cluster import Cluster
from worker.process import WorkerProcess

from .conftest import Site, page_site

pytestmark = pytest.mark.kafka

#: Of the cluster: 10 complimentary sessions, packs of 20.
COMPLIMENTARY = 10
#: An end to hanging, not a measure.
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def worker(cluster: Cluster) -> Iterator[WorkerProcess]:
    with cluster.worker() as running:
        yield running


@pytest.fixture(scope="module")
def client(cluster: Cluster, worker: WorkerProcess) -> Iterator[Client]:
    del worker  # has to run
    with Client(Connection(cluster.bootstrap_servers, cluster.topics)) as made:
        yield made


@pytest.fixture(scope="module")
def live_site(cluster: Cluster, client: Client, request: pytest.FixtureRequest) -> Iterator[Site]:
    """On SQLite, unless a test asks for PostgreSQL."""
    del client  # commands are answered
    kind = getattr(request, "param", "sqlite")
    postgresql = request.getfixturevalue("postgresql") if kind == "postgresql" else None
    environment = cluster.environment("web")
    told = {name.removeprefix("BOTMETER_").lower(): value for name, value in environment.items() if "__" not in name}
    with read_side_of(cluster, postgresql) as read_side:
        told |= read_side
        settings = Settings(**told, auth_secret=SECRET, http_port=0, http_rate_per_s=10_000)  # type: ignore[arg-type]
        with page_site(settings, connected(settings, source_of(settings))) as made:
            yield made


on_both_databases = pytest.mark.parametrize("live_site", ["sqlite", "postgresql"], indirect=True)


def opened(client: Client, account_id: str) -> str:
    client.send(open_account(account_id, plan="growth", issued_by="crm", time_zone="Europe/Berlin"))
    return account_id


def chat(client: Client, account_id: str, *end_users: str) -> None:
    for end_user in end_users:
        client.publish(interaction(account_id, end_user_id=end_user, conversation_id=f"c-{end_user}", bot_id="b-1"))


def at(page: Page, site: Site, account_id: str, path: str = "") -> None:
    """Opens a page of the account once the read side has the account."""
    page.goto(f"{site.address}{account_url(account_id)}{path}")
    while page.locator("#alone-title").count():
        page.reload()


@on_both_databases
def test_packs_are_bought_reduced_and_the_reduction_undone(
    live_site: Site, client: Client, open_page: Callable[..., Page], request: pytest.FixtureRequest
) -> None:
    account_id = opened(client, f"buyer-{request.node.callspec.id}")
    page = open_page(live_site.login("billing_admin", account_id))
    at(page, live_site, account_id)
    packs = page.locator("#packs")

    page.get_by_label("One pack more").first.click()
    buy = packs.get_by_role("button", name=re.compile(r"Buy 2.packs for 200.USD"))
    expect(packs).to_contain_text("the 10 that are left end now")
    buy.click()
    expect(packs.get_by_role("status")).to_contain_text(re.compile("2.packs bought"), timeout=PATIENCE_MS)
    expect(packs).to_contain_text(re.compile(r"2.packs · 40.sessions · 200.USD"))
    expect(page.locator("#total")).to_contain_text("40", timeout=PATIENCE_MS)

    packs.get_by_text("Reduce packs").click()
    packs.get_by_role("button", name=re.compile("Reduce to 1.pack")).click()
    expect(packs.get_by_role("status")).to_contain_text("fewer from the next cycle on", timeout=PATIENCE_MS)
    packs.get_by_role("button", name="undo").click()
    expect(packs.get_by_role("status")).to_contain_text("Undone", timeout=PATIENCE_MS)
    expect(packs.get_by_role("button", name="undo")).to_have_count(0)
    expect(page.locator("#timeline")).to_contain_text("by maya@northwind.example", timeout=PATIENCE_MS)


def test_an_answer_is_told_although_news_came_before_it(
    live_site: Site, client: Client, open_page: Callable[..., Page]
) -> None:
    account_id = opened(client, "overtaken")
    page = open_page(live_site.login("billing_admin", account_id))
    at(page, live_site, account_id)
    packs = page.locator("#packs")
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/commands/purchase_packs", lambda route: held.append((route, route.fetch())))

    with page.expect_response("**/parts/packs", timeout=PATIENCE_MS):
        packs.get_by_role("button", name=re.compile("Buy 1.pack for")).click()
    expect(page.locator("#timeline")).to_contain_text("Bought 1", timeout=PATIENCE_MS)
    [(route, answer)] = held
    route.fulfill(response=answer)
    expect(packs.get_by_role("status")).to_contain_text("bought", timeout=PATIENCE_MS)
    # The news it did not take before, it takes now, and goes on telling what became of the wish.
    expect(packs).to_contain_text(re.compile(r"1.pack · 20.sessions · 100.USD"), timeout=PATIENCE_MS)
    expect(packs.get_by_role("status")).to_contain_text("bought")


@on_both_databases
def test_the_page_follows_an_account_that_runs_out_and_goes_on(
    live_site: Site, client: Client, open_page: Callable[..., Page], request: pytest.FixtureRequest
) -> None:
    account_id = opened(client, f"runner-{request.node.callspec.id}")
    page = open_page(live_site.login("billing_admin", account_id))
    at(page, live_site, account_id)
    expect(page.locator("#state")).to_contain_text("The bot answers.")

    chat(client, account_id, *(f"u-{n}" for n in range(COMPLIMENTARY + 3)))
    expect(page.locator("#state")).to_contain_text("Agents answer since", timeout=PATIENCE_MS)
    expect(page.locator("#remaining")).to_have_text("0")
    expect(page.locator("#timeline")).to_contain_text("All sessions used: agents answer", timeout=PATIENCE_MS)

    expect(page.locator("#packs")).to_contain_text("The bot answers again at once.", timeout=PATIENCE_MS)
    page.evaluate("document.getElementById('packs').dataset.same = 'yes'")
    for more in (1, 2):  # chats that go to agents leave the button under the hand that is about to press it
        chat(client, account_id, *(f"more-{more}-{n}" for n in range(3)))
        expect(page.locator("#live")).to_contain_text(f"{3 + 3 * more}\u00a0chats went to them", timeout=PATIENCE_MS)
    expect(page.locator("#packs")).to_have_attribute("data-same", "yes")

    page.locator("#packs").get_by_role("button", name=re.compile("Buy 1.pack for")).click()
    expect(page.locator("#state")).to_contain_text("The bot answers.", timeout=PATIENCE_MS)
    expect(page.locator("#remaining")).to_have_text("20")
    expect(page.locator("#timeline")).to_contain_text("The bot answers again", timeout=PATIENCE_MS)


def test_what_became_of_an_alerts_mail_shows_without_a_reload(
    live_site: Site, client: Client, cluster: Cluster, open_page: Callable[..., Page]
) -> None:
    account_id = "mailed"
    contacts = ["maya@northwind.example"]
    client.send(open_account(account_id, plan="growth", issued_by="crm", contacts=contacts))
    page = open_page(live_site.login("billing_admin", account_id))
    at(page, live_site, account_id)
    chat(client, account_id, *(f"u-{n}" for n in range(COMPLIMENTARY)))
    alert = page.locator("#timeline li", has_text="All sessions used: agents answer")
    expect(alert).to_be_visible(timeout=PATIENCE_MS)
    expect(alert).not_to_contain_text("mail")

    with MailServer() as server:
        variables = QUICK | {"BOTMETER_NOTIFY_SMTP_PORT": str(server.port), "BOTMETER_NOTIFY_SMTP_HOST": "127.0.0.1"}
        with WorkerProcess(cluster.environment("notify", **variables), "notify") as notifier:
            expect(alert).to_contain_text("mail to 1, delivered", timeout=PATIENCE_MS)
            notifier.leaves()
        assert {mail.recipient for mail in server.mails} == set(contacts)


def test_a_refusal_says_why_and_what_to_do(live_site: Site, client: Client, open_page: Callable[..., Page]) -> None:
    account_id = opened(client, "latecomer")
    first, second = (open_page(live_site.login("billing_admin", account_id)) for _ in range(2))
    at(first, live_site, account_id)
    first.locator("#packs").get_by_role("button", name=re.compile("Buy 1.pack for")).click()
    expect(first.locator("#packs").get_by_role("status")).to_contain_text("bought", timeout=PATIENCE_MS)
    at(second, live_site, account_id)
    second.locator("#packs").get_by_text("Reduce packs").click()
    second.route("**/stream", lambda route: route.abort())
    second.reload()
    second.locator("#packs").get_by_text("Reduce packs").click()

    first.locator("#packs").get_by_text("Reduce packs").click()
    first.locator("#packs").get_by_role("button", name=re.compile("Reduce to 0")).click()
    expect(first.locator("#packs").get_by_role("status")).to_contain_text("fewer", timeout=PATIENCE_MS)
    second.locator("#packs").get_by_role("button", name=re.compile("Reduce to 0")).click()
    refused = second.locator("#packs").get_by_role("alert")
    expect(refused).to_contain_text("Refused. Nothing was changed.", timeout=PATIENCE_MS)
    expect(refused).to_contain_text("The next cycle has fewer packs than that")


def test_settings_tell_what_they_do_and_are_saved(
    live_site: Site, client: Client, open_page: Callable[..., Page]
) -> None:
    account_id = opened(client, "settler")
    page = open_page(live_site.login("operator"))
    at(page, live_site, account_id, "/settings")

    page.get_by_label("At percent").fill("40, 90")
    expect(page.locator("#thresholds-effect")).to_contain_text(re.compile("40.%: alert at 4.sessions"))
    page.get_by_role("button", name="Save alerts").click()
    expect(page.get_by_role("status").first).to_contain_text("Alerts saved.", timeout=PATIENCE_MS)
    expect(page.get_by_label("At percent")).to_have_value("40, 90")

    contacts = page.locator("#contacts")
    contacts.get_by_label("One more address").fill("ann@acme.example")
    contacts.get_by_text("Name, language, which alerts").click()
    contacts.get_by_label("Name", exact=True).fill("Ann")
    contacts.get_by_label("Language").fill("de-AT")
    contacts.get_by_label("early warnings").uncheck()
    contacts.get_by_role("button", name="Save contacts").click()
    expect(page.get_by_role("status").first).to_contain_text("Contacts saved.", timeout=PATIENCE_MS)
    expect(contacts.get_by_label("Name", exact=True).first).to_have_value("Ann")
    expect(contacts.get_by_label("early warnings").first).not_to_be_checked()
    expect(contacts.get_by_label("likely to run out").first).to_be_checked()

    page.get_by_label("Reason").fill("outage on 11 November")
    page.get_by_label("Sessions", exact=True).fill("5")
    page.get_by_role("button", name="Credit sessions").click()
    expect(page.get_by_role("status").first).to_contain_text(re.compile("5.sessions credited"), timeout=PATIENCE_MS)

    page.get_by_label("Its id, to confirm").fill("another")
    page.get_by_role("button", name="Close settler for good").click()
    expect(page.get_by_role("alert")).to_contain_text("not this account", timeout=PATIENCE_MS)
    page.get_by_label("Its id, to confirm").fill(account_id)
    page.get_by_role("button", name="Close settler for good").click()
    expect(page.get_by_role("status").first).to_contain_text("The account is closed.", timeout=PATIENCE_MS)


def test_a_wrong_account_and_an_expired_login_are_told(
    live_site: Site, client: Client, open_page: Callable[..., Page]
) -> None:
    account_id = opened(client, "mine")
    page = open_page(live_site.login("billing_admin", account_id))
    at(page, live_site, account_id)
    page.goto(f"{live_site.address}{account_url('buyer-sqlite')}")
    expect(page.get_by_role("heading")).to_have_text("This page does not exist")

    at(page, live_site, account_id)
    page.context.clear_cookies()
    page.locator("#packs").get_by_role("button", name=re.compile("Buy 1.pack for")).click()
    expect(page.locator("h1")).to_have_text("Please log in", timeout=PATIENCE_MS)


def test_without_scripts_packs_are_bought_too(live_site: Site, client: Client, open_page: Callable[..., Page]) -> None:
    account_id = opened(client, "plain")
    page = open_page(live_site.login("billing_admin", account_id), java_script_enabled=False)
    at(page, live_site, account_id)
    page.locator("#packs").get_by_role("button", name=re.compile("Buy 1.pack for")).click()
    expect(page.locator("#packs")).to_contain_text(re.compile("1.pack · 20.sessions"), timeout=PATIENCE_MS)
