"""The audit log, newest first: who did what to what, and why. Lines are written by the verbs of
core, never here.

Decides how a line reads: subjects such as `store:3` become names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import render_template
from sqlalchemy import select

from admin_console import bp, words
from core import audit, catalog, stores
from core.accounts import security_events
from core.accounts.users import User
from core.audit import AuditLine
from core.base import config, phones
from core.base.db import db
from core.stores import Store

DEEDS = security_events.EVENTS | {
    "fund_wallet": "funded the wallet",
    "take_back": "took money back from the wallet",
    "fund_online": "began to pay online into the wallet",
    "ask_funding": "asked for money into the wallet",
    "withdraw_funding": "took back what was asked for the wallet",
    "refuse_funding": "refused a request for the wallet",
    "open_store": "opened the store",
    "sign_up": "signed up",
    "approve_store": "approved the store",
    "refuse_store": "did not approve the store",
    "ask_approval": "asked again for approval of the store",
    "agree_to_terms": "agreed to the terms for the store",
    "send_code_phone": "had a code sent to the phone of",
    "send_code_email": "had a code sent to the e-mail of",
    "confirm_phone": "confirmed the phone number of",
    "confirm_email": "confirmed the e-mail address of",
    "store_open": "let the store sell",
    "store_closed": "closed the store",
    "store_suspended": "suspended the store",
    "pay_online_on": "let customers pay online in",
    "pay_online_off": "let nobody pay online any more in",
    "pay_by_card_on": "let customers pay by card in",
    "pay_by_card_off": "let nobody pay by card any more in",
    "pay_by_prompt_on": "let customers be asked on their phones on",
    "pay_by_prompt_off": "let no phone be asked any more on",
    "save_price": "changed a price",
    "keep_margin": "kept the margin on",
    "leave_price": "left the price of",
    "approve_cost": "approved the newest cost of",
    "keep_cost": "left the cost of",
    "set_approval": "said which costs to be asked about",
    "close_case": "settled a case",
    "look_again": "asked the supplier again for",
    "pause": "paused",
    "resume": "resumed",
    "ask_refresh_balance": "asked for the balance",
    "ask_sync_catalogue": "asked for a sync",
    "ask_prove_books": "asked for a proof",
    "make_test_order": "made a test order in",
    "person": "changed what may open doors of",
    "membership": "changed a membership of",
    "add_user": "added",
    "remove_user": "removed",
    "set_user_role": "changed the role of",
    "set_member": "changed who works in the store",
    "invite_member": "invited somebody into the store",
    "withdraw_invitation": "took back an invitation into the store",
    "join_store": "came to work in the store",
    "begin_second_step": "began to set up the second step of",
    "set_second_step": "set up the second step of",
    "renew_recovery_codes": "made new codes on paper for",
    "end_second_step": "took off the second step of",
    "log_out_elsewhere": "logged out everywhere else",
    "set_password": "set the password of",
    "change_password": "changed the own password",
    "make_reset_link": "made a reset link for",
    "use_reset_link": "set a password by link",
    "log_out_everywhere": "logged out everywhere",
    "note_restore": "found the records restored in",
    "open_customer": "looked at the number of",
    "describe_customer": "changed name or note of",
    "block_customer": "blocked",
    "unblock_customer": "unblocked",
    "payout_number": "named another number for the earnings of",
    "payout_number_accepted": "accepted the payout number of",
    "payout_number_refused": "refused the payout number of",
    "ask_payout": "asked for a payout of",
    "cancel_payout": "called off a payout of",
    "approve_payout_first": "said the first yes to a payout of",
    "approve_payout": "approved a payout of",
    "weekly_payouts_on": "has each Monday paid out to",
    "weekly_payouts_off": "has no Monday paid out any more to",
    "stop_payouts": "stopped all payouts of",
    "resume_payouts": "let payouts go on of",
    "book_top_up": "booked money into the gateway of",
    "book_settlement": "booked money from the gateway to the bank of",
    "ask_compare_gateway": "asked for a comparison with the gateway of",
    "compare_day": "had a day compared anew:",
    "accept_dispute": "accepted a dispute of",
    "contest_dispute": "contested a dispute of",
    "ask_sweep_disputes": "asked for the gateway's disputes",
    "ask_read_gateway": "asked for the gateway's balance",
    "forget_customer": "masked a customer's number in finished orders of",
}

_SUBJECT = re.compile(r"store:(\d{1,18})(?:/bundle:(\d+))?")


@dataclass(frozen=True)
class Line:
    line: AuditLine
    deed: str
    subject: str
    store: Store | None
    details: str


@bp.get("/audit")
def list_audit() -> str:
    bundles = {bundle.id: bundle for bundle in catalog.all_bundles()}
    found = audit.recent(config.current().page_size * 2)
    named = (_SUBJECT.fullmatch(line.subject) for line in found)
    shops = stores.by_ids([int(one[1]) for one in named if one])
    people = _people(found)
    lines = [_line(line, shops, bundles, people) for line in found]
    return render_template("console/audit.html", lines=lines)


def _line(
    line: AuditLine,
    shops: dict[int, Store],
    bundles: dict[int, catalog.Bundle],
    people: dict[str, str],
) -> Line:
    deed = DEEDS.get(line.action, words.plain(line.action))
    found = _SUBJECT.fullmatch(line.subject)
    of_all = re.fullmatch(r"bundle:(\d+)", line.subject)
    if of_all is not None and int(of_all[1]) in bundles:
        return Line(
            line, deed, _bundle_name(bundles[int(of_all[1])]), None, _details(line)
        )
    if found is None:
        return Line(
            line,
            deed,
            people.get(line.subject) or _plain(line.subject),
            None,
            _details(line),
        )
    store = shops.get(int(found[1]))
    bundle = bundles.get(int(found[2] or 0))
    if bundle is not None:
        return Line(
            line,
            deed,
            _bundle_name(bundle),
            store,
            _details(line),
        )
    return Line(
        line,
        deed,
        "" if store else line.subject,
        store,
        _details(line),
    )


def _bundle_name(bundle: catalog.Bundle) -> str:
    return f"{phones.NETWORKS[bundle.network].name} {catalog.size_text(bundle.mb)}"


def _details(line: AuditLine) -> str:
    """`amount: GH₵ 5.00, reason: paid in cash`: what there is to say beside who, what and to
    whom."""
    first = sorted(line.detail.items(), key=lambda pair: pair[0] != "address")
    return ", ".join(
        said for name, value in first if (said := words.detail(name, value))
    )


def _people(lines: list[AuditLine]) -> dict[str, str]:
    """`user:3` -> the person's name, for those named on this page."""
    ids = {
        int(line.subject[5:])
        for line in lines
        if re.fullmatch(r"user:\d{1,18}", line.subject)
    }
    if not ids:
        return {}
    return {
        f"user:{id_}": name
        for id_, name in db.session.execute(
            select(User.id, User.name).where(User.id.in_(ids))
        )
    }


def _plain(subject: str) -> str:
    """`paused.mtn` -> `MTN`, `case:3` -> `case 3`; nothing for `outbox:9`: the deed says what was
    asked for."""
    if subject == "catalogue.approval":
        return "all bundles"
    if subject.startswith("paused."):
        what = subject.removeprefix("paused.")
        if what in phones.NETWORKS:
            return phones.NETWORKS[what].name
        return "all sales"
    if subject.startswith("outbox:"):
        return ""
    return subject.replace(":", " ")
