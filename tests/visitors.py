"""A browser for tests: a client at one host that sends Origin and forgery tokens as a real one
would."""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any

from flask import Flask
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse


class Page(TestResponse):
    """An answer whose text is as it is read: what keeps a sum or a number in one line is left out
    of it."""

    @property
    def text(self) -> str:
        return WHOLE.sub(
            lambda kept: kept[1].replace(" ", "\N{NO-BREAK SPACE}"), super().text
        )


WHOLE = re.compile('<span class="w">([^<]*)</span>')


class Visitor:
    """Flask's test client at `http://<host>.localhost`, logged in when a session token is given."""

    def __init__(self, app: Flask, host: str, token: str | None = None) -> None:
        self.app = app
        self.base_url = f"http://{host}.localhost"
        self.client = app.test_client()
        self.client.response_wrapper = type(
            "_Page", (Page, self.client.response_wrapper), {}
        )
        self._raw_csrf = hashlib.sha256(os.urandom(16)).hexdigest()
        if token is not None:
            with self.client.session_transaction(base_url=self.base_url) as session:
                session["_user_id"] = token
                session["_fresh"] = True
                session["csrf_token"] = self._raw_csrf

    @property
    def csrf_token(self) -> str:
        """A forgery token that fits this visitor's session, made when there is none yet."""
        with self.client.session_transaction(base_url=self.base_url) as session:
            session.setdefault("csrf_token", self._raw_csrf)
            raw = session["csrf_token"]
        serializer = URLSafeTimedSerializer(
            str(self.app.secret_key), salt="wtf-csrf-token"
        )
        return str(serializer.dumps(raw))

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, base_url=self.base_url, **more)

    def refused(self, answer: TestResponse, said: str = "Nothing was changed") -> str:
        """The page that a refused press leads to: it says so once."""
        assert answer.status_code == 303, answer.status
        page, again = self.get(answer.location).text, self.get(answer.location).text
        assert said in page and said not in again
        return page

    def post(
        self,
        path: str,
        data: Any = None,
        *,
        csrf: bool = True,
        origin: str | None = "",
        **more: Any,
    ) -> TestResponse:
        """POST a form. `csrf=False` leaves the token out; `origin=None` leaves Origin out, text
        sends that one."""
        headers = dict(more.pop("headers", {}))
        if origin is not None:
            headers.setdefault("Origin", origin or self.base_url)
        form = data
        if csrf and (form is None or isinstance(form, dict)):
            form = {**(form or {}), "csrf_token": self.csrf_token}
        return self.client.post(
            path, base_url=self.base_url, data=form, headers=headers, **more
        )
