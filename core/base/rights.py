"""What each role of the database may do, table by table, and whether the roles that are there may
do just that.

The one list: `db upgrade` grants it and takes back everything else (migrations/granting.py); a
start looks and refuses when a right is missing or in excess. Nobody but the functions of `DEFINER`
writes the books.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from core.base import config, signed
from core.base.reached import OWN_SETTINGS, REACHED

DEFINER_ROLE = "makola_definer"
"""Owns the functions below. Nobody logs in as it, and no role of the application is a member of
it."""

STORE = {
    "accounts": "SELECT",
    "alembic_version": "",
    "audit": "SELECT(id) INSERT",
    "audit_seals": "",
    "balance_reads": "",
    "batch_lines": (
        "SELECT INSERT UPDATE(accepted, bundle_id, order_id, price_pesewas, state, text, words)"
    ),
    "bundles": "SELECT",
    "buying": "SELECT",
    "cases": "SELECT",
    "confirmations": "",
    "customers": (
        "SELECT INSERT(ending, last_at, name, newest_order_id, store_id)"
        " UPDATE(blocked_at, blocked_by, blocked_why, name, note)"
    ),
    "delivery_estimates": "SELECT",
    "dispute_answers": "SELECT",
    "disputes": "SELECT",
    "entries": "SELECT",
    "former_addresses": "SELECT",
    "gateway_days": "",
    "gateway_lines": "",
    "gateway_refunds": "SELECT",
    "gateway_settlements": "",
    "fund_requests": (
        "SELECT INSERT(amount_pesewas, asked_at, asked_by, reference, reference_key, store_id)"
        " UPDATE(decided_at, decided_by, decision)"
    ),
    "invitations": "",
    "known_devices": "",
    "login_attempts": "",
    "login_counts": "",
    "memberships": "",
    "new_devices": "",
    "notice_marks": "SELECT INSERT UPDATE(read_at)",
    "not_received": "SELECT INSERT UPDATE(answer, answer_words, answered_at, answered_by)",
    "online_payments": (
        "SELECT INSERT(amount_pesewas, created_at, mode, order_id, payer_key, payer_network,"
        " payer_number, purpose, reference, store_id, way)"
    ),
    "order_batches": (
        "SELECT INSERT UPDATE(confirmed_at, confirmed_by, short_at, thrown_at, to_process)"
    ),
    "order_drafts": "SELECT INSERT",
    "order_events": "SELECT INSERT",
    "order_words": "SELECT",
    "orders": (
        "SELECT INSERT UPDATE(absent_since, aside, confirmed_at, estimate_minutes, final_at,"
        " given_back_at, given_back_by, given_back_how, missing_since, not_found_at, note,"
        " owner_asked_at, pending_since, placed_address, placed_device, queued_at, release_at,"
        " release_by, release_refused, state, taken_at, taken_by, told_at, told_first_at,"
        " told_paid_at, told_payer, told_transaction, unknown_since, version, wait_reason)"
    ),
    "outbox": "SELECT INSERT UPDATE(done_at, due_at, lease_until, rung_at)",
    "payment_messages": (
        "SELECT INSERT UPDATE(matched_at, matched_by, order_id, put_away_at, put_away_by)"
    ),
    "payout_accounts": "SELECT",
    "payout_schedules": "SELECT",
    "payouts": "SELECT",
    "postings": "SELECT",
    "price_moves": "SELECT INSERT",
    "proofs": "SELECT(at, id, ok)",
    "pulses": "",
    "push_devices": (
        "SELECT INSERT DELETE UPDATE(access_no, auth, kinds, name, p256dh, tries, user_id)"
    ),
    "recovery_codes": "",
    "reset_links": "",
    "second_steps": "",
    "sessions": "",
    "settings": "SELECT",
    "signing_keys": "",
    "store_bundles": (
        "SELECT INSERT UPDATE(agent_price_pesewas, changed_at, featured, hidden, place,"
        " price_pesewas)"
    ),
    "store_days": "SELECT",
    "store_logos": "SELECT",
    "store_records": "SELECT",
    "stores": (
        "SELECT(announcement, approval, approved_at, auto_process, closed_note, colour, created_at,"
        " hours, hours_closed, id, logo, momo_name, momo_number, moved_at, name, paused_at,"
        " pay_online, pay_words, slug, status, version, welcome, whatsapp) UPDATE(version)"
    ),
    "supplier_calls": "",
    "supplier_offers": "SELECT",
    "supplier_state": "",
    "sync_reports": "",
    "users": "",
    "webhook_events": "",
}
"""Storefront and portal: one store at a time. No right on what belongs to the platform alone."""

PLATFORM = {
    "accounts": "SELECT",
    "alembic_version": "SELECT",
    "audit": "SELECT INSERT",
    "audit_seals": "SELECT INSERT",
    "balance_reads": "SELECT INSERT",
    "batch_lines": (
        "SELECT INSERT DELETE UPDATE(accepted, bundle_id, order_id, price_pesewas, state, text,"
        " words)"
    ),
    "bundles": (
        "SELECT INSERT UPDATE(active, agent_price_pesewas, approved_cost_pesewas, asked_at,"
        " changed_at, cost_pesewas, is_gone, kept_at, newest_cost_pesewas, offer_id,"
        " unlisted_since, validity)"
    ),
    "buying": "SELECT INSERT UPDATE(renewed_at, short, stopped, stopped_since)",
    "cases": "SELECT INSERT UPDATE(action, closed_at, closed_by, evidence, resolution)",
    "confirmations": (
        "SELECT INSERT DELETE UPDATE(address, code_hash, confirmed_at, expires_at, sends,"
        " sends_since, sent_at, tries)"
    ),
    "customers": (
        "SELECT INSERT(ending, last_at, name, newest_order_id, store_id)"
        " UPDATE(blocked_at, blocked_by, blocked_why, name, note)"
    ),
    "dispute_answers": (
        "SELECT INSERT UPDATE(absent_at, ended_at, evidence_id, file_name, said, sent_at, state)"
    ),
    "disputes": (
        "SELECT INSERT UPDATE(amount_pesewas, borne_pesewas, category, disowned, due_at, ended_at,"
        " evidence, heard_at, missing_since, opened_at, owed_pesewas, raw_status, reminded,"
        " resolution, resolved_at, state, taken_pesewas, timeline, word_holds)"
    ),
    "delivery_estimates": "SELECT INSERT UPDATE(counted, estimated, in_time, minutes, renewed_at)",
    "entries": "SELECT",
    "former_addresses": "SELECT INSERT DELETE",
    "gateway_days": (
        "SELECT INSERT UPDATE(after, begun_at, causes, done_at, is_open, ours_count, ours_pesewas,"
        " rung_until, settled_count, settled_pesewas, step, theirs_count, theirs_pesewas, work)"
    ),
    "gateway_lines": (
        "SELECT INSERT UPDATE(charged_pesewas, currency, fees_pesewas, gateway_id, is_listed, mode,"
        " paid_at, raw_word, read_at, settlement_id, word)"
    ),
    "gateway_settlements": (
        "SELECT INSERT UPDATE(accepted_pesewas, booked_pesewas, closed_at, currency,"
        " deductions_pesewas, effective_pesewas, explained_pesewas, fees_pesewas, next_page,"
        " ours_pesewas, raw_word, read_at, settled_at, total_pesewas, tries, try_at, went)"
    ),
    "gateway_refunds": (
        "SELECT INSERT UPDATE(absent_at, asked_by, ended_at, fee_pesewas, gateway_refund_id,"
        " sent_at, state, to_network, to_number, way)"
    ),
    "fund_requests": (
        "SELECT INSERT(amount_pesewas, asked_at, asked_by, reference, reference_key, store_id)"
        " UPDATE(decided_at, decided_by, decision, posting_id, words)"
    ),
    "invitations": "SELECT INSERT DELETE",
    "known_devices": "SELECT INSERT DELETE UPDATE(seen_at, since, tries)",
    "login_attempts": "",
    "login_counts": "SELECT INSERT DELETE UPDATE(may_at, since, tries)",
    "memberships": "SELECT INSERT DELETE UPDATE(role)",
    "new_devices": "SELECT INSERT DELETE UPDATE(at, device, seen_from)",
    "notice_marks": "SELECT INSERT UPDATE(read_at)",
    "not_received": "SELECT INSERT UPDATE(answer, answer_words, answered_at, answered_by)",
    "online_payments": (
        "SELECT INSERT UPDATE(access_code, agent_fee_pesewas, authorization_url, by_card_too,"
        " channel, charged_pesewas, created_at, ended_at, failed_at, fees_pesewas, funded_at,"
        " gateway_id, opened_at, owed_pesewas, paid_at, payer_number, pays_order_id,"
        " prompt_step, prompt_words, prompted_at, state, voucher, voucher_at, voucher_tries)"
    ),
    "order_batches": (
        "SELECT INSERT DELETE UPDATE(confirmed_at, confirmed_by, short_at, thrown_at, to_process)"
    ),
    "order_drafts": "SELECT INSERT DELETE",
    "order_events": "SELECT INSERT",
    "order_words": "SELECT",
    "orders": (
        "SELECT INSERT UPDATE(absent_since, attempt, capacity, charged_pesewas, claimed_at,"
        " completed_at, confirmed_at, cost_pesewas, estimate_minutes, ever_unknown, failed_since,"
        " failure_reason, final_at, given_back_at, given_back_by, given_back_how, lease_until,"
        " looked_at, lookups_gone, missing_since, next_look_at, not_found_at, order_ref,"
        " owner_asked_at, pay_code, pending_since, placed_address, placed_device, processing_at,"
        " product_name, queued_at, release_at, release_by, release_refused, resends, state,"
        " steady_marks, submitted_at, supplier_ref, supplier_status, taken_at, taken_by, told_at,"
        " told_first_at, told_paid_at, told_payer, told_transaction, unknown_since, version,"
        " wait_reason)"
    ),
    "outbox": (
        "SELECT INSERT UPDATE(done_at, due_at, lease_no, lease_until, looked_at, news_at, result,"
        " result_ok, result_text, rung_at, taken_at)"
    ),
    "payment_messages": (
        "SELECT INSERT UPDATE(matched_at, matched_by, order_id, put_away_at, put_away_by)"
    ),
    "payout_accounts": (
        "SELECT INSERT UPDATE(account_name, decided_at, decided_by, recipient_code, state, tries,"
        " words)"
    ),
    "payout_schedules": "SELECT INSERT UPDATE(changed_by, next_at, weekly, words)",
    "payouts": (
        "SELECT INSERT UPDATE(approved_at, approved_by, approved_id, ended_at, fee_is_ours,"
        " first_at, first_by, first_id, missing_since, paid_at, payable_pesewas, recipient_code,"
        " sent_at, state, transfer_code, words)"
    ),
    "postings": "SELECT",
    "price_moves": "SELECT INSERT",
    "proofs": "SELECT INSERT",
    "pulses": "SELECT INSERT DELETE UPDATE(at, times)",
    "push_devices": (
        "SELECT INSERT DELETE UPDATE(access_no, auth, kinds, name, notified_until, p256dh,"
        " sent_at, tries, user_id)"
    ),
    "recovery_codes": "SELECT INSERT DELETE",
    "reset_links": "SELECT INSERT DELETE UPDATE(access_no, expires_at, made_at, token_hash)",
    "second_steps": (
        "SELECT INSERT DELETE UPDATE(confirmed_at, last_step, made_at, secret, tries, tries_since)"
    ),
    "sessions": (
        "SELECT INSERT DELETE"
        " UPDATE(access_no, confirmed_at, seen_at, seen_from, store_id, token_hash)"
    ),
    "settings": "SELECT INSERT DELETE UPDATE(value)",
    "signing_keys": "",
    "store_bundles": (
        "SELECT INSERT UPDATE(agent_price_pesewas, changed_at, featured, hidden, place,"
        " price_pesewas)"
    ),
    "store_days": "SELECT",
    "store_logos": "SELECT INSERT DELETE UPDATE(large, made_at, mark, picture)",
    "store_records": "SELECT INSERT UPDATE(delivered, half_within_minutes, renewed_at)",
    "stores": (
        "SELECT INSERT UPDATE(announcement, approval, approval_note, approved_at, asked_at,"
        " closed_note, colour, hours, hours_closed, logo, momo_name, momo_number, moved_at, name,"
        " paused_at, pay_online, pay_words, slug, status, terms_at, version, welcome, whatsapp)"
    ),
    "supplier_calls": (
        "SELECT INSERT UPDATE(answered_at, at, duration_ms, http_status, method, note, outcome,"
        " path, request_body, response_body, supplier)"
    ),
    "supplier_offers": (
        "SELECT INSERT UPDATE(active, capacity, charged_pesewas, cost_pesewas, mb, missing_since,"
        " network, price_since, product_name, refused_at, seen_at, validity)"
    ),
    "supplier_state": "SELECT INSERT UPDATE",
    "sync_reports": "SELECT INSERT",
    "users": (
        "SELECT(access_no, created_at, email, id, name, password_long, platform_role, removed_at)"
        " INSERT UPDATE(access_no, name, password_hash, password_long, platform_role, removed_at)"
    ),
    "webhook_events": "SELECT INSERT UPDATE(headers, result, times)",
}
"""Console, fulfilment and commands: every store, and in each what the store itself may do. No
UPDATE or DELETE on what is evidence."""

DEFINER = {
    "audit": "SELECT INSERT",
    "accounts": "SELECT INSERT UPDATE(balance_pesewas, credits_pesewas, debits_pesewas)",
    "bundles": "SELECT UPDATE(changed_at)",
    "customers": (
        "SELECT INSERT DELETE UPDATE(buys, last_at, name, newest_order_id, spent_pesewas)"
    ),
    "disputes": "SELECT",
    "entries": "SELECT INSERT",
    "online_payments": "SELECT",
    "order_words": "SELECT INSERT DELETE",
    "orders": (
        "SELECT UPDATE(agent_price_pesewas, cost_pesewas, customer_name, note, recipient_msisdn,"
        " repriced_at, told_payer, told_transaction, version)"
    ),
    "memberships": "SELECT",
    "not_received": "SELECT UPDATE(contact, words)",
    "outbox": "SELECT DELETE",
    "payment_messages": "SELECT UPDATE(payer_msisdn, payer_name, reference)",
    "postings": "SELECT INSERT",
    "signing_keys": "SELECT",
    "store_days": "SELECT INSERT UPDATE(cost_pesewas, orders, sales_pesewas)",
    "supplier_calls": "SELECT DELETE UPDATE(request_body, response_body)",
    "users": "SELECT",
    "webhook_events": "SELECT DELETE UPDATE(body)",
}
"""What the functions need. `bundles` UPDATE is what PostgreSQL asks of whoever locks a row; nothing
is changed there."""

FUNCTIONS = {
    "makola_book(jsonb)": "",
    "makola_heard(text,text,text)": "",
    "makola_hold_bundles(bigint[])": "store platform",
    "makola_hold_float()": "platform",
    "makola_mask_orders(bigint[])": "platform",
    "makola_next_audit_id()": "store platform public",
    "makola_note_membership()": "",
    "makola_note_person()": "",
    "makola_open_accounts(text,text)": "platform",
    "makola_order_words()": "",
    "makola_password_of(text,text)": "platform",
    "makola_people_off()": "platform",
    "makola_post(text,text)": "platform",
    "makola_post_own(text,text)": "store",
    "makola_prune(text,text)": "platform",
    "makola_refuse_unbalanced()": "",
    "makola_refuse_unpermitted()": "",
    "makola_reprice(bigint,bigint,timestamp with time zone)": "store platform",
    "makola_signed(text,text)": "",
    "makola_store()": "store platform",
    "makola_sum_day()": "",
    "makola_words_of(users)": "",
    "makola_words_of_name(text)": "",
    "makola_writer()": "",
}
"""Functions that run with the rights of `DEFINER_ROLE`, and who may call them."""

PEOPLE_TABLES = frozenset(
    {"invitations", "memberships", "recovery_codes", "reset_links", "second_steps", "sessions",
     "users"}
)  # fmt: skip
"""Written by the program's own ORM statements alone, which carry a signed permit: see
`core.base.permits`."""
WITHOUT_SEQUENCE = {
    "batch_lines",
    "buying",
    "confirmations",
    "delivery_estimates",
    "former_addresses",
    "gateway_days",
    "known_devices",
    "login_counts",
    "memberships",
    "new_devices",
    "order_drafts",
    "pulses",
    "recovery_codes",
    "reset_links",
}
WITHOUT_SEQUENCE |= {
    "notice_marks",
    "payout_schedules",
    "second_steps",
    "sessions",
    "settings",
    "store_days",
    "store_logos",
    "store_records",
    "supplier_state",
}
STORE_TABLES = ("accounts", "batch_lines", "cases", "customers",
"dispute_answers", "disputes", "entries",
"fund_requests", "gateway_refunds", "notice_marks", "not_received", "online_payments",
"order_batches", "order_drafts", "order_events", "order_words", "orders", "outbox",
"payment_messages", "payout_accounts", "payout_schedules", "payouts", "postings", "price_moves",
"push_devices", "store_bundles", "store_days", "store_logos", "store_records")  # fmt: skip
"""Tables of a store, with row-level security: the store's role sees the rows of the store it was
signed for."""
GLOBAL_WITH_STORE = ("former_addresses", "invitations", "memberships", "sessions")
"""Tables that name a store and belong to none."""

OWN = "store_id = (SELECT makola_store())"
"""The row-level policy. A subquery, so that the signature is checked once a statement and not once
a row."""
NARROWED = "(SELECT makola_store()) IS NULL OR " + OWN
"""The platform sees every store; work inside one store sees that one only, as a guard against a
forgotten filter."""
POLICIES = {
    "store_wall": OWN,
    "platform_wall": NARROWED,
    "definer_wall": "true",
    "owner_wall": "true",
}
"""For each table of a store: a policy for each role, by name."""
POLICIES_OF_STORES = ("every_store", "own_store")
OWN_ROW = "id = (SELECT makola_store())"
"""`stores`: every role reads who trades here, since a host must be looked up; the store's role
changes its own row alone."""


class WrongRights(RuntimeError):
    """A role of the database may do more or less than the program needs; the message is a sentence
    with the fix."""


@dataclass(frozen=True)
class Roles:
    """The names of the roles, as the addresses of the database give them."""

    store: str
    platform: str


def wanted(rights: dict[str, str], kind: str) -> set[str]:
    """Everything a role is to reach, one word each, in the words of `reached`."""
    found = set()
    for table, words in rights.items():
        for privilege, columns in _parsed(words):
            found.add(f"{table}: {privilege}{columns}")
            if privilege == "INSERT" and table not in WITHOUT_SEQUENCE:
                found.add(f"{table}_id_seq: USAGE")
    found |= {
        f"{function}: EXECUTE"
        for function, who in FUNCTIONS.items()
        if kind in who.split()
    }
    return found


def reached(connection: Connection) -> set[str]:
    """Everything of this database that the connected role may use, from the catalogs: tables,
    columns, sequences, functions, powers that no role of the application may have. Also what it has
    through PUBLIC or other roles."""
    return set(connection.execute(text(REACHED)).scalars())


def refuse_wrong(
    connection: Connection,
    rights: dict[str, str],
    kind: str,
    setting: str,
) -> None:
    """Raise `WrongRights` unless the connected role may do just what `rights` says. `setting` names
    its address."""
    role = connection.scalar(text("SELECT current_user"))
    has = reached(connection)
    needs = wanted(rights, kind)
    problems = [*_named("must not have", has - needs), *_named("lacks", needs - has)]
    if problems:
        raise WrongRights(
            f"{setting} connects as {role}, which {' and '.join(problems)}. Run `flask --app wsgi"
            " db upgrade`; if that does not help, see docs/operate.md, 'Roles of the database'."
        )
    if settings := list(connection.scalars(text(OWN_SETTINGS))):
        database = connection.scalar(text("SELECT current_database()"))
        raise WrongRights(
            f"{setting} connects as {role}, which begins each connection with settings of its own:"
            f" {', '.join(settings)}. PostgreSQL lets a role give itself such; this program never"
            f" does, so find out who did. Take them away with ALTER ROLE {role} RESET ALL; ALTER"
            f" ROLE {role} IN DATABASE {database} RESET ALL;"
        )


def refuse_stranger(connection: Connection) -> None:
    """Raise `WrongRights` when the database does not know the key of this program: every page would
    be empty."""
    tried = [*reversed(config.current().signing_keys)]  # the present key first
    for secret_key in tried:
        told = f"0.{signed.mac('store:0', secret_key)}"
        connection.execute(
            text("SELECT set_config('makola.store', :store, true)"), {"store": told}
        )
        try:
            connection.scalar(text("SELECT makola_store()"))
        except ProgrammingError:
            connection.rollback()
            continue
        signed.agree(secret_key)
        return
    raise WrongRights(
        "The database knows neither the MAKOLA_SECRET_KEY of this program nor one of its fallbacks."
        " Run `flask --app wsgi db upgrade` with it; to rotate it without a break, see"
        " docs/operate.md, 'Rotate keys'."
    )


def columns_of(words: str) -> Iterable[tuple[str, str]]:
    """`SELECT UPDATE(a, b)` as pairs: ("SELECT", ""), ("UPDATE", "(a, b)")."""
    return _parsed(words)


def _parsed(words: str) -> list[tuple[str, str]]:
    return [
        (found[1], found[2] or "")
        for found in re.finditer(r"([A-Z]+)(\([^)]*\))?", words)
    ]


def _named(verb: str, rights: set[str], most: int = 6) -> list[str]:
    if not rights:
        return []
    more = f" and {len(rights) - most} more" if len(rights) > most else ""
    gravest_first = sorted(
        rights,
        key=lambda word: (
            not word.startswith(("power: ", "member of ", "table ")),
            word,
        ),
    )
    return [f"{verb} {', '.join(gravest_first[:most])}{more}"]
