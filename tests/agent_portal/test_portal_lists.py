"""Lists: pasted or uploaded, read line by line before any money moves, mended, confirmed once, placed
some at a time, and each line once, whoever presses and whatever breaks."""

from __future__ import annotations

import csv
import io
import re
import threading
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from flask import Flask
from seed import WALLET_PESEWAS
from visitors import Visitor
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from core import catalog, orders
from core.audit import SYSTEM, Actor
from core.base import tenancy
from core.base.db import db
from core.batches import keeping, placing, results
from core.batches.keeping import Seen
from core.orders import Order
from core.orders.batching import BatchLine, OrderBatch
from storefront.forms import OrderForm, new_key

pytestmark = pytest.mark.slow(seconds=0.15)

AMA = Actor("agent", "Ama")
THREE = "0241234567 5\n0551234567 2GB Esi\n0201234567 10"


@pytest.fixture
def placed(app: Flask) -> Callable[[], list[Order]]:
    """All orders of the platform, oldest first."""

    def read() -> list[Order]:
        with app.app_context(), tenancy.across_stores():
            found = list(db.session.scalars(db.select(Order).order_by(Order.id)))
            db.session.remove()
            return found

    return read


@pytest.fixture
def lines(app: Flask) -> Callable[[], list[BatchLine]]:
    """All lines of all lists."""

    def read() -> list[BatchLine]:
        with app.app_context(), tenancy.across_stores():
            query = db.select(BatchLine).order_by(BatchLine.batch_id, BatchLine.n)
            found = list(db.session.scalars(query))
            db.session.remove()
            return found

    return read


def bring(agent: Visitor, text: str) -> str:
    """Paste a list; the address of its page."""
    answer = agent.post("/lists", {"text": text})
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def upload(agent: Visitor, data: bytes, name: str, text: str = "") -> TestResponse:
    file = (io.BytesIO(data), name)
    return agent.post("/lists", {"text": text, "file": file})


def seen(page: str) -> dict[str, str]:
    """What the page's confirm form says."""
    return dict(re.findall(r'name="(count|price|cost)" value="(\d+)"', page))


def confirm(agent: Visitor, at: str, **more: str) -> TestResponse:
    return agent.post(f"{at}/confirm", {**seen(agent.get(at).text), **more})


class TestReading:
    def test_nothing_moves_until_it_is_confirmed(
        self, ama_agent: Visitor, counts: Any, line_of: Any
    ) -> None:
        before = counts()
        at = bring(ama_agent, THREE)
        page = ama_agent.get(at).text
        assert counts() == before
        sold = [line_of("mtn", 5), line_of("mtn", 2), line_of("telecel", 10)]
        price = sum(line.price_pesewas for line in sold)
        cost = sum(line.agent_price_pesewas for line in sold)
        assert seen(page) == {"count": "3", "price": str(price), "cost": str(cost)}
        assert "3 orders" in page and "enough for all" in page and "Esi" in page

    def test_wrong_lines_stand_with_their_reason_and_are_mended_in_place(
        self, ama_agent: Visitor
    ) -> None:
        at = bring(ama_agent, "0241234567 5\n024123456 5\n0551234567 3\nhello")
        page = ama_agent.get(at).text
        assert "3 wrong lines" in page and seen(page)["count"] == "1"
        assert "Line 2: This number has 9 digits" in page
        assert "Line 3: You do not sell MTN 3 GB. You sell 1 GB, 2 GB" in page
        assert "Line 4: There is no phone number" in page
        assert 'name="line-2" value="024123456 5"' in page
        mended = {"line-2": "0241234568 5", "line-3": "0551234567 x", "line-4": ""}
        answer = ama_agent.post(f"{at}/lines", mended)
        page = ama_agent.get(answer.location).text
        assert "1 wrong line" in page and seen(page)["count"] == "2"
        assert 'value="0551234567 x"' in page
        ama_agent.post(f"{at}/lines", {"all": "out"})
        assert "wrong line" not in ama_agent.get(at).text

    def test_odd_lines_are_not_ordered_unless_somebody_says_that_they_are_meant(
        self, ama_agent: Visitor, placed: Any, place: Any
    ) -> None:
        place(number="0541234567")
        odd = (
            "0241234567 5\n0241234567 5\n0241234567 2\n0241234568 telecel 5\n"
            "0541234567 5"
        )
        at = bring(ama_agent, odd)
        page = ama_agent.get(at).text
        assert "4 to be asked" in page and seen(page)["count"] == "1"
        assert "Same number and size as line 1." in page
        assert "Same number as line 1, another size." in page
        assert "looks like MTN, the line says Telecel" in page
        assert placed()[0].shown_code in page
        ama_agent.post(f"{at}/lines", {"meant": ["2"]})
        assert seen(ama_agent.get(at).text)["count"] == "2"
        ama_agent.post(f"{at}/lines", {"all": "meant"})
        confirm(ama_agent, at)
        assert len(placed()) == 6

    def test_what_cannot_be_bought_now_is_said_line_by_line(
        self, ama_agent: Visitor, across: Any
    ) -> None:
        catalog.pause_network("telecel", "the supplier asked", SYSTEM)
        page = ama_agent.get(bring(ama_agent, THREE)).text
        assert "Line 3: Telecel is paused since" in page
        assert seen(page)["count"] == "2"

    def test_what_the_wallet_reaches_for_is_said(
        self, ama_agent: Visitor, line_of: Any
    ) -> None:
        cost = line_of("mtn", 10).agent_price_pesewas
        most = WALLET_PESEWAS // cost
        text = "\n".join(f"02400000{at:02} 10" for at in range(most + 2))
        page = ama_agent.get(bring(ama_agent, text)).text
        assert f"enough for the first {most}" in page and "How to fund it" in page

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "nothing in this list"),
            ("0241234567 5\n" * 1_001, "1,000 is the most"),
        ],
    )
    def test_what_is_no_list_says_so_and_is_kept(
        self, ama_agent: Visitor, lines: Any, text: str, says: str
    ) -> None:
        answer = ama_agent.post("/lists", {"text": text})
        assert answer.status_code == 422 and says in answer.text and lines() == []
        assert answer.text.count("0241234567 5\n") >= text.count("\n")

    def test_too_many_lists_wait(self, ama_agent: Visitor) -> None:
        for _ in range(keeping.OPEN_MOST):
            at = bring(ama_agent, THREE)
        answer = ama_agent.post("/lists", {"text": THREE})
        assert answer.status_code == 422 and "Throw away" in answer.text
        assert "0551234567 2GB Esi" in answer.text
        ama_agent.post(f"{at}/throw-away", {})
        bring(ama_agent, THREE)

    def test_the_same_list_again_warns_however_it_is_spelt(
        self, ama_agent: Visitor, placed: Any
    ) -> None:
        confirm(ama_agent, bring(ama_agent, "0241234567 5\n0551234567 2"))
        at = bring(ama_agent, "233241234567,5GB\n\n+233551234567,2.0")
        ama_agent.post(f"{at}/lines", {"all": "meant"})
        page = ama_agent.get(at).text
        assert "Ama has confirmed the same list at" in page
        answer = confirm(ama_agent, at)
        assert answer.status_code == 409 and len(placed()) == 2
        assert "Nothing was ordered" in answer.text
        confirm(ama_agent, at, again="1")
        assert len(placed()) == 4

    def test_very_many_lists_from_one_address_are_slowed_down_and_kept(
        self, ama_agent: Visitor, lines: Any
    ) -> None:
        for _ in range(30):
            assert ama_agent.post("/lists", {"text": ""}).status_code == 422
        answer = ama_agent.post("/lists", {"text": THREE})
        assert answer.status_code == 429 and answer.headers["Retry-After"] == "60"
        assert "0551234567 2GB Esi" in answer.text and lines() == []


class TestFiles:
    def test_a_csv_and_a_workbook_are_read_as_if_they_had_been_pasted(
        self, ama_agent: Visitor, lines: Any
    ) -> None:
        csv_file = upload(ama_agent, b"number,gb\n241234567,5\n", "mine.csv")
        assert csv_file.status_code == 303
        book = openpyxl.Workbook()
        book.worksheets[0].append([241234567.0, 5])  # type: ignore[union-attr]
        out = io.BytesIO()
        book.save(out)
        answer = upload(ama_agent, out.getvalue(), "mine.xlsx")
        assert seen(ama_agent.get(answer.location).text)["count"] == "1"
        assert [line.text for line in lines()] == ["241234567\t5 GB", "241234567\t5"]

    @pytest.mark.parametrize(
        ("data", "name", "says"),
        [
            (b"", "empty.csv", "This file is empty"),
            (b"%PDF-1.7", "list.pdf", "This is a PDF"),
            (b"PK\x03\x04", "list.xlsx", "cannot be read as a list"),
            (b"0241234567 5\n" * 2_000, "long.csv", "2,000 lines"),
        ],
    )
    def test_a_file_that_is_none_says_so_and_what_was_typed_is_kept(
        self, ama_agent: Visitor, lines: Any, data: bytes, name: str, says: str
    ) -> None:
        answer = upload(ama_agent, data, name)
        assert answer.status_code == 422 and says in answer.text and lines() == []
        assert "Choose the file again" in answer.text

    def test_lines_and_a_file_at_once_are_asked_about(
        self, ama_agent: Visitor, lines: Any
    ) -> None:
        answer = upload(ama_agent, b"0241234567 5", "a.csv", "0551234567 2")
        assert answer.status_code == 422 and "a file beside it" in answer.text
        assert "0551234567 2" in answer.text and lines() == []

    def test_a_file_of_more_than_a_megabyte_is_413(self, ama_agent: Visitor) -> None:
        answer = ama_agent.post(
            "/lists", b"x" * 1_100_000, content_type="multipart/form-data; boundary=x"
        )
        assert answer.status_code == 413 and "larger than any form" in answer.text

    def test_a_name_of_a_file_is_text(self, ama_agent: Visitor, app: Flask) -> None:
        upload(ama_agent, b"0241234567 5", "<b>\u202e../../x.csv")
        assert "<b>" not in ama_agent.get("/lists").text.partition("<main")[2]


class TestConfirming:
    def test_one_confirm_places_each_line_at_the_prices_it_named(
        self, ama_agent: Visitor, placed: Any, lines: Any, line_of: Any
    ) -> None:
        at = bring(ama_agent, THREE)
        answer = confirm(ama_agent, at)
        assert answer.status_code == 303
        found = placed()
        assert [(order.recipient_msisdn, order.bundle_text) for order in found] == [
            ("+233241234567", "MTN 5 GB"),
            ("+233551234567", "MTN 2 GB"),
            ("+233201234567", "Telecel 10 GB"),
        ]
        assert {(order.source, order.state) for order in found} == {("list", "pending")}
        assert found[1].customer_name == "Esi"
        assert found[0].price_pesewas == line_of("mtn", 5).price_pesewas
        page = ama_agent.get(at).text
        assert "3 ordered" in page and "Results as a file" in page
        assert [(line.state, line.text) for line in lines()] == [("ordered", "")] * 3

    def test_it_can_process_too_and_stops_where_the_wallet_ends(
        self, ama_agent: Visitor, placed: Any, nearly_empty: Any, wallet: Any
    ) -> None:
        nearly_empty()
        at = bring(ama_agent, "0241234567 1\n0241234568 10\n0241234569 1")
        confirm(ama_agent, at, then="process")
        states = [order.state for order in placed()[-3:]]
        assert states == ["queued", "pending", "pending"]
        page = ama_agent.get(at).text
        assert "2 placed and not processed" in page and "does not reach" in page

    @pytest.mark.parametrize("name", ["count", "price", "cost"])
    def test_what_has_changed_since_the_page_was_drawn_is_shown_first(
        self, ama_agent: Visitor, placed: Any, name: str
    ) -> None:
        at = bring(ama_agent, THREE)
        said = seen(ama_agent.get(at).text)
        answer = ama_agent.post(f"{at}/confirm", {**said, name: "1"})
        assert answer.status_code == 409 and placed() == []
        assert "Something has changed since this page was drawn" in answer.text

    def test_a_price_that_moves_between_confirm_and_placing_is_refused_line_by_line(
        self, ama: int
    ) -> None:
        batch_id = keeping.keep(THREE, AMA)
        keeping.confirm(batch_id, _seen_now(batch_id), False, AMA)
        line = _five()
        catalog.save_price(line.bundle_id, line.price_pesewas + 50, False, SYSTEM)
        placing.place_some(batch_id, AMA)
        found = results.of_batch(keeping.find(batch_id))
        assert [row.line.state for row in found.rows] == [
            "refused",
            "ordered",
            "ordered",
        ]
        assert "price is now" in found.rows[0].line.words
        assert found.left_text == "0241234567 5"

    def test_an_equal_order_that_came_meanwhile_is_not_bought_twice(
        self, ama: int
    ) -> None:
        batch_id = keeping.keep("0241234567 5", AMA)
        keeping.confirm(batch_id, _seen_now(batch_id), False, AMA)
        orders.place(
            bundle_id=_five().bundle_id,
            recipient_msisdn="+233241234567",
            idempotency_key="a-customer-meanwhile",
        )
        placing.place_some(batch_id, AMA)
        (row,) = results.of_batch(keeping.find(batch_id)).rows
        assert row.line.state == "refused" and "was ordered for this number" in (
            row.line.words
        )

    def test_a_stop_of_everything_waits_and_loses_no_line(
        self, ama_agent: Visitor, placed: Any, app: Flask, in_store: Any
    ) -> None:
        at = bring(ama_agent, THREE)
        batch_id = int(at.rpartition("/")[2])
        in_store(
            "ama",
            lambda: keeping.confirm(batch_id, _seen_now(batch_id), False, AMA),
        )
        with app.app_context(), tenancy.across_stores():
            catalog.pause_sales("a holiday", SYSTEM)
        answer = ama_agent.post(f"{at}/place?part=1", {})
        assert answer.status_code == 200 and "All sales are paused" in answer.text
        assert "data-hx-trigger" not in answer.text and placed() == []
        with app.app_context(), tenancy.across_stores():
            catalog.resume_sales(SYSTEM)
        answer = ama_agent.post(f"{at}/place?part=1", {})
        assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, at)
        assert len(placed()) == 3

    def test_every_act_on_a_list_is_a_line_of_the_audit(
        self, ama_agent: Visitor, superuser: Any
    ) -> None:
        confirm(ama_agent, bring(ama_agent, THREE))
        ama_agent.post(f"{bring(ama_agent, '0241234599 5')}/throw-away", {})
        found = superuser.execute(
            "SELECT action, actor_name, detail->>'orders' FROM audit WHERE action LIKE '%list'"
            " ORDER BY id"
        ).fetchall()
        assert found == [
            ("confirm_list", "Ama", "3"),
            ("throw_away_list", "Ama", None),
        ]


def _five() -> catalog.ShelfLine:
    return next(line for line in catalog.shelf() if line.size_text == "5 GB")


def _seen_now(batch_id: int) -> Seen:
    from core.batches import checking

    batch = keeping.find(batch_id)
    found = checking.check(batch, keeping.lines_of(batch))
    return Seen(len(found.good), found.price_pesewas, found.cost_pesewas)


MANY = "\n".join(f"02400{at:05} 1" for at in range(60))


class TestOnce:
    def test_pressed_twice_each_line_is_one_order(
        self, ama_agent: Visitor, placed: Any
    ) -> None:
        at = bring(ama_agent, THREE)
        said = seen(ama_agent.get(at).text)
        for _ in range(3):
            assert ama_agent.post(f"{at}/confirm", said).status_code == 303
            ama_agent.post(f"{at}/place", {})
        assert len(placed()) == 3

    def test_two_people_at_once_place_each_line_once(
        self, logged_in: Callable[..., Visitor], ama_agent: Visitor, placed: Any
    ) -> None:
        at = bring(ama_agent, MANY)
        said = seen(ama_agent.get(at).text)
        people = [
            logged_in(f"{who}@example.test", "portal", "ama")
            for who in ("ama", "cashier") * 2
        ]
        tokens = [person.csrf_token for person in people]
        gate = threading.Barrier(len(people))
        codes: list[int] = []

        def press(person: Visitor, token: str) -> None:
            form = {**said, "then": "process", "csrf_token": token}
            gate.wait(10)
            answer = person.post(f"{at}/confirm", form, csrf=False)
            codes.append(answer.status_code)

        threads = [
            threading.Thread(target=press, args=pair)
            for pair in zip(people, tokens, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert codes == [303] * 4
        while "Go on" in ama_agent.get(at).text:
            ama_agent.post(f"{at}/place", {})
        found = placed()
        assert len(found) == len({order.recipient_msisdn for order in found}) == 60
        assert {order.state for order in found} == {"queued"}

    def test_of_two_copies_confirmed_at_once_one_is_ordered(
        self, app: Flask, in_store: Callable[..., Any], placed: Any
    ) -> None:
        """Whose lines are all meant, so that nothing else would ask."""

        def copy() -> int:
            batch_id = keeping.keep("0241234567 5\n0241234567 5", AMA)
            keeping.mend(batch_id, {}, accepted=[2])
            return batch_id

        copies = [in_store("ama", copy) for _ in range(2)]
        said = in_store("ama", lambda: _seen_now(copies[0]))
        gate = threading.Barrier(2)
        refused: list[str] = []

        def press(batch_id: int) -> None:
            gate.wait(10)
            try:
                in_store("ama", lambda: keeping.confirm(batch_id, said, False, AMA))
            except keeping.BatchRefused as refusal:
                refused.append(refusal.sentence)

        threads = [threading.Thread(target=press, args=(one,)) for one in copies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(refused) == 1 and "has confirmed the same list" in refused[0]

    def test_a_crash_between_an_order_and_its_note_is_one_order(
        self, ama: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batch_id = keeping.keep(THREE, AMA)
        keeping.confirm(batch_id, _seen_now(batch_id), True, AMA)
        with monkeypatch.context() as patch:
            patch.setattr(placing, "_note", _crash)
            with pytest.raises(KeyboardInterrupt):
                placing.place_some(batch_id, AMA)
        assert db.session.query(Order).count() == 1
        placing.place_some(batch_id, AMA)
        found = db.session.scalars(db.select(Order)).all()
        assert len(found) == 3
        assert {order.state for order in found} == {"queued"}

    def test_a_crash_before_process_leaves_the_order_to_a_person(
        self, ama: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever goes on does not press for what may have been taken back since."""
        batch_id = keeping.keep("0241234567 5", AMA)
        keeping.confirm(batch_id, _seen_now(batch_id), True, AMA)
        with monkeypatch.context() as patch:
            patch.setattr(orders, "process", _crash)
            with pytest.raises(KeyboardInterrupt):
                placing.place_some(batch_id, AMA)
        placing.place_some(batch_id, AMA)
        assert [order.state for order in db.session.scalars(db.select(Order))] == [
            "pending"
        ]

    def test_only_the_call_that_notes_a_line_presses_process(
        self, ama: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another person's call has noted it, and its press may have been undone since."""
        batch_id = keeping.keep("0241234567 5", AMA)
        keeping.confirm(batch_id, _seen_now(batch_id), True, AMA)
        monkeypatch.setattr(placing, "_note", lambda *_words, **_named: False)
        placing.place_some(batch_id, AMA)
        assert [order.state for order in db.session.scalars(db.select(Order))] == [
            "pending"
        ]

    def test_no_customer_can_say_the_key_of_a_line(self, ama: int) -> None:
        """Whose order the list would then take for its own, and process."""
        batch_id = keeping.keep("0241234567 5", AMA)
        (line,) = keeping.lines_of(keeping.find(batch_id))
        said = {
            "recipient": "024 123 4567",
            "bundle": str(catalog.shelf()[0].bundle_id),
            "idempotency_key": line.order_key,
            "confirm": "1",
        }
        assert OrderForm.parse(MultiDict(said)).idempotency_key is None
        said["idempotency_key"] = new_key()
        assert (
            OrderForm.parse(MultiDict(said)).idempotency_key == said["idempotency_key"]
        )

    def test_stopped_between_an_order_and_its_note_the_order_is_in_the_list(
        self, ama: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else it would stand under what was left out, to be brought once more."""
        batch_id = keeping.keep(THREE, AMA)
        keeping.confirm(batch_id, _seen_now(batch_id), True, AMA)
        place = placing._place

        def then_stop(line: BatchLine, actor: Actor) -> orders.Placed:
            made = place(line, actor)
            keeping.throw_away(batch_id, AMA)
            return made

        monkeypatch.setattr(placing, "_place", then_stop)
        placing.place_some(batch_id, AMA)
        found = db.session.scalars(db.select(Order)).all()
        assert [order.state for order in found] == ["pending"], "stopped: not processed"
        whole = results.of_batch(keeping.find(batch_id))
        assert [row.order is not None for row in whole.rows] == [True, False, False]
        assert "0241234567" not in whole.left_text

    def test_stopped_while_an_order_is_made_the_order_is_in_the_list(
        self, ama: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever stopped it cannot have seen the order."""
        batch_id = keeping.keep(THREE, AMA)
        keeping.confirm(batch_id, _seen_now(batch_id), True, AMA)
        place = placing._place

        def stopped_first(line: BatchLine, actor: Actor) -> orders.Placed:
            keeping.throw_away(batch_id, AMA)
            return place(line, actor)

        monkeypatch.setattr(placing, "_place", stopped_first)
        placing.place_some(batch_id, AMA)
        whole = results.of_batch(keeping.find(batch_id))
        assert [row.order is not None for row in whole.rows] == [True, False, False]
        assert "0241234567" not in whole.left_text

    def test_stopped_after_a_crash_the_order_is_in_the_list(
        self, ama: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batch_id = keeping.keep(THREE, AMA)
        keeping.confirm(batch_id, _seen_now(batch_id), True, AMA)
        with monkeypatch.context() as patch:
            patch.setattr(placing, "_note", _crash)
            with pytest.raises(KeyboardInterrupt):
                placing.place_some(batch_id, AMA)
        keeping.throw_away(batch_id, AMA)
        whole = results.of_batch(keeping.find(batch_id))
        assert [row.order is not None for row in whole.rows] == [True, False, False]
        assert "0241234567" not in whole.left_text

    def test_what_somebody_stopped_is_not_gone_on_with(
        self, ama: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In the call that is under way."""
        batch_id = keeping.keep(MANY, AMA)
        keeping.confirm(batch_id, _seen_now(batch_id), False, AMA)
        note = placing._note

        def then_stop(line: BatchLine, *words: Any, **values: Any) -> bool:
            done = note(line, *words, **values)
            keeping.throw_away(batch_id, AMA)
            return done

        monkeypatch.setattr(placing, "_note", then_stop)
        placing.place_some(batch_id, AMA)
        assert db.session.query(Order).count() == 1

    def test_one_call_places_no_more_than_it_may(
        self, ama: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(placing, "MOST_LINES", 7)
        batch_id = keeping.keep(MANY, AMA)
        keeping.confirm(batch_id, _seen_now(batch_id), False, AMA)
        assert placing.place_some(batch_id, AMA) == placing.Progress(7, 53)
        monkeypatch.setattr(placing, "MOST_S", -1.0)
        assert placing.place_some(batch_id, AMA) == placing.Progress(7, 53)

    def test_stopped_in_the_middle_the_rest_is_left_out(
        self, ama_agent: Visitor, placed: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(placing, "MOST_LINES", 7)
        at = bring(ama_agent, MANY)
        confirm(ama_agent, at)
        assert "7 of 60 done" in ama_agent.get(at).text
        ama_agent.post(f"{at}/throw-away", {})
        ama_agent.post(f"{at}/place", {})
        assert len(placed()) == 7
        page = ama_agent.get(f"/lists?again={at.rpartition('/')[2]}").text
        assert page.count("02400000") >= 50

    def test_a_confirmed_list_is_not_mended_any_more(
        self, ama_agent: Visitor, lines: Any
    ) -> None:
        at = bring(ama_agent, f"{THREE}\nhello")
        confirm(ama_agent, at)
        answer = ama_agent.post(f"{at}/lines", {"line-4": "0241234599 5"})
        assert "cannot be changed any more" in ama_agent.get(answer.location).text
        assert lines()[3].text == "hello"

    def test_a_day_later_nothing_of_it_is_ordered(
        self, ama: int, jump: Callable[[float], None]
    ) -> None:
        batch_id = keeping.keep(THREE, AMA)
        other_id = keeping.keep("0241234599 5", AMA)
        keeping.confirm(batch_id, _seen_now(batch_id), False, AMA)
        jump(86_500)
        assert placing.place_some(batch_id, AMA).stopped == placing.OLD
        with pytest.raises(keeping.BatchRefused):
            keeping.confirm(other_id, _seen_now(other_id), False, AMA)
        assert db.session.query(Order).count() == 0


def _crash(*_words: object, **_named: object) -> None:
    raise KeyboardInterrupt


class TestFile:
    def test_every_line_with_what_became_of_it(
        self, ama_agent: Visitor, placed: Any
    ) -> None:
        at = bring(ama_agent, "0241234567 5\n=cmd|' /C calc'!A1\n@x\n-1\n+2")
        confirm(ama_agent, at)
        answer = ama_agent.get(f"{at}.csv")
        assert answer.content_type == "text/csv; charset=utf-8"
        assert "attachment" in answer.headers["Content-Disposition"]
        rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
        assert len(rows) == 6 and rows[0][:3] == ["Line", "Number", "Bundle"]
        (order,) = placed()
        assert rows[1][1:3] == ["024 123 4567", "MTN 5 GB"]
        assert rows[1][4:7] == ["Ordered", order.shown_code, "pending"]
        assert "There is no phone number" in rows[2][7]
        for row in rows[1:]:
            for value in row:
                assert not value.startswith(("=", "+", "-", "@", "\t"))

    def test_numbers_are_forgotten_in_lists_too(
        self, ama_agent: Visitor, lines: Any, app: Flask
    ) -> None:
        bring(ama_agent, "024 123 4567 5\n0551234567 2")
        with app.app_context(), tenancy.across_stores():
            orders.forget_number("+233241234567", SYSTEM)
        assert [(line.state, line.text) for line in lines()] == [
            ("left_out", ""),
            ("open", "0551234567 2"),
        ]

    def test_lists_are_deleted_when_their_time_is_over(
        self, ama_agent: Visitor, app: Flask, jump: Callable[[float], None]
    ) -> None:
        confirm(ama_agent, bring(ama_agent, THREE))
        bring(ama_agent, "0241234599 5")
        for passed_s, left in ((86_500, (1, 3)), (6 * 86_400, (0, 0))):
            jump(passed_s)
            with app.app_context(), tenancy.across_stores():
                orders.prune_unplaced()
                kept = db.session.query(OrderBatch).count()
                assert (kept, db.session.query(BatchLine).count()) == left


class TestWhoMay:
    def test_another_stores_list_reads_as_none(
        self, ama_agent: Visitor, kofi_agent: Visitor, placed: Any
    ) -> None:
        at = bring(ama_agent, THREE)
        said = seen(ama_agent.get(at).text)
        for answer in (
            kofi_agent.get(at),
            kofi_agent.get(f"{at}.csv"),
            kofi_agent.get(f"/lists?again={at.rpartition('/')[2]}"),
            kofi_agent.post(f"{at}/lines", {"all": "out"}),
            kofi_agent.post(f"{at}/confirm", said),
            kofi_agent.post(f"{at}/place", {}),
            kofi_agent.post(f"{at}/throw-away", {}),
        ):
            assert answer.status_code == 404
            assert "no page at this address" in answer.text
        assert placed() == [] and seen(ama_agent.get(at).text) == said

    def test_a_viewer_looks_and_presses_nothing(
        self, logged_in: Callable[..., Visitor], ama_agent: Visitor, placed: Any
    ) -> None:
        at = bring(ama_agent, f"{THREE}\nhello")
        viewer = logged_in("viewer@example.test", "portal", "ama")
        page = viewer.get(at).text
        assert "3 orders" in page and "Read them again" not in page
        assert "/confirm" not in page and "textarea" not in viewer.get("/lists").text
        for path in ("lines", "confirm", "place", "throw-away"):
            assert viewer.post(f"{at}/{path}", {}).status_code == 403
        assert viewer.post("/lists", {"text": THREE}).status_code == 403
        assert placed() == []

    @pytest.mark.parametrize(
        "path", ["/lists/999999", "/lists/0", f"/lists/{2**63}", "/lists/x"]
    )
    def test_a_list_that_is_none_is_404(self, ama_agent: Visitor, path: str) -> None:
        assert ama_agent.get(path).status_code == 404
