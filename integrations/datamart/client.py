"""One account at Data Mart, spoken to over its reseller API.

Decides which path, body and time each call has, and keeps a record of each. What answers mean is
decided beside it: `purchases`, `bulk`, `transactions`, `products`, `webhook`. When to call, and
what to do about it, is left to others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from integrations import http
from integrations.calls import Call, Caller
from integrations.datamart import (
    account,
    bulk,
    calls,
    envelope,
    products,
    purchases,
    sizes,
    transactions,
    webhook,
)
from integrations.masking import Mask
from integrations.ports import (
    Account,
    Balance,
    BulkLine,
    BulkResult,
    CapacityLine,
    Listing,
    LookupResult,
    NoAnswer,
    NotSent,
    OnCall,
    PurchaseRequest,
    SubmitResult,
    Supplier,
    TransactionRow,
    WebhookNews,
)

# the first is documented, the second was published
BULK_PATHS = ("/v1/bulk", "/v1/purchase/bulk")
LIST_MAX = 100


class DataMart(Supplier):
    """A `Supplier`. Holds no connection and no state but what it knows of the bulk paths; safe to
    share between threads.

    `on_call` hears of every call, also of one that a job's time limit cut short (outcome
    "unknown"); it must not raise. Raises `ValueError` at once for an address, key or verification
    mode that could never work.
    """

    name = calls.SUPPLIER

    def __init__(
        self,
        base_url: str,
        api_key: str,
        api_secret: str,
        *,
        on_call: OnCall | None,
        clock: Callable[[], datetime],
        transport: http.Transport | None = None,
        scale: Callable[[float], float] = lambda seconds: seconds,
        webhook_modes: Sequence[str] = ("platform_data_secret", "platform_data_key"),
        webhook_data_key: str = "",
        webhook_body_secret: str = "",
        webhook_static_token: str = "",
    ) -> None:
        http.check_url(base_url)
        for name, credential in (("key", api_key), ("secret", api_secret)):
            if not credential or not all("!" <= letter <= "~" for letter in credential):
                raise ValueError(
                    f"the supplier's {name} is empty or has characters that no header can carry"
                )
        headers = {
            "X-API-Key": api_key,
            "X-API-Secret": api_secret,
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        secrets = (
            api_key,
            api_secret,
            webhook_data_key,
            webhook_body_secret,
            webhook_static_token,
        )
        self._caller = Caller(
            self.name,
            calls.outcome_of,
            base_url.rstrip("/"),
            headers,
            Mask(secrets),
            on_call,
            clock,
            scale,
            transport,
        )
        self._verifier = webhook.Verifier(tuple(webhook_modes), *secrets[1:])
        self._bulk_path = BULK_PATHS[0]
        self._bulk_gone = 0

    def submit(self, request: PurchaseRequest) -> SubmitResult:
        """Buy one bundle, in one call that is never repeated. A request no supplier could take is
        refused unsent."""
        refusal = purchases.unfit(request)
        if refusal:
            return refusal
        call = _purchase(
            "purchase", "/v1/purchase", purchases.wire(request), (request.order_ref,)
        )
        return self._caller.ask(call, lambda reply: purchases.result(reply, request))

    def submit_bulk(
        self, requests: Sequence[PurchaseRequest], bulk_ref: str
    ) -> BulkResult:
        """Buy up to ten bundles in one envelope. `bulk_ref` protects nothing; each line's own
        reference does.

        One call, never repeated: where the router knows no such path, nothing was bought and the
        next envelope takes the other path. Raises `ValueError` for more than ten lines, for none,
        and for one reference in two lines.
        """
        order_refs = tuple(request.order_ref for request in requests)
        if not 1 <= len(requests) <= bulk.MAX_LINES or len(set(order_refs)) < len(
            order_refs
        ):
            raise ValueError(
                f"a bulk purchase has 1 to {bulk.MAX_LINES} lines, each with a reference of its own"
            )
        refusals = {request.order_ref: purchases.unfit(request) for request in requests}
        sent = [request for request in requests if refusals[request.order_ref] is None]
        if sent:
            answered = self._send_bulk(sent, bulk_ref)
        else:
            answered = BulkResult(())
        said: dict[str, SubmitResult] = {
            line.order_ref: line.result for line in answered.lines
        }
        said.update(
            {order_ref: refusal for order_ref, refusal in refusals.items() if refusal}
        )
        lines = tuple(BulkLine(order_ref, said[order_ref]) for order_ref in order_refs)
        return BulkResult(lines, answered.balance_after_pesewas)

    def _send_bulk(
        self, requests: Sequence[PurchaseRequest], bulk_ref: str
    ) -> BulkResult:
        body = bulk.wire(requests, bulk_ref)
        order_refs = tuple(request.order_ref for request in requests)
        call = _purchase("bulk", self._bulk_path, body, order_refs)
        said = self._caller.ask(
            call, lambda reply: bulk.result(reply, requests, bulk_ref)
        )
        if not all(line.result == NotSent("endpoint_gone") for line in said.lines):
            self._bulk_gone = 0
            return said
        self._bulk_gone += 1
        self._bulk_path = BULK_PATHS[1 - BULK_PATHS.index(self._bulk_path)]
        return bulk.each(
            requests,
            NotSent("no_bulk" if self._bulk_gone >= len(BULK_PATHS) else "bulk_moved"),
        )

    def status(self, order_ref: str) -> LookupResult:
        """The supplier's record of our reference, its "not found", or why neither is known."""
        call = _read(
            "status",
            f"/v1/transactions/{quote(order_ref, safe='', errors='replace')}",
            (order_ref,),
        )
        return self._caller.ask(
            call, lambda reply: transactions.lookup(reply, order_ref)
        )

    def balance(self) -> Balance | NoAnswer:
        """What our wallet at the supplier holds."""
        return self._caller.ask(_read("balance", "/v1/balance"), account.balance)

    def offers(self) -> Listing | NoAnswer:
        """What the supplier sells us, and what was left out of its list; named in the call's note
        too."""
        notes: list[str] = []
        return self._caller.ask(
            _read("products", "/v1/products"),
            lambda reply: products.offers(reply, notes),
            notes,
        )

    def capacities(self) -> tuple[CapacityLine, ...] | NoAnswer:
        """The sizes on sale; derived from `offers` where the endpoint is gone (its own record then
        says 404)."""
        notes: list[str] = []
        call = _read("capacities", "/v1/capacities")
        said = self._caller.ask(
            call, lambda reply: sizes.capacities(reply, notes), notes
        )
        if not isinstance(said, NoAnswer) or said.kind != "endpoint_gone":
            return said
        found = self.offers()
        if isinstance(found, NoAnswer):
            return found
        return sizes.grouped(found.offers)

    def account(self) -> Account | NoAnswer:
        """Who we are to the supplier. Missing members are empty."""
        return self._caller.ask(_read("account", "/v1/account"), account.account)

    def transactions(
        self, page: int = 1, limit: int = 20
    ) -> tuple[TransactionRow, ...] | NoAnswer:
        """One page of the list, newest first. `()` is no information: published servers answer it
        to everybody."""
        notes: list[str] = []
        query = urlencode({"page": max(page, 1), "limit": min(max(limit, 1), LIST_MAX)})
        call = _read("transactions", f"/v1/transactions?{query}")
        return self._caller.ask(
            call, lambda reply: transactions.rows(reply, notes), notes
        )

    def statistics(self, period: str = "7days") -> Mapping[str, Any] | NoAnswer:
        """`period` and `statistics` as the supplier counts them; decoration, never proof."""
        call = _read("statistics", f"/v1/statistics?{urlencode({'period': period})}")
        return self._caller.ask(call, envelope.data_or_no_answer)

    def set_webhook(self, url: str) -> bool | NoAnswer:
        """Save our address there. True when the supplier's own test event arrived, False when it is
        saved only."""
        call = Call(
            "set_webhook",
            "PUT",
            "/v1/webhook",
            {"webhook_url": url},
            timeouts=calls.READ,
        )
        return self._caller.ask(call, account.webhook_saved)

    def test_webhook(self) -> bool | NoAnswer:
        """Ask for a test event. True says that it was sent off, not that it arrived; False that no
        address is set."""
        call = Call("test_webhook", "POST", "/v1/webhook/test", timeouts=calls.READ)
        return self._caller.ask(call, account.webhook_tested)

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> WebhookNews:
        """What a webhook says: a hint. No call, no record."""
        return webhook.read_event(body, headers, self._verifier)


def _purchase(
    endpoint: str, path: str, body: Mapping[str, Any], order_refs: tuple[str, ...]
) -> Call:
    return Call(
        endpoint,
        "POST",
        path,
        body,
        order_refs,
        timeouts=calls.PURCHASE,
    )


def _read(
    endpoint: str,
    path: str,
    order_refs: tuple[str, ...] = (),
) -> Call:
    return Call(endpoint, "GET", path, None, order_refs, timeouts=calls.READ)
