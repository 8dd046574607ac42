"""What a store needs to be opened: a pure function of facts, and the facts as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import tables_owner
from flask import Flask
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from core import requirements, stores
from core.base import phones
from core.base.db import db
from core.catalog import StoreBundle
from core.requirements import Facts, store_requirements
from core.stores import Store

READY = Facts(
    approval="approved",
    approval_note="",
    has_whatsapp=True,
    phone="confirmed",
    email="none",
    can_send=True,
    networks=("MTN",),
    has_catalogue=True,
    wallet_pesewas=1,
    wants_terms=False,
    has_terms=False,
    has_test=True,
)


def test_with_every_fact_nothing_is_missing() -> None:
    items = store_requirements(READY)
    assert requirements.missing(items) == []
    assert {item.state for item in items} == {"done"}


@pytest.mark.parametrize(
    ("changed", "key", "state"),
    [
        ({"phone": "none"}, "phone", "missing"),
        ({"phone": "given"}, "phone", "missing"),
        ({"phone": "sent"}, "phone", "waiting"),
        ({"phone": "given", "can_send": False}, "phone", "cannot_tell"),
        ({"networks": ()}, "prices", "missing"),
        ({"networks": (), "has_catalogue": False}, "prices", "cannot_tell"),
        ({"has_whatsapp": False}, "whatsapp", "missing"),
        ({"wallet_pesewas": 0}, "wallet", "missing"),
        ({"approval": "waiting"}, "approval", "waiting"),
        ({"approval": "refused"}, "approval", "missing"),
        ({"wants_terms": True}, "terms", "missing"),
    ],
)
def test_a_fact_that_goes_flips_its_item_and_no_other(
    changed: dict[str, Any], key: str, state: str
) -> None:
    items = store_requirements(replace(READY, **changed))
    assert [(item.key, item.state) for item in requirements.missing(items)] == [
        (key, state)
    ]


@pytest.mark.parametrize("email", ["given", "sent", "confirmed"])
def test_an_e_mail_address_keeps_no_store_from_being_opened(email: str) -> None:
    items = store_requirements(replace(READY, email=email))
    assert items[-1].key == "email" and requirements.missing(items) == []


def test_a_test_order_is_asked_for_and_keeps_no_store_from_being_opened() -> None:
    items = store_requirements(replace(READY, has_test=False))
    asked = [(one.key, one.url) for one in items if one.state == "missing"]
    assert asked == [("test", "/test-order")] and requirements.missing(items) == []


def facts(slug: str = "ama") -> Facts:
    db.session.remove()
    store = stores.by_slug(slug)
    assert store is not None
    return requirements.facts_of(store.id)


def test_the_facts_of_a_store(across: Flask) -> None:
    found = facts()
    assert found.approval == "approved" and found.has_whatsapp
    assert found.networks == tuple(one.name for one in phones.NETWORKS.values())
    assert (found.phone, found.wallet_pesewas) == ("none", 50_000)


def test_another_store_s_facts_are_its_own(across: Flask) -> None:
    kofi = stores.by_slug("kofi")
    assert kofi is not None
    tables_owner.execute(
        update(StoreBundle).where(StoreBundle.store_id == kofi.id).values(hidden=True)
    )
    assert facts("kofi").networks == () and len(facts().networks) == 3


def test_the_database_refuses_an_open_store_that_is_not_approved(
    across: Flask,
) -> None:
    with pytest.raises(DBAPIError, match="ck_stores_open_is_approved"):
        tables_owner.execute(
            update(Store).where(Store.slug == "ama").values(approval="waiting")
        )
