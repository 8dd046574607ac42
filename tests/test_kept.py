"""A scene that is kept is what building it anew would have made, or it is built anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from core.base import clock, database_identity
from core.base.db import db
from tests.support import kept as support
from tests.support.kept import Keep

Super = psycopg.Connection[Any]
BUILT: list[str] = []


@pytest.fixture
def scene(kept: Keep[dict[str, list[int]]], superuser: Super) -> dict[str, list[int]]:
    """Another name for a store, and a setting."""

    def build() -> dict[str, list[int]]:
        BUILT.append("scene")
        superuser.execute("UPDATE stores SET name = 'Scene' WHERE slug = 'ama'")
        superuser.execute(
            "INSERT INTO settings (key, value) VALUES ('scene', '[1, 2]')"
        )
        return {"values": [1, 2]}

    return kept("scene", build)


def stands(superuser: Super) -> list[Any]:
    return superuser.execute(
        "SELECT name FROM stores WHERE slug = 'ama' UNION ALL"
        " SELECT value::text FROM settings WHERE key = 'scene'"
    ).fetchall()


@pytest.mark.parametrize("turn", range(3))
def test_it_is_built_once_and_stands_each_time(
    scene: dict[str, list[int]], superuser: Super, turn: int
) -> None:
    assert BUILT == ["scene"] and scene == {"values": [1, 2]}
    assert stands(superuser) == [("Scene",), ("[1, 2]",)]
    scene["values"].append(3)  # no other test sees it
    superuser.execute("UPDATE stores SET name = 'Spoilt'")


def test_what_another_test_spoilt_is_gone_without_it(
    app: object, superuser: Super
) -> None:
    assert stands(superuser) == [("Ama's Data",)]


def test_it_is_the_same_database_still(scene: object, context: object) -> None:
    assert database_identity.differences(db.session) == ()


@pytest.fixture
def renamed(app: object, superuser: Super) -> int:
    """How often the scene had been built by then."""
    superuser.execute("UPDATE stores SET name = 'Before' WHERE slug = 'kofi'")
    return len(BUILT)


def test_after_another_fixture_it_is_built_anew(
    renamed: int, scene: object, superuser: Super
) -> None:
    assert len(BUILT) == renamed + 1
    assert superuser.execute(
        "SELECT name FROM stores WHERE slug = 'kofi'"
    ).fetchone() == ("Before",)


def test_an_old_one_is_built_anew(
    kept: Keep[int], restore: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    builds: list[int] = []

    def build() -> int:
        builds.append(1)
        return len(builds)

    assert [kept("old", build), kept("old", build)] == [1, 1]
    monkeypatch.setattr(support, "OLD_S", -1.0)
    assert kept("old", build) == 2


def test_time_that_passed_in_it_passes_again(
    kept: Keep[float], restore: Callable[[], None], jump: Callable[[float], None]
) -> None:
    def build() -> float:
        jump(7_200)
        return clock.now().timestamp()

    first = kept("later", build)
    jump(-7_200)
    assert kept("later", build) == first
    assert 0 <= clock.now().timestamp() - first < 20


def test_the_switches_of_buying_are_left_alone(
    kept: Keep[None], superuser: Super
) -> None:
    with pytest.raises(AssertionError, match="switches of buying"):
        kept("stop", lambda: superuser.execute("DELETE FROM buying") and None)
