"""The gateway's endings of numbers, knobs and faults, each as our client gets to see it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from paystack_kit import PAYOUT, REF, Pair, each, payout, prompt, refund

from integrations.payment_shapes import (
    NotFound,
    Payment,
    Prompt,
    Refund,
    Transfer,
)
from integrations.paystack_sandbox import knobs
from integrations.paystack_sandbox.webhooks import next_try_s
from integrations.ports import NoAnswer

pytestmark = pytest.mark.slow(seconds=0.3)


@each(
    "ending, road",
    [
        ("01", [(19, "ongoing"), (1, "success")]),
        ("02", [(20, "failed"), (9_000, "failed")]),
        ("03", [(20, "failed")]),
        ("04", [(179, "ongoing"), (1, "failed")]),
        ("06", [(180, "abandoned"), (2_519, "abandoned"), (1, "success")]),
        ("07", [(20, "failed"), (60, "success")]),
        ("08", [(20, "success")]),
        ("09", [(20, "success")]),
        ("10", [(0, "success")]),
        ("67", [(20, "success")]),
    ],
)
def test_endings_of_numbers(
    pair: Pair, ending: str, road: list[tuple[int, str]]
) -> None:
    pair.client.charge(prompt(ending))
    for seconds, word in road:
        pair.pass_(seconds)
        assert pair.verify().raw_status == word
    has_news = road[-1][1] == "success" and ending != "09"
    assert len(pair.ear.heard) == has_news
    if ending == "03":
        assert pair.verify().gateway_response == "Insufficient funds"


def test_ending_10_rings_before_it_answers(pair: Pair) -> None:
    order: list[str] = []
    real = pair.ear.heard.append
    pair.ear.heard = _Heard(order)  # type: ignore[assignment]
    assert real is not None
    said = pair.client.charge(prompt("10"))
    order.append("answer")
    assert isinstance(said, Prompt) and said.step == "paid"
    assert order == ["webhook", "answer"]


class _Heard(list[Any]):
    """Notes when something was heard."""

    def __init__(self, order: list[str]) -> None:
        super().__init__()
        self._order = order

    def append(self, item: Any) -> None:
        super().append(item)
        self._order.append("webhook")


def test_a_page_that_is_paid_before_its_answer_or_by_itself(pair: Pair) -> None:
    pair.knobs(pays_before_answer=True)
    pair.plan("lost_after", "initialize")
    pair.client.initialise(_page())
    assert pair.ear.events == ["charge.success"] and pair.verify().status == "paid"
    pair.knobs(pays_before_answer=False, auto_approve_s=60)
    pair.start(reference="MK-P-BYITSELF")
    pair.pass_(60)
    assert pair.verify("MK-P-BYITSELF").status == "paid"


def _page() -> Any:
    from paystack_kit import page

    return page()


def test_what_was_paid_may_be_another_sum_currency_or_world(pair: Pair) -> None:
    short = pair.paid("MK-P-SHORT", amount=500)
    assert short.amount_pesewas == 500
    pair.start(reference="MK-P-499")
    pair.act("payment", "approve", "MK-P-499", amount=499)
    found = pair.verify("MK-P-499")
    assert (found.amount_pesewas, found.requested_pesewas) == (499, 500)
    pair.start(reference="MK-P-NGN")
    pair.act("payment", "approve", "MK-P-NGN", currency="NGN", domain="live")
    naira = pair.verify("MK-P-NGN")
    assert (naira.currency, naira.is_live) == ("NGN", True)


@each("shape", ["as_given", "text", "empty", "zero", "null"])
def test_metadata_of_any_shape(pair: Pair, shape: str) -> None:
    pair.knobs(metadata_as=shape)
    pair.start(metadata={"order": "8W3J"})
    pair.act("payment", "approve")
    raw = pair.raw("GET", f"/transaction/verify/{REF}").json()["data"]["metadata"]
    shapes: dict[str, Any] = {
        "as_given": {"order": "8W3J"},
        "text": '{"order": "8W3J"}',
        "empty": "",
        "zero": 0,
        "null": None,
    }
    assert raw == shapes[shape] == pair.ear.bodies[0]["data"]["metadata"]
    found = pair.verify()
    assert found.metadata == ({"order": "8W3J"} if shape == "as_given" else {})
    ((headers, body),) = pair.ear.heard
    assert pair.client.read_event(body, headers).reference == REF


def test_a_fee_that_nobody_knows_yet(pair: Pair) -> None:
    pair.knobs(fees_late_s=60)
    assert pair.paid().fees_pesewas is None
    pair.pass_(61)
    assert pair.verify().fees_pesewas == 10


def test_refunds_that_fail_and_what_open_ones_show(pair: Pair) -> None:
    pair.knobs(refund_outcome="failed", refund_open_shows="reversal-pending")
    pair.paid()
    made = pair.client.refund(refund(500))
    assert isinstance(made, Refund)
    shown = pair.verify()
    assert (shown.status, shown.raw_status) == ("waiting", "reversal-pending")
    assert shown.needs_person
    pair.pass_(3_600)
    found = pair.client.refund_record(made.gateway_id)
    assert isinstance(found, Refund) and found.status == "failed"
    assert pair.verify().status == "paid" and pair.books(REF)["refunded"] == 0
    refunds = [body for body in pair.ear.bodies if body["event"].startswith("refund.")]
    kinds = {body["event"]: type(body["data"]["amount"]) for body in refunds}
    assert kinds == {
        "refund.pending": str,
        "refund.processing": str,
        "refund.failed": int,
    }
    news = [pair.client.read_event(body, head) for head, body in pair.ear.heard[1:]]
    assert {(one.look_up, one.reference) for one in news} == {("refunds", REF)}
    assert len({one.same_as for one in news}) == 3


def test_outcomes_of_transfers(pair: Pair) -> None:
    whom = pair.whom()
    road = {"failed": "failed", "stuck": "in_transit", "reversed": "reversed"}
    for number, (outcome, word) in enumerate(road.items()):
        reference = f"mk-w-{number:016d}"
        pair.knobs(transfer_outcome=outcome)
        pair.client.transfer(payout(whom, reference=reference))
        pair.pass_(30)
        first = pair.client.verify_transfer(reference)
        assert isinstance(first, Transfer)
        if outcome == "reversed":
            assert first.status == "paid"
            pair.pass_(172_800)  # two days later
            first = pair.client.verify_transfer(reference)
            assert isinstance(first, Transfer)
        assert first.status == word
    books = pair.books()
    assert (books["paid_out"], books["payout_fees"]) == (2_000, 200)  # the stuck one's
    assert pair.ear.events == [
        "transfer.failed",
        "transfer.success",
        "transfer.reversed",
    ]


def test_a_transfer_cannot_be_seen_at_first(pair: Pair) -> None:
    pair.knobs(transfer_404_s=60)
    pair.client.transfer(payout(pair.whom()))
    assert pair.client.verify_transfer(PAYOUT) == NotFound(PAYOUT)
    pair.pass_(60)
    assert isinstance(pair.client.verify_transfer(PAYOUT), Transfer)


@each("answer, word", [(200, "pending"), (400, "rejected"), (0, "blocked")])
def test_the_approval_address_has_the_last_word(
    pair: Pair, answer: int, word: str
) -> None:
    asked: list[Any] = []

    class Approver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(
                json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            )
            if answer:
                self.send_response(answer)
                self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Approver)
    thread = threading.Thread(target=server.handle_request, daemon=True)
    thread.start()
    pair.knobs(approval_url=f"http://127.0.0.1:{server.server_port}/approve")
    said = pair.client.transfer(payout(pair.whom()))
    thread.join(5)
    server.server_close()
    assert isinstance(said, Transfer) and said.raw_status == word
    assert asked[0]["reference"] == PAYOUT and asked[0]["amount"] == 2_000
    assert pair.books()["paid_out"] == (2_000 if answer == 200 else 0)


def test_the_bank_may_decide_against_us_and_settle_into_the_balance(pair: Pair) -> None:
    pair.knobs(dispute_verdict="lost", settle_to="balance")
    pair.paid()
    opened = pair.tool("/dispute", reference=REF)["id"]
    body = {"resolution": "declined", "message": "no", "refund_amount": 0}
    answer = pair.raw(
        "PUT", f"/dispute/{opened}/resolve", body | {"uploaded_filename": "x.pdf"}
    )
    assert answer.status_code == 200
    pair.pass_(86_400 * 3)
    assert pair.verify().status == "reversed"
    books = pair.books()
    assert (books["settled"], books["disputed"]) == (0, 500)
    assert books["holds"] == 100_000 + 490 - 500


def test_copies_losses_wrong_signatures_and_the_previous_key(pair: Pair) -> None:
    pair.knobs(webhook_copies=3)
    pair.paid("MK-P-1")
    assert pair.ear.events == ["charge.success"] * 3
    news = [pair.client.read_event(body, head) for head, body in pair.ear.heard]
    assert len({one.same_as for one in news}) == 1
    pair.knobs(webhook_copies=1, webhook_drop=1)
    pair.paid("MK-P-2")
    assert len(pair.ear.heard) == 3
    pair.knobs(webhook_drop=0, webhook_wrong_signature=True)
    pair.paid("MK-P-3")
    head, body = pair.ear.heard[-1][0], pair.ear.heard[-1][1]
    assert pair.client.read_event(body, head).signed_by is None
    new = "sk_test_" + "c0" * 20
    pair.tool("/rotate", key=new)
    pair.knobs(webhook_wrong_signature=False, webhook_key="previous")
    pair.act("payment", "approve", _started(pair, new))
    head, body = pair.ear.heard[-1][0], pair.ear.heard[-1][1]
    client = pair.with_key(new, previous_key=pair.key)
    assert client.read_event(body, head).signed_by == "previous"
    pair.knobs(webhooks=False)
    count = len(pair.ear.heard)
    pair.client = client
    pair.paid("MK-P-5")
    assert len(pair.ear.heard) == count


def _started(pair: Pair, key: str) -> str:
    from paystack_kit import page

    pair.with_key(key).initialise(page("MK-P-4"))
    return "MK-P-4"


def test_the_live_schedule_of_what_nobody_takes(pair: Pair) -> None:
    pair.ear.answers = [500, 301, 404, 503, 500, 500]
    pair.paid()
    assert len(pair.ear.heard) == 1
    for wait_s, count in ((179, 1), (1, 2), (180, 3), (180, 4), (180, 4), (3_420, 5)):
        pair.pass_(wait_s)
        assert len(pair.ear.heard) == count, wait_s
    pair.pass_(3_600)
    pair.pass_(3_600)
    assert len(pair.ear.heard) == 7 and pair.ear.answers == []
    pair.pass_(3_600)
    assert len(pair.ear.heard) == 7  # taken at last
    assert len({body for _, body in pair.ear.heard}) == 1


def test_the_schedule_ends_after_three_days_or_ten_hours() -> None:
    for as_live, hours, tries in ((True, 72, 75), (False, 10, 11)):
        age_s, counted = 0.0, 1
        while (wait_s := next_try_s(counted, age_s, as_live=as_live)) is not None:
            age_s += wait_s
            counted += 1
        assert hours - 1 < age_s / 3_600 <= hours and counted == tries


def test_limits_and_both_ways_to_say_when_they_end(pair: Pair) -> None:
    pair.knobs(rate_limits=True)
    for _ in range(100):
        assert pair.raw("GET", "/balance").status_code == 200
    for shape in ("relative", "epoch"):
        pair.knobs(reset_as=shape)
        said = pair.client.holdings()
        assert isinstance(said, NoAnswer) and said.kind == "rate_limited"
        assert said.retry_after_s == 60
    pair.pass_(60)
    assert not isinstance(pair.client.holdings(), NoAnswer)


def test_faults_by_number_probability_and_reference(pair: Pair) -> None:
    pair.plan("http_500", "verify", nth=2, times=2)
    pair.start()
    seen = [isinstance(pair.client.verify(REF), Payment) for _ in range(5)]
    assert seen == [True, False, False, True, True]
    pair.plan("http_500", "any", times=0, reference="MK-P-OTHER")
    assert isinstance(pair.client.verify(REF), Payment)
    assert isinstance(pair.client.verify("MK-P-OTHER"), NoAnswer)
    pair.plan("http_500", "verify", times=0, probability=0.5)
    seen = [isinstance(pair.client.verify(REF), Payment) for _ in range(40)]
    assert 5 < sum(seen) < 35
    pair.plan("delay", "verify", seconds=0.2)
    began = pair.gateway.clock.now()
    assert isinstance(pair.client.verify(REF), Payment) and began == pair.clock.now()
    assert pair.records[-1].duration_ms >= 200
    for plan in ([{"fault": "x"}], [{"fault": "html", "call": "x"}], [{"nth": 1}], 3):
        answer = pair.http.post("/sandbox/faults", json={"plan": plan})
        assert answer.status_code == 400 and answer.json()["error"]


def test_two_worlds_share_nothing(make: Any) -> None:
    live = make(mode="live")
    live.paid()
    assert live.verify().is_live is True
    assert live.books(REF)["taken"] == 500
    test = live.http.get("/sandbox/books", params={"reference": REF}).json()
    assert test["taken"] == 0
    from integrations.paystack_sandbox.store import TEST_KEY

    head = {"Authorization": f"Bearer {TEST_KEY}"}
    other = live.http.get("/transaction/verify/{REF}", headers=head)
    assert other.status_code == 404


def test_time_that_scales(make: Any) -> None:
    pair = make(time_scale=60)
    pair.client.charge(prompt("04"))
    pair.pass_(2.9)
    assert pair.verify().raw_status == "ongoing"
    pair.pass_(0.1)
    assert pair.verify().status == "failed"


def test_knobs_are_turned_all_or_none() -> None:
    turned = knobs.Knobs()
    for bad in (
        {"no_such": 1},
        {"otp": "maybe"},
        {"answer_s": -1},
        {"time_scale": 0},
        {"settle_to": "pocket"},
        {"latency_s": float("nan")},
    ):
        with pytest.raises(knobs.BadKnob):
            knobs.turn(turned, {"starter": True, **bad})
    assert turned == knobs.Knobs()
