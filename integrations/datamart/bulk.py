"""Several purchases in one envelope: which line of the answer belongs to which order.

Decides line by line; a line the answer does not name beyond doubt is unknown and looked up by
itself. Whether bulk is used at all is left to fulfilment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from integrations import http
from integrations.datamart import envelope, purchases
from integrations.datamart.envelope import Envelope
from integrations.datamart.money import signed_pesewas
from integrations.ports import (
    BulkLine,
    BulkResult,
    NotSent,
    PurchaseRequest,
    Rejected,
    SubmitResult,
    Unknown,
)
from integrations.strict_json import text, whole

# The supplier takes 100, but works them one after another: a large batch outlives any timeout.
MAX_LINES = 10
ALL_FAILED = "ALL_ORDERS_FAILED"

# Failed lines carry a sentence and no code. Only sentences that speak of these are taken as
# refusals.
_WORDS: tuple[
    tuple[
        str,
        Literal["invalid", "catalogue", "duplicate_reference", "insufficient_balance"],
    ],
    ...,
] = (
    ("duplicate", "duplicate_reference"),
    ("insufficient", "insufficient_balance"),
    ("invalid phone", "invalid"),
    ("not available", "catalogue"),
    ("product not found", "catalogue"),
)


def wire(requests: Sequence[PurchaseRequest], bulk_ref: str) -> dict[str, Any]:
    """The body: a reference of its own in every line, because the batch reference protects
    nothing."""
    return {
        "orders": [purchases.wire(request) for request in requests],
        "reference": bulk_ref,
    }


def result(
    reply: http.Reply, requests: Sequence[PurchaseRequest], bulk_ref: str
) -> BulkResult:
    """What the answer proves about each line, in the order of `requests`."""
    answer = envelope.read(reply) if isinstance(reply, http.Answer) else None
    if (
        isinstance(answer, Envelope)
        and not answer.success
        and 400 <= answer.status < 500
    ):
        if answer.code == ALL_FAILED:
            return _lines(
                requests,
                [],
                _dicts(answer.error.get("failed_orders")),
                None,
            )
        if purchases.REFUSALS.get(answer.code) in ("invalid", "catalogue"):
            return _one_bad_line(answer, requests)
    said = purchases.judge(reply)
    if isinstance(said, Unknown) and isinstance(answer, Envelope):
        return _unclear(said, whole(answer.error.get("order_index")), requests)
    if not isinstance(said, Envelope):
        return each(requests, said)
    if said.data is None:
        return each(requests, Unknown("success_without_data"))
    if not envelope.same_reference(said.data.get("bulk_reference", bulk_ref), bulk_ref):
        return each(requests, Unknown("other_reference"))
    done = _dicts(said.data.get("successful_orders"))
    failed = _dicts(said.data.get("failed_orders"))
    return _lines(
        requests, done, failed, signed_pesewas(said.data.get("balance_after"))
    )


def each(requests: Sequence[PurchaseRequest], said: SubmitResult) -> BulkResult:
    """The same result for every line."""
    return BulkResult(tuple(BulkLine(request.order_ref, said) for request in requests))


def _unclear(
    said: Unknown, place: int | None, requests: Sequence[PurchaseRequest]
) -> BulkResult:
    """Every line is unclear; what the answer says of the catalogue, it says of the line it names,
    or of the only one."""
    place = 0 if len(requests) == 1 else place
    lines = [
        BulkLine(
            request.order_ref,
            replace(said, about_catalogue=said.about_catalogue and number == place),
        )
        for number, request in enumerate(requests)
    ]
    return BulkResult(tuple(lines))


def _one_bad_line(answer: Envelope, requests: Sequence[PurchaseRequest]) -> BulkResult:
    """All lines are checked before any is bought, and the first bad one refuses the batch: the
    others are innocent."""
    guilty = whole(answer.error.get("order_index"))
    if guilty is None and len(requests) == 1:
        guilty = 0
    lines = []
    for place, request in enumerate(requests):
        said: SubmitResult = NotSent("batch_refused")
        if place == guilty:
            said = purchases.refused(answer)
        lines.append(BulkLine(request.order_ref, said))
    return BulkResult(tuple(lines))


def _lines(
    requests: Sequence[PurchaseRequest],
    done: Sequence[Mapping[str, Any]],
    failed: Sequence[Mapping[str, Any]],
    balance_after_pesewas: int | None,
) -> BulkResult:
    said: dict[str, list[SubmitResult]] = {
        request.order_ref: [] for request in requests
    }
    for row in done:
        order_ref = _named(row, requests)
        if order_ref is not None:
            said[order_ref].append(purchases.accepted(row, order_ref))
    open_lines = [request for request in requests if not said[request.order_ref]]
    for row in failed:
        named = isinstance(row.get("reference"), str)
        if named:
            order_ref = _named(row, requests)
        else:
            order_ref = _meant(row, open_lines, failed)
        if order_ref is not None:
            said[order_ref].append(_failed(row))
    lines = []
    for request in requests:
        found = said[request.order_ref]
        word = "line_not_named" if not found else "line_named_twice"
        lines.append(
            BulkLine(request.order_ref, found[0] if len(found) == 1 else Unknown(word))
        )
    return BulkResult(tuple(lines), balance_after_pesewas)


def _named(row: Mapping[str, Any], requests: Sequence[PurchaseRequest]) -> str | None:
    """The order whose reference a line names; None for one that is not ours."""
    refs = (request.order_ref for request in requests)
    return next(
        (ref for ref in refs if envelope.same_reference(row.get("reference"), ref)),
        None,
    )


def _meant(
    row: Mapping[str, Any],
    open_lines: Sequence[PurchaseRequest],
    failed: Sequence[Mapping[str, Any]],
) -> str | None:
    """The order a failed line without a reference speaks of: by number and size, when only one can
    be meant."""
    key = _key(row.get("beneficiary"), row.get("capacity"))
    candidates = [
        request
        for request in open_lines
        if _key(request.recipient_msisdn, request.capacity) == key
    ]
    namesakes = [
        other
        for other in failed
        if _key(other.get("beneficiary"), other.get("capacity")) == key
    ]
    if len(candidates) == 1 and len(namesakes) == 1:
        return candidates[0].order_ref
    return None


def _failed(row: Mapping[str, Any]) -> SubmitResult:
    """What a failed line proves. By then it has passed every check, so an unlisted reason is a
    mishap of the supplier (a write conflict, a network that did not answer in time) and the order
    itself may be good: look it up.
    """
    reason = text(row.get("error"))
    if (
        "abort" in reason.lower()
        # the sentence tells of another line, whose duplicate broke the rest of the batch
    ):
        return Unknown(f"line_failed: {reason}")
    for words, kind in _WORDS:
        if words in reason.lower():
            return Rejected(kind, "LINE_FAILED", reason)
    return Unknown(
        f"line_failed: {reason}", about_catalogue=purchases.speaks_of_catalogue(reason)
    )


def _key(number: object, capacity: object) -> tuple[str, str]:
    local = purchases.local_number(re.sub(r"[^0-9+]", "", text(number, 40)))
    return local, re.sub(r"\s", "", text(capacity, 40)).upper()


def _dicts(listed: object) -> list[Mapping[str, Any]]:
    if isinstance(listed, list):
        return [row for row in listed if isinstance(row, dict)]
    return []
