"""What each role of the platform may do: owner all, finance funds wallets, support looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from console_scenes import AGENT, Scene
from visitors import Visitor

from core import audit, fund_requests

pytestmark = pytest.mark.matrix

ACTS = {
    "/supplier/refresh": ("owner", {}),
    "/catalogue/sync": ("owner", {}),
    "/catalogue/approve": ("owner", {}),
    "/catalogue/keep": ("owner", {}),
    "/catalogue/approval": ("owner", {"above": "5"}),
    "/catalogue/networks/mtn/pause": ("owner", {"reason": "slow"}),
    "/catalogue/networks/mtn/resume": ("owner", {}),
    "/catalogue/sales/pause": ("owner", {"reason": "slow"}),
    "/catalogue/sales/resume": ("owner", {}),
    "/stores/ama/fund": (
        "owner finance",
        {"amount": "5", "reason": "cash", "seen": "0"},
    ),
    "/stores/ama/take-back": (
        "owner finance",
        {"amount": "5", "reason": "cash", "seen": "0", "confirm": "500"},
    ),
    "/stores/ama/suspend": ("owner", {"reason": "fraud"}),
    "/stores/ama/open": ("owner", {}),
    "/stores/ama/approve": ("owner", {}),
    "/stores/ama/refuse": ("owner", {"reason": "no licence", "seen": "approved"}),
    "/funding/{asked}/approve": ("owner finance", {}),
    "/funding/{asked}/refuse": ("owner finance", {"words": "no such payment"}),
    "/refunds/{refund}/send-to": (
        "owner finance",
        {"number": "0241234567", "network": "mtn"},
    ),
    "/payments/on": ("owner", {}),
    "/payments/off": ("owner", {}),
    "/payments/cards": ("owner", {"limit": "200"}),
    "/payments/prompts/on": ("owner", {}),
    "/payments/prompts/off": ("owner", {}),
    "/payments/days/2026-11-30/again": ("owner finance", {}),
    "/orders/{code}/recheck": ("owner", {}),
    "/cases/{case}/close": ("owner", {"resolution": "settled"}),
    **{
        f"/cases/{{case}}/{action}": ("owner", {"resolution": "settled", "seen": "5"})
        for action in (
            "look_again",
            "send_again",
            "give_back",
            "write_off",
            "accept_gain",
            "confirm_funding",
        )
    },
    "/books/prove": ("owner finance", {}),
    "/people/1/reset": ("owner", {}),
    "/people/1/second-step-off": ("owner", {}),
}
OF_ONE_S_OWN_LOG_IN = (
    "/login", "/logout", "/theme", "/reset/<token>", "/account/password", "/account/sessions/end",
    "/account/log-out-everywhere", "/account/log-out-elsewhere", "/account/devices/seen",
    "/account/confirm", "/account/second-step", "/account/second-step/first",
    "/account/second-step/codes", "/account/second-step/off", "/login/code",
)  # fmt: skip
OF_PAYOUTS = (
    "/payouts/<payout_id>/approve", "/payouts/<payout_id>/refuse",
    "/payouts/numbers/<account_id>/accept", "/payouts/numbers/<account_id>/refuse",
    "/payouts/stop", "/payouts/go", "/payouts/book",
)  # fmt: skip
"""Who may press these is tried in test_console_payouts.py, where there are payouts."""
OF_DISPUTES = ("/disputes/<dispute_id>/accept", "/disputes/<dispute_id>/contest")
"""And these in test_console_disputes.py: a dispute takes one answer."""
ROLES = ("owner", "finance", "support")


@pytest.mark.slow(seconds=0.1)
@pytest.mark.parametrize("path", ACTS)
def test_who_may_press_what(
    logged_in: Callable[..., Visitor],
    scene: Scene,
    counts: Callable[[], dict[str, int]],
    path: str,
) -> None:
    code, case_id = scene.order("processing"), scene.case("float_funded", "float")
    with scene.inside("ama"):
        fund_requests.ask(fund_requests.Ask.parse("5", "MP12345"), AGENT)
        asked = fund_requests.newest()[0].id
    refund = scene.refund(scene.order("cancelled"))
    allowed, form = ACTS[path]
    for role in ("support", "finance", "owner"):
        before = counts()
        answer = logged_in(f"{role}@example.test", "console").post(
            path.format(code=code, case=case_id, asked=asked, refund=refund), form
        )
        if role in allowed.split():
            # 409: the supplier has told us no balance to book; 200: a link that is shown once
            assert answer.status_code in (
                200 if path == "/people/1/reset" else 303,
                409,
            ), role
        else:
            assert answer.status_code == 403
            assert (
                f"Your role, {role}, may look at this but not change it." in answer.text
            )
            assert f"whose role is {' or '.join(allowed.split())}." in answer.text
            assert counts() == before
            refused = scene.ask(lambda: audit.recent(1))[0]
            assert (refused.action, refused.actor_name) == (
                "role_refused",
                role.title(),
            )
            assert (
                refused.detail["asked"].startswith("POST /")
                and refused.detail["address"] == "127.0.0.1"
            )


def test_the_table_names_every_act_of_the_console(owner: Visitor) -> None:
    """A new button must be given to somebody here before it ships."""
    posts = {
        rule.rule
        for rule in owner.app.url_map.iter_rules()
        if rule.subdomain == "admin"
        and "POST" in (rule.methods or ())
        and rule.rule not in (*OF_ONE_S_OWN_LOG_IN, *OF_PAYOUTS, *OF_DISPUTES)
    }
    named = {
        path.replace("networks/mtn", "networks/<network>")
        .replace("stores/ama", "stores/<slug>")
        .replace("2026-11-30", "<day>")
        .replace("{code}", "<code>")
        .replace("{asked}", "<request_id>")
        .replace("{refund}", "<refund_id>")
        .replace("people/1", "people/<int(max=999999999999999999):user_id>")
        .replace("{case}", "<int(max=999999999999999999):case_id>")
        .replace(
            path.rpartition("/")[2] if path.startswith("/cases/") else "<action>",
            "<action>",
        )
        for path in ACTS
    }
    assert posts == named


@pytest.mark.parametrize("role", ROLES)
def test_everyone_of_the_platform_may_look(
    logged_in: Callable[..., Visitor], scene: Scene, role: str
) -> None:
    code, case_id = scene.order("processing"), scene.case()
    person = logged_in(f"{role}@example.test", "console")
    pages = (
        "/",
        "/supplier",
        "/catalogue",
        "/orders",
        f"/orders/{code}",
        "/calls",
        "/webhooks",
        "/stores",
        "/stores/ama",
        "/cases",
        f"/cases/{case_id}",
        "/books",
        "/audit",
        "/people",
    )
    for path in pages:
        assert person.get(path).status_code == 200, path


def test_buttons_show_only_to_those_who_may_press_them(
    logged_in: Callable[..., Visitor], scene: Scene
) -> None:
    code, case_id = scene.order("processing"), scene.case()
    places = {
        "/supplier": 'action="/supplier/refresh"',
        "/catalogue": 'action="/catalogue/sync"',
        "/stores/ama": 'action="/stores/ama/suspend"',
        f"/orders/{code}": f'action="/orders/{code}/recheck"',
        "/cases": f'action="/cases/{case_id}/close"',
    }
    for role in ROLES:
        person = logged_in(f"{role}@example.test", "console")
        for path, button in places.items():
            assert (button in person.get(path).text) == (role == "owner"), (role, path)
        assert ('action="/stores/ama/fund"' in person.get("/stores/ama").text) == (
            role != "support"
        )
        assert ('action="/books/prove"' in person.get("/books").text) == (
            role != "support"
        )


FORGERIES: tuple[dict[str, Any], ...] = (
    {"csrf": False},
    {"origin": None},
    {"origin": "http://portal.localhost"},
    {"origin": "http://ama.localhost"},
    {"headers": {"Sec-Fetch-Site": "same-site"}},
)


@pytest.mark.slow(seconds=0.1)
@pytest.mark.parametrize("path", ACTS)
def test_no_act_is_done_for_a_page_of_somebody_else(
    owner: Visitor, scene: Scene, counts: Callable[[], dict[str, int]], path: str
) -> None:
    code, case_id = scene.order("processing"), scene.case("float_funded", "float")
    before = counts()
    for forgery in FORGERIES:
        answer = owner.post(
            path.format(code=code, case=case_id, asked=1, refund=1),
            ACTS[path][1],
            **forgery,
        )
        assert answer.status_code in (400, 403), forgery
    assert counts() == before
