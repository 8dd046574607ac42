"""Webhooks ring and decide nothing: what is stored, what is answered, what a flood may cost."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from desk import Desk
from flask import Flask
from seed import WEBHOOK_TOKEN
from sqlalchemy import text

from core import cases, outbox
from core.base import clock, config, tenancy
from core.base.db import db
from core.orders import Order
from core.supplier import webhook_events
from integrations.datamart.client import DataMart
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.15)

PATH = f"/datamart/{WEBHOOK_TOKEN}"


class Hook:
    """The supplier's side of a webhook."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()

    def post(
        self,
        body: bytes | dict[str, Any],
        path: str = PATH,
        host: str = "127.0.0.1",
        **headers: str,
    ) -> int:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(
            path,
            data=data,
            headers={"Content-Type": "application/json", **headers},
            base_url=f"http://{host}",
        ).status_code


@pytest.fixture
def hook(app: Flask) -> Hook:
    return Hook(app)


def update(
    reference: str, status: str, secret: str | None = None, **more: Any
) -> dict[str, Any]:
    data = {
        "reference": reference,
        "old_status": "pending",
        "new_status": status,
        "amount": 4.6,
        **more,
    }
    text_ = json.dumps(data)
    body: dict[str, Any] = {"event": "transaction.status_update", "data": data}
    if secret is not None:
        body["signature"] = hmac.new(
            secret.encode(), text_.encode(), hashlib.sha256
        ).hexdigest()
    return body


def due_now(order: Order) -> bool:
    with tenancy.across_stores():
        row = outbox.of_order(order.id)
        return row is not None and row.done_at is None and row.due_at <= clock.now()


def processing(desk: Desk) -> Order:
    order = desk.release()
    desk.work()
    return desk.read(order)


@pytest.mark.parametrize("host", ["127.0.0.1", "hooks.localhost"])
def test_a_ring_makes_the_order_due_and_the_look_up_decides(
    desk: Desk, hook: Hook, host: str, jump: Any
) -> None:
    order = processing(desk)
    jump(config.current().ring_gap_s + 1)
    assert not due_now(order)
    assert hook.post(update(order.order_ref, "successful"), host=host) == 204
    assert due_now(order)
    desk.work()
    # the supplier's own record still says pending
    assert desk.read(order).state == "processing"
    desk.settle(order, "successful")
    jump(config.current().ring_gap_s + 1)
    hook.post(update(order.order_ref, "successful", extra=1), host=host)
    desk.work()
    assert desk.read(order).state == "completed"


def test_a_ring_while_a_job_looks_at_the_order_is_not_lost(
    desk: Desk, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = processing(desk)
    desk.jump_to_next()
    ask = desk.client.status

    def delivered_and_rung() -> None:
        with desk.app.app_context():
            desk.settle(order, "successful")
            assert hook.post(update(order.order_ref, "successful")) == 204

    def answer_that_is_old_on_arrival(reference: str) -> Any:
        found = ask(reference)
        meanwhile = threading.Thread(target=delivered_and_rung)
        meanwhile.start()
        meanwhile.join()
        return found

    monkeypatch.setattr(desk.client, "status", answer_that_is_old_on_arrival)
    desk.work()
    assert desk.read(order).state == "processing"
    monkeypatch.setattr(desk.client, "status", ask)
    assert due_now(order)
    desk.work()
    assert desk.read(order).state == "completed"


@pytest.mark.parametrize(
    "word", ["successful", "failed", "reversed", "pending", "nonsense"]
)
def test_no_body_changes_an_order_by_itself(desk: Desk, hook: Hook, word: str) -> None:
    order = processing(desk)
    wallet = desk.wallet()
    assert hook.post(update(order.order_ref, word, secret="sk_test")) == 204
    assert desk.read(order).state == "processing"
    assert desk.wallet() == wallet


def test_a_signed_ring_is_due_at_once_and_an_unsigned_one_not_right_after_a_look(
    desk: Desk, hook: Hook, jump: Any
) -> None:
    signer = DataMart(
        "http://127.0.0.1/api", "k", "the-secret", on_call=None, clock=clock.now
    )
    order = desk.release()
    desk.work()
    jump(61)
    desk.work()
    desk.app.extensions["supplier"] = signer
    assert desk.read(order).looked_at is not None
    hook.post(update(order.order_ref, "sent"))
    assert not due_now(order)
    hook.post(update(order.order_ref, "sent", secret="the-secret"))
    assert due_now(order)


def test_a_signature_rings_at_once_only_the_first_time_it_says_something(
    desk: Desk, hook: Hook, jump: Any
) -> None:
    order = processing(desk)
    jump(61)
    desk.work()
    desk.app.extensions["supplier"] = DataMart(
        "http://127.0.0.1/api", "k", "the-secret", on_call=None, clock=clock.now
    )
    genuine = update(order.order_ref, "sent", secret="the-secret")
    assert hook.post(genuine) == 204
    assert due_now(order)
    desk.app.extensions["supplier"] = desk.client
    desk.work()
    desk.app.extensions["supplier"] = DataMart(
        "http://127.0.0.1/api", "k", "the-secret", on_call=None, clock=clock.now
    )
    # The signature covers `data` alone: the same words in other wrappings are verified as well.
    for n in range(5):
        assert hook.post(genuine | {"timestamp": str(n)}) == 204
        assert not due_now(order)
    with tenancy.across_stores():
        assert {
            row.verified_by for row in webhook_events.of_order(order.order_ref)
        } == {"platform_data_secret"}


def stored() -> list[webhook_events.WebhookEvent]:
    with tenancy.across_stores():
        return [event for event in webhook_events.newest(limit=1_000) if event.body]


def test_of_events_that_name_no_order_the_first_of_an_hour_are_kept_and_the_rest_counted(
    desk: Desk, hook: Hook, using: Using
) -> None:
    using(strangers_kept_in_hour=3)
    order = processing(desk)
    for n in range(7):
        assert hook.post(update(f"MK-{n}", "sent")) == 204
    assert [event.order_ref for event in reversed(stored())] == ["MK-0", "MK-1", "MK-2"]
    with tenancy.across_stores():
        assert [event.times for event in webhook_events.newest() if not event.body] == [
            7
        ]
    assert (
        hook.post(update(order.order_ref, "sent")) == 204
    )  # the flood crowds out no event of an order
    assert stored()[0].order_ref == order.order_ref
    desk.jump(3_600)
    assert hook.post(update("MK-LATER", "sent")) == 204
    assert stored()[0].order_ref == "MK-LATER"


def test_the_bodies_of_events_that_name_no_order_are_bounded_together(
    desk: Desk, hook: Hook, using: Using
) -> None:
    using(stranger_bytes_in_hour=100_000)
    for n in range(5):
        assert hook.post(b"%d" % n * 40_000) == 204
    assert len(stored()) == 2


def test_a_flood_about_one_order_is_kept_up_to_a_limit_and_rings_beyond_it(
    desk: Desk, hook: Hook, using: Using
) -> None:
    using(webhooks_kept_of_order=3)
    order = processing(desk)
    for n in range(6):
        assert hook.post(update(order.order_ref, "pending", n=n)) == 204
    assert len(stored()) == 3
    desk.jump(31)
    assert hook.post(update(order.order_ref, "successful")) == 204
    assert len(stored()) == 3
    assert due_now(order)


def test_signed_news_is_kept_also_when_a_flood_has_used_up_the_room(
    desk: Desk, hook: Hook, using: Using
) -> None:
    using(webhooks_kept_of_order=3)
    order = processing(desk)
    for n in range(6):
        assert hook.post(update(order.order_ref, "pending", n=n)) == 204
    desk.app.extensions["supplier"] = DataMart(
        "http://127.0.0.1/api", "k", "the-secret", on_call=None, clock=clock.now
    )
    assert hook.post(update(order.order_ref, "successful", secret="the-secret")) == 204
    assert stored()[0].verified_by == "platform_data_secret"


def test_news_of_the_acceptance_itself_costs_no_look_up(
    desk: Desk, hook: Hook, jump: Any
) -> None:
    order = processing(desk)
    jump(config.current().ring_gap_s + 1)
    assert hook.post(update(order.order_ref, "pending")) == 204
    assert not due_now(order)
    assert any("sent news" in line for line in desk.told(order))
    desk.settle(order, "failed", refund=True)
    desk.work_until(order, "failed")
    jump(config.current().ring_gap_s + 1)
    assert hook.post(update(order.order_ref, "pending", again=1)) == 204
    assert due_now(order)  # a failed order taken up again is news


@pytest.mark.slow(seconds=0.2)
def test_every_webhook_is_a_line_on_the_timeline_up_to_a_limit(
    desk: Desk, hook: Hook
) -> None:
    order = processing(desk)
    for n in range(config.current().webhook_lines + 5):
        assert hook.post(update(order.order_ref, "sent", n=n)) == 204
        if n == 1:
            assert len([line for line in desk.told(order) if "sent news" in line]) == 2
    assert (
        len([line for line in desk.told(order) if "sent news" in line])
        == config.current().webhook_lines
    )


@pytest.mark.slow(seconds=1.5)
def test_a_flood_of_forged_rings_costs_ten_look_ups_a_minute(
    desk: Desk, hook: Hook
) -> None:
    placed = [processing(desk) for _ in range(14)]
    desk.jump(31)
    for order in placed:
        for n in range(5):
            assert hook.post(update(order.order_ref, "successful", n=n)) == 204
    assert (
        sum(due_now(order) for order in placed)
        == config.current().ring_lookups_per_window
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe\x00", b'{"data": 7}',
    b'{"event": [], "data": {"reference": {}}}',
     b'{"data": {"reference": "' + b"A" * 5_000 + b'"}}', b"[" * 20_000,
     b'{"event": "webhook.test", "data": {}}',
     b'{"event":"e\\u0000","data":{"reference":"MK-\\u0000"}}',
     '{"event":"é\ud800"}'.encode("utf-8", "surrogatepass")],
)  # fmt: skip
def test_malformed_bodies_are_kept_and_answered_and_nothing_breaks(
    desk: Desk, hook: Hook, body: bytes
) -> None:
    assert hook.post(body) == 204
    with tenancy.across_stores():
        assert webhook_events.newest(limit=1)[0].body == body


def test_the_same_event_five_times_is_one_row_and_one_ring(
    desk: Desk, hook: Hook
) -> None:
    order = processing(desk)
    for _ in range(5):
        assert hook.post(update(order.order_ref, "sent")) == 204
    with tenancy.across_stores():
        rows = webhook_events.of_order(order.order_ref)
        assert [row.times for row in rows] == [5]
    assert len([line for line in desk.told(order) if "sent news" in line]) == 1


def test_an_event_seen_before_rings_nobody_also_when_its_look_is_over(
    desk: Desk, hook: Hook
) -> None:
    order = processing(desk)
    desk.jump(400)
    desk.work()  # the ladder's next look is minutes away
    desk.jump(31)
    hook.post(update(order.order_ref, "sent"))
    assert due_now(order)
    desk.work()
    desk.jump(31)
    hook.post(update(order.order_ref, "sent"))
    assert not due_now(order)
    hook.post(update(order.order_ref, "sent", another=1))
    assert due_now(order)


def test_the_limit_of_a_webhook_is_its_own_setting(
    desk: Desk, hook: Hook, using: Using
) -> None:
    using(webhook_bytes=100)
    assert hook.post(b"x" * 100) == 204
    assert hook.post(b"x" * 101) == 413


@pytest.mark.parametrize(
    "path",
    ["/datamart/wrong", "/datamart/", f"/datamart/{WEBHOOK_TOKEN}x", "/datamart/%00"],
)
def test_a_wrong_path_is_404_and_keeps_nothing(
    desk: Desk, hook: Hook, path: str
) -> None:
    assert hook.post(update("MK-1", "sent"), path=path) in (400, 404)
    with tenancy.across_stores():
        assert webhook_events.newest() == []


def test_too_large_is_413_unread(desk: Desk, hook: Hook) -> None:
    assert hook.post(b"x" * (config.current().webhook_bytes + 1)) == 413
    with tenancy.across_stores():
        assert webhook_events.newest() == []


@pytest.mark.parametrize(
    ("size", "status"), [(65_536, 204), (65_537, 413), (2_000_000, 413)]
)
def test_a_body_without_a_stated_length_is_never_cut_in_silence(
    desk: Desk, hook: Hook, size: int, status: int
) -> None:
    source = io.BytesIO(b"x" * size)
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = hook.client.post(
        PATH,
        input_stream=source,
        base_url="http://127.0.0.1",
        environ_overrides=environ,
    )
    assert answer.status_code == status
    assert source.tell() <= config.current().webhook_bytes + 1
    assert [len(event.body) for event in stored()] == ([size] if status == 204 else [])


def test_the_hooks_host_has_no_get_and_stores_have_no_hook(
    desk: Desk, hook: Hook
) -> None:
    assert hook.client.get(PATH, base_url="http://hooks.localhost").status_code == 405
    assert hook.post(update("MK-1", "sent"), host="ama.localhost") in (403, 404)


def test_news_of_a_finished_order_is_looked_up_and_becomes_a_case(
    desk: Desk, hook: Hook, jump: Callable[[float], None]
) -> None:
    order = processing(desk)
    desk.settle(order, "reversed", refund=True)
    order = desk.work_until(order, "refunded")
    desk.settle(order, "successful")
    jump(31)
    assert hook.post(update(order.order_ref, "successful", late=1)) == 204
    assert due_now(order)
    desk.work()
    assert (desk.read(order).state, desk.cases()) == ("refunded", ["late_success"])


def test_when_the_look_up_is_gone_a_signed_webhook_is_believed_on_the_third_rung(
    desk: Desk, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integrations.ports import NoAnswer, WebhookNews

    order = processing(desk)
    monkeypatch.setattr(
        desk.client,
        "status",
        lambda _ref: NoAnswer("endpoint_gone", "404 ENDPOINT_NOT_FOUND"),
    )
    signed = WebhookNews(
        "transaction.status_update",
        order.order_ref,
        "completed",
        "successful",
        "platform_data_secret",
    )
    monkeypatch.setattr(desk.client, "read_event", lambda _body, _headers: signed)
    hook.post(b"{}")
    states = []
    for _ in range(4):
        desk.work()
        states.append(desk.read(order).state)
        if states[-1] == "completed":
            break
        desk.jump_to_next()
    assert states[:2] == ["processing", "processing"]
    assert "completed" in states
    assert any("its signed webhook" in line for line in desk.told(order))


def test_an_unsigned_webhook_is_never_believed(
    desk: Desk, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integrations.ports import NoAnswer

    order = processing(desk)
    monkeypatch.setattr(
        desk.client,
        "status",
        lambda _ref: NoAnswer("endpoint_gone", "404 ENDPOINT_NOT_FOUND"),
    )
    hook.post(update(order.order_ref, "successful"))
    for _ in range(5):
        desk.work()
        desk.jump_to_next()
    assert desk.read(order).state == "processing"


@pytest.mark.parametrize("proof", ["static_token", "none"])
def test_a_webhook_that_proves_only_who_knows_the_address_is_never_believed(
    desk: Desk, hook: Hook, monkeypatch: pytest.MonkeyPatch, proof: str
) -> None:
    from integrations.ports import NoAnswer, WebhookNews

    order = processing(desk)
    monkeypatch.setattr(
        desk.client,
        "status",
        lambda _ref: NoAnswer("endpoint_gone", "404 ENDPOINT_NOT_FOUND"),
    )
    said = WebhookNews(
        "transaction.status_update", order.order_ref, "completed", "successful", proof
    )
    monkeypatch.setattr(desk.client, "read_event", lambda _body, _headers: said)
    hook.post(b"{}")
    for _ in range(5):
        desk.work()
        desk.jump_to_next()
    assert desk.read(order).state == "processing"


STRANGE = "MK-NOBODYS0000000000"


@pytest.mark.slow(seconds=0.2)
def test_unsigned_news_of_a_reference_that_is_not_ours_is_counted_and_asks_nobody(
    desk: Desk, hook: Hook
) -> None:
    for n in range(30):
        assert hook.post(update(f"MK-NOBODYS00000000{n:02}", "successful")) == 204
        assert hook.post(update(STRANGE, "successful", secret="a guess", n=n)) == 204
    with tenancy.across_stores():
        counted = [
            event.times
            for event in webhook_events.newest(limit=100)
            if event.event == "events of no order of ours"
        ]
    assert (counted, desk.cases()) == ([60], [])


def test_signed_news_of_references_that_are_not_ours_is_one_case_however_many_come(
    desk: Desk, hook: Hook
) -> None:
    desk.app.extensions["supplier"] = DataMart(
        "http://127.0.0.1/api", "k", "the-secret", on_call=None, clock=clock.now
    )
    for n in range(25):
        hook.post(
            update(f"MK-NOBODYS00000000{n:02}", "successful", secret="the-secret")
        )
    assert desk.cases() == ["unknown_reference"]
    with tenancy.across_stores():
        case = cases.open_cases(1)[0]
    assert (case.store_id, case.order_id, len(case.evidence)) == (None, None, 20)
    assert (case.evidence[0]["order_ref"], case.evidence[0]["said"]) == (
        STRANGE,
        "successful",
    )


def test_a_shared_token_vouches_for_no_reference(
    desk: Desk, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integrations.ports import WebhookNews

    said = WebhookNews(
        "transaction.status_update", STRANGE, "completed", "successful", "static_token"
    )
    monkeypatch.setattr(desk.client, "read_event", lambda _body, _headers: said)
    assert hook.post(b"{}") == 204
    assert desk.cases() == []


def test_signed_news_of_an_order_of_ours_is_no_stranger_s(
    desk: Desk, hook: Hook
) -> None:
    desk.app.extensions["supplier"] = DataMart(
        "http://127.0.0.1/api", "k", "the-secret", on_call=None, clock=clock.now
    )
    hook.post(
        update(desk.place().order_ref, "successful", secret="the-secret")
    )  # not even processed yet
    assert desk.cases() == []


def test_a_database_that_is_down_answers_503(
    desk: Desk, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    def down(_values: object) -> bool:
        raise OperationalError("INSERT", {}, Exception("gone"))

    monkeypatch.setattr(webhook_events, "keep", down)
    assert hook.post(update("MK-1", "sent")) == 503


def test_the_kept_headers_hold_no_secret(desk: Desk, hook: Hook) -> None:
    hook.post(
        update("MK-1", "sent"),
        Authorization="Bearer s3cret",
        **{"X-Platform-Event": "e"},
    )
    with tenancy.across_stores():
        row = db.session.execute(
            text("SELECT string_agg(headers::text, '') FROM webhook_events")
        ).scalar_one()
    assert "s3cret" not in row
    assert "X-Platform-Event" in row
