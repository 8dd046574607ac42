"""The real client against the stand-alone supplier: every endpoint, every profile, every fault.

The two were written from the same contract without sight of each other, so each checks the other's
reading of it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from integrations.datamart.client import DataMart
from integrations.ports import (
    Absent,
    Accepted,
    Account,
    Balance,
    BulkResult,
    CallRecord,
    CapacityLine,
    Found,
    Listing,
    NoAnswer,
    NotSent,
    PurchaseRequest,
    Rejected,
    Unknown,
)
from integrations.sandbox import app, charges, faults, orders, processing, sockets
from integrations.sandbox.store import (
    DEFAULT_KEY,
    DEFAULT_SECRET,
    FIRST_ID,
    STRANGER_REFERENCE,
    Store,
)

PROFILES = ("documented", "published", "forwarding")
WALLET_PESEWAS = 500_000
REF = "MK-0000000001"
REQUEST = PurchaseRequest(REF, "YELLOW", "2GB", "+233241234567")
SECOND = PurchaseRequest("MK-0000000002", "YELLOW", "5GB", "+233551234567")


class Pair:
    """A supplier, our client on it, and the supplier's own books."""

    def __init__(
        self,
        supplier: app.Supplier,
        address: str = "http://127.0.0.1/api",
        **options: Any,
    ) -> None:
        self.supplier = supplier
        self.records: list[CallRecord] = []
        options.setdefault("transport", httpx.WSGITransport(app=supplier))
        options = {
            "clock": lambda: datetime.now(UTC),
            "on_call": self.records.append,
        } | options
        self.client = DataMart(address, DEFAULT_KEY, DEFAULT_SECRET, **options)

    def charges(self) -> list[str]:
        """References that the supplier's charge file says were paid for, in order."""
        lines = charges.read(self.supplier.sandbox.store.charge_file.path)
        return [
            line["reference"]
            for line in lines
            if line["account"] == "first" and line["kind"] == "charge"
        ]

    def plan(self, fault: str, endpoint: str = "purchase", **more: Any) -> None:
        plan = faults.read_plan([{"fault": fault, "endpoint": endpoint} | more])
        self.supplier.sandbox.faults.install(plan)

    def press(self, order_ref: str, status: str, **options: Any) -> None:
        order = processing.find(self.supplier.sandbox, FIRST_ID, order_ref)
        processing.change_status(self.supplier.sandbox, order, status, **options)


Make = Callable[..., Pair]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Pair] = []

    def build(
        profile: str, *, wallet_pesewas: int = WALLET_PESEWAS, **knobs: Any
    ) -> Pair:
        store = Store(
            tmp_path / f"supplier-{len(made)}.db", wallet_pesewas=wallet_pesewas
        )
        made.append(
            Pair(app.create_sandbox(store, profile, dropped=httpx.ReadError, **knobs))
        )
        return made[-1]

    yield build
    for pair in made:
        pair.supplier.sandbox.webhooks.drain()
        pair.supplier.close()


@pytest.fixture(params=PROFILES)
def pair(request: pytest.FixtureRequest, make: Make) -> Pair:
    return make(request.param)


def profile_of(pair: Pair) -> str:
    return pair.supplier.sandbox.knobs.profile


# -- every endpoint, every profile


def test_purchase(pair: Pair) -> None:
    said = pair.client.submit(REQUEST)
    assert isinstance(said, Accepted)
    forwarding = profile_of(pair) == "forwarding"
    assert (said.status, said.raw_status) == (
        ("processing", "completed") if forwarding else ("pending", "pending")
    )
    assert (said.order_ref, said.recipient, said.amount_pesewas) == (
        REF,
        "0241234567",
        900,
    )
    assert said.balance_after_pesewas == WALLET_PESEWAS - 900
    assert said.supplier_ref and len(said.supplier_ref) == 24
    assert not said.needs_person
    assert pair.charges() == [REF]


def test_status(pair: Pair) -> None:
    assert pair.client.status(REF) == Absent(REF)
    bought = pair.client.submit(REQUEST)
    assert isinstance(bought, Accepted)
    said = pair.client.status(REF)
    assert isinstance(said, Found)
    assert said.status == (
        "completed" if profile_of(pair) == "forwarding" else "pending"
    )
    assert (said.order_ref, said.supplier_ref) == (REF, bought.supplier_ref)
    assert (said.amount_pesewas, said.recipient, said.capacity) == (
        900,
        "0241234567",
        "2GB",
    )
    assert said.failure_reason is None


def test_somebody_elses_reference_is_absent_to_us(pair: Pair) -> None:
    assert pair.client.status(STRANGER_REFERENCE) == Absent(STRANGER_REFERENCE)
    said = pair.client.submit(replace(REQUEST, order_ref=STRANGER_REFERENCE))
    assert isinstance(said, Rejected) and said.kind == "duplicate_reference"
    assert pair.charges() == []


def test_balance(pair: Pair) -> None:
    assert pair.client.balance() == Balance(WALLET_PESEWAS)
    pair.client.submit(REQUEST)
    pair.client.submit(SECOND)
    said = pair.client.balance()
    assert said == Balance(pair.supplier.sandbox.store.account().balance_pesewas)


def test_float_noise_costs_no_pesewa(make: Make) -> None:
    pair = make("documented", float_noise="always")
    said = pair.client.submit(REQUEST)
    assert (
        isinstance(said, Accepted)
        and said.balance_after_pesewas == WALLET_PESEWAS - 900
    )
    assert pair.client.balance() == Balance(WALLET_PESEWAS - 900)


def test_offers(pair: Pair) -> None:
    said = pair.client.offers()
    assert isinstance(said, Listing)
    networks = {"mtn", "telecel", "at"} if profile_of(pair) == "documented" else {"mtn"}
    assert {offer.network for offer in said.offers} == networks
    assert pair.records[-1].note == "", (
        "the sandbox lists a product that we would not sell"
    )
    two = next(offer for offer in said.offers if offer.product_code == "YELLOW_2GB")
    assert (two.product_name, two.capacity, two.mb, two.validity, two.cost_pesewas) == (
        "YELLOW",
        "2GB",
        2048,
        "30 days",
        900,
    )


@pytest.mark.slow(seconds=0.3)
def test_every_offer_can_be_bought_at_its_price(pair: Pair) -> None:
    said = pair.client.offers()
    assert isinstance(said, Listing)
    pair.supplier.sandbox.knobs.rate_limit = 1_000
    for number, offer in enumerate(said.offers):
        request = PurchaseRequest(
            f"MK-OFFER-{number:04}", offer.product_name, offer.capacity, "+233241234567"
        )
        bought = pair.client.submit(request)
        assert (
            isinstance(bought, Accepted) and bought.amount_pesewas == offer.cost_pesewas
        ), offer


def test_capacities(pair: Pair) -> None:
    said = pair.client.capacities()
    assert isinstance(said, tuple) and all(
        isinstance(line, CapacityLine) for line in said
    )
    sizes = {line.capacity: line.products for line in said}
    assert ("YELLOW", "30 days", 900) in sizes["2GB"]
    gone = profile_of(pair) != "documented"
    assert [kept.endpoint for kept in pair.records] == (
        ["capacities", "products"] if gone else ["capacities"]
    )


def test_capacities_are_the_same_listed_or_derived(make: Make) -> None:
    listed = make("documented").client.capacities()
    derived = make("documented", capacities="gone").client.capacities()
    assert isinstance(listed, tuple) and isinstance(derived, tuple)
    assert {line.capacity: set(line.products) for line in listed} == {
        line.capacity: set(line.products) for line in derived
    }


def test_account(pair: Pair) -> None:
    said = pair.client.account()
    assert isinstance(said, Account)
    assert (said.name, said.role, said.status) == ("Sandbox Shop", "dealer", "active")
    assert said.balance_pesewas == WALLET_PESEWAS and said.webhook_url == ""
    assert said.supported_networks == (
        ("YELLO",) if profile_of(pair) == "forwarding" else ()
    )


def test_list(pair: Pair) -> None:
    pair.client.submit(REQUEST)
    said = pair.client.transactions()
    assert isinstance(said, tuple)
    if profile_of(pair) != "documented":
        assert said == ()  # no information, whatever was bought
        return
    (row,) = said
    assert (row.order_ref, row.status, row.amount_pesewas, row.capacity) == (
        REF,
        "pending",
        900,
        "2GB",
    )
    assert row.created_at is not None and row.created_at.tzinfo is not None


def test_statistics(pair: Pair) -> None:
    said = pair.client.statistics()
    if profile_of(pair) != "documented":
        assert said == NoAnswer("broken", "http_500_STATISTICS_ERROR")
    else:
        assert not isinstance(said, NoAnswer) and "transactions" in said["statistics"]


def test_webhook_address(pair: Pair) -> None:
    assert pair.client.test_webhook() is False
    nobody = "http://127.0.0.1:9/datamart/token-of-22-characters"
    assert pair.client.set_webhook(nobody) is False  # saved, but nobody was there
    account = pair.client.account()
    assert isinstance(account, Account) and account.webhook_url == nobody
    assert pair.client.test_webhook() is True
    assert pair.client.set_webhook("nonsense") == NoAnswer(
        "broken", "http_400_INVALID_URL"
    )


# -- bulk


def in_bulk(pair: Pair, lines: list[PurchaseRequest]) -> BulkResult:
    """One envelope, and a second one at the other path where the supplier does not know the
    first."""
    said = pair.client.submit_bulk(lines, "MKB-1")
    return (
        pair.client.submit_bulk(lines, "MKB-1")
        if said.lines[0].result == NotSent("bulk_moved")
        else said
    )


def test_bulk(pair: Pair) -> None:
    for number in range(2):
        lines = [
            replace(REQUEST, order_ref=f"MK-A{number}"),
            replace(SECOND, order_ref=f"MK-B{number}"),
        ]
        said = in_bulk(pair, lines)
        assert [line.order_ref for line in said.lines] == [
            line.order_ref for line in lines
        ]
        assert all(isinstance(line.result, Accepted) for line in said.lines), said
        assert (
            said.balance_after_pesewas
            == pair.supplier.sandbox.store.account().balance_pesewas
        )
    assert pair.charges() == ["MK-A0", "MK-B0", "MK-A1", "MK-B1"]
    paths = [kept.path for kept in pair.records]
    if profile_of(pair) == "documented":
        assert paths == ["/v1/bulk", "/v1/bulk"]
    else:  # looked for once, then remembered
        assert paths == ["/v1/bulk", "/v1/purchase/bulk", "/v1/purchase/bulk"]


@pytest.mark.parametrize(
    ("gone", "found"), [("bulk", "/v1/bulk"), ("bulk_alias", "/v1/purchase/bulk")]
)
def test_bulk_path_in_both_directions(make: Make, gone: str, found: str) -> None:
    pair = make("documented", **{gone: "gone"})
    pair.client._bulk_path = "/v1/purchase/bulk" if found == "/v1/bulk" else "/v1/bulk"
    assert isinstance(in_bulk(pair, [REQUEST]).lines[0].result, Accepted)
    assert pair.records[-1].path == found


def test_bulk_without_any_path(make: Make) -> None:
    pair = make("documented", bulk="gone", bulk_alias="gone")
    assert in_bulk(pair, [REQUEST]).lines[0].result == NotSent("no_bulk")
    assert pair.charges() == []


def test_bulk_with_one_bad_line_buys_nothing(pair: Pair) -> None:
    bad = replace(SECOND, product_name="NOSUCH")
    said = in_bulk(pair, [REQUEST, bad])
    assert said.lines[0].result == NotSent("batch_refused")
    assert (
        isinstance(said.lines[1].result, Rejected)
        and said.lines[1].result.code == "PRODUCT_NOT_FOUND"
    )
    assert pair.charges() == []


def test_bulk_for_which_the_wallet_is_too_small(make: Make) -> None:
    pair = make("published", wallet_pesewas=1_000)
    said = in_bulk(pair, [REQUEST, SECOND])
    assert [line.result for line in said.lines] == [
        Rejected(
            "insufficient_balance",
            "INSUFFICIENT_BALANCE",
            "Insufficient wallet balance",
            900 + 2320,
            1_000,
        )
    ] * 2


def test_bulk_with_a_duplicate_among_its_lines(pair: Pair) -> None:
    """Nobody is told "bought" who was not, and nobody "refused" for the sake of another line."""
    pair.client.submit(SECOND)
    third = replace(
        REQUEST, order_ref="MK-0000000003", recipient_msisdn="+233591234567"
    )
    said = in_bulk(pair, [REQUEST, SECOND, third])
    first, second, last = (line.result for line in said.lines)
    assert isinstance(first, Accepted)
    assert isinstance(second, Rejected) and second.kind == "duplicate_reference"
    assert isinstance(last, Accepted if profile_of(pair) == "forwarding" else Unknown)
    bought = [SECOND.order_ref, REF] + (
        [third.order_ref] if profile_of(pair) == "forwarding" else []
    )
    assert pair.charges() == bought


def test_bulk_of_duplicates_only(make: Make) -> None:
    pair = make("published")
    pair.client.submit(REQUEST)
    (line,) = in_bulk(pair, [REQUEST]).lines
    assert (
        isinstance(line.result, Rejected) and line.result.kind == "duplicate_reference"
    )
    assert pair.charges() == [REF]


def test_bulk_whose_network_failed_is_unknown(make: Make) -> None:
    pair = make("forwarding", upstream="fail")
    (line,) = in_bulk(pair, [REQUEST]).lines
    assert isinstance(line.result, Unknown)


# -- an order's life


@pytest.mark.parametrize(
    ("word", "ours"),
    [("sent", "processing"), ("successful", "completed"), ("failed", "failed")],
)
def test_every_move_of_the_supplier_is_seen(make: Make, word: str, ours: str) -> None:
    pair = make("published")
    pair.client.submit(REQUEST)
    pair.press(REF, word)
    said = pair.client.status(REF)
    assert isinstance(said, Found) and (said.status, said.raw_status) == (ours, word)


def test_failed_order_that_is_queued_again_shows_no_old_reason(make: Make) -> None:
    pair = make("published")
    pair.client.submit(REQUEST)
    order = processing.find(pair.supplier.sandbox, FIRST_ID, REF)
    orders.move(pair.supplier.sandbox.store, order, "failed", reason="Network down")
    failed = pair.client.status(REF)
    assert isinstance(failed, Found) and failed.failure_reason == "Network down"
    pair.press(REF, "pending")
    revived = pair.client.status(REF)
    assert isinstance(revived, Found) and (revived.status, revived.failure_reason) == (
        "pending",
        None,
    )


def test_left_out_members(make: Make) -> None:
    everything = (
        "product",
        "beneficiary",
        "amount",
        "transaction_id",
        "balance_after",
        "currency",
        "created_at",
    )
    pair = make("documented", omit=everything)
    bought = pair.client.submit(REQUEST)
    assert isinstance(bought, Accepted) and bought.amount_pesewas is None
    said = pair.client.status(REF)
    assert isinstance(said, Found) and (said.status, said.capacity) == ("pending", None)


# -- refusals


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"product_name": "NOSUCH"}, "PRODUCT_NOT_FOUND"),
        ({"capacity": "7GB"}, None),
        ({"recipient_msisdn": "+233741234567"}, "INVALID_PHONE_NUMBER"),
    ],
)
def test_refusal(pair: Pair, change: dict[str, str], code: str | None) -> None:
    said = pair.client.submit(replace(REQUEST, **change))
    assert isinstance(said, Rejected) and said.kind == (
        "invalid" if "recipient_msisdn" in change else "catalogue"
    )
    assert said.code == code or code is None
    assert pair.charges() == []


def test_duplicate_is_looked_up_not_believed(pair: Pair) -> None:
    pair.client.submit(REQUEST)
    said = pair.client.submit(REQUEST)
    assert isinstance(said, Rejected) and said.kind == "duplicate_reference"
    assert isinstance(pair.client.status(REF), Found)
    assert pair.charges() == [REF]


def test_empty_wallet(make: Make) -> None:
    pair = make("published", wallet_pesewas=899)
    said = pair.client.submit(REQUEST)
    assert isinstance(said, Rejected) and said.kind == "insufficient_balance"
    assert (said.required_pesewas, said.balance_pesewas) == (900, 899)


def test_suspended_account(pair: Pair) -> None:
    pair.supplier.sandbox.store.set_account(FIRST_ID, status="suspended")
    said = pair.client.submit(REQUEST)
    assert isinstance(said, Rejected) and said.kind == "credentials"
    for read in (
        pair.client.balance,
        pair.client.offers,
        pair.client.account,
        lambda: pair.client.status(REF),
    ):
        answer = read()
        assert isinstance(answer, NoAnswer) and answer.kind == "credentials"


def test_rate_limit(pair: Pair) -> None:
    pair.supplier.sandbox.knobs.rate_limit = 1
    pair.client.balance()
    said = pair.client.submit(REQUEST)
    assert isinstance(said, NotSent) and said.rate_limited
    assert said.retry_after_s is not None and 1 <= said.retry_after_s <= 60
    looked = pair.client.status(REF)
    assert isinstance(looked, NoAnswer) and looked.kind == "rate_limited"
    assert pair.charges() == []


# -- faults

CHARGED = {
    name for name in faults.AFTER if name not in ("hold_after", "hang_after", "trickle")
}
UNCHARGED = {
    "drop_before",
    "reset_before",
    "html_502",
    "empty_503",
    "http_500_auth",
    "http_500_before",
}


@pytest.mark.parametrize("fault", sorted(CHARGED | UNCHARGED))
def test_fault_leaves_the_purchase_unknown_and_the_lookup_tells(
    make: Make, fault: str
) -> None:
    pair = make("published")
    pair.plan(fault)
    assert isinstance(pair.client.submit(REQUEST), Unknown)
    looked = pair.client.status(REF)
    if fault in CHARGED:
        assert pair.charges() == [REF] and isinstance(looked, Found)
    else:
        assert pair.charges() == [] and looked == Absent(REF)


@pytest.mark.parametrize("fault", sorted(CHARGED | UNCHARGED))
def test_fault_at_the_lookup_is_no_absence(make: Make, fault: str) -> None:
    pair = make("published")
    pair.plan(fault, "status")
    assert isinstance(pair.client.status(REF), NoAnswer)
    assert pair.client.status(REF) == Absent(REF)


def test_turned_away_at_the_gate(make: Make) -> None:
    pair = make("published")
    pair.plan("text_429", seconds=17)
    assert pair.client.submit(REQUEST) == NotSent("http_429", 17.0, True)
    pair.plan("http_401")
    said = pair.client.submit(REQUEST)
    assert isinstance(said, Rejected) and said.kind == "credentials"
    assert pair.charges() == []


def test_forwarding_that_fails_upstream(make: Make) -> None:
    pair = make("forwarding", upstream="fail")
    assert pair.client.submit(REQUEST) == Unknown("provider_error")
    looked = pair.client.status(REF)
    assert isinstance(looked, Found) and looked.status == "failed"


def test_forwarding_that_crashes_after_charging(make: Make) -> None:
    pair = make("forwarding", upstream="crash")
    assert isinstance(pair.client.submit(REQUEST), Unknown)
    assert pair.charges() == [REF]


# -- with a socket between them


@pytest.fixture
def live(make: Make) -> Iterator[Pair]:
    supplier = make("published").supplier
    server = sockets.Server(("127.0.0.1", 0), supplier, lambda line: None)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield Pair(
        supplier,
        f"http://127.0.0.1:{server.server_port}/api",
        transport=None,
        scale=lambda s: s / 100,
    )
    supplier.sandbox.holds.stop()
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_purchase_over_a_socket(live: Pair) -> None:
    assert isinstance(live.client.submit(REQUEST), Accepted)
    assert isinstance(live.client.status(REF), Found)


@pytest.mark.slow(seconds=0.2)
@pytest.mark.parametrize(
    ("fault", "reason", "charged"),
    [
        ("drop_before", "remote_protocol_error", False),
        ("reset_before", "read_error", False),
        ("drop_after", "remote_protocol_error", True),
        ("reset_after", "read_error", True),
        ("short_body", "remote_protocol_error", True),
        ("hang_after", "read_timeout", True),
        ("hold_after", "read_timeout", True),
    ],
)
def test_socket_fault(live: Pair, fault: str, reason: str, charged: bool) -> None:
    live.plan(fault, seconds=20)
    assert live.client.submit(REQUEST) == Unknown(reason)
    assert live.charges() == ([REF] if charged else [])


@pytest.mark.slow(seconds=0.8)
def test_trickled_answer_ends_at_the_total_time(live: Pair) -> None:
    live.plan("trickle", seconds=4)  # each piece is in time for the read timeout
    assert live.client.submit(REQUEST) == Unknown("deadline")
    assert live.charges() == [REF]
    assert 1_000 <= live.records[-1].duration_ms < 3_000


class JobTimeout(Exception):
    """Like the queue's own: an ordinary exception."""


@pytest.mark.slow(seconds=0.2)
@pytest.mark.parametrize(
    ("fault", "charged"), [("hold_before", False), ("hold_after", True)]
)
def test_job_timeout_in_the_middle_of_a_call(
    live: Pair, fault: str, charged: bool
) -> None:
    """The signal lands inside the read; it flies on, and the record says that nobody knows."""

    def ring(*_: Any) -> None:
        raise JobTimeout

    slow = Pair(live.supplier, live.client._caller.base_url, transport=None)
    live.plan(fault, seconds=20)
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(JobTimeout):
            slow.client.submit(REQUEST)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    (kept,) = slow.records
    assert (kept.outcome, kept.http_status) == ("unknown", None)
    assert live.charges() == ([REF] if charged else [])
    assert isinstance(slow.client.status(REF), Found if charged else Absent)


# -- webhooks: the sandbox writes and signs, we read


@pytest.mark.parametrize(
    ("profile", "kind", "verified"),
    [
        ("documented", "plain_secret", "platform_data_secret"),
        ("published", "bcrypt_hash", None),
        ("documented", "none", None),
    ],
)
def test_webhook_as_the_sandbox_signs_it(
    make: Make, profile: str, kind: str, verified: str | None
) -> None:
    pair = make(profile, signature_key=kind, webhook_on_status_change=True)
    account = replace(
        pair.supplier.sandbox.store.account(), webhook_url="http://127.0.0.1:9/"
    )
    payload = {
        "reference": REF,
        "old_status": "pending",
        "new_status": "successful",
        "amount": 4990.000000000001,
    }
    text, headers = pair.supplier.sandbox.webhooks._sign(
        account, "transaction.status_update", payload
    )
    news = pair.client.read_event(text.encode(), headers)
    assert (news.event, news.order_ref, news.status) == (
        "transaction.status_update",
        REF,
        "completed",
    )
    assert news.verified_by == verified
    changed = pair.client.read_event(
        text.replace("successful", "failed").encode(), headers
    )
    assert changed.verified_by is None
