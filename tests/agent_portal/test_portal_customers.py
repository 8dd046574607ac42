"""The pages of customers: masked until opened, ordered for again in two taps, blocked, forgotten."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
import tables_owner
from visitors import Visitor

from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.1)

WHOLE = "024\N{NO-BREAK SPACE}123\N{NO-BREAK SPACE}4567"


def text_of(visitor: Visitor, path: str) -> str:
    return unescape(visitor.get(path).text)


@pytest.fixture
def path(place: Any, ama_agent: Visitor) -> str:
    """The page of one customer, who bought once."""
    place(name="Efua", state="completed")
    found = re.search(r'href="(/customers/\d+)"', ama_agent.get("/customers").text)
    assert found
    return found[1]


def hidden(number: str, page: str) -> bool:
    return all(one not in page for one in (number, "0241234567", "1234567", WHOLE))


def test_a_number_is_masked_until_it_is_opened(ama_agent: Visitor, path: str) -> None:
    for page in (text_of(ama_agent, "/customers"), text_of(ama_agent, path)):
        assert "024\N{NO-BREAK SPACE}•••\N{NO-BREAK SPACE}4567" in page
        assert hidden("+233241234567", page) and "Efua" in page
    opened = ama_agent.post(f"{path}/number")
    assert opened.status_code == 200 and "0241234567" in opened.text
    seen = tables_owner.read("SELECT subject FROM audit WHERE action = 'open_customer'")
    assert seen == [f"customer:{path.rpartition('/')[2]}"]
    assert hidden("+233241234567", text_of(ama_agent, path))


def test_the_same_again_in_two_taps_and_once(
    ama_agent: Visitor, path: str, order_of: Any, wallet: Any
) -> None:
    page = ama_agent.get(path).text
    form = {
        "key": re.search(r'name="key" value="([^"]+)"', page)[1],  # type: ignore[index]
        "bundle": re.search(r'name="bundle" value="([^"]+)"', page)[1],  # type: ignore[index]
        "then": "process",
    }
    tables_owner.execute("UPDATE orders SET created_at = created_at - interval '1 day'")
    codes = set()
    for _ in range(2):
        answer = ama_agent.post(f"{path}/order", data=form)
        assert answer.status_code == 303
        codes.add(re.search(r"/orders/(\w{10})", answer.headers["Location"])[1])  # type: ignore[index]
    assert len(codes) == 1
    order = order_of(codes.pop())
    assert (order.recipient_msisdn, order.customer_name) == ("+233241234567", "Efua")
    assert order.source == "walk_in" and (order.release_at or order.queued_at)


def test_what_must_be_asked_is_asked(ama_agent: Visitor, path: str) -> None:
    page = ama_agent.get(path).text
    bundle = re.search(r'name="bundle" value="([^"]+)"', page)[1]  # type: ignore[index]
    answer = ama_agent.post(f"{path}/order", data={"key": "k" * 20, "bundle": bundle})
    assert answer.status_code == 422 and "was ordered for this number" in answer.text
    wrong = ama_agent.post(f"{path}/order", data={"key": "k" * 20, "bundle": "x"})
    assert wrong.status_code == 422 and "Choose a bundle" in wrong.text


def test_name_and_note_are_kept(ama_agent: Visitor, path: str) -> None:
    data = {"name": "  Auntie\u202e <b>Efua</b> " + "x" * 99, "note": "=pays\nlate"}
    assert ama_agent.post(path, data=data).status_code == 303
    page = ama_agent.get(path).text
    assert "Auntie &lt;b&gt;Efua" in page and 'value="=pays late"' in page
    assert "x" * 60 not in page


def test_a_block_says_why_to_the_store_alone(
    ama_agent: Visitor, path: str, customer: Visitor, line_of: Any
) -> None:
    refused = ama_agent.post(f"{path}/block", data={"why": "x"})
    assert refused.status_code == 422 and 'value="x"' in refused.text
    ama_agent.post(f"{path}/block", data={"why": "Never pays"})
    assert "Never pays" in text_of(ama_agent, path)
    assert "blocked" in text_of(ama_agent, "/customers")
    assert 'name="bundle"' not in ama_agent.get(path).text
    bundle = line_of("mtn", 5)
    form = {"bundle": str(bundle.bundle_id), "recipient": "0241234567"}
    page = customer.post("/orders", data=form).text
    assert "takes no orders for this number" in page and "Never pays" not in page
    choice = f"{bundle.bundle_id}-{bundle.price_pesewas}"
    walk_in = ama_agent.post(
        "/orders/new", data={"number": "0241234567", "bundle": choice}
    )
    assert "blocked this number: Never pays" in unescape(walk_in.text)
    ama_agent.post(f"{path}/unblock")
    assert "Never pays" not in text_of(ama_agent, path)


def test_an_order_leads_to_its_customer(
    ama_agent: Visitor, path: str, place: Any
) -> None:
    code = place(number="0241234567")
    answer = ama_agent.get(f"/orders/{code}/customer")
    assert answer.headers["Location"].endswith(path)
    other = place(number="0550000001")
    assert "Not a customer yet" in ama_agent.get(f"/orders/{other}/customer").text
    assert ama_agent.post(f"/orders/{other}/customer/block").status_code == 422
    data = {"why": "Only jokes"}
    answer = ama_agent.post(f"/orders/{other}/customer/block", data=data)
    assert "Only jokes" in text_of(ama_agent, answer.headers["Location"])


def test_forgetting_needs_a_tick(ama_agent: Visitor, path: str) -> None:
    assert ama_agent.post(f"{path}/forget").status_code == 422
    assert ama_agent.get(path).status_code == 200
    assert ama_agent.post(f"{path}/forget", data={"sure": "1"}).status_code == 303
    assert ama_agent.get(path).status_code == 404
    assert "No customers yet" in text_of(ama_agent, "/customers")


@pytest.mark.parametrize("who", ["viewer", "cashier"])
def test_who_may_do_what(logged_in: Any, path: str, who: str) -> None:
    person = logged_in(f"{who}@example.test", slug="ama")
    assert person.get(path).status_code == 200
    for verb in ("/number", "", "/block", "/unblock", "/order"):
        is_refused = person.post(path + verb).status_code == 403
        assert is_refused is (who == "viewer"), verb
    assert person.post(f"{path}/forget", data={"sure": "1"}).status_code == 403
    said = "Only the store’s owner and cashiers may" in person.get(path).text
    assert said is (who == "viewer")


@pytest.mark.parametrize(
    "verb", ["/number", "", "/block", "/unblock", "/order", "/forget"]
)
def test_a_customer_of_another_store_is_none(
    kofi_agent: Visitor, path: str, verb: str
) -> None:
    for there in (path, "/customers/0", "/customers/x"):
        data = {"why": "some reason", "sure": "1"}
        assert kofi_agent.post(there + verb, data=data).status_code == 404
        assert kofi_agent.get(there).status_code == 404


def test_pages_and_the_search(ama_agent: Visitor, place: Any, using: Using) -> None:
    using(page_size=2)
    for index in range(3):
        name = "Auntie Efua" if index == 1 else ""
        place(number=f"024000000{index}", name=name, state="completed")
    for by in ("last", "spent", "odd"):
        page = ama_agent.get(f"/customers?by={by}").text
        more = re.search(r'href="([^"]+)" rel="next"', page)
        assert more and page.count('href="/customers/') == 2
        older = ama_agent.get(more[1].replace("&amp;", "&")).text
        assert older.count('href="/customers/') == 1 and "Back to the start" in older
    assert ama_agent.get("/customers?q=0001").text.count('href="/customers/') == 1
    assert (
        "No customer of this number or name" in ama_agent.get("/customers?q=9999").text
    )
    assert ama_agent.get("/customers?q=efu").text.count('href="/customers/') == 1
