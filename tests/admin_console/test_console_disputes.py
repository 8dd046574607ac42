"""Disputes in the console: what waits and for how long, what an answer does to the money before it
is given, and who may give it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import tables_owner
from console_scenes import Scene
from visitors import Visitor

from admin_console.disputes import left_words
from core.base import clock
from core.base.db import db
from core.disputes import DisputeAnswer
from core.disputes.listing import Left
from core.online import Dispute

pytestmark = pytest.mark.slow(seconds=0.15)


def main_of(visitor: Visitor, path: str) -> str:
    page = visitor.get(path)
    assert page.status_code == 200
    return unescape(page.text.partition("<main")[2].partition("</main")[0])


def seen_in(page: str) -> str:
    return page.partition('name="seen" value="')[2].partition('"')[0]


def kept(scene: Scene, dispute_id: int) -> tuple[str, list[tuple[str, int, str]]]:
    """Its state, and its answers: what, amount, words."""

    def read() -> Any:
        db.session.rollback()
        state = db.session.get_one(Dispute, dispute_id).state
        rows = db.session.query(DisputeAnswer).order_by(DisputeAnswer.id)
        return state, [(one.answer, one.amount_pesewas, one.words) for one in rows]

    found: tuple[str, list[tuple[str, int, str]]] = scene.ask(read)
    return found


def test_what_waits_comes_first_with_the_time_that_is_left(
    owner: Visitor, scene: Scene
) -> None:
    assert "Nothing is disputed" in main_of(owner, "/disputes")
    late = scene.order("completed")
    soon = scene.order("completed", number="+233240000002")
    over = scene.order("completed", number="+233240000003")
    scene.dispute(late, left_h=40)
    scene.dispute(soon, left_h=4)
    scene.dispute(over, "auto_accepted")
    page = main_of(owner, "/disputes")
    places = [page.index(f"/orders/{code}") for code in (soon, late, over)]
    assert places == sorted(places)
    assert page.count("<progress") == 2 and "Auto-accepted" in page
    assert "Answer by " in page and "of working time left" in page
    lost = main_of(owner, "/disputes?show=lost")
    assert f"/orders/{over}" in lost and f"/orders/{soon}" not in lost
    assert "2 disputes need your answer" in main_of(owner, "/")
    assert "None of these" in main_of(owner, "/disputes?show=won")
    assert main_of(owner, "/disputes?show=nonsense")


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "the time is over"),
        (1, "1 minute of working time left"),
        (61, "1 hour 1 minute of working time left"),
        (24 * 60, "1 day of working time left"),
        (47 * 60 + 59, "1 day 23 hours of working time left"),
    ],
)
def test_the_time_left_is_said_in_words(minutes: int, words: str) -> None:
    assert left_words(Left(clock.wall(), timedelta(minutes=minutes), 1.0)) == words


def test_the_money_effect_stands_before_the_press_and_counts(
    owner: Visitor, scene: Scene
) -> None:
    code = scene.order("completed")
    path = f"/disputes/{scene.dispute(code)}"
    page = main_of(owner, path)
    price = scene.find(code).price_pesewas
    assert seen_in(page) == f"{price}/0/0"
    for words in ("Goes back to the payer", "Our loss", "Delivered at", "•••"):
        assert words in page
    tables_owner.execute("UPDATE online_payments SET owed_pesewas = 5")
    answer = owner.post(f"{path}/accept", {"seen": seen_in(page), "words": "Sorry."})
    assert answer.status_code == 422 and "has changed" in answer.text
    assert 'value="Sorry."' in answer.text
    dispute_id = int(path.rpartition("/")[2])
    assert kept(scene, dispute_id) == ("needs_answer", [])
    again = seen_in(main_of(owner, path))
    assert again == f"{price}/5/0"
    form = {"seen": again, "words": "Sorry."}
    assert owner.post(f"{path}/accept", form).status_code == 303
    assert kept(scene, dispute_id) == ("answering", [("accept", price, "Sorry.")])
    late = owner.post(f"{path}/contest", form)
    assert late.status_code == 422 and "has its answer" in unescape(late.text)
    assert "<form" not in main_of(owner, path)


def test_contested_by_finance_with_the_evidence_that_was_shown(
    logged_in: Callable[..., Visitor], scene: Scene
) -> None:
    finance = logged_in("finance@example.test", "console")
    dispute_id = scene.dispute(scene.order("completed"))
    path = f"/disputes/{dispute_id}"
    form = {"seen": seen_in(main_of(finance, path))}
    assert finance.post(f"{path}/contest", form).status_code == 303
    state, [(answer, amount, words)] = kept(scene, dispute_id)
    assert (state, answer, amount) == ("answering", "contest", 0) and words
    page = main_of(finance, path)
    assert "What was sent" in page and "Contested, to be sent" in page
    assert "contested the dispute" in page


def test_support_may_look_and_not_answer(
    logged_in: Callable[..., Visitor], scene: Scene
) -> None:
    support = logged_in("support@example.test", "console")
    dispute_id = scene.dispute(scene.order("completed"))
    page = main_of(support, f"/disputes/{dispute_id}")
    assert "<form" not in page and "Only the owner and finance" in page
    for act in ("accept", "contest"):
        assert support.post(f"/disputes/{dispute_id}/{act}", {}).status_code == 403
    assert kept(scene, dispute_id) == ("needs_answer", [])


def test_a_stale_log_in_shows_who_it_is_first(owner: Visitor, scene: Scene) -> None:
    dispute_id = scene.dispute(scene.order("completed"))
    form = {"seen": seen_in(main_of(owner, f"/disputes/{dispute_id}"))}
    tables_owner.execute("UPDATE sessions SET confirmed_at = now() - interval '1 hour'")
    for act in ("accept", "contest"):
        answer = owner.post(f"/disputes/{dispute_id}/{act}", form)
        assert answer.headers["Location"].startswith("/account/confirm")
    assert kept(scene, dispute_id) == ("needs_answer", [])


@pytest.mark.parametrize("named", ["0", "99999", "x", "9" * 30])
def test_a_dispute_that_is_not_there_is_not_found(
    owner: Visitor, scene: Scene, named: str
) -> None:
    assert owner.get(f"/disputes/{named}").status_code == 404
    assert owner.post(f"/disputes/{named}/accept", {}).status_code == 404


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("needs_answer", "Makola answers it"),
        ("sent", "Makola contested it"),
        ("won", "The dispute was won"),
        ("auto_accepted", "was not answered in time"),
    ],
)
def test_the_agent_reads_it_in_the_order(
    logged_in: Callable[..., Visitor], scene: Scene, state: str, words: str
) -> None:
    code = scene.order("completed")
    scene.dispute(code, state)
    agent = logged_in("viewer@example.test", "portal", "ama")
    page = unescape(agent.get(f"/orders/{code}").text)
    assert words in page and "GH₵\u00a00.00" not in page
