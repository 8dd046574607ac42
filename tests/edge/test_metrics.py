"""What a Prometheus reads: only with the token, on any host, from the database as it is now, and
also when it is away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from console_scenes import Scene
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from core import availability, cases, orders, proof
from core.base import clock, heartbeats, tenancy
from core.base.db import transaction

pytestmark = pytest.mark.slow(seconds=0.2)

TOKEN = "metrics-token-of-the-tests-0123456789"
Samples = dict[tuple[str, str], float]


def get(
    app: Flask,
    token: str | None = TOKEN,
    host: str = "portal.localhost",
    path: str = "/metrics",
) -> TestResponse:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return app.test_client().get(path, base_url=f"http://{host}", headers=headers)


def read(app: Flask) -> Samples:
    """Samples by (name, label value)."""
    answer = get(app)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (
            sample.name.removeprefix("makola_"),
            "".join(sample.labels.values()),
        ): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.fixture
def metered(door: Callable[..., Flask]) -> Flask:
    return door(metrics_token=TOKEN)


@pytest.mark.parametrize(
    "token", [None, "", "x", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "é" * 30]
)
def test_without_the_token_there_is_no_such_page(
    metered: Flask, token: str | None
) -> None:
    answer = get(metered, token)
    assert (answer.status_code, "makola_" in answer.text) == (404, False)


@pytest.mark.parametrize("token", ["", TOKEN, None])
def test_with_no_token_set_nobody_gets_in(app: Flask, token: str | None) -> None:
    assert get(app, token).status_code == 404


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "ama.localhost",
        "portal.localhost",
        "10.1.2.3:8000",
        "nowhere.example",
    ],
)
def test_it_is_answered_on_any_host_before_the_door(metered: Flask, host: str) -> None:
    answer = get(metered, host=host)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert get(metered, host=host, path="/metrics/x").status_code != 200


def test_a_young_platform_has_a_zero_for_every_known_word(metered: Flask) -> None:
    seen = read(metered)
    assert (seen["up", ""], seen["valkey_up", ""]) == (1, 1)
    assert {label for name, label in seen if name == "orders"} == set(
        orders.STATES
    ) - orders.FINAL
    assert {label for name, label in seen if name == "orders_waiting"} == set(
        orders.WAIT_TEXT
    )
    assert {label for name, label in seen if name == "cases_open"} == set(cases.KINDS)
    assert {label for name, label in seen if name == "buying_stopped"} == set(
        availability.LINK
    )
    assert (
        0 <= seen["buying_looked_at_age_seconds", ""] < 30
        and seen["bundles_sold_out", ""] == 0
    )
    assert seen["float_pesewas", ""] == 200_000
    for name in (
        "outbox_due",
        "outbox_oldest_due_seconds",
        "breaker_open",
        "webhooks_unmatched",
        "rings_lost_total",
    ):
        assert seen[name, ""] == 0
    for missing in ("books_ok", "proof_age_seconds", "supplier_balance_pesewas"):
        assert (missing, "") not in seen, "what was never looked at has no number"
    assert [seen["processes_alive", role] for role in heartbeats.ROLES] == [0, 0]


@pytest.mark.slow(seconds=0.3)
def test_every_figure_moves_with_what_it_counts(metered: Flask) -> None:
    scene = Scene(metered)
    for slug in ("ama", "kofi"):
        scene.order("queued", slug=slug)
    scene.change_order(scene.order("queued", slug="kofi"), wait_reason="float")
    scene.order("processing")
    scene.sql("UPDATE outbox SET due_at = :at", at=clock.now() - timedelta(seconds=400))
    scene.case("unexpected_charge", "float")
    scene.balance(150_000)
    scene.link(
        breaker_open_until=clock.after(60),
        credentials_refused_since=clock.now(),
        unreachable_since=clock.now(),
        last_balance_at=clock.now() - timedelta(seconds=90),
    )
    known = scene.order()
    scene.webhook(known)
    scene.webhook(None)
    scene.sql(
        "UPDATE webhook_events SET order_ref = 'MK-NOBODYS' WHERE order_ref IS NULL"
    )
    with scene.everywhere():
        proof.prove()
        heartbeats.count(heartbeats.RINGS_LOST)
        heartbeats._touch("worker", "worker a:1")
        heartbeats._touch("worker", "worker a:2")
        heartbeats._touch("relay", "relay a:3")
    scene.sql("UPDATE pulses SET at = at - interval '6 minutes' WHERE role = 'relay'")
    scene.sql(
        "UPDATE pulses SET at = at - interval '2 minutes' WHERE name = 'worker a:2'"
    )
    seen = read(metered)
    assert [
        seen["orders", state] for state in ("pending", "queued", "processing", "failed")
    ] == [
        1,
        3,
        1,
        0,
    ]
    assert (seen["orders_waiting", "float"], seen["orders_waiting", "rate"]) == (1, 0)
    assert (
        seen["outbox_due", ""],
        400 <= seen["outbox_oldest_due_seconds", ""] < 410,
    ) == (4, True)
    assert (
        seen["cases_open", "unexpected_charge"],
        seen["cases_open", "books_broken"],
    ) == (1, 0)
    assert seen["supplier_balance_pesewas", ""] == 150_000
    assert 90 <= seen["supplier_balance_age_seconds", ""] < 100
    assert seen["float_pesewas", ""] + seen["in_flight_pesewas", ""] == 200_000
    assert seen["held_pesewas", ""] > seen["in_flight_pesewas", ""] > 0
    for name in (
        "breaker_open",
        "credentials_refused",
        "supplier_unreachable",
        "books_ok",
        "rings_lost_total",
    ):
        assert seen[name, ""] == 1, name
    assert seen["webhooks_unmatched", ""] == 1
    assert 0 <= seen["proof_age_seconds", ""] < 10
    assert (seen["processes_alive", "worker"], seen["processes_alive", "relay"]) == (
        1,
        0,
    )
    assert seen["heartbeat_age_seconds", "worker"] < 10
    assert 360 <= seen["heartbeat_age_seconds", "relay"] < 370


def test_a_failed_proof_is_a_zero(metered: Flask) -> None:
    scene = Scene(metered)

    def drift(pesewas: int) -> None:
        scene.sql(
            "UPDATE accounts SET balance_pesewas = balance_pesewas + :by WHERE name = 'bank'",
            by=pesewas,
        )

    drift(-5)
    with scene.everywhere():
        assert not proof.prove().ok
    assert (
        read(metered)["books_ok", ""],
        read(metered)["cases_open", "books_broken"],
    ) == (0, 1)
    drift(5)


@pytest.mark.slow(seconds=0.6)
def test_a_word_no_table_knows_still_has_its_number(metered: Flask) -> None:
    Scene(metered).sql(
        "INSERT INTO cases (kind, subject, title, evidence, opened_at) VALUES ('of_tomorrow', 'x',"
        " 'x', '[]', now())"
    )
    assert read(metered)["cases_open", "of_tomorrow"] == 1


@pytest.mark.parametrize("place", ["database_url", "redis_url"])
def test_what_is_away_is_a_zero_and_not_an_error(
    door_app: Callable[..., Flask], dead_port: int, place: str
) -> None:
    scheme = {"database_url": "postgresql://makola_app:x@", "redis_url": "redis://"}[
        place
    ]
    away = door_app(
        metrics_token=TOKEN,
        **{
            place: (
                f"{scheme}127.0.0.1:{dead_port}/x"
                if place[0] == "d"
                else f"{scheme}127.0.0.1:{dead_port}/0"
            )
        },
    )
    seen = read(away)
    assert (seen["up", ""], seen["valkey_up", ""]) == (
        (0, 1) if place == "database_url" else (1, 0)
    )
    assert (("orders", "queued") in seen) == (place == "redis_url")


def test_nothing_of_a_scrape_stays_open(metered: Flask) -> None:
    """The connection goes back, and the thread sees no store afterwards."""
    for _ in range(20):
        read(metered)
    assert not tenancy.sees_everything()
    with metered.app_context(), transaction() as session:
        assert session.connection() is not None


def test_head_has_no_body(metered: Flask) -> None:
    answer = metered.test_client().head(
        "/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert (answer.status_code, answer.data) == (200, b"")
