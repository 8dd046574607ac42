"""Which addresses a stranger may have, and which look like one another."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from core import slug_choice, subdomains
from core.base.db import db
from core.subdomains import BadStore

SLUGS = st.from_regex(r"[a-z0-9]([a-z0-9-]{1,30}[a-z0-9])", fullmatch=True)


@given(st.text(max_size=80))
def test_an_address_made_of_any_name_may_be_had_or_is_none(name: str) -> None:
    slug = subdomains.of_name(name)
    assert slug == "" or re.fullmatch(r"[a-z0-9][a-z0-9-]{1,30}[a-z0-9]", slug)


@given(st.text(max_size=60))
def test_whatever_is_typed_is_taken_or_gets_a_sentence(typed: str) -> None:
    try:
        slug = subdomains.check_for_stranger(typed)
    except BadStore as refusal:
        assert refusal.sentence.endswith(".")
    else:
        assert slug == typed.strip().lower() and slug not in subdomains.RESERVED


@given(SLUGS)
def test_what_looks_reserved_is_kept_back(slug: str) -> None:
    if subdomains.look_of(slug) in subdomains.LOOKS_RESERVED:
        with pytest.raises(BadStore):
            subdomains.check_for_stranger(slug)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ama", "arna"),
        ("ama-data", "amadata"),
        ("kofi", "k0f1"),
        ("willo", "vvi11o"),
        ("esi5", "esis"),
        ("b8b", "bbb"),
    ],
)
def test_what_is_taken_for_one_another_has_one_look(one: str, other: str) -> None:
    assert subdomains.look_of(one) == subdomains.look_of(other)


def test_the_database_sees_the_same_look(context: Flask) -> None:
    slugs = ["ama", "arna-data", "k0f1", "vv-1358", "rn-rnrn", "i-l-1", "0o0", "vvv"]
    asked = text(
        f"SELECT {subdomains.LOOK} FROM unnest(CAST(:slugs AS text[])) AS s(slug)"
    )
    found = db.session.execute(asked, {"slugs": slugs}).scalars().all()
    assert found == [subdomains.look_of(slug) for slug in slugs]


def test_a_free_one_is_named_beside_a_taken_one(context: Flask) -> None:
    assert slug_choice.check("esi") == "esi"
    with pytest.raises(BadStore, match=r"ama is taken\. Choose another, like ama-data"):
        slug_choice.check("ama")


@pytest.mark.parametrize(
    "slug",
    ["makolapay", "makola1", "makolla", "m4kola", "themakola", "adminmakola"]
    + ["portal-gh", "ma-kola-x", "rnakola-gh", "myp0rta1", "supp-orts"],
)
def test_a_word_of_the_platform_s_is_seen_inside_others(slug: str) -> None:
    with pytest.raises(BadStore, match="would pass for Makola"):
        subdomains.check_for_stranger(slug)
