"""Days beside the gateway in the console: three columns, named differences, files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tables_owner
from console_scenes import Scene
from visitors import Visitor

from admin_console import gateway_days
from core.base import clock
from core.online.listed import GatewayDay
from core.outbox import OutboxRow

DAY = "2026-11-30"
NOON = f"{DAY} 12:00Z"
CAUSES = (
    '{"lost": {"count": 1, "pesewas": 700, "differs": -700, "named": ["MK-P-LOST"]},'
    ' "not_settled_yet": {"count": 1, "pesewas": 500, "differs": 0, "named": ["MK-P-A"]}}'
)


def kept(sql: str) -> None:
    tables_owner.execute(sql)


def with_day(causes: str = "{}", is_done: bool = True) -> None:
    done, step = (f"'{NOON}'", "NULL") if is_done else ("NULL", "'paid'")
    kept(
        "INSERT INTO gateway_days (day, step, begun_at, done_at, ours_count, ours_pesewas,"
        f" theirs_count, theirs_pesewas, causes) VALUES ('{DAY}', {step}, '{NOON}', {done}, 1, 500,"
        f" 2, 1200, '{causes}')"
    )


def with_lines() -> None:
    for name in ("A", "LOST"):
        kept(
            "INSERT INTO gateway_lines (reference, word, raw_word, mode, currency,"
            " charged_pesewas, fees_pesewas, paid_at, is_listed, read_at) VALUES"
            f" ('MK-P-{name}', 'paid', 'success', 'test', 'GHS', 700, 14, '{NOON}', true, '{NOON}')"
        )


def cells(answer: Any) -> list[list[str]]:
    assert answer.status_code == 200
    assert answer.content_type == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_a_day_reads_as_three_columns_and_its_causes(owner: Visitor) -> None:
    assert "No day was compared yet" in owner.get("/payments/days").text
    with_day(CAUSES)
    listed = owner.get("/payments/days").text
    assert f'href="/payments/days/{DAY}"' in listed and "Mon 30 Nov 2026" in listed
    assert "Asks you" in listed
    page = owner.get(f"/payments/days/{DAY}").text.replace("\N{NO-BREAK SPACE}", " ")
    for said in (
        "Our books took",
        "GH₵ 12.00",
        "Our books took GH₵ 7.00 less than the gateway lists",
        "reference of ours, not in our books",
        "ours less by GH₵ 7.00",
        "MK-P-LOST",
        "Not settled yet",
    ):
        assert said in page, said
    assert page.index("not in our books") < page.index("Not settled yet")


@pytest.mark.parametrize(
    ("causes", "is_done", "stands"),
    [
        ("{}", True, "All fits"),
        ("{}", False, "Being read"),
        (CAUSES, True, "Asks you"),
        (CAUSES.replace("lost", "foreign"), True, "Waits"),
        ('{"foreign": {"count": 1, "pesewas": 7, "differs": 0, "named": []}}', True, "All fits"),
    ],
)  # fmt: skip
def test_how_a_day_stands(
    owner: Visitor, causes: str, is_done: bool, stands: str
) -> None:
    with_day(causes, is_done)
    for path in ("/payments/days", f"/payments/days/{DAY}"):
        assert stands in owner.get(path).text


@pytest.mark.parametrize(
    "named", ["2026-11-29", "2026-13-01", "20261130", "x", "9999-01-01", "0001-01-01"]
)
def test_a_day_that_is_not_there_is_not_found(owner: Visitor, named: str) -> None:
    with_day()
    assert owner.get(f"/payments/days/{named}").status_code == 404
    assert owner.get(f"/payments/days/{named}.csv").status_code == 404
    assert owner.get(f"/payments/days?before={named}").status_code == 200


def test_anew_asks_for_the_lists_once_more(owner: Visitor, scene: Scene) -> None:
    with_day(CAUSES)
    assert owner.post(f"/payments/days/{DAY}/again").status_code == 303
    asked = scene.ask(lambda: [row.kind for row in _rows(OutboxRow)])
    assert asked == ["compare_gateway"]
    assert scene.ask(lambda: _rows(GatewayDay)[0].step) == "settlements"
    page = owner.get(f"/payments/days/{DAY}").text
    assert "Read anew since" in page and "MK-P-LOST" in page, "as it was until then"
    today = clock.now().astimezone(clock.ACCRA).date()
    for day in (today, today + timedelta(days=1)):
        owner.post(f"/payments/days/{day}/again")
        assert "not over yet" in owner.get("/payments/days").text
    assert len(scene.ask(lambda: _rows(GatewayDay))) == 1
    assert owner.post("/payments/days/soon/again").status_code == 404


def _rows(model: Any) -> list[Any]:
    from core.base.db import db

    return list(db.session.query(model))


def test_the_file_of_a_day_has_every_payment_with_its_cause(owner: Visitor) -> None:
    with_day()
    with_lines()
    head, *rows = cells(owner.get(f"/payments/days/{DAY}.csv"))
    assert tuple(head) == gateway_days.HEAD
    assert [row[0] for row in rows] == ["MK-P-A", "MK-P-LOST"]
    assert rows[0][1].endswith("not in our books")
    assert rows[0][2:7] == ["", "7.00", "", "", "0.14"]
    assert rows[0][8] == "2026-11-30 12:00:00"


def with_settlement(number: str = "=7+7") -> None:
    kept(
        "INSERT INTO gateway_settlements (gateway_id, raw_word, currency, total_pesewas,"
        " fees_pesewas, deductions_pesewas, effective_pesewas, settled_at, read_at, went,"
        f" booked_pesewas, closed_at) VALUES ('{number}', 'success', 'GHS', 1000, 20, 0, 980,"
        f" '{NOON}', '{NOON}', 'bank', 980, '{NOON}')"
    )


def test_files_hold_the_days_asked_for_and_no_formula(
    owner: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("=7+7", "8", "9"):
        with_settlement(number)
    asked = "/payments/export.csv?what=settlements&from={}&to={}"
    head, *rows = cells(owner.get(asked.format(DAY, DAY)))
    assert head[-3:] == ["Reached us GHS", "Booked GHS", "Went to"]
    assert rows[0] == [
        "2026-11-30 12:00:00", "'=7+7", "success", "10.00", "0.20", "0.00", "9.80", "9.80", "bank",
    ]  # fmt: skip
    assert len(rows) == 3
    assert len(cells(owner.get(asked.format("2026-12-01", "2026-12-02")))) == 1
    assert len(cells(owner.get(asked.format("2026-11-01", "2026-11-29")))) == 1
    monkeypatch.setattr(gateway_days, "PAGE", 1)
    monkeypatch.setattr(gateway_days, "PAGES", 2)
    rows = cells(owner.get(asked.format(DAY, DAY)))
    assert [row[1] for row in rows[1:-1]] == ["'=7+7", "8"]
    path = re.search(r"open (/\S+)", rows[-1][0])
    assert path is not None
    assert [row[1] for row in cells(owner.get(path[1]))[1:]] == ["9"]
    kept("DELETE FROM gateway_settlements")


@pytest.mark.parametrize("what", ["payments", "refunds", "payouts"])
def test_each_file_has_its_rows(owner: Visitor, scene: Scene, what: str) -> None:
    scene.refund(scene.order("cancelled"), "open")
    kept(
        "INSERT INTO payouts (store_id, reference, amount_pesewas, fee_pesewas, way, account,"
        " account_name, requested_by, requested_at, state) SELECT id, 'mk-w-0123456789abcdef', 2000,"
        " 100, 'momo', '0241234567', 'Ama', 'Ama', now(), 'cancelled' FROM stores WHERE slug = 'ama'"
    )
    asked = f"/payments/export.csv?what={what}&from=2020-01-01&to=2030-01-01"
    head, row = cells(owner.get(asked))
    assert dict(zip(head, row, strict=True))["Store"] == "ama"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("what=payments&from=soon&to=2026-11-30", "Type a day like 2026-11-30."),
        ("what=payments&from=2026-11-30", "Type a day like 2026-11-30."),
        ("what=payments&from=2026-12-01&to=2026-11-30", "The first day is after the last"),
        ("what=x&from=2026-11-30&to=2026-11-30", "Choose what the file is to hold."),
        ("", "Choose what the file is to hold."),
    ],
)  # fmt: skip
def test_bad_input_gets_a_sentence(owner: Visitor, query: str, said: str) -> None:
    answer = owner.get(f"/payments/export.csv?{query}")
    assert answer.status_code == 422 and said in answer.text
    if "from=soon" in query:
        assert 'value="soon"' in answer.text and 'value="2026-11-30"' in answer.text


def test_support_gets_no_file_and_asks_for_nothing(
    logged_in: Callable[..., Visitor],
) -> None:
    with_day()
    support = logged_in("support@example.test", "console")
    assert support.get(f"/payments/days/{DAY}").status_code == 200
    assert "Compare anew" not in support.get(f"/payments/days/{DAY}").text
    assert support.get("/payments/export").status_code == 403
    asked = "/payments/export.csv?what=payments&from=2026-11-30&to=2026-11-30"
    assert support.get(asked).status_code == 403
    assert support.post(f"/payments/days/{DAY}/again").status_code == 403
