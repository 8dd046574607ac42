"""The agents' stores: their wallets, funding them and taking a funding back, suspending and opening
them.

Decides when an amount is big enough to be asked about twice. Posting the money, and knowing a form
sent twice, is `core.ledger`; the status is `core.onboarding`. Both write the audit line with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp, store_figures
from admin_console.auth import needs
from admin_console.online_file import paid_online
from core import ledger, onboarding, online, requirements, store_list, stores
from core.audit import Actor
from core.base import clock, config, money
from core.base.text_input import one_line, row_id

CONFIRM_FROM_PESEWAS = 100_000
"""From GHS 1,000 on, funding is read back with the amount before it is booked."""


@bp.get("/stores")
def list_stores() -> str:
    """Stores by name, a page at a time; `q` finds those whose name or address begins so."""
    typed = one_line(request.args.get("q", ""), 60)
    last = stores.by_slug(one_line(request.args.get("after", ""), 40))
    size = config.current().page_size
    found = (
        store_list.beginning(typed, size + 1)
        if typed
        else store_list.page(size + 1, last)
    )
    more = len(found) > size
    goes_on = more and not typed
    return render_template(
        "console/stores.html",
        waiting=[] if typed or last else store_figures.waiting(size),
        lines=store_figures.store_lines(found[:size]),
        typed=typed,
        too_many=bool(typed) and more,
        all_shown=not (typed or last or more),
        first=url_for(".list_stores") if last and not typed else None,
        older=url_for(".list_stores", after=found[size - 1].slug) if goes_on else None,
    )


@bp.get("/stores/<slug>")
def show_store(slug: str) -> str:
    return page_of(store_of(slug), kept_form(f"/stores/{slug}/fund"))


@dataclass
class FundForm:
    """Money into a store's wallet or out of it, as typed."""

    amount_text: str = ""
    reason: str = ""
    seen: int | None = None
    """The newest movement of the wallet when the form was shown: what came after it may be this
    form, sent before."""
    amount_pesewas: int = 0
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(
        cls,
        amount_text: str,
        reason: str,
        seen: str,
    ) -> FundForm:
        form = cls(one_line(amount_text, 40), one_line(reason), row_id(seen))
        try:
            form.amount_pesewas = money.parse_ghs(form.amount_text)
        except money.BadAmount as refusal:
            form.problems["amount"] = refusal.sentence
        else:
            if form.amount_pesewas <= 0:
                form.problems["amount"] = "Type an amount above zero, like 500.00."
            elif form.amount_pesewas > ledger.MOST_FUNDING_PESEWAS:
                most = money.cedis(ledger.MOST_FUNDING_PESEWAS)
                form.problems["amount"] = f"At most {most} at a time. Check the amount."
        if len(form.reason) < 3:
            form.problems["reason"] = (
                "Say why, for example the MoMo reference; it is kept in the audit log."
            )
        return form


def kept_form(path: str) -> FundForm:
    """What was typed into a form when its press was not taken, shown once; else an empty one."""
    kept = g.kept.take(path)
    if kept is None:
        return FundForm()
    return FundForm(
        one_line(kept.get("amount", ""), 40), one_line(kept.get("reason", ""))
    )


@bp.post("/stores/<slug>/fund")
@needs("fund")
def fund_store(slug: str) -> Response | tuple[str, int] | str:
    store = store_of(slug)
    said = request.form
    form = FundForm.parse(
        said.get("amount", ""), said.get("reason", ""), said.get("seen", "")
    )
    if form.problems:
        return page_of(store, form), 422
    if form.seen is None:
        return page_of(
            store, form, "This form was not whole. Check the amount and send it again."
        ), 422
    if form.amount_pesewas >= CONFIRM_FROM_PESEWAS and said.get("confirm") != str(
        form.amount_pesewas
    ):
        wallet = ledger.wallet_of(store.id)
        return render_template(
            "console/fund_confirm.html", shop=store, form=form, wallet=wallet
        )
    return _booked(
        store,
        form,
        online.fund_wallet,
        page_of,
        again="This funding was booked already, at {when}. Nothing was added.",
        done="{amount} is in the wallet of {store}.",
    )


@bp.get("/stores/<slug>/take-back")
@needs("fund")
def show_take_back(slug: str) -> str:
    """The form; `of` is the id of a funding's line, whose amount and reason are the ones to begin
    with."""
    store = store_of(slug)
    of = row_id(request.args.get("of", ""))
    line = next(
        (
            line
            for line in store_figures.wallet_lines(store.id)
            if line.id == of and line.kind == "fund_wallet"
        ),
        None,
    )
    if line is None:
        return _take_back_page(store, kept_form(f"/stores/{slug}/take-back"))
    return _take_back_page(
        store,
        FundForm(
            money.format_ghs(line.amount_pesewas), f"Funded by mistake: {line.note}"
        ),
    )


@bp.post("/stores/<slug>/take-back")
@needs("fund")
def take_back(slug: str) -> Response | tuple[str, int] | str:
    """Take money back out of a wallet. It is always confirmed first, because it is the agent's
    money by then."""
    store = store_of(slug)
    said = request.form
    form = FundForm.parse(
        said.get("amount", ""), said.get("reason", ""), said.get("seen", "")
    )
    wallet = ledger.wallet_of(store.id)
    if (
        not form.problems
        and form.amount_pesewas > wallet.available_pesewas
        and "confirm" not in said
    ):
        form.problems["amount"] = ledger.too_much(wallet.available_pesewas)
    if form.problems:
        return _take_back_page(store, form), 422
    if form.seen is None:
        return _take_back_page(
            store, form, "This form was not whole. Check the amount and send it again."
        ), 422
    if said.get("confirm") != str(form.amount_pesewas):
        return render_template(
            "console/take_back_confirm.html", shop=store, form=form, wallet=wallet
        )
    return _booked(
        store,
        form,
        ledger.take_back,
        _take_back_page,
        again="This was taken back already, at {when}. Nothing more was taken.",
        done="{amount} was taken back from the wallet of {store}.",
    )


def _booked(
    store: stores.Store,
    form: FundForm,
    book: Callable[..., object],
    page: Callable[[stores.Store, FundForm], str],
    *,
    again: str,
    done: str,
) -> Response | tuple[str, int]:
    """Move the money and go back to the store; a form sent twice says `again`, a refused one is
    shown with its sentence."""
    try:
        book(
            store.id,
            form.amount_pesewas,
            form.reason,
            Actor.of_login(current_user),
            form.seen,
        )
    except ledger.FundedAlready as twin:
        flash(again.format(when=f"{twin.at.astimezone(clock.ACCRA):%H:%M}"), "waiting")
    except ledger.BadFunding as refusal:
        form.problems["amount"] = refusal.sentence
        return page(store, form), 422
    else:
        flash(done.format(amount=money.cedis(form.amount_pesewas), store=store.name))
    return redirect(url_for(".show_store", slug=store.slug), 303)


@bp.post("/stores/<slug>/suspend")
@needs("stores")
def suspend_store(slug: str) -> Response | tuple[str, int]:
    return _set_status(
        store_of(slug), "suspended", "is suspended: it takes no new orders."
    )


@bp.post("/stores/<slug>/open")
@needs("stores")
def open_store(slug: str) -> Response | tuple[str, int]:
    return _set_status(store_of(slug), "open", "is open.")


def _set_status(
    store: stores.Store, status: str, what: str
) -> Response | tuple[str, int]:
    note = one_line(request.form.get("reason", ""))
    if status == "suspended" and not note:
        form = FundForm(
            problems={
                "status-reason": "Say why; customers of the store read it, and the agent will ask."
            }
        )
        return page_of(store, form), 422
    try:
        onboarding.set_store_status(
            store.id, status, note, Actor.of_login(current_user)
        )
    except stores.BadStore as refusal:
        return page_of(store_of(store.slug), FundForm(), refusal.sentence), 409
    flash(f"{store.name} {what}")
    return redirect(url_for(".show_store", slug=store.slug), 303)


def store_of(slug: str) -> stores.Store:
    """The store at this address; 404 for none."""
    return stores.by_slug(slug) or abort(404)


def _take_back_page(
    store: stores.Store, form: FundForm, problem: str | None = None
) -> str:
    return render_template(
        "console/take_back.html",
        shop=store,
        form=form,
        problem=problem,
        seen=store_figures.newest_wallet_entry(store.id),
        wallet=ledger.wallet_of(store.id),
    )


def page_of(
    store: stores.Store,
    form: FundForm,
    problem: str | None = None,
) -> str:
    """A store's page, with what was typed into its forms and what is wrong with that."""
    return render_template(
        "console/store.html",
        needed=requirements.of_store(store.id),
        shop=store,
        form=form,
        problem=problem,
        seen=store_figures.newest_wallet_entry(store.id),
        wallet=ledger.wallet_of(store.id),
        people=store_figures.people_of(store.id),
        statement=store_figures.wallet_lines(store.id),
        online=paid_online(store.id),
        not_received=store_figures.not_received_rate(store.id),
        confirm_from_pesewas=CONFIRM_FROM_PESEWAS,
    )
