"""The hosted page, for people and without scripts: pay by a number, approve, decline, go away.

Decides what a press does and where it leads: paid or given up, back to the shop.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit

from werkzeug.wrappers import Request, Response

from integrations.paystack_sandbox import pages, payments
from integrations.paystack_sandbox.state import Gateway
from integrations.paystack_sandbox.store import Thing

FORM_LIMIT_BYTES = 16 * 1024


def respond(gateway: Gateway, request: Request) -> Response:
    number = gateway.store.note(
        f"access.{request.path.removeprefix('/checkout/')}", "0"
    )
    paid = gateway.store.thing(int(number))
    if paid is None or paid.kind != "payment":
        return pages.show("checkout.html", 404, payment=None)
    if request.method == "GET":
        return _show(gateway, paid)
    if request.method != "POST":
        return Response(status=405)
    if (request.content_length or 0) > FORM_LIMIT_BYTES:
        return Response(status=413)
    return _pressed(gateway, request, paid)


def _pressed(gateway: Gateway, request: Request, paid: Thing) -> Response:
    if paid.doc["paid_at"] is not None or _is_over(gateway, paid):
        return _show(gateway, paid)
    act = request.form.get("act", "")
    if act == "walk_away":
        payments.note(gateway, paid, "Went away")
        return _away(paid)
    if act == "approve_later":
        payments.note(gateway, paid, "Went away, and will come back")
        gateway.later(paid, "approve", payments.LATE_S)
        return _away(paid)
    if paid.status in ("pay_offline", "send_otp"):
        return _answer_prompt(gateway, request, paid)
    if act == "approve":
        payments.pay(gateway, paid)
    elif act == "decline":
        payments.fail(gateway, paid, "Declined")
    elif act == "card" and "card" in paid.doc.get("channels", ()):
        paid.doc["channel"] = "card"
        payments.pay(gateway, paid)
    elif act == "momo":
        return _ask_phone(gateway, request, paid)
    return _onward(gateway, paid)


def _ask_phone(gateway: Gateway, request: Request, paid: Thing) -> Response:
    phone = re.sub(r"\D", "", request.form.get("phone", ""))[:15]
    provider = request.form.get("provider", "")
    if provider not in payments.BANKS or len(phone) < 9:
        said = "Give a network and a number of ten digits."
        return _show(gateway, paid, said, phone=phone, provider=provider)
    payments.prompt(gateway, paid, phone, provider)
    return _onward(gateway, paid)


def _answer_prompt(gateway: Gateway, request: Request, paid: Thing) -> Response:
    """A press while a prompt is open: a code, or what the phone's owner does."""
    act = request.form.get("act", "")
    if act == "otp" and paid.status == "send_otp":
        if request.form.get("otp", "").strip() == payments.OTP:
            payments.pay(gateway, paid)
        else:
            payments.fail(gateway, paid, "Wrong code")
    elif act == "approve":
        payments.pay(gateway, paid)
    elif act == "decline":
        payments.fail(gateway, paid, "Declined")
    return _onward(gateway, paid)


def _onward(gateway: Gateway, paid: Thing) -> Response:
    """Back to the shop once it is paid; else the page again, which says how it stands."""
    callback = _callback(paid)
    if paid.status == "success" and callback:
        return _see(callback)
    return _see(f"/checkout/{paid.doc['access_code']}")


def _away(paid: Thing) -> Response:
    """To where whoever gives up is sent."""
    given = paid.doc.get("metadata")
    cancel = given.get("cancel_action") if isinstance(given, dict) else None
    if isinstance(cancel, str) and _is_address(cancel):
        return _see(cancel)
    return _see(_callback(paid) or f"/checkout/{paid.doc['access_code']}")


def _callback(paid: Thing) -> str:
    """The way back, with the reference twice, as the real one has it."""
    url = str(paid.doc.get("callback_url") or "")
    if not _is_address(url):
        return ""
    told = urlencode({"trxref": paid.reference, "reference": paid.reference})
    return f"{url}{'&' if '?' in url else '?'}{told}"


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https") and bool(parts.netloc) and url.isprintable()
    )


def _is_over(gateway: Gateway, paid: Thing) -> bool:
    """Whether the time for this page is up."""
    allowed_s = gateway.knobs.session_timeout_s / gateway.knobs.time_scale
    return bool(allowed_s) and gateway.now() > paid.at + allowed_s


def _show(
    gateway: Gateway,
    paid: Thing,
    problem: str = "",
    phone: str = "",
    provider: str = "",
) -> Response:
    return pages.show(
        "checkout.html",
        422 if problem else 200,
        payment=paid,
        problem=problem,
        phone=phone,
        provider=provider,
        callback=_callback(paid),
        is_over=_is_over(gateway, paid),
    )


def _see(address: str) -> Response:
    return Response(status=303, headers={"Location": address})
