"""Right of way: the call budget is spent on signed news, then purchases, then people who wait, then
routine.

Through a real Valkey list, real jobs and signed webhooks at the door; time does not pass unless it
is moved.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator

import pytest
import tables_owner
from desk import Desk
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from seed import WEBHOOK_TOKEN
from sqlalchemy import select, update

from core import orders, outbox
from core.audit import SYSTEM
from core.base import clock, config, tenancy
from core.base.db import db, transaction
from core.orders import Order, watching
from core.supplier import budget, supply
from fulfilment import relay
from integrations.sandbox.store import DEFAULT_SECRET

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow(seconds=0.7)]


@pytest.fixture
def redis(valkey: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    connection = Redis.from_url(valkey)
    connection.flushall()
    monkeypatch.setattr(watching, "keep", relay.watch)
    monkeypatch.setattr(watching, "_said", {})
    monkeypatch.setattr(relay, "_quiet_until", 0.0)
    yield connection
    connection.flushall()
    connection.close()


def worker(redis: Redis, most: int | None = None) -> None:
    """A real RQ worker takes what is in the list until it is empty, or so many jobs."""
    one = SimpleWorker(
        [relay.queue_of(redis)], connection=redis, serializer=JSONSerializer
    )
    one.work(burst=True, logging_level="ERROR", max_jobs=most)


def round_once(redis: Redis) -> int:
    with tenancy.across_stores():
        return relay.round_once(redis)


def signed(desk: Desk, order: Order, status: str = "successful") -> int:
    """The supplier's webhook, signed as it says it does, at the door."""
    data = {
        "reference": order.order_ref,
        "old_status": "pending",
        "new_status": status,
        "amount": 4.6,
    }
    signature = hmac.new(
        DEFAULT_SECRET.encode(), json.dumps(data).encode(), hashlib.sha256
    ).hexdigest()
    body = json.dumps(
        {"event": "transaction.status_update", "data": data, "signature": signature}
    )
    answer = desk.app.test_client().post(
        f"/datamart/{WEBHOOK_TOKEN}", data=body, base_url="http://hooks.localhost"
    )
    return answer.status_code


def used(purchases: int, others: int, ago_s: float = 1.0) -> None:
    """Calls made a moment ago in this window."""
    with tenancy.across_stores(), transaction():
        link, moment = supply.locked_state(), clock.after(-ago_s)
        link.purchase_calls, link.other_calls = [moment] * purchases, [moment] * others


def made() -> tuple[int, int]:
    """Purchases and other calls of this window, by our own count."""
    with tenancy.across_stores():
        link = supply.state()
    return len(link.purchase_calls), len(link.other_calls)


def with_the_network(
    desk: Desk, bought: int, more: int = 0, *, due: bool = True
) -> list[Order]:
    """Orders the supplier has: so many bought, and `more` copies of the first, which it does not
    know. All fell due for a routine look, or none."""
    placed = [desk.release(("ama", "kofi")[number % 2]) for number in range(bought)]
    desk.work()
    assert {desk.read(order).state for order in placed} == {"processing"}
    copies(placed[0].id, more)
    with tenancy.across_stores(), transaction() as session:
        session.execute(
            update(outbox.OutboxRow)
            .where(outbox.OutboxRow.done_at.is_(None))
            .values(due_at=clock.after(-5 if due else 3_600), lease_until=None)
        )
    return [desk.read(order) for order in placed]


def copies(order_id: int, count: int) -> None:
    """Copies of an order and of its row, each with a code and reference of its own: quicker than to
    buy them."""
    with tenancy.across_stores():
        names = [
            column.name for column in Order.__table__.columns if column.name != "id"
        ]
    own = {
        "code": "lpad(upper(to_hex(n)), 10, '0')",
        "order_ref": "'MK-COPY' || n",
        "idempotency_key": "'copy' || n",
        "pay_code": "NULL",
    }
    tables_owner.execute(
        f"INSERT INTO orders ({', '.join(names)}) SELECT"
        f" {', '.join(own.get(name, name) for name in names)} FROM orders, generate_series(1,"
        f" {count}) AS n WHERE id = {order_id}"
    )
    tables_owner.execute(
        "INSERT INTO outbox (store_id, kind, order_id, due_at, lease_no, created_at) SELECT"
        " store_id, 'deliver_order', id, now(), 0, now() FROM orders WHERE idempotency_key LIKE"
        " 'copy%'"
    )


def test_eight_signed_at_once_are_found_out_within_five_seconds_beside_forty_open_orders(
    desk: Desk, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = with_the_network(desk, 8, 32)
    monkeypatch.setattr(outbox, "ring", relay.ring)
    used(20, 10)
    began, routine = time.monotonic(), 0
    # routine takes what it may, and stops before the last ten
    while ran := round_once(redis):
        worker(redis)
        routine += ran
    each_s = (time.monotonic() - began) / routine
    assert sum(made()) == config.current().rate_calls - 10
    for order in told:
        desk.settle(order, "successful")
    began = time.monotonic()
    assert [signed(desk, order) for order in told] == [204] * 8
    worker(redis)
    assert {desk.read(order).state for order in told} == {"completed"}
    # On a machine so busy that a look alone takes long, the eight take no longer than their
    # webhooks and looks.
    assert time.monotonic() - began < max(5, 8 * 4 * each_s)
    assert sum(made()) == config.current().rate_calls - 2


def test_news_goes_before_what_is_in_the_list_already(
    desk: Desk, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = with_the_network(desk, 2, 10)
    last = placed[-1]
    with tenancy.across_stores(), transaction():
        row = outbox.of_order(last.id, lock=True)
        assert row is not None
        row.due_at = clock.after(-1)
    used(0, 0)
    assert (
        round_once(redis) == 12
    )  # the last of these rings is its own, and nobody has taken it yet
    monkeypatch.setattr(outbox, "ring", relay.ring)
    desk.settle(last, "successful")
    signed(desk, last)
    worker(redis, most=1)
    assert desk.read(last).state == "completed"
    worker(redis)
    assert made()[1] == 12  # its routine ring found the lease gone


@pytest.mark.slow(seconds=5)
def test_three_hundred_reported_at_once_starve_no_purchase_and_never_pass_the_budget(
    make_desk: Callable[..., Desk], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, settings = (
        make_desk(rate_limit=1_000),
        config.current(),
    )  # its minute does not jump with ours
    with_the_network(desk, 1, 299, due=False)
    queued = [desk.release() for _ in range(25)]
    used(0, 0)
    monkeypatch.setattr(outbox, "ring", relay.ring)
    with tenancy.across_stores(), transaction() as session:
        session.execute(
            update(outbox.OutboxRow)
            .where(outbox.OutboxRow.due_at > clock.now())
            .values(news_at=clock.after(-1), due_at=clock.now())
        )
    for _ in range(30):
        if not round_once(redis):
            break
        worker(redis)
    purchases, others = made()
    assert (purchases, others) == (20, 30)
    assert sum(desk.read(order).state == "processing" for order in queued) == 20
    desk.jump(61)
    for _ in range(30):
        if not round_once(redis):
            break
        worker(redis)
    assert {desk.read(order).state for order in queued} == {"processing"}
    assert sum(made()) <= settings.rate_calls


def test_what_of_the_news_finds_no_call_says_so_on_its_page_until_it_was_asked(
    desk: Desk, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    (order,) = with_the_network(desk, 1, due=False)
    monkeypatch.setattr(outbox, "ring", relay.ring)
    used(20, 30)
    desk.settle(order, "successful")
    signed(desk, order)
    worker(redis)
    waiting = desk.read(order)
    assert (waiting.state, waiting.wait_reason) == ("processing", "news")
    assert waiting.version > order.version
    with desk.inside("ama"):
        store = waiting.store_id
        assert "in its turn" in orders.agent_words(waiting).sentence
    assert store
    page = (
        desk.app.test_client()
        .get(f"/orders/{order.code}", base_url="http://ama.localhost")
        .text
    )
    assert "in its turn" in page
    assert waiting.next_look_at is not None and waiting.next_look_at <= clock.after(60)
    desk.jump(61)
    used(20, 20)  # nothing is left for routine: it goes because it is news still
    assert round_once(redis) == 1
    worker(redis)
    assert (desk.read(order).state, desk.read(order).wait_reason) == ("completed", None)
    with tenancy.across_stores():
        row = outbox.of_order(order.id)
        assert row is not None and row.news_at is None


def test_news_goes_before_purchases_and_purchases_before_looks(
    desk: Desk, redis: Redis
) -> None:
    news, routine = with_the_network(desk, 2)
    queued = desk.release()
    with tenancy.across_stores(), transaction():
        row = outbox.of_order(news.id, lock=True)
        assert row is not None
        outbox.make_due(row, news=True)
    used(49, 0)
    assert round_once(redis) == 1
    worker(redis)
    assert (desk.read(news).looked_at is not None, desk.read(queued).state) == (
        True,
        "queued",
    )
    used(49, 0)
    assert round_once(redis) == 1
    worker(redis)
    assert desk.read(queued).state == "processing"
    used(49, 0)
    assert round_once(redis) == 0  # routine leaves the last ten alone
    assert desk.read(routine).looked_at is None


def test_who_waits_with_the_page_open_goes_before_routine_and_nothing_else(
    desk: Desk, redis: Redis
) -> None:
    placed = with_the_network(desk, 2, 4)
    watched = placed[-1]
    assert watched.store_id
    slug = "kofi"
    answer = desk.app.test_client().get(
        f"/orders/{watched.code}/status", base_url=f"http://{slug}.localhost"
    )
    assert answer.status_code == 200
    assert redis.zcard("makola:watched") == 1
    used(20, 19)
    assert round_once(redis) == 1
    worker(redis)
    assert [desk.read(order).looked_at is not None for order in placed] == [False, True]
    used(20, 20)
    desk.read(placed[0])
    # watching takes nothing of what is kept for news and purchases
    assert round_once(redis) == 0


def test_an_open_page_is_written_down_once_in_a_while_and_only_while_something_is_under_way(
    desk: Desk, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    (order,) = with_the_network(desk, 1)
    kept: list[int] = []
    monkeypatch.setattr(watching, "keep", kept.append)
    client = desk.app.test_client()
    for _ in range(20):
        assert (
            client.get(
                f"/orders/{order.code}/status", base_url="http://ama.localhost"
            ).status_code
            == 200
        )
    assert kept == [order.id]
    pending = desk.place()
    client.get(f"/orders/{pending.code}", base_url="http://ama.localhost")
    client.get("/orders/0000000000/status", base_url="http://ama.localhost")
    assert kept == [order.id]


def test_with_valkey_away_an_open_page_is_served_all_the_same(
    desk: Desk, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    (order,) = with_the_network(desk, 1)
    gone = Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.3)
    monkeypatch.setitem(desk.app.extensions, "redis", gone)
    answer = desk.app.test_client().get(
        f"/orders/{order.code}", base_url="http://ama.localhost"
    )
    assert answer.status_code == 200


def test_the_shares_of_a_window(desk: Desk) -> None:
    def room(purchases: int, others: int) -> tuple[int, int, int]:
        used(purchases, others)
        with tenancy.across_stores():
            found = budget.room(supply.state())
        return found["news"], found["purchase"], found["other"]

    assert room(0, 0) == (30, 50, 20)
    assert room(0, 20) == (10, 30, 0)
    assert room(0, 30) == (0, 20, 0)
    assert room(20, 20) == (10, 10, 0)
    assert room(40, 0) == (10, 10, 0)
    assert room(45, 0) == (5, 5, 0)
    assert room(50, 0) == (0, 0, 0)
    assert room(25, 10) == (15, 15, 5)


@pytest.mark.parametrize("share", ["news", "purchase", "other"])
def test_a_call_is_given_exactly_while_there_is_room_and_the_wait_is_true(
    desk: Desk, share: budget.Share
) -> None:
    for purchases, others in (
        (0, 0),
        (19, 20),
        (20, 30),
        (40, 0),
        (39, 1),
        (50, 0),
        (30, 20),
        (0, 29),
    ):
        used(purchases, others, ago_s=20)
        with tenancy.across_stores():
            has_room = budget.room(supply.state())[share] > 0
        pause = supply.take_call(share)
        assert (pause == 0.0) == has_room, (share, purchases, others)
        if pause:
            assert 39 < pause <= 40
            desk.jump(pause + 0.01)
            assert supply.take_call(share) == 0.0


def test_a_resend_takes_both_of_its_calls_or_none(desk: Desk) -> None:
    used(49, 0)
    assert supply.take_call("purchase", 2) > 0
    assert made() == (49, 0)
    desk.plan("http_500_before")
    order = desk.release()
    used(0, 0)
    # proven absent: it is looked up once more, then sent again
    desk.work_until(order, "queued")
    used(49, 0)
    desk.work()
    assert (desk.read(order).wait_reason, made()) == ("rate", (49, 0))
    used(48, 0)
    assert desk.work_until(order, "processing").attempt == 2


def test_a_request_of_the_platform_is_not_behind_a_backlog_of_looks(
    desk: Desk, redis: Redis
) -> None:
    with_the_network(desk, 1, 4)
    with tenancy.across_stores():
        balance = outbox.request("refresh_balance", SYSTEM).id
        outbox.request("prove_books", SYSTEM)
    used(20, 19)
    assert round_once(redis) == 2  # the proof, which needs no call, and the balance
    worker(redis)
    with tenancy.across_stores():
        row = outbox.requested(balance)
        assert row is not None and row.result_ok
        kinds = db.session.scalars(
            select(outbox.OutboxRow.kind).where(outbox.OutboxRow.done_at.is_not(None))
        )
        assert set(kinds) >= {"refresh_balance", "prove_books"}
