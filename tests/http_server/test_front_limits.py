"""Limits that must fit each other and those of the program."""

from __future__ import annotations

import http_server
import wsgi
from core.base.config import Config


def test_a_page_that_waits_for_the_database_is_not_yet_stuck() -> None:
    assert http_server.STUCK_S > wsgi.ANSWER_S + wsgi.POOL_WAIT_S + wsgi.CONNECT_S


def test_a_stop_leaves_time_for_a_page_that_waits_for_the_database() -> None:
    assert http_server.STOP_S > wsgi.ANSWER_S + wsgi.POOL_WAIT_S


def test_what_one_body_may_be_is_small_beside_what_a_process_holds() -> None:
    assert Config.gateway_bytes * 100 <= http_server.HELD_BYTES
    assert Config.form_bytes * 500 <= http_server.HELD_BYTES
