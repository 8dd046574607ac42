"""The stores' wallets: funding them once and only once, suspending and opening stores."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import tables_owner
from console_scenes import Scene
from flask import Flask
from sqlalchemy import text
from visitors import Visitor

from core import audit, ledger, orders, proof, stores
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.1)

NBSP = "\N{NO-BREAK SPACE}"


def wallet(scene: Scene, slug: str) -> int:
    def read() -> int:
        store = stores.by_slug(slug)
        assert store is not None
        return ledger.wallet_of(store.id).available_pesewas

    return int(scene.ask(read))


def seen_on(visitor: Visitor, slug: str = "ama") -> str:
    found = re.search(r'name="seen" value="(\d+)"', visitor.get(f"/stores/{slug}").text)
    assert found
    return found[1]


def test_stores_are_listed_with_owner_and_money(owner: Visitor, scene: Scene) -> None:
    scene.order("queued", slug="kofi")
    price = scene.ask(lambda: orders.find_any("024", 1))[0].agent_price_pesewas
    page = owner.get("/stores").text
    assert "ama@example.test, both@example.test" in page and "kofi@example.test" in page
    assert "cashier@example.test" not in page
    assert (
        "500.00" in page
        and f"{(50_000 - price) / 100:.2f}" in page
        and f"{price / 100:.2f}" in page
    )


def test_a_store_shows_how_many_deliveries_were_said_not_to_have_come(
    owner: Visitor, scene: Scene
) -> None:
    """Of its own deliveries of a month, by the sums of its days."""
    code = scene.order("completed")
    scene.order("completed", gb=2)
    scene.order("processing")
    scene.order("completed", slug="kofi")
    tables_owner.execute(
        text(
            "INSERT INTO not_received (order_id, store_id, opened_at, balance, words, contact)"
            " SELECT id, store_id, now(), 'none', '', '' FROM orders WHERE code = :code"
        ).bindparams(code=code)
    )
    page = owner.get("/stores/ama").text
    assert "1 of 2 delivered" in page and ": 500 in a thousand" in page
    assert "0 of 1 delivered" in owner.get("/stores/kofi").text


def test_a_store_shows_its_wallet_people_and_movements(
    owner: Visitor, scene: Scene
) -> None:
    code = scene.order("queued")
    page = owner.get("/stores/ama").text
    for words in (
        "cashier@example.test",
        "opening balance",
        "Held for an order",
        f"/orders/{code}",
        "http://ama.localhost",
    ):
        assert words in page, words
    assert "kofi@example.test" not in page


def test_funding_books_the_money_with_its_reason_and_an_audit_line(
    owner: Visitor, scene: Scene
) -> None:
    form = {
        "amount": " GHS 1,00.50 ".replace(",", ""),
        "reason": "  MoMo\t4411 ",
        "seen": seen_on(owner),
    }
    answer = owner.post("/stores/ama/fund", form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/stores/ama")
    assert wallet(scene, "ama") == 50_000 + 10_050
    assert wallet(scene, "kofi") == 50_000
    page = owner.get("/stores/ama").text
    assert f"GH₵{NBSP}100.50 is in the wallet of Ama&#39;s Data." in page
    assert "MoMo 4411" in page
    line = scene.ask(lambda: audit.recent(1))[0]
    assert (line.actor_name, line.action, line.detail) == (
        "Owner", "fund_wallet", {"amount_pesewas": 10_050, "reason": "MoMo 4411"},
    )  # fmt: skip
    assert f"amount: GH₵{NBSP}100.50" in owner.get("/audit").text


@pytest.mark.parametrize(
    ("amount", "reason", "sentence"),
    [
        ("", "cash", "Type an amount in cedis"),
        ("0", "cash", "above zero"),
        ("0.00", "cash", "above zero"),
        ("-5", "cash", "cannot be negative"),
        ("12.345", "cash", "at most two digits"),
        ("1e3", "cash", "digits only"),
        ("5,00", "cash", "digits only"),
        ("100000.01", "cash", "At most"),
        ("9" * 400, "cash", "digits only"),
        ("5\x00", "", "Say why"),
        ("5", "", "Say why"),
        ("5", "  \u200b ", "Say why"),
        ("five", "\ud7ff", "digits only"),
        ("<b>5</b>", "<b>why</b>", "digits only"),
    ],
)
def test_bad_funding_is_refused_in_words_keeps_what_was_typed_and_books_nothing(
    owner: Visitor,
    counts: Callable[[], dict[str, int]],
    amount: str,
    reason: str,
    sentence: str,
) -> None:
    before = counts()
    answer = owner.post(
        "/stores/ama/fund", {"amount": amount, "reason": reason, "seen": seen_on(owner)}
    )
    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'role="alert"' in answer.text and 'aria-invalid="true"' in answer.text
    if amount.isascii() and amount.isalnum() and len(amount) < 40:
        assert f'value="{amount}"' in answer.text
    assert "<b>5</b>" not in answer.text
    assert counts() == before


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"amount": "5", "reason": "cash"},
        {"amount": "5", "reason": "cash", "seen": "x"},
        {"amount": ["5", "6"], "reason": ["cash", "cash"]},
        {"amount": b"\xff\xfe", "reason": b"\xff", "seen": b"\xff"},
    ],
)
def test_a_form_that_is_not_whole_books_nothing(
    owner: Visitor, counts: Callable[[], dict[str, int]], form: dict[str, Any]
) -> None:
    before = counts()
    assert owner.post("/stores/ama/fund", form).status_code == 422
    assert counts() == before


def test_a_store_that_does_not_exist_is_404(
    owner: Visitor, counts: Callable[[], dict[str, int]]
) -> None:
    before = counts()
    form = {"amount": "5", "reason": "cash", "seen": "0"}
    for slug in ("nobody", "AMA", "ama%00", "x" * 300):
        assert owner.get(f"/stores/{slug}").status_code in (400, 404)
        assert owner.post(f"/stores/{slug}/fund", form).status_code in (400, 404)
    assert counts() == before


def test_the_same_form_sent_twice_books_once(owner: Visitor, scene: Scene) -> None:
    form = {"amount": "20", "reason": "cash", "seen": seen_on(owner)}
    for _ in range(3):
        assert owner.post("/stores/ama/fund", form).status_code == 303
    assert wallet(scene, "ama") == 52_000
    assert "This funding was booked already" in owner.get("/stores/ama").text


def test_the_same_form_sent_eight_times_at_once_books_once(
    owner: Visitor, scene: Scene, app: Flask
) -> None:
    # A double click reaches two processes: a check before the write would let both through.
    form = {"amount": "20", "reason": "cash", "seen": seen_on(owner)}
    with owner.client.session_transaction(base_url=owner.base_url) as session:
        token = session["_user_id"]
    twins = [Visitor(app, "admin", token) for _ in range(8)]
    together = threading.Barrier(len(twins))

    def press(twin: Visitor) -> int:
        body = {**form, "csrf_token": twin.csrf_token}
        together.wait(timeout=10)
        return twin.post("/stores/ama/fund", body).status_code

    with ThreadPoolExecutor(len(twins)) as pool:
        assert set(pool.map(press, twins)) == {303}
    assert wallet(scene, "ama") == 52_000


def test_the_same_amount_and_reason_from_a_fresh_page_is_another_funding(
    owner: Visitor, scene: Scene
) -> None:
    for _ in range(2):
        owner.post(
            "/stores/ama/fund",
            {"amount": "20", "reason": "cash", "seen": seen_on(owner)},
        )
    assert wallet(scene, "ama") == 54_000


def test_another_movement_meanwhile_does_not_stop_a_funding(
    owner: Visitor, scene: Scene
) -> None:
    form = {"amount": "20", "reason": "cash", "seen": seen_on(owner)}
    scene.order("queued")
    before = wallet(scene, "ama")
    assert owner.post("/stores/ama/fund", form).status_code == 303
    assert wallet(scene, "ama") == before + 2_000


def test_a_big_amount_is_read_back_before_it_is_booked(
    owner: Visitor, scene: Scene
) -> None:
    form = {"amount": "1,000", "reason": "bank transfer", "seen": seen_on(owner)}
    asks = owner.post("/stores/ama/fund", form)
    assert asks.status_code == 200
    assert wallet(scene, "ama") == 50_000
    for words in (">GH₵ 1,000.00<", ">GH₵ 1,500.00<", "bank transfer", "Yes, fund"):
        assert words in asks.text
    fields = dict(
        re.findall(r'name="(amount|reason|seen|confirm)" value="([^"]*)"', asks.text)
    )
    assert fields == {**form, "confirm": "100000"}
    assert owner.post("/stores/ama/fund", fields).status_code == 303
    assert owner.post("/stores/ama/fund", fields).status_code == 303, (
        "a double click on Yes"
    )
    assert wallet(scene, "ama") == 150_000


def test_a_confirmation_of_another_amount_confirms_nothing(
    owner: Visitor, scene: Scene
) -> None:
    form = {
        "amount": "5000",
        "reason": "bank",
        "seen": seen_on(owner),
        "confirm": "100000",
    }
    assert owner.post("/stores/ama/fund", form).status_code == 200
    assert wallet(scene, "ama") == 50_000


def test_the_most_that_can_be_funded_can_be_funded(
    owner: Visitor, scene: Scene
) -> None:
    form = {
        "amount": "100,000.00",
        "reason": "bank",
        "seen": seen_on(owner),
        "confirm": "10000000",
    }
    assert owner.post("/stores/ama/fund", form).status_code == 303
    assert wallet(scene, "ama") == 50_000 + 10_000_000


def test_just_below_the_limit_is_booked_at_once(owner: Visitor, scene: Scene) -> None:
    owner.post(
        "/stores/ama/fund",
        {"amount": "999.99", "reason": "cash", "seen": seen_on(owner)},
    )
    assert wallet(scene, "ama") == 50_000 + 99_999


# Taking a funding back


def back_form(
    owner: Visitor, amount: str, reason: str = "2,000 instead of 200", slug: str = "ama"
) -> dict[str, str]:
    found = re.search(
        r'name="seen" value="(\d+)"', owner.get(f"/stores/{slug}/take-back").text
    )
    assert found
    return {"amount": amount, "reason": reason, "seen": found[1]}


def checked(owner: Visitor, form: dict[str, str], slug: str = "ama") -> dict[str, str]:
    """The fields of the page that reads it back."""
    asks = owner.post(f"/stores/{slug}/take-back", form)
    assert asks.status_code == 200, asks.text
    return dict(
        re.findall(r'name="(amount|reason|seen|confirm)" value="([^"]*)"', asks.text)
    )


def test_a_funding_is_taken_back_after_it_was_read_back(
    owner: Visitor, scene: Scene
) -> None:
    owner.post(
        "/stores/ama/fund",
        {"amount": "999", "reason": "MoMo 77", "seen": seen_on(owner)},
    )
    line = re.search(
        r'href="(/stores/ama/take-back\?of=\d+)"', owner.get("/stores/ama").text
    )
    assert line
    page = owner.get(line[1]).text
    assert 'value="999.00"' in page and "Funded by mistake: MoMo 77" in page

    form = back_form(owner, "899.10")
    asks = owner.post("/stores/ama/take-back", form)
    for words in (
        ">GH₵ 899.10<",
        ">GH₵ 1,499.00<",
        ">GH₵ 599.90<",
        "2,000 instead of 200",
        "Yes, take",
    ):
        assert words in asks.text, words
    assert wallet(scene, "ama") == 149_900, "nothing moved yet"
    assert owner.post("/stores/ama/take-back", checked(owner, form)).status_code == 303
    assert wallet(scene, "ama") == 59_990
    assert wallet(scene, "kofi") == 50_000
    line = scene.ask(lambda: audit.recent(1))[0]
    assert (line.actor_name, line.action, line.detail) == (
        "Owner", "take_back", {"amount_pesewas": 89_910, "reason": "2,000 instead of 200"},
    )  # fmt: skip
    assert "took money back from the wallet" in owner.get("/audit").text
    assert "Taken back" in owner.get("/stores/ama").text


def test_yes_pressed_twice_takes_back_once(owner: Visitor, scene: Scene) -> None:
    fields = checked(owner, back_form(owner, "100"))
    for _ in range(3):
        assert owner.post("/stores/ama/take-back", fields).status_code == 303
    assert wallet(scene, "ama") == 40_000
    assert "taken back already" in owner.get("/stores/ama").text
    again = checked(owner, back_form(owner, "100"))
    owner.post("/stores/ama/take-back", again)
    assert wallet(scene, "ama") == 30_000, "a second one, from a fresh page"


def test_never_more_than_is_free_not_even_if_an_order_takes_it_meanwhile(
    owner: Visitor, scene: Scene
) -> None:
    answer = owner.post("/stores/ama/take-back", back_form(owner, "500.01"))
    assert answer.status_code == 422
    assert (
        f"Only GH₵{NBSP}500.00 is free" in answer.text
        and 'value="500.01"' in answer.text
    )
    fields = checked(owner, back_form(owner, "500"))
    scene.order("queued")
    answer = owner.post("/stores/ama/take-back", fields)
    assert answer.status_code == 422
    assert "is free in the wallet" in answer.text
    with scene.everywhere():
        assert not proof.rules.broken()[1]


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "0"},
        {"amount": "-5"},
        {"amount": "x"},
        {"reason": ""},
        {"seen": ""},
        {"amount": "100,001"},
    ],
)
def test_what_cannot_be_taken_back_says_why_and_keeps_what_was_typed(
    owner: Visitor, counts: Callable[[], dict[str, int]], change: dict[str, str]
) -> None:
    form = back_form(owner, "5") | change
    before = counts()
    answer = owner.post("/stores/ama/take-back", form | {"confirm": "500"})
    assert answer.status_code == 422
    assert f'value="{form["amount"]}"' in answer.text
    assert counts() == before


def test_a_confirmation_of_another_amount_takes_nothing_back(
    owner: Visitor, scene: Scene
) -> None:
    form = back_form(owner, "50") | {"confirm": "500"}
    assert owner.post("/stores/ama/take-back", form).status_code == 200
    assert wallet(scene, "ama") == 50_000


def test_a_store_that_is_not_there_has_nothing_to_take_back(
    owner: Visitor, scene: Scene
) -> None:
    form = back_form(owner, "5") | {"confirm": "500"}
    assert owner.post("/stores/nobody/take-back", form).status_code == 404
    other = re.search(r"take-back\?of=(\d+)", owner.get("/stores/kofi").text)
    assert other
    page = owner.get(f"/stores/ama/take-back?of={other[1]}").text
    assert "Funded by mistake" not in page, "the line of another store"


def test_funding_lets_a_store_process_what_it_could_not(
    owner: Visitor, scene: Scene
) -> None:
    scene.sql(
        "UPDATE bundles SET cost_pesewas = 60000, agent_price_pesewas = 60001 WHERE network = 'mtn'"
        " AND mb = 10240"
    )
    scene.sql(
        "UPDATE store_bundles SET price_pesewas = 70000 WHERE bundle_id IN "
        "(SELECT id FROM bundles WHERE cost_pesewas = 60000)"
    )
    with pytest.raises(orders.InsufficientWallet):
        scene.order("queued", gb=10)
    owner.post(
        "/stores/ama/fund", {"amount": "200", "reason": "cash", "seen": seen_on(owner)}
    )
    assert scene.order("queued", gb=10)


def test_a_suspended_store_takes_no_orders_and_says_why(
    owner: Visitor, scene: Scene, visitor: Callable[[str], Visitor]
) -> None:
    answer = owner.post(
        "/stores/ama/suspend", {"reason": "We are checking a complaint."}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/stores/ama")
    with pytest.raises(orders.StoreClosed):
        scene.order()
    page = owner.get("/stores/ama").text
    assert "Suspended" in page and "We are checking a complaint." in page
    assert 'action="/stores/ama/suspend"' not in page
    assert scene.order(slug="kofi"), "the other store goes on"
    assert owner.post("/stores/ama/open").status_code == 303
    assert scene.order()
    assert [line.action for line in scene.ask(lambda: audit.recent(2))] == [
        "store_open",
        "store_suspended",
    ]
    assert "suspended the store" in owner.get("/audit").text


def test_suspending_needs_a_reason(
    owner: Visitor, scene: Scene, counts: Callable[[], dict[str, int]]
) -> None:
    before = counts()
    answer = owner.post("/stores/ama/suspend", {"reason": " \n "})
    assert answer.status_code == 422
    assert "Say why" in answer.text
    assert counts() == before
    assert scene.order()


def test_finance_funds(
    logged_in: Callable[..., Visitor], scene: Scene, app: Flask
) -> None:
    finance = logged_in("finance@example.test", "console")
    finance.post(
        "/stores/kofi/fund",
        {"amount": "30", "reason": "cash", "seen": seen_on(finance, "kofi")},
    )
    assert wallet(scene, "kofi") == 53_000
    assert scene.ask(lambda: audit.recent(1))[0].actor_name == "Finance"


def test_many_stores_come_in_pages_and_are_found_by_their_beginning(
    owner: Visitor, using: Using
) -> None:
    tables_owner.execute(
        "INSERT INTO stores (slug, name, colour, welcome, status, closed_note, auto_process,"
        " markup_bp, version, created_at) SELECT 'shop-' || n, 'Shop ' || n, '#000000', '', 'open',"
        " '', false, 0, 1, now() FROM generate_series(1, 5) n"
    )
    using(page_size=3)
    seen: list[str] = []
    address: str | None = "/stores"
    while address:
        page = owner.get(address).text
        assert "All stores" not in page
        seen += re.findall(r'class="strong" href="/stores/([^"]+)"', page)
        older = re.search(r'href="(/stores\?after=[^"]+)" rel="next"', page)
        address = older[1] if older else None
    assert seen == ["ama", "kofi", *(f"shop-{n}" for n in range(1, 6))]
    found = owner.get("/stores?q=KOF").text
    assert re.findall(r'class="strong" href="/stores/([^"]+)"', found) == ["kofi"]
    assert "type more of the name" in owner.get("/stores?q=shop").text
    assert "No such store" in owner.get("/stores?q=hop").text
    assert owner.get("/stores?after=nobody&q=%00x").status_code in (200, 400)
    using(page_size=50)
    assert "All stores" in owner.get("/stores").text
