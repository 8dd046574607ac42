"""Filters say it as people read it, and logs never say what they must not."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, render_template_string
from visitors import Visitor

from core.base import clock
from core.base.config import Config
from edge import logs
from edge.filters import age, at, shown_code, whole

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (
            NOON - timedelta(minutes=116),
            '<time datetime="2026-11-23T10:04:00+0000">10:04</time>',
        ),
        (
            NOON - timedelta(days=1),
            '<time datetime="2026-11-22T12:00:00+0000">22 Nov\xa012:00</time>',
        ),
        (
            NOON - timedelta(days=400),
            '<time datetime="2025-10-19T12:00:00+0000">19 Oct 2025\xa012:00</time>',
        ),
        (None, "–"),
    ],
)
def test_times(moment: datetime | None, shown: str) -> None:
    assert at(moment) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1\xa0min"),
        (3_599, "59\xa0min"),
        (3_600, "1\xa0h"),
        (86_399, "23\xa0h"),
        (86_400, "1\xa0day"),
        (200_000, "2\xa0days"),
    ],
)
def test_ages(seconds: int, shown: str) -> None:
    assert age(NOON - timedelta(seconds=seconds)) == shown
    assert age(None) == "–"


def test_codes() -> None:
    assert shown_code("K7QM2XR94T") == "K7QM-2XR9-4T"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ 240000|ghs }}", "2,400.00"),
        ("{{ 2400|cedis }}", "GH₵\xa024.00"),
        ("{{ '+233241234567'|phone }}", "024\xa0123\xa04567"),
        ("{{ '+233241234567'|masked }}", "024\xa0•••\xa04567"),
        ("{{ '+233241234567'|phone|loose }}", "024 123 4567"),
        ("{{ 5120|size }}", "5 GB"),
        ("{{ store_url('ama') }}", "http://ama.localhost"),
        (
            "{{ portal_url() }} {{ console_url() }}",
            "http://portal.localhost http://admin.localhost",
        ),
        (
            "{% from 'shared/forms.html' import field %}{{ field('n', 'A<b', '\"><x') }}",
            'value="&#34;&gt;&lt;x"',
        ),
    ],
)
def test_filters_in_templates(app: Flask, source: str, shown: str) -> None:
    with app.test_request_context("/", base_url="http://ama.localhost"):
        assert shown in render_template_string(source).replace("5\xa0GB", "5 GB")


def test_a_sum_keeps_together_with_the_sign_behind_it() -> None:
    told = whole("Profit GH₵\xa00.38. (Of 024\xa0123\xa04567), <b>")
    assert told == (
        'Profit <span class="w">GH₵ 0.38.</span> (Of'
        ' <span class="w">024 123 4567),</span> &lt;b&gt;'
    )


def test_icons_stand_beside_words_for_those_who_cannot_see_them(app: Flask) -> None:
    with app.test_request_context("/"):
        html = render_template_string("{{ icon('done') }}")
    assert 'aria-hidden="true"' in html
    assert "/static/icons-" in html and html.count("#done") == 1


@pytest.fixture
def lines(config: Config, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log would write, formatted, since the test began."""
    written: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(handler.format(record))

    root = logging.getLogger()
    (handler,) = [h for h in root.handlers if h.get_name() == "makola"]
    keep = Keep()
    root.addHandler(keep)
    try:
        yield written
    finally:
        root.removeHandler(keep)


def test_one_line_per_request_with_its_id_and_without_its_secrets(
    app: Flask, config: Config, lines: list[str]
) -> None:
    client = app.test_client()
    client.post(
        f"/datamart/{config.webhook_token}",
        base_url="http://hooks.localhost",
        data=b"{}",
    )
    client.get(
        "/orders/K7QM2XR94T",
        base_url="http://ama.localhost",
        headers={"X-Request-Id": "from-the-proxy-1"},
    )
    requests = [line for line in lines if " request " in line]
    assert len(requests) == 2
    assert config.webhook_token not in "".join(lines)
    assert "rule=/datamart/<token>" in requests[0]
    assert "K7QM2XR94T" not in requests[1]
    assert "request_id=from-the-proxy-1" in requests[1]


@pytest.mark.parametrize(
    "given", ["a\nb-forged-line", "x" * 200, "short", 'quote"quote-quote']
)
def test_a_strange_request_id_is_replaced(customer: Visitor, given: str) -> None:
    environ = {"HTTP_X_REQUEST_ID": given}
    answer = customer.get("/", environ_overrides=environ)
    assert given not in answer.headers["X-Request-Id"]


def test_a_line_break_cannot_forge_a_line(app: Flask, lines: list[str]) -> None:
    logs.log.info("saved", name="Ama\n10:00:00 error door broke", note="plain words")
    (line,) = lines
    assert "\n" not in line
    assert r"name=\"Ama\n10:00" in line or r'name="Ama\n10:00' in line


@pytest.mark.parametrize(
    "key",
    ["password", "api_secret", "csrf_token", "Authorization", "cookie", "X_API_KEY"],
)
def test_secrets_never_reach_a_log(app: Flask, lines: list[str], key: str) -> None:
    logs.log.info("saved", **{key: "hunter2-hunter2"})
    assert "hunter2" not in lines[0] and "[hidden]" in lines[0]


def test_json_logs_are_json(app: Flask, config: Config, lines: list[str]) -> None:
    import dataclasses

    logs.configure(dataclasses.replace(config, log_json=True))
    try:
        handler = next(
            h for h in logging.getLogger().handlers if h.get_name() == "makola"
        )
        record = logging.LogRecord(
            "door",
            logging.INFO,
            __file__,
            1,
            {"event": "saved\n", "level": "info"},
            None,
            None,
        )
        assert json.loads(handler.format(record))["event"]
    finally:
        logs.configure(config)
