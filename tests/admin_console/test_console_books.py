"""The proofs of the books as the owner sees them: the last, those before, the button, and every
account's balance."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from console_scenes import Scene
from visitors import Visitor

from admin_console import overview, proof_strip
from admin_console.problem import Problem
from core import availability, leases, ledger, proof, reconcile
from core.base import clock, config
from core.orders import News
from core.proof import Proof
from core.supplier import supply
from fulfilment import jobs

NBSP = "\N{NO-BREAK SPACE}"
END = datetime(2026, 11, 23, 16, tzinfo=UTC)


def problems() -> list[Problem]:
    """What the first page says is wrong."""
    link = supply.state()
    return overview.problems(
        availability.now(), link, reconcile.countable_pesewas(link)
    )


@pytest.fixture
def prove(scene: Scene) -> Callable[[], Proof]:
    return lambda: scene.ask(proof.prove)


@pytest.fixture
def drift(scene: Scene) -> Iterator[Callable[[], None]]:
    """Moves a cached balance away from its entries; put back before the books are judged."""

    def by(pesewas: int) -> None:
        scene.sql(
            "UPDATE accounts SET balance_pesewas = balance_pesewas + :by WHERE name = 'bank'",
            by=pesewas,
        )

    yield lambda: by(-5)
    by(5)


def test_books_nobody_has_proven_say_so(owner: Visitor) -> None:
    page = owner.get("/books").text
    assert "Not proven yet" in page
    assert "The books hold" not in page
    assert 'class="strip"' not in page


def test_the_last_proof_is_told_with_its_figures_and_those_before_are_listed(
    owner: Visitor, scene: Scene, prove: Callable[[], Proof]
) -> None:
    scene.order("completed")
    first = prove()
    scene.order("processing", slug="kofi")
    last = prove()
    page = owner.get("/books").text
    books, accounts = scene.ask(ledger.books), scene.ask(ledger.platform_balances)
    assert "The books hold" in page
    assert (
        f"{books.entries} entries in {books.postings} postings sum to GH₵{NBSP}0.00"
        in page
    )
    for one in (first, last):
        assert one.short_hash in page and one.hash in page
    assert page.index(last.short_hash) < page.index(first.short_hash)
    assert 'class="strip"' in page
    for name in (
        "supplier_float",
        "in_flight",
        "bank",
        "margin",
        "price_variance",
        "write_off",
    ):
        assert f">{accounts[name] / 100:,.2f}</td>" in page.replace(
            "\N{MINUS SIGN}", "-"
        ), name


def test_books_that_do_not_hold_are_said_first_and_loudly(
    owner: Visitor, scene: Scene, prove: Callable[[], Proof], drift: Callable[[], None]
) -> None:
    scene.link(unreachable_since=clock.now())
    drift()
    prove()
    page = owner.get("/books").text
    assert "The books do not hold" in page and 'role="alert"' in page
    assert "Balances that are not the sum of their entries: bank." in page
    first = scene.ask(problems)[0]
    assert (first.kind, first.href) == ("stopped", "/books")
    assert "Balances that are not the sum of their entries: bank." in first.sentence
    assert "The proof of the books failed" in owner.get("/cases").text


@pytest.mark.slow(seconds=0.4)
def test_a_failed_proof_stays_in_the_table_among_many_that_held(
    owner: Visitor, scene: Scene, prove: Callable[[], Proof], drift: Callable[[], None]
) -> None:
    drift()
    failed = prove()
    scene.sql(
        "UPDATE accounts SET balance_pesewas = balance_pesewas + 5 WHERE name = 'bank'"
    )
    held = [prove() for _ in range(11)]
    page = owner.get("/books").text
    assert failed.hash in page and held[-1].hash in page
    assert held[0].hash not in page
    assert "The books hold" in page
    scene.sql(
        "UPDATE accounts SET balance_pesewas = balance_pesewas - 5 WHERE name = 'bank'"
    )


def test_an_overdue_proof_is_said(
    owner: Visitor,
    scene: Scene,
    prove: Callable[[], Proof],
    jump: Callable[[float], None],
) -> None:
    prove()
    assert "should be every hour" not in owner.get("/").text
    assert "overdue" not in owner.get("/books").text
    jump(2 * config.current().proof_every_s - 60)
    assert scene.ask(problems) == []
    jump(61)
    (problem,) = scene.ask(problems)
    assert (problem.kind, problem.href) == ("waiting", "/books")
    assert "should be every hour. Is the worker running?" in problem.sentence
    assert f"the last is 2{NBSP}h old" in scene_page(scene)


def scene_page(scene: Scene) -> str:
    """The panel itself: a log-in would have ended by then."""
    from flask import render_template

    from admin_console import books

    with (
        scene.app.test_request_context("/books", base_url="http://admin.localhost"),
        scene.everywhere(),
    ):
        return render_template("console/_proof_panel.html", **books._panel(None))


def test_books_never_proven_become_overdue_too(
    scene: Scene, jump: Callable[[float], None]
) -> None:
    jump(2 * config.current().proof_every_s + 1)
    (problem,) = scene.ask(problems)
    assert "have never been proven" in problem.sentence
    assert "never been proven" in scene_page(scene)


def test_the_button_leaves_a_request_whose_result_shows_by_itself(
    owner: Visitor, scene: Scene
) -> None:
    answer = owner.post("/books/prove")
    assert answer.status_code == 303
    found = re.fullmatch(r"/books\?asked=(\d+)", answer.headers["Location"])
    assert found
    page = owner.get(answer.headers["Location"]).text
    assert "Proving the books." in page
    assert '<noscript><meta http-equiv="refresh"' in page, "it works without scripts"
    poll = re.search(r'data-hx-get="([^"]+)" data-hx-trigger="every 2000ms"', page)
    assert poll
    path = poll[1].replace("&amp;", "&")
    assert owner.get(path).status_code == 204
    ((row_id, lease_no),) = scene.ask(lambda: leases.lease_due(5))
    assert row_id == int(found[1])
    with scene.app.app_context():
        jobs.run(row_id, lease_no)
    panel = owner.get(path).text
    assert "Proof of the books: done" in panel and "The books hold" in panel
    assert "data-hx-trigger" not in panel
    assert "<html" not in panel
    assert "asked for a proof" in owner.get("/audit").text
    assert owner.get("/books/panel?asked=0").status_code == 404


def drawn(*proofs: Any) -> dict[str, str]:
    svg = ElementTree.fromstring(proof_strip.draw(proofs, END, 48, "<summary>").svg)
    assert next(iter(svg)).text == "<summary>"
    return {
        str(part.get("class")): str(part.get("d")) for part in svg if part.get("class")
    }


def at(hours_ago: float, sealed: int = 0, ok: bool = True) -> Any:
    return Proof(at=END - timedelta(hours=hours_ago), ok=ok, sealed=sealed)


def test_a_bar_stands_at_its_hour_and_is_as_high_as_what_it_sealed() -> None:
    paths = drawn(at(0, 10), at(24, 0), at(47.5, 0))
    assert (
        paths["strip-held"] == "M985 60h15v-60h-15zM492 60h15v-8h-15zM10 60h15v-8h-15z"
    )
    assert "strip-failed" not in paths


def test_the_strip_of_the_first_day_begins_with_the_first_proof() -> None:
    assert proof_strip.draw([at(0), at(1)], END, 48, "").hours == proof_strip.LEAST_H
    assert (
        drawn(at(0, 10), at(1, 0))["strip-held"]
        == "M938 60h62v-60h-62zM860 60h62v-8h-62z"
    )
    assert proof_strip.draw([at(0), at(20)], END, 48, "").hours == 21
    assert proof_strip.draw([at(0), at(80)], END, 48, "").hours == 48


def test_what_there_is_and_whose_it_is_are_one_sum(
    owner: Visitor, scene: Scene
) -> None:
    for state in ("completed", "processing", "queued", "refunded"):
        scene.order(state)
    page = owner.get("/books").text
    sums = re.findall(
        r'All together.*?<td class="num strong"[^>]*>([^<]+)</td>', page, re.DOTALL
    )
    assert len(sums) == 2 and sums[0] == sums[1]
    assert "the same as what there is" in page


def test_rounding_and_charges_off_the_list_are_shown_line_by_line(
    owner: Visitor, scene: Scene
) -> None:
    assert "Every charge has been the list's price so far" in owner.get("/books").text
    code = scene.order("completed", news=News("completed", "SUP-9", 2_350))
    with scene.everywhere():
        reconcile.note_balance(reconcile.float_pesewas() - 1, said="1976.494")
    page = owner.get("/books").text
    assert f"/orders/{code}" in page.partition("Price variance, newest first")[2]
    assert (
        "Rounding" in page
        and "the supplier said 1976.494" in page
        and "Rounding today: GH₵\u00a0−0.01" in page
    )


def test_a_failed_proof_is_a_hollow_bar_of_full_height_and_old_ones_are_left_out() -> (
    None
):
    paths = drawn(at(48, 0, ok=False), at(49, 5), at(-1, 5))
    assert paths["strip-failed"] == "M0 60h15v-60h-15z"
    assert "strip-held" not in paths
