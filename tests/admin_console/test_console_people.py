"""The page of people: everybody may look, pages and finds, and only the owner gets a link to
show."""

from __future__ import annotations

import re
from collections.abc import Callable

import tables_owner
from flask import Flask
from visitors import Visitor


def test_everybody_stands_there_with_role_and_stores(owner: Visitor) -> None:
    page = owner.get("/people").text
    rows = dict(
        re.findall(
            r'<span class="small quiet">(\S+@example\.test)</span></th>\s*<td'
            r' class="lead">(\w+)</td>',
            page,
        )
    )
    assert rows == {
        **{
            f"{who}@example.test": "agent"
            for who in ("ama", "kofi", "cashier", "viewer", "both", "nobody")
        },
        **{f"{who}@example.test": who for who in ("owner", "finance", "support")},
    }
    assert re.search(
        r'href="/stores/ama">Ama&#39;s Data</a> \(owner\), <a href="/stores/kofi">',
        page,
    )


def test_links_are_the_owner_s_to_make(logged_in: Callable[..., Visitor]) -> None:
    for who in ("owner", "finance", "support"):
        page = logged_in(f"{who}@example.test", "console").get("/people").text
        assert ("Make a reset link" in page) == (who == "owner")


def test_an_agent_makes_none(
    ama_agent: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    for act in ("reset", "second-step-off"):
        path = f"/people/1/{act}"
        assert (
            ama_agent.get(path).status_code == ama_agent.post(path).status_code == 404
        )
    assert visitor("ama").post("/people/1/reset").status_code == 404


def test_a_person_nobody_knows_is_not_found(owner: Visitor) -> None:
    for user_id in ("0", "999999999999", "9" * 30, "x"):
        assert owner.post(f"/people/{user_id}/reset").status_code == 404


def test_many_people_come_in_pages_and_are_found_by_name(
    app: Flask, owner: Visitor
) -> None:
    tables_owner.execute(
        "INSERT INTO users (email, name, password_hash, platform_role, created_at) "
        "SELECT 'p' || lpad(n::text, 4, '0') || '@many.test', 'Person 50%', 'x', 'none', now() "
        "FROM generate_series(1, 120) n"
    )
    seen: list[str] = []
    path: str | None = "/people"
    for _ in range(5):
        page = owner.get(path or "/people").text
        seen += re.findall(r'<span class="small quiet">(\S+@\S+)</span></th>', page)
        found = re.search(r'href="(/people\?after=[^"]+)" rel="next"', page)
        path = found[1] if found else None
        if path is None:
            break
    assert path is None and len(seen) == len(set(seen)) == 129 and seen == sorted(seen)
    assert owner.get("/people?q=p0077").text.count("@many.test</span></th>") == 1
    assert (
        owner.get("/people?q=%E2%80%AAp00%E2%80%8B77%E2%80%AC%E3%80%80").text.count(
            "@many.test</span></th>"
        )
        == 1
    )
    assert owner.get("/people?q=50%25").text.count("@many.test</span></th>") == 50, (
        "a sign, not a pattern"
    )
    for odd in ("%25", "_", "\x01", "'", "x" * 300, "nobody at all"):
        assert owner.get(f"/people?q={odd}&after={odd}").status_code == 200
