"""Customers at the shops of ama and kofi: one `Shop` is one browser at one host."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import html5lib
import tables_owner
from flask import Flask
from sqlalchemy import update
from werkzeug.test import TestResponse

from core import orders, stores
from core.base.db import db

NUMBER = "024 123 4567"
OTHER_NUMBER = "020 765 4321"


class Shop:
    """A browser of its own at `<slug>.localhost`: keeps cookies, sends the Origin a browser would
    send. `root` is what the addresses of its language begin with."""

    def __init__(self, app: Flask, slug: str, root: str = "") -> None:
        self.root = root
        self.client, self.slug, self.base = (
            app.test_client(),
            slug,
            f"http://{slug}.localhost",
        )

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, base_url=self.base, **options)

    def get_carrying(self, path: str, cookie: str) -> TestResponse:
        """GET with exactly this Cookie header, which the cookie jar of the client would otherwise
        replace."""
        return self.client.application.test_client(use_cookies=False).get(
            path,
            base_url=self.base,
            headers={"Cookie": cookie.encode().decode("latin-1")},
        )

    def post(self, path: str, data: Any, **options: Any) -> TestResponse:
        """Post as a browser does: a confirmed form that was not taken leads back to its review
        page."""
        headers = {"Origin": self.base, **options.pop("headers", {})}
        answer = self.client.post(
            path, data=data, base_url=self.base, headers=headers, **options
        )
        is_asked_again = (
            isinstance(data, dict)
            and data.get("confirm") == "1"
            and answer.status_code == 303
            and "/review/" in answer.location
        )
        return self.get(answer.location) if is_asked_again else answer

    def review(self, bundle_id: int, number: str = NUMBER) -> TestResponse:
        """The review page, to which the first post leads; or the refusal in its place."""
        answer = self.post(
            f"{self.root}/orders", {"bundle": bundle_id, "recipient": number}
        )
        return self.get(answer.location) if answer.status_code == 303 else answer

    def order(self, bundle_id: int, number: str = NUMBER) -> str:
        """Go through both steps; the code of the order."""
        response = self.post(
            f"{self.root}/orders", fields(self.review(bundle_id, number).text)
        )
        assert response.status_code == 303, response.text
        return response.location.rsplit("/", 1)[1]


def fields(html: str) -> dict[str, str]:
    """The hidden fields of the form on a page."""
    return {
        n: unescape(v)
        for n, v in re.findall(
            r'<input type="hidden" name="(\w+)" value="([^"]*)"', html
        )
    }


def plain(html: str) -> str:
    """A page with every blank alike: where a number stands large, it may go on in the next line,
    else not."""
    return html.replace("\xa0", " ")


def parse_clean(html: str) -> None:
    """Raise when a validating parser has anything to say."""
    parser = html5lib.HTMLParser(strict=True)
    if "<html" in html:
        parser.parse(html)
    else:
        parser.parseFragment(html)


def set_order(app: Flask, slug: str, code: str, **values: Any) -> None:
    """Write fields of an order directly: what a page shows in a state, without the road to it."""
    order = orders.Order
    fields = {getattr(order, name): value for name, value in values.items()} | {
        order.version: order.version + 1
    }
    with app.app_context():
        store = stores.by_slug(slug)
        assert store is not None
        db.session.remove()
    tables_owner.execute(
        update(order)
        .where(order.code == code, order.store_id == store.id)
        .values(fields)
    )
