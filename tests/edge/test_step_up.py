"""Before money and people a log-in shows again that it is its person: by password, or by a code of
who has a second step."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import tables_owner
from flask import Flask
from seed import PASSWORD
from visitors import Visitor

from edge import hosts, step_up
from tests.edge.test_second_step import code, set_up

LATER_S = 601


def drawn_for(page: str) -> str:
    return str(re.findall(r'name="drawn_for" value="([^"]+)"', page)[0])


def counts() -> list[int]:
    return tables_owner.read(
        "SELECT (SELECT count(*) FROM fund_requests) * 1000 + (SELECT count(*) FROM invitations) * 100"
        " + (SELECT count(*) FROM memberships) + 10000 * (SELECT count(*) FROM postings)"
    )


def test_every_act_of_the_table_is_one_that_is_served(app: Flask) -> None:
    served = {
        (str(rule.subdomain), re.sub("<[^>]*:", "<", rule.rule))
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ())
    }
    for room, rules in step_up.MONEY_AND_PEOPLE.items():
        for rule in rules | step_up.OWN:
            assert (room, rule) in served, rule


@pytest.mark.parametrize("room", [hosts.PORTAL, hosts.CONSOLE])
def test_every_act_of_the_table_is_asked_about_and_does_nothing(
    ama_agent: Visitor, owner: Visitor, jump: Callable[[float], None], room: str
) -> None:
    visitor = ama_agent if room == hosts.PORTAL else owner
    before = counts()
    jump(LATER_S)
    values = {
        "member_id": "3", "request_id": "1", "refund_id": "1", "slug": "ama", "case_id": "1", "action": "close",
        "user_id": "3", "payout_id": "1", "account_id": "1", "dispute_id": "1",
    }  # fmt: skip
    forms = {
        "amount": "50.00",
        "reference": "MP123456",
        "reason": "MoMo 1",
        "seen": "1",
    }
    forms |= {"name": "Esi", "role": "viewer", "resolution": "done"}
    for rule in step_up.MONEY_AND_PEOPLE[room] | step_up.OWN:
        path = re.sub(r"<(\w+)>", lambda found: values[found[1]], rule)
        answer = visitor.post(path, forms)
        assert answer.status_code == 303, (path, answer.status_code)
        assert answer.location.startswith("/account/confirm?next="), path
        fragment = visitor.post(path, forms, headers={"HX-Request": "true"})
        assert fragment.status_code == 401
        assert fragment.headers["HX-Redirect"].startswith("/account/confirm?next=")
    assert counts() == before
    assert tables_owner.read("SELECT count(*) FROM second_steps") == [0]


def test_the_password_is_asked_and_what_was_typed_comes_back(
    ama_agent: Visitor, jump: Callable[[float], None]
) -> None:
    form = {"drawn_for": drawn_for(ama_agent.get("/wallet").text)}
    form |= {"amount": "123.45", "reference": "MP240001"}
    jump(LATER_S)
    answer = ama_agent.post(
        "/wallet/funding", form, headers={"Referer": "http://portal.localhost/wallet"}
    )
    assert answer.location == "/account/confirm?next=/wallet"
    page = ama_agent.get(answer.location).text
    assert "Nothing was done yet" in page and "is kept" in page
    asked = {"next": "/wallet"}
    for wrong in ("", "not it", "x" * 5_000):
        refused = ama_agent.post("/account/confirm", asked | {"password": wrong})
        assert refused.status_code == 422 and "not your password" in refused.text
    assert ama_agent.post("/wallet/funding", form).location.startswith(
        "/account/confirm"
    )
    done = ama_agent.post("/account/confirm", asked | {"password": PASSWORD})
    assert (done.status_code, done.location) == (303, "/wallet")
    page = ama_agent.get("/wallet").text
    assert 'value="123.45"' in page and 'value="MP240001"' in page
    assert tables_owner.read("SELECT count(*) FROM fund_requests") == [0]
    assert ama_agent.post("/wallet/funding", form).location == "/wallet#fund"
    # and for a while nothing is asked
    assert (
        ama_agent.post("/people", {"name": "Esi", "role": "viewer"}).status_code == 200
    )
    jump(LATER_S)
    assert (
        ama_agent.post("/people", {"name": "Yaw", "role": "viewer"}).status_code == 303
    )


@pytest.mark.parametrize("chosen", ["viewer", "owner", "<b>"])
def test_the_role_that_was_chosen_comes_back_and_no_other_member_s(
    ama_agent: Visitor, jump: Callable[[float], None], chosen: str
) -> None:
    (number,) = tables_owner.read(
        "SELECT id FROM users WHERE email = 'cashier@example.test'"
    )
    (other,) = tables_owner.read(
        "SELECT id FROM users WHERE email = 'both@example.test'"
    )
    form = {"drawn_for": drawn_for(ama_agent.get("/people").text), "role": chosen}
    jump(LATER_S)
    said = {"Referer": "http://portal.localhost/people"}
    answer = ama_agent.post(f"/people/{number}/role", form, headers=said)
    confirm = {"next": "/people", "password": PASSWORD}
    assert ama_agent.post(answer.location, confirm).location == "/people"

    def shown(page: str, member: int) -> tuple[bool, str]:
        item = page[: page.index(f'action="/people/{member}/remove"')]
        item = item[item.rindex("<details") :]
        return " open>" in item, re.findall(r"<option selected>(\w+)", item)[0]

    page = ama_agent.get("/people").text
    assert shown(page, number) == (True, "cashier" if chosen == "<b>" else chosen)
    assert shown(page, other) == (False, "owner")
    assert shown(ama_agent.get("/people").text, number) == (False, "cashier"), "once"


def test_a_removal_that_was_asked_about_is_there_to_be_pressed_again(
    ama_agent: Visitor, jump: Callable[[float], None]
) -> None:
    (number,) = tables_owner.read(
        "SELECT id FROM users WHERE email = 'cashier@example.test'"
    )
    form = {"drawn_for": drawn_for(ama_agent.get("/people").text)}
    jump(LATER_S)
    answer = ama_agent.post(f"/people/{number}/remove", form)
    ama_agent.post(answer.location, {"password": PASSWORD})
    page = ama_agent.get("/people").text
    assert page.count('<details class="more" open>') == 1
    assert page.index(" open><summary") < page.index(f"/people/{number}/remove")


def test_of_who_has_a_second_step_a_code_is_asked_and_no_password(
    ama_agent: Visitor, jump: Callable[[float], None]
) -> None:
    secret, _paper = set_up(ama_agent)
    jump(LATER_S)
    assert (
        ama_agent.post("/people", {"name": "Esi", "role": "viewer"}).status_code == 303
    )
    page = ama_agent.get("/account/confirm").text
    assert 'name="code"' in page and 'name="password"' not in page
    refused = ama_agent.post("/account/confirm", {"password": PASSWORD})
    assert refused.status_code == 422
    assert (
        ama_agent.post("/people", {"name": "Esi", "role": "viewer"}).status_code == 303
    )
    assert ama_agent.post("/account/confirm", {"code": code(secret)}).location == "/"
    assert (
        ama_agent.post("/people", {"name": "Esi", "role": "viewer"}).status_code == 200
    )
    jump(LATER_S)
    assert ama_agent.post("/account/second-step/off").status_code == 303
    assert tables_owner.read("SELECT count(*) FROM second_steps") == [1]


def test_a_set_up_that_was_left_half_done_shows_no_secret_to_a_log_in_that_is_not_fresh(
    ama_agent: Visitor, jump: Callable[[float], None]
) -> None:
    """Or a stolen log-in would make its own phone the second step."""
    ama_agent.post("/account/second-step")
    assert 'class="secret"' in ama_agent.get("/account/second-step").text
    jump(LATER_S)
    assert 'class="secret"' not in ama_agent.get("/account/second-step").text
    answer = ama_agent.post("/account/second-step/first", {"code": "000000"})
    assert (
        answer.location.startswith("/account/confirm") and "secret" not in answer.text
    )


def test_it_counts_for_one_log_in_alone(
    logged_in: Callable[..., Visitor], jump: Callable[[float], None]
) -> None:
    """A stolen cookie on another device gains nothing by it."""
    here = logged_in("ama@example.test", "portal", "ama")
    there = logged_in("ama@example.test", "portal", "ama")
    jump(LATER_S)
    here.post("/account/confirm", {"password": PASSWORD})
    assert here.post("/people", {"name": "Esi", "role": "viewer"}).status_code == 200
    assert there.post("/people", {"name": "Esi", "role": "viewer"}).status_code == 303


def test_another_s_password_shows_nothing(
    ama_agent: Visitor, jump: Callable[[float], None]
) -> None:
    jump(LATER_S)
    guesses = [
        ama_agent.post("/account/confirm", {"password": "wrong again"}).status_code
        for _ in range(7)
    ]
    assert 429 in guesses, "guessing is counted as at the log-in"
    assert (
        ama_agent.post("/people", {"name": "Esi", "role": "viewer"}).status_code == 303
    )


def test_who_may_not_is_told_so_and_not_asked(
    logged_in: Callable[..., Visitor], jump: Callable[[float], None]
) -> None:
    viewer = logged_in("viewer@example.test", "portal", "ama")
    support = logged_in("support@example.test", "console")
    jump(LATER_S)
    answer = viewer.post("/people", {"name": "Esi", "role": "viewer"})
    assert answer.status_code == 403 and "Its owner may do this" in answer.text
    assert support.post("/stores/ama/fund", {"amount": "5"}).status_code == 403


def test_the_console_s_money_is_asked_about_and_typed_again(
    owner: Visitor, jump: Callable[[float], None]
) -> None:
    page = owner.get("/stores/ama").text
    seen = re.findall(r'name="seen" value="(\d+)"', page)[0]
    form = {
        "drawn_for": drawn_for(page),
        "amount": "500.00",
        "reason": "MoMo 77",
        "seen": seen,
    }
    jump(LATER_S)
    referer = {"Referer": "http://admin.localhost/stores/ama"}
    answer = owner.post("/stores/ama/fund", form, headers=referer)
    assert answer.location == "/account/confirm?next=/stores/ama"
    owner.post("/account/confirm", {"password": PASSWORD, "next": "/stores/ama"})
    page = owner.get("/stores/ama").text
    assert 'value="500.00"' in page and 'value="MoMo 77"' in page
    assert owner.post("/stores/ama/fund", form).location == "/stores/ama"
