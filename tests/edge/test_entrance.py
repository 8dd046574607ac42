"""Both doors let people in by the same steps: refusals, a session of one's own, and its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from seed import PASSWORD
from visitors import Visitor

from core.base import hashing

DOORS = pytest.mark.parametrize(
    ("host", "email"), [("portal", "ama@example.test"), ("admin", "owner@example.test")]
)


def left_in_session(there: Visitor, **more: str) -> set[str]:
    """What the session of this browser holds, after adding `more` to it."""
    with there.client.session_transaction(base_url=there.base_url) as session:
        session.update(more)
        return set(session) - {"csrf_token", "_permanent"}


@DOORS
def test_nothing_of_the_visitor_before_outlives_a_log_in_or_its_end(
    visitor: Callable[[str], Visitor], host: str, email: str
) -> None:
    here, form = visitor(host), {"email": email, "password": PASSWORD}
    assert left_in_session(here, of_another="x") == {"of_another"}
    before = here.csrf_token
    assert here.post("/login", form).status_code == 303
    assert left_in_session(here, of_mine="x") >= {"_user_id", "of_mine"}
    assert "of_another" not in left_in_session(here)
    assert here.post("/logout", {"csrf_token": before}, csrf=False).status_code >= 303
    assert here.get("/account/sessions").status_code == 200, "an old token ends nothing"
    assert here.post("/logout").status_code == 303
    assert not left_in_session(here) & {"_user_id", "of_mine"}
    assert here.get("/account/sessions").status_code == 303


@DOORS
def test_a_refusal_is_answered_the_same_at_both_doors(
    visitor: Callable[[str], Visitor],
    host: str,
    email: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = visitor(host)

    def ask(password: str) -> tuple[int, str | None]:
        answer = here.post("/login", {"email": email, "password": password})
        assert email in answer.text, "what was typed is kept"
        return answer.status_code, answer.headers.get("Retry-After")

    with monkeypatch.context() as patch:
        patch.setattr(hashing, "_inside", hashing.threading.BoundedSemaphore(1))
        with hashing._place(hashing._inside):
            assert ask(PASSWORD) == (503, "1")
    assert [ask("wrong") for _ in range(5)] == [(422, None)] * 5
    status, wait = ask(PASSWORD)
    assert status == 429 and 890 <= int(wait or 0) <= 900
