"""The price table: kept as typed, saved all or none, never below what the bundle costs the
agent."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any

import psycopg
import pytest
import tables_owner
from sqlalchemy import update
from visitors import Visitor

from core import catalog, online
from core.audit import Actor
from core.base import money, tenancy
from core.catalog import Bundle


@pytest.fixture
def form_of(in_store: Callable[..., Any]) -> Callable[..., dict[str, str]]:
    """The whole price form as the page would send it untouched."""

    def fill(slug: str = "ama") -> dict[str, str]:
        lines = in_store(slug, catalog.price_table)
        return {
            f"price-{line.bundle_id}": money.format_ghs(line.price_pesewas)
            for line in lines
            if line.price_pesewas
        }

    return fill


def test_the_table_shows_cost_price_and_profit(
    ama_agent: Visitor, line_of: Any
) -> None:
    line, page = line_of("mtn", 5), ama_agent.get("/prices").text
    row = page[page.index(f'<tr id="row-{line.bundle_id}"') :].partition("</tr>")[0]
    for pesewas in (
        line.agent_price_pesewas,
        line.price_pesewas,
        (line.price_pesewas - line.agent_price_pesewas),
    ):
        assert money.format_ghs(pesewas) in row
    assert f'value="{money.format_ghs(line.price_pesewas)}"' in row
    assert (
        page.index('"chip mtn"')
        < page.index('"chip telecel"')
        < page.index('"chip at"')
    )


def test_beside_the_profit_stands_what_a_payment_online_leaves(
    ama_agent: Visitor, line_of: Any, superuser: psycopg.Connection[Any]
) -> None:
    line = line_of("mtn", 5)
    assert f'id="online-{line.bundle_id}"' not in ama_agent.get("/prices").text
    superuser.execute("UPDATE stores SET pay_online = true WHERE slug = 'ama'")
    page = ama_agent.get("/prices").text
    shown = page.split(f'id="online-{line.bundle_id}"')[1].partition("</output>")[0]
    profit = line.price_pesewas - line.agent_price_pesewas
    left = profit - online.fee_of(line.price_pesewas)
    assert left < profit and shown.endswith(f">{money.format_ghs(left)}")
    assert 'data-fee="195"' in page and "about 1.95 %" in page


@pytest.mark.parametrize("agent_price", [1, 99, 470, 2_000, 9_999, 123_457])
def test_a_price_is_offered_online_when_what_it_leaves_is_not_below_nothing(
    app: Any, agent_price: int
) -> None:
    least = online.floor_of(agent_price)
    assert least - online.fee_of(least) >= agent_price
    assert least - 1 - online.fee_of(least - 1) < agent_price


def test_changed_prices_are_saved_together_and_the_rest_stays(
    ama_agent: Visitor, line_of: Any, form_of: Any, counts: Any
) -> None:
    mtn, at = line_of("mtn", 5), line_of("at", 2)
    other = line_of("mtn", 1).price_pesewas
    form = form_of() | {
        f"price-{mtn.bundle_id}": " GHS 99.5 ",
        f"price-{at.bundle_id}": "1,050.00",
    }
    answer = ama_agent.post("/prices", form)
    assert (answer.status_code, answer.location) == (303, "/prices")
    assert "Saved 2 prices." in ama_agent.get("/prices").text
    assert (line_of("mtn", 5).price_pesewas, line_of("at", 2).price_pesewas) == (
        9_950,
        105_000,
    )
    assert line_of("mtn", 1).price_pesewas == other


def test_the_other_store_keeps_its_prices(
    ama_agent: Visitor, line_of: Any, form_of: Any
) -> None:
    line, before = line_of("mtn", 5), line_of("mtn", 5, "kofi").price_pesewas
    ama_agent.post("/prices", form_of() | {f"price-{line.bundle_id}": "99.00"})
    assert line_of("mtn", 5, "kofi").price_pesewas == before


def test_hiding_and_showing_again(
    ama_agent: Visitor, visitor: Any, line_of: Any, form_of: Any
) -> None:
    line = line_of("telecel", 5)
    ama_agent.post("/prices", form_of() | {f"hidden-{line.bundle_id}": "1"})
    assert (
        line_of("telecel", 5).hidden
        and "hidden from customers" in ama_agent.get("/prices").text
    )
    ama_agent.post("/prices", form_of())
    assert not line_of("telecel", 5).hidden


def test_nothing_changed_saves_nothing(
    ama_agent: Visitor, form_of: Any, counts: Any
) -> None:
    before = counts()
    ama_agent.post("/prices", form_of())
    assert (
        counts() == before and "Nothing was changed." in ama_agent.get("/prices").text
    )


def test_exactly_the_cost_is_allowed(ama_agent: Visitor, line_of: Any) -> None:
    line = line_of("mtn", 5)
    ama_agent.post(
        "/prices",
        {f"price-{line.bundle_id}": money.format_ghs(line.agent_price_pesewas)},
    )
    assert line_of("mtn", 5).price_pesewas == line.agent_price_pesewas


def test_one_price_below_cost_saves_none_and_names_bundle_and_floor(
    ama_agent: Visitor, line_of: Any, form_of: Any, counts: Any
) -> None:
    low, fine, before = line_of("mtn", 5), line_of("at", 2), counts()
    typed = money.format_ghs(low.agent_price_pesewas - 1)
    answer = ama_agent.post(
        "/prices",
        form_of()
        | {f"price-{low.bundle_id}": typed, f"price-{fine.bundle_id}": "77.77"},
    )
    assert answer.status_code == 422 and "Nothing was saved" in answer.text
    assert f"MTN 5 GB costs you {money.cedis(low.agent_price_pesewas)}." in answer.text
    assert f'value="{typed}"' in answer.text and 'value="77.77"' in answer.text, (
        "all that was typed is kept"
    )
    assert (
        f'href="#price-{low.bundle_id}"' in answer.text
        and f'aria-describedby="why-{low.bundle_id}"' in answer.text
    )
    assert '<output class="money is-below"' in answer.text
    assert counts() == before


def test_a_price_the_cost_has_passed_is_flagged_and_not_sold(
    app: Any, ama_agent: Visitor, line_of: Any
) -> None:
    tables_owner.execute(
        update(Bundle).where(Bundle.network == "mtn", Bundle.mb == 5120)
        .values(cost_pesewas=9_000, agent_price_pesewas=9_900)
    )  # fmt: skip
    page = ama_agent.get("/prices").text
    assert page.count("below cost: not sold until you raise it") == 1


def test_a_paused_network_is_said_here_too(app: Any, ama_agent: Visitor) -> None:
    from core.audit import SYSTEM

    with app.app_context(), tenancy.across_stores():
        catalog.pause_network("at", "", SYSTEM)
    assert "AT is paused" in ama_agent.get("/prices").text


def test_without_bundles_the_page_says_why(app: Any, ama_agent: Visitor) -> None:
    from sqlalchemy import delete

    from core.catalog import StoreBundle

    tables_owner.execute(delete(StoreBundle))
    tables_owner.execute(update(Bundle).values(active=False))
    assert "No bundles yet" in ama_agent.get("/prices").text


def sent(page: str) -> dict[str, str]:
    """The price form, as a browser would send it untouched."""
    form = page[page.index('action="/prices"') :].partition("</form>")[0]
    fields = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = (
            re.search(r'name="([\w-]+)"', tag),
            re.search(r'value="([^"]*)"', tag),
        )
        assert name and value
        if "checkbox" not in tag or " checked" in tag:
            fields[name[1]] = unescape(value[1])
    fields.pop("csrf_token")
    return fields


def test_an_old_page_leaves_what_somebody_else_changed(
    ama_agent: Visitor, line_of: Any, in_store: Any
) -> None:
    line, hidden, mine = line_of("mtn", 5), line_of("mtn", 1), line_of("at", 2)
    form = sent(ama_agent.get("/prices").text)
    kofi = Actor("agent", "Kofi")
    changed = {
        line.bundle_id: (9_900, False),
        hidden.bundle_id: (hidden.price_pesewas, True),
    }
    in_store("ama", lambda: catalog.save_prices(changed, kofi))
    form[f"price-{mine.bundle_id}"] = "77.00"
    assert ama_agent.post("/prices", form).status_code == 303
    assert "Saved 1 price." in ama_agent.get("/prices").text
    assert line_of("at", 2).price_pesewas == 7_700
    assert line_of("mtn", 5).price_pesewas == 9_900 and line_of("mtn", 1).hidden


def test_over_what_somebody_else_changed_a_price_is_saved_once_it_was_shown(
    ama_agent: Visitor, line_of: Any, in_store: Any, counts: Any
) -> None:
    line, other, kofi = line_of("mtn", 5), line_of("mtn", 1), Actor("agent", "Kofi")
    form = sent(ama_agent.get("/prices").text)
    changed = {line.bundle_id: (9_900, False), other.bundle_id: (8_800, False)}
    in_store("ama", lambda: catalog.save_prices(changed, kofi))
    before = counts()
    form[f"price-{line.bundle_id}"] = "133.70"
    answer = ama_agent.post("/prices", form)
    assert answer.status_code == 422 and counts() == before
    assert catalog.ShownOtherwise.sentence in answer.text
    assert "MTN 5 GB is GH₵\u00a099.00 now, shown." in answer.text
    again = sent(answer.text)
    assert again[f"price-{line.bundle_id}"] == "133.70", "what was typed is kept"
    assert again[f"price-{other.bundle_id}"] == "88.00", "what was not, is as it stands"
    assert ama_agent.post("/prices", again).status_code == 303
    assert line_of("mtn", 5).price_pesewas == 13_370
    assert line_of("mtn", 1).price_pesewas == 8_800


def test_what_changes_between_the_look_and_the_lock_is_refused_too(
    ama_agent: Visitor, line_of: Any, in_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, save = line_of("mtn", 5), catalog.save_prices
    form = sent(ama_agent.get("/prices").text)
    form[f"price-{line.bundle_id}"] = "133.70"

    def beside(*asked: Any) -> Any:
        monkeypatch.undo()
        kofi, changed = Actor("agent", "Kofi"), {line.bundle_id: (9_900, False)}
        with ThreadPoolExecutor(1) as other:
            other.submit(in_store, "ama", lambda: save(changed, kofi)).result()
        return save(*asked)

    monkeypatch.setattr(catalog, "save_prices", beside)
    answer = ama_agent.post("/prices", form)
    assert answer.status_code == 422
    assert catalog.ShownOtherwise.sentence in answer.text
    assert sent(answer.text)[f"price-{line.bundle_id}"] == "133.70"
    assert line_of("mtn", 5).price_pesewas == 9_900


def test_the_same_press_twice_is_no_quarrel(ama_agent: Visitor, line_of: Any) -> None:
    form = sent(ama_agent.get("/prices").text)
    form[f"price-{line_of('mtn', 5).bundle_id}"] = "133.70"
    for said in ("Saved 1 price.", "Nothing was changed."):
        assert ama_agent.post("/prices", form).status_code == 303
        assert said in ama_agent.get("/prices").text


# One price typed in fifteen wrong ways: (typed, what must be said).
WRONG = [
    ("", "type a price of"),
    ("   ", "type a price of"),
    ("abc", "digits only"),
    ("-5", "cannot be negative"),
    ("1e3", "digits only"),
    ("24,50", "digits only"),
    ("24.505", "at most two digits after the point"),
    ("٢٤.٠٠", "digits only"),
    ("24.00; DROP TABLE", "digits only"),
    ("<b>24</b>", "digits only"),
    ("0", "costs you"),
    ("0.01", "costs you"),
    ("10000.01", "too high"),
    ("99999999999999999999", "digits only"),
    ("2\x004", "digits only"),
]


@pytest.mark.parametrize(("typed", "sentence"), WRONG)
def test_a_wrong_price_is_answered_with_a_sentence_and_kept(
    ama_agent: Visitor,
    line_of: Any,
    form_of: Any,
    counts: Any,
    typed: str,
    sentence: str,
) -> None:
    line, before = line_of("mtn", 5), counts()
    answer = ama_agent.post(
        "/prices",
        form_of()
        | {
            f"price-{line.bundle_id}": typed,
            f"price-{line_of('at', 2).bundle_id}": "77",
        },
    )
    assert (
        answer.status_code == 422
        and sentence in answer.text
        and "MTN 5 GB" in answer.text
    )
    assert counts() == before and 'value="77"' in answer.text
    assert "<b>24" not in answer.text and "MTN 5 GB: MTN 5 GB" not in answer.text
    if typed.strip() and typed.isprintable() and "<" not in typed:
        assert f'value="{typed}"' in answer.text


class TestOddForms:
    def test_a_bundle_that_does_not_exist(
        self, ama_agent: Visitor, form_of: Any, counts: Any
    ) -> None:
        before = counts()
        for name in (
            "price-999999",
            "price-",
            "price-abc",
            "price-1;2",
            "price-" + "9" * 40,
        ):
            answer = ama_agent.post("/prices", form_of() | {name: "50"})
            assert answer.status_code == 422 and "no longer offered" in answer.text
        assert counts() == before

    def test_of_a_repeated_field_the_first_counts(
        self, ama_agent: Visitor, line_of: Any
    ) -> None:
        line = line_of("mtn", 5)
        ama_agent.post("/prices", {f"price-{line.bundle_id}": ["88.00", "99.00"]})
        assert line_of("mtn", 5).price_pesewas == 8_800

    def test_hidden_alone_and_unknown_fields_change_nothing(
        self, ama_agent: Visitor, line_of: Any, counts: Any
    ) -> None:
        line, before = line_of("mtn", 5), counts()
        answer = ama_agent.post(
            "/prices",
            {
                f"hidden-{line.bundle_id}": "1",
                "store_id": "2",
                "cost_pesewas": "1",
                "agent_price": "0.01",
            },
        )
        assert (
            answer.status_code == 303
            and counts() == before
            and not line_of("mtn", 5).hidden
        )

    def test_an_empty_form_changes_nothing(
        self, ama_agent: Visitor, counts: Any
    ) -> None:
        before = counts()
        assert ama_agent.post("/prices", {}).status_code == 303 and counts() == before

    def test_without_token_or_from_elsewhere(
        self, ama_agent: Visitor, line_of: Any, counts: Any
    ) -> None:
        form, before = {f"price-{line_of('mtn', 5).bundle_id}": "88.00"}, counts()
        assert ama_agent.post("/prices", form, csrf=False).status_code == 400
        assert (
            ama_agent.post("/prices", form, csrf=False, origin=None).status_code == 400
        )
        assert (
            ama_agent.post("/prices", form, origin="http://kofi.localhost").status_code
            == 403
        )
        assert counts() == before
