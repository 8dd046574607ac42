"""Words the tests of the sandbox supplier share: a reseller at its door, and its books read from
outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from werkzeug.test import Client, TestResponse

from integrations.sandbox import charges
from integrations.sandbox.app import Supplier
from integrations.sandbox.store import (
    DEFAULT_KEY,
    DEFAULT_SECRET,
    SECOND_KEY,
    SECOND_SECRET,
)

NUMBER = "0241234567"
FIRST = {"X-API-Key": DEFAULT_KEY, "X-API-Secret": DEFAULT_SECRET}
SECOND = {"X-API-Key": SECOND_KEY, "X-API-Secret": SECOND_SECRET}


def order(reference: str | None = "MK-0000000001", **changes: Any) -> dict[str, Any]:
    """A purchase body that every profile accepts; a change to None leaves the member out."""
    body = {
        "capacity": "2GB",
        "product_name": "YELLOW",
        "beneficiary_number": NUMBER,
        "reference": reference,
    }
    return {
        name: value for name, value in {**body, **changes}.items() if value is not None
    }


@dataclass
class Reseller:
    """Somebody with a key. Paths are those below `/api`."""

    supplier: Supplier
    headers: dict[str, str] = field(default_factory=lambda: dict(FIRST))

    @property
    def client(self) -> Client:
        return Client(self.supplier)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(f"/api{path}", headers=self.headers, **options)

    def send(self, method: str, path: str, body: Any = None) -> TestResponse:
        return self.client.open(
            f"/api{path}", method=method, headers=self.headers, json=body
        )

    def buy(
        self, reference: str | None = "MK-0000000001", **changes: Any
    ) -> TestResponse:
        return self.send("POST", "/v1/purchase", order(reference, **changes))

    def look_up(self, reference: str = "MK-0000000001") -> TestResponse:
        return self.get(f"/v1/transactions/{reference}")

    def status(self, reference: str = "MK-0000000001") -> str:
        return str(self.look_up(reference).json["data"]["status"])

    def press(self, reference: str, **form: str) -> TestResponse:
        """A button of the supplier's own page."""
        return self.client.post(
            f"/sandbox/orders/{reference}/status",
            data=form,
            headers={"Accept": "application/json"},
        )

    def door(self, path: str, body: Any = None) -> Any:
        """The admin API: GET without a body, POST with one."""
        reply = (
            self.client.get(f"/sandbox{path}")
            if body is None
            else self.client.post(f"/sandbox{path}", json=body)
        )
        assert reply.status_code == 200, reply.text
        return reply.json


def balance_pesewas(supplier: Supplier) -> int:
    return supplier.sandbox.store.account().balance_pesewas


def lines(supplier: Supplier, kind: str | None = None) -> list[dict[str, Any]]:
    """The charge file as a script reads it: the first account's lines, of one kind or all."""
    found = charges.read(supplier.sandbox.store.charge_file.path)
    return [
        line
        for line in found
        if line["account"] == "first" and kind in (None, line["kind"])
    ]


def error_code(reply: TestResponse) -> str:
    return str(reply.json["error"]["code"])
