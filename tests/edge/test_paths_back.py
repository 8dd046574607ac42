"""Where a log-in, a press and the choice of a look lead back to: a page of this host, or its front."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from seed import PASSWORD
from visitors import Visitor

from core.base.text_input import LONGEST_PATH, own_path, row_id

HOSTILE = [
    "//evil.example",
    "///evil.example",
    "https://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/\\evil.example",
    "\\\\evil.example",
    "/orders\\..\\evil.example",
    " //evil.example",
    "\t//evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/ /evil.example",
    "/orders\r\nSet-Cookie: a=b",
    "/orders\x00",
    "/orders\x7f",
    "/orders\x85",
    "/orders\u2028",
    "/\u202eelpmaxe.live",
    "/\u200b/evil.example",
    "orders",
    "?tab=new",
    "",
    "/" + "x" * LONGEST_PATH,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_plain_path_of_this_host_is_none(text: str) -> None:
    assert own_path(text) is None
    assert own_path(None) is None


@pytest.mark.parametrize(
    "path", ["/", "/orders?tab=new&q=024", "/orders/ABC-123#errors", "/q?name=Akósua"]
)
def test_a_path_of_this_host_is_itself(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.slow(seconds=0.4)
def test_every_door_leads_a_hostile_path_to_its_front(
    visitor: Callable[[str], Visitor], ama_agent: Visitor, owner: Visitor
) -> None:
    for text in HOSTILE:
        if "\x00" in text:  # no address has one: refused before any page is asked
            assert (
                ama_agent.get("/login", query_string={"next": text}).status_code == 400
            )
            continue
        for here in (ama_agent, owner):
            answer = here.post("/theme", {"theme": "dark", "back": text})
            assert (answer.status_code, answer.location) == (303, "/"), text
            answer = here.get("/login", query_string={"next": text})
            assert (answer.status_code, answer.location) == (303, "/"), text
        answer = ama_agent.post("/orders/process", {"back": text})
        assert answer.location is None or answer.location.startswith("/orders"), text
        for host in ("portal", "admin"):
            page = visitor(host).get("/login", query_string={"next": text}).text
            assert 'name="next" value="/' not in page, text


@pytest.mark.parametrize(
    ("host", "email"), [("portal", "ama@example.test"), ("admin", "owner@example.test")]
)
@pytest.mark.parametrize("text", ["//evil.example", "/ /evil.example", "/a\x85b"])
def test_a_log_in_goes_to_the_front_instead(
    visitor: Callable[[str], Visitor], host: str, email: str, text: str
) -> None:
    form = {"email": email, "password": PASSWORD, "next": text}
    answer = visitor(host).post("/login", form)
    assert (answer.status_code, answer.location) == (303, "/")


def test_a_row_id_is_a_number_that_a_column_can_hold() -> None:
    assert row_id("0") == 0
    assert row_id("9" * 18) == 10**18 - 1
    for text in (None, "", "-1", "+1", "1.0", " 1", "1_0", "٣", "²", "9" * 19, "1\n"):
        assert row_id(text) is None, text
