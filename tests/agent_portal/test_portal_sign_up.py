"""Sign-up: from nothing to a shop with prices, closed until it is opened."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from visitors import Visitor

from core import audit, onboarding, requirements, signing_up, stores
from core.audit import SYSTEM, Actor
from core.base import messages, tenancy
from core.base.config import Config
from core.base.db import db
from core.signing_up import Problems, Typed
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.15)

GOOD = {
    "name": "Esi Owusu",
    "phone": "024 555 0101",
    "email": "",
    "password": "river stone lamp seven",
    "store_name": "Esi's Data",
    "slug": "",
}


OWNER = Actor("owner", "Platform owner")
_SIGNED_UP = "SELECT id FROM stores WHERE asked_at IS NOT NULL ORDER BY id"


def _esi(n: int) -> dict[str, str]:
    """One more person, with a store of her own."""
    return GOOD | {"phone": f"024 555 02{n:02}", "slug": f"esi-{n}"}


def _seen(by_itself: bool) -> str:
    """How a new store stands on the owner's page."""
    return "approved" if by_itself else "waiting"


@pytest.fixture
def portal(visitor: Callable[[str], Visitor]) -> Visitor:
    return visitor("portal")


@pytest.fixture
def codes(using: Using, config: Config) -> Callable[[], list[str]]:
    """Codes can be sent; returns those that were, oldest first."""
    using(messages="console")
    file = Path(config.instance_dir) / messages.FILE
    file.unlink(missing_ok=True)

    def read() -> list[str]:
        if not file.exists():
            return []
        return re.findall(r"(?m): (\d{6}) is your Makola code", file.read_text())

    return read


def told(app: Flask, deed: Callable[[], Any]) -> Any:
    with app.app_context(), tenancy.across_stores():
        try:
            return deed()
        finally:
            db.session.remove()


def rows(app: Flask, query: str) -> Any:
    return told(app, lambda: db.session.execute(text(query)).all())


def test_one_form_makes_a_log_in_and_a_closed_store_with_prices(
    app: Flask, portal: Visitor
) -> None:
    answer = portal.post("/sign-up", GOOD)
    assert (answer.status_code, answer.location) == (303, "/")
    page = portal.get("/").text
    assert "Your shop" in page and "esis-data.localhost" in page
    for size in ("1 GB", "2 GB", "5 GB", "10 GB"):
        assert size in page
    assert "GH₵\N{NO-BREAK SPACE}" in page
    (store,) = rows(app, "SELECT * FROM stores WHERE slug = 'esis-data'")
    assert (store.status, store.approval) == ("closed", "waiting")
    assert store.whatsapp == store.momo_number == "+233245550101"
    assert store.momo_name == "Esi Owusu"


def test_who_signed_up_by_phone_logs_in_with_it_however_it_is_spelt(
    visitor: Callable[[str], Visitor], portal: Visitor
) -> None:
    portal.post("/sign-up", GOOD)
    for spelt in ("0245550101", "+233 24 555 0101", "233245550101"):
        form = {"email": spelt, "password": GOOD["password"]}
        assert visitor("portal").post("/login", form).location == "/"
    wrong = {"email": "024 555 0102", "password": GOOD["password"]}
    assert visitor("portal").post("/login", wrong).status_code == 422


def test_an_e_mail_is_the_log_in_of_who_gives_one(
    app: Flask, visitor: Callable[[str], Visitor], portal: Visitor
) -> None:
    portal.post("/sign-up", GOOD | {"email": "Esi@Example.test"})
    form = {"email": "esi@example.test", "password": GOOD["password"]}
    assert visitor("portal").post("/login", form).location == "/"
    form = {"email": GOOD["phone"], "password": GOOD["password"]}
    assert visitor("portal").post("/login", form).status_code == 422
    kinds = rows(app, "SELECT kind, confirmed_at FROM confirmations ORDER BY kind")
    assert [tuple(row) for row in kinds] == [("email", None), ("phone", None)]


def test_each_act_is_a_line_of_audit(app: Flask, portal: Visitor) -> None:
    portal.post("/sign-up", GOOD)
    lines = told(app, lambda: audit.recent(10))
    acts = [(line.actor_name, line.action) for line in lines]
    assert ("Esi Owusu", "sign_up") in acts and ("Esi Owusu", "open_store") in acts
    assert "245550101" not in str([line.detail for line in lines])


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("name", "", "Give a name"),
        ("phone", "", "Type your phone number"),
        ("phone", "024 12", "10, like"),
        ("email", "esi", "whole e-mail address"),
        ("password", "short", "at least 8"),
        ("password", "0245550101", "mostly a name"),
        ("store_name", "", "Give the store a name"),
        ("store_name", "x" * 61, "1 to 60"),
        ("slug", "a", "3 to 32 letters"),
        ("slug", "portal", "reserved"),
        ("slug", "mak0la", "kept back"),
        ("slug", "makola-data", "would pass for Makola"),
        ("slug", "ama", "is taken. Choose another, like ama-data"),
        ("slug", "arna", "looks too much like another address."),
        ("slug", "k0f1", "looks too much like another address."),
    ],
)
def test_what_cannot_be_taken_gets_a_sentence_and_the_rest_is_kept(
    app: Flask, portal: Visitor, field: str, typed: str, sentence: str
) -> None:
    answer = portal.post("/sign-up", GOOD | {field: typed})
    assert answer.status_code == 422
    assert sentence in answer.text
    for name, value in GOOD.items():
        if name not in (field, "password") and value:
            assert value.replace("'", "&#39;") in answer.text, name
    assert GOOD["password"] not in answer.text
    assert len(rows(app, "SELECT 1 FROM stores")) == 2


def test_a_log_in_that_is_there_is_said_and_nothing_is_made(
    app: Flask, portal: Visitor
) -> None:
    answer = portal.post("/sign-up", GOOD | {"email": "ama@example.test"})
    assert answer.status_code == 422
    assert "There is a log-in with this e-mail address already" in answer.text
    assert len(rows(app, "SELECT 1 FROM stores")) == 2


def test_a_form_sent_twice_makes_one_store_and_leads_to_it(
    app: Flask, visitor: Callable[[str], Visitor], portal: Visitor
) -> None:
    assert portal.post("/sign-up", GOOD).status_code == 303
    again = visitor("portal")
    assert again.post("/sign-up", GOOD).location == "/"
    assert "Your shop" in again.get("/").text
    assert len(rows(app, "SELECT 1 FROM stores")) == 3
    other = visitor("portal")
    guess = other.post("/sign-up", GOOD | {"password": "quite another one here"})
    assert guess.status_code == 422 and "is taken" in guess.text
    assert other.get("/").status_code == 303


def test_the_same_form_eight_times_at_once_makes_one_store(
    app: Flask, visitor: Callable[[str], Visitor]
) -> None:
    def press(browser: Visitor) -> int:
        return browser.post("/sign-up", GOOD).status_code

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(press, [visitor("portal") for _ in range(8)]))
    assert 303 in said and set(said) <= {303, 422, 429, 503}
    assert len(rows(app, "SELECT 1 FROM stores")) == 3
    assert len(rows(app, "SELECT 1 FROM users WHERE email = '+233245550101'")) == 1


def test_a_phone_number_of_somebody_else_tells_nothing(
    app: Flask, visitor: Callable[[str], Visitor], portal: Visitor
) -> None:
    """It is theirs who confirm it; only what is logged in with must be nobody's."""
    portal.post("/sign-up", GOOD)
    second = GOOD | {"email": "two@example.test", "slug": "second-shop"}
    assert visitor("portal").post("/sign-up", second).status_code == 303


def test_held_names_of_the_owner(using: Using, portal: Visitor) -> None:
    using(held_names="osei, mensah-data")
    answer = portal.post("/sign-up", GOOD | {"slug": "0sei"})
    assert answer.status_code == 422 and "kept back" in answer.text


def test_an_address_is_checked_while_it_is_typed(portal: Visitor) -> None:
    def said(**asked: str) -> str:
        answer = portal.get("/sign-up/address", query_string=asked)
        assert answer.status_code == 200 and "<html" not in answer.text
        return str(answer.text)

    assert "esi.localhost</span> is free" in said(slug="esi")
    assert "esis-data.localhost" in said(store_name="Esi's Data", slug="")
    assert "is taken" in said(slug="ama")
    assert said().strip() == ""


def test_the_looks_and_the_forms_of_one_address_are_limited(
    app: Flask, portal: Visitor
) -> None:
    for _ in range(60):
        portal.get("/sign-up/address?slug=esi")
    assert "Too many looks" in portal.get("/sign-up/address?slug=esi").text
    taken = GOOD | {"email": "ama@example.test"}
    for _ in range(10):
        assert portal.post("/sign-up", taken).status_code == 422
    refused = portal.post("/sign-up", GOOD)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")
    assert "Esi Owusu" in refused.text and len(rows(app, "SELECT 1 FROM stores")) == 2


def test_only_so_many_sign_up_in_a_day(using: Using, portal: Visitor) -> None:
    using(sign_ups_a_day=0)
    assert "Nobody can sign up just now" in portal.get("/sign-up").text
    assert portal.post("/sign-up", GOOD).status_code == 503


@pytest.mark.parametrize("by_itself", [False, True])
def test_the_owner_s_word_makes_room_for_the_next_of_the_day(
    app: Flask, visitor: Callable[[str], Visitor], using: Using, by_itself: bool
) -> None:
    """Else whoever sends some dozen forms shuts it for everybody."""
    using(sign_ups_a_day=2, approve_by_itself=by_itself)

    def sign_up(n: int) -> int:
        return visitor("portal").post("/sign-up", _esi(n)).status_code

    assert [sign_up(n) for n in range(3)] == [303, 303, 503]
    first, second = (row.id for row in rows(app, _SIGNED_UP))
    told(app, lambda: onboarding.refuse(first, "not a shop", OWNER, _seen(by_itself)))
    assert [sign_up(n) for n in range(3, 5)] == [303, 503]
    told(app, lambda: onboarding.refuse(second, "no more", OWNER, _seen(by_itself)))
    assert sign_up(5) == 303


def test_a_store_that_was_approved_makes_room_as_well(
    app: Flask, visitor: Callable[[str], Visitor], using: Using
) -> None:
    using(sign_ups_a_day=1)
    assert visitor("portal").post("/sign-up", _esi(1)).status_code == 303
    assert visitor("portal").post("/sign-up", _esi(2)).status_code == 503
    (only,) = (row.id for row in rows(app, _SIGNED_UP))
    told(app, lambda: onboarding.approve(only, OWNER))
    assert visitor("portal").post("/sign-up", _esi(2)).status_code == 303


def test_who_is_logged_in_signs_up_for_nothing(ama_agent: Visitor) -> None:
    assert ama_agent.get("/sign-up").status_code == 303
    assert ama_agent.post("/sign-up", GOOD).status_code == 303


def test_strangers_see_neither_name_nor_prices_until_it_is_approved(
    app: Flask, visitor: Callable[[str], Visitor], portal: Visitor
) -> None:
    portal.post("/sign-up", GOOD)
    stranger = visitor("esis-data")
    for path in ("/", "/track", "/preview.png", "/manifest.webmanifest", "/tw/"):
        answer = stranger.get(path)
        assert answer.status_code == 404, path
        assert "Esi" not in answer.text and "GH₵" not in answer.text, path
    store = told(app, lambda: stores.by_slug("esis-data"))
    assert told(app, lambda: onboarding.approve(store.id, SYSTEM))
    assert "Esi&#39;s Data" in stranger.get("/").text


def test_the_terms_are_agreed_to_where_there_are_any(
    app: Flask, using: Using, portal: Visitor
) -> None:
    using(terms_url="https://example.test/terms")
    assert "tick that you agree" in portal.post("/sign-up", GOOD).text
    assert portal.post("/sign-up", GOOD | {"terms": "on"}).status_code == 303
    assert "You agreed to the terms" in portal.get("/").text


def test_from_signing_up_to_an_open_store(
    app: Flask,
    portal: Visitor,
    visitor: Callable[[str], Visitor],
    codes: Callable[[], list[str]],
    using: Using,
) -> None:
    using(approve_by_itself=True)
    portal.post("/sign-up", GOOD)
    (code,) = codes()
    page = portal.get("/").text
    assert "Type the code that was sent to your phone" in page
    assert 'action="/open"' not in page and "2 of 5 are missing" in page
    assert portal.post("/open").location == "/#steps"
    assert "see what is missing" in portal.get("/").text
    assert portal.post("/confirm/phone", {"code": code}).location == "/"
    store = told(app, lambda: stores.by_slug("esis-data"))
    with app.app_context(), tenancy.across_stores():
        from core import ledger

        ledger.fund_wallet(store.id, 5_000, "MoMo 1", SYSTEM)
    assert 'action="/open"' in portal.get("/").text
    assert portal.post("/open").location == "/"
    assert "Your store is open" in portal.get("/").text
    assert portal.post("/open").location == "/"
    acts = [line.action for line in told(app, lambda: audit.recent(20))]
    assert acts.count("store_open") == 1 and "confirm_phone" in acts
    assert "Data for any number" in visitor("esis-data").get("/").text


def test_what_is_missing_closes_no_open_store(app: Flask, ama_agent: Visitor) -> None:
    store = told(app, lambda: stores.by_slug("ama"))
    assert requirements.missing(told(app, lambda: requirements.of_store(store.id)))
    assert "Open store" not in ama_agent.get("/").text
    assert told(app, lambda: stores.by_slug("ama")).is_open


def test_a_store_that_loses_its_approval_is_closed_and_its_orders_stay(
    app: Flask, visitor: Callable[[str], Visitor], place: Any
) -> None:
    code = place(state="processing")
    store = told(app, lambda: stores.by_slug("ama"))
    owner = Actor("owner", "Owner")

    def refuse() -> bool:
        return onboarding.refuse(store.id, "No trade licence", owner, "approved")

    assert told(app, refuse) and not told(app, refuse)
    customer = visitor("ama")
    assert customer.get(f"/orders/{code}").status_code == 200
    assert "Nothing can be ordered" in customer.get("/").text
    with pytest.raises(stores.BadStore, match="not approved"):
        told(app, lambda: onboarding.set_store_status(store.id, "open", "", owner))


@pytest.mark.parametrize("field", [*GOOD, "terms"])
@pytest.mark.parametrize(
    "typed",
    ["\x00", "\u202egnp\u202c", "=1+1", "<b>", "\ufffd", "x" * 60_000, "0" * 999],
    ids=["NUL", "right to left", "formula", "markup", "lost", "long", "digits"],
)
def test_whatever_is_typed_gets_a_page(portal: Visitor, field: str, typed: str) -> None:
    answer = portal.post("/sign-up", GOOD | {"password": "short", field: typed})
    assert answer.status_code == 422 and "Please check this" in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize("typed", ["%ED%A0%80", "%E2%80%AE", "x" * 5_000])
def test_whatever_is_asked_about_an_address_gets_a_sentence(
    portal: Visitor, typed: str
) -> None:
    assert portal.get(f"/sign-up/address?slug={typed}").status_code == 200
    assert portal.get(f"/sign-up/address?store_name={typed}").status_code == 200


@given(st.builds(Typed, *[st.text(max_size=40)] * 6))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_form_is_taken_or_each_wrong_field_has_a_sentence(
    context: Flask, typed: Typed
) -> None:
    try:
        wanted = signing_up.read(typed)
    except Problems as refusal:
        assert all(said.endswith((".", "?")) for said in refusal.by_field.values())
        assert refusal.by_field.keys() <= set(GOOD)
    else:
        assert wanted.phone.startswith("+233")


def test_another_s_number_is_not_the_store_s_once_one_s_own_is_confirmed(
    app: Flask, portal: Visitor, codes: Callable[[], list[str]], using: Using
) -> None:
    using(code_gap_s=0, approve_by_itself=True)
    portal.post("/sign-up", GOOD)
    assert portal.post("/confirm/phone/send", {"address": "024 555 0199"}).location
    assert portal.post("/confirm/phone", {"code": codes()[-1]}).location == "/"
    (store,) = rows(app, "SELECT * FROM stores WHERE slug = 'esis-data'")
    assert store.whatsapp == store.momo_number == "+233245550199"
    assert "Your phone number is confirmed" in portal.get("/").text
    acts = [line.action for line in told(app, lambda: audit.recent(20))]
    assert acts.count("store_numbers") == 1


def test_only_a_number_that_is_the_store_s_counts_as_confirmed(
    app: Flask, portal: Visitor, codes: Callable[[], list[str]], using: Using
) -> None:
    using(approve_by_itself=True)
    portal.post("/sign-up", GOOD)
    portal.post("/confirm/phone", {"code": codes()[-1]})
    store = told(app, lambda: stores.by_slug("esis-data"))

    def far() -> str:
        return told(app, lambda: requirements.facts_of(store.id)).phone

    assert far() == "confirmed"
    number = "024 555 0199"
    told(app, lambda: onboarding.set_momo(store.id, number, "Esi", SYSTEM))
    assert far() == "another"
    assert "is not the one your store takes" in portal.get("/").text


def test_a_store_that_was_open_keeps_its_numbers(
    app: Flask, portal: Visitor, codes: Callable[[], list[str]], using: Using
) -> None:
    using(code_gap_s=0, approve_by_itself=True)
    portal.post("/sign-up", GOOD)
    store = told(app, lambda: stores.by_slug("esis-data"))
    for status in ("open", "closed"):
        told(app, lambda s=status: onboarding.set_store_status(store.id, s, "", SYSTEM))
    portal.post("/confirm/phone/send", {"address": "024 555 0199"})
    portal.post("/confirm/phone", {"code": codes()[-1]})
    (now,) = rows(app, "SELECT * FROM stores WHERE slug = 'esis-data'")
    assert now.whatsapp == now.momo_number == "+233245550101"


def test_an_address_is_not_asked_about_beside_another_wrong_field(
    portal: Visitor,
) -> None:
    answer = portal.post("/sign-up", GOOD | {"name": "", "slug": "ama"})
    assert answer.status_code == 422 and "is taken" not in answer.text


def test_the_forms_of_one_address_ask_about_no_store_after_the_tenth(
    portal: Visitor,
) -> None:
    for _ in range(10):
        assert portal.post("/sign-up", GOOD | {"slug": "ama"}).status_code == 422
    answer = portal.post("/sign-up", GOOD | {"slug": "ama"})
    assert answer.status_code == 429 and "is taken" not in answer.text


@pytest.mark.parametrize("slug", ["ama", "kofi"])
def test_a_password_is_tried_whoever_has_the_address(
    app: Flask, portal: Visitor, slug: str
) -> None:
    portal.post("/sign-up", GOOD | {"email": "ama@example.test", "slug": slug})
    acts = [line.action for line in told(app, lambda: audit.recent(20))]
    assert acts.count("login_failed") == 1


def test_lists_and_payments_wait_for_the_approval(app: Flask, portal: Visitor) -> None:
    portal.post("/sign-up", GOOD)
    message = {"messages": "anything", "came_to": GOOD["phone"]}
    forms = {"/lists": {"text": "0245550101 1GB"}, "/payments": message}
    for path, form in forms.items():
        answer = portal.post(path, form)
        assert answer.status_code == 422, path
        assert "has approved your store" in answer.text, path
    store = told(app, lambda: stores.by_slug("esis-data"))
    told(app, lambda: onboarding.approve(store.id, SYSTEM))
    for path, form in forms.items():
        assert "has approved your store" not in portal.post(path, form).text, path


def test_one_number_is_sent_ten_codes_a_day_whoever_asks(
    visitor: Callable[[str], Visitor], using: Using, codes: Callable[[], list[str]]
) -> None:
    """Else a stranger's phone rings as often as somebody makes up log-ins."""
    using(messages="console", code_gap_s=0)
    spelt = ("024 123 4567", "+233241234567", "0241234567")
    answers = []
    for n in range(4):
        person = visitor("portal")
        assert person.post("/sign-up", _esi(n)).status_code == 303
        answers += [
            person.post("/confirm/phone/send", {"address": number}) for number in spelt
        ]
    assert [answer.status_code for answer in answers] == [303] * 10 + [429] * 2
    assert len(codes()) == 10 + 4
    said = answers[-1].text
    assert "Too many codes were sent to this phone number today" in said
    assert 'value="0241234567"' in said, "what was typed is kept"
    assert answers[-1].headers["Retry-After"] == "86400"
    again = person.post("/confirm/phone/send", {"address": "024 123 4568"})
    assert again.status_code == 303, "another number has its own count"


def test_who_signs_up_with_a_number_that_was_sent_too_many_has_a_store_all_the_same(
    visitor: Callable[[str], Visitor], using: Using, codes: Callable[[], list[str]]
) -> None:
    using(messages="console", code_gap_s=0, codes_a_day=20)
    stranger, owner = visitor("portal"), visitor("portal")
    stranger.post("/sign-up", _esi(1))
    for _ in range(10):
        stranger.post("/confirm/phone/send", {"address": GOOD["phone"]})
    answer = owner.post("/sign-up", GOOD)
    assert (answer.status_code, answer.location) == (303, "/")
    assert "Too many codes were sent to this phone number" in owner.get("/").text
    assert len(codes()) == 11


def test_what_was_not_sent_does_not_count(
    visitor: Callable[[str], Visitor], using: Using, codes: Callable[[], list[str]]
) -> None:
    using(messages="console", code_gap_s=3_600, codes_a_day=20)
    stranger = visitor("portal")
    stranger.post("/sign-up", _esi(1))
    for _ in range(12):
        answer = stranger.post("/confirm/phone/send", {"address": GOOD["phone"]})
        assert answer.status_code == 422 and "just now" in answer.text
    owner = visitor("portal")
    owner.post("/sign-up", GOOD)
    assert len(codes()) == 2
