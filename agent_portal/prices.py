"""The price table: what each bundle costs the agent, what the customer pays, what is left.

Decides how typed prices are read and kept. Leaves the floor, and saving all or nothing, to
`core.catalog`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from agent_portal import bp, standing
from agent_portal.auth import actor, may, needs
from core import catalog, online
from core.base import config, money
from core.base.phones import NETWORKS
from core.catalog import PriceLine


@dataclass
class Row:
    """One bundle in the form: what core knows, what was typed, what is wrong with it."""

    line: PriceLine
    typed: str
    hidden: bool
    problem: str | None = None
    change: tuple[int, bool] | None = None
    is_checked: bool = False
    """The form said what was shown, so that it is saved over that alone."""
    has_moved: bool = False
    """Somebody else changed it since the page was drawn, and something else was typed."""

    @property
    def mark(self) -> str:
        """What stands now; the form sends it back as what was shown."""
        return _mark(self.line.price_pesewas, self.line.hidden)

    @property
    def name(self) -> str:
        """The bundle in words, as sentences name it."""
        return f"{NETWORKS[self.line.network].name} {self.line.size_text}"

    @property
    def profit_pesewas(self) -> int | None:
        """What the price as typed leaves; None when there is no price, or none that can be read."""
        if self.problem and self.change is None:
            return None
        if self.change is None:
            price_pesewas = self.line.price_pesewas
        else:
            price_pesewas = self.change[0]
        if price_pesewas is None:
            return None
        return price_pesewas - self.line.agent_price_pesewas

    @property
    def online_pesewas(self) -> int | None:
        """What it leaves of a payment online, less the fee of the gateway."""
        profit = self.profit_pesewas
        if profit is None:
            return None
        return profit - online.fee_of(profit + self.line.agent_price_pesewas)

    @property
    def margin(self) -> str:
        """That as a share of the price: `5.4 %`; empty where it is unknown."""
        profit = self.profit_pesewas
        if profit is None:
            return ""
        price = profit + self.line.agent_price_pesewas
        return f"{money.percent_of(profit, price)} %"


class PriceSheet:
    """All rows of the form. Built from the shelf, then filled from what the agent typed."""

    def __init__(
        self, lines: list[PriceLine], form: MultiDict[str, str] | None = None
    ) -> None:
        self.rows = [self._row(line, form) for line in lines]
        known = {f"price-{line.bundle_id}" for line in lines}
        self.gone = (
            []
            if form is None
            else [
                name for name in form if name.startswith("price-") and name not in known
            ]
        )

    @property
    def changes(self) -> dict[int, tuple[int, bool]]:
        """What the agent changed, by bundle: price in pesewas, hidden."""
        return {
            row.line.bundle_id: row.change
            for row in self.rows
            if row.change is not None
        }

    @property
    def shown(self) -> dict[int, tuple[int | None, bool]]:
        """Over what these may be written, where the form said what was shown."""
        return {
            row.line.bundle_id: (row.line.price_pesewas, row.line.hidden)
            for row in self.rows
            if row.is_checked
        }

    @property
    def has_moved(self) -> bool:
        return any(row.has_moved for row in self.rows)

    @property
    def sentences(self) -> dict[str, str]:
        """What is wrong, by field."""
        return {
            f"price-{row.line.bundle_id}": row.problem
            for row in self.rows
            if row.problem
        }

    @property
    def networks(self) -> list[tuple[str, list[Row]]]:
        """The rows by network, in the order of the shelf."""
        return [
            (network, list(rows))
            for network, rows in groupby(self.rows, key=lambda row: row.line.network)
        ]

    def _row(self, line: PriceLine, form: MultiDict[str, str] | None) -> Row:
        if line.price_pesewas is None:
            stands = Row(line, "", line.hidden)
        else:
            plain = money.format_ghs(line.price_pesewas).replace(",", "")
            stands = Row(line, plain, line.hidden)
        field = f"price-{line.bundle_id}"
        if form is None or field not in form:
            # not on the page that was sent: leave it alone
            return stands
        typed = form[field]
        row = Row(line, typed[:40], f"hidden-{line.bundle_id}" in form)
        price_pesewas, problem = _read(row, typed)
        said = None if problem else _mark(price_pesewas, row.hidden)
        if said == row.mark:
            return row
        # a page drawn yesterday does not say what it showed
        was = form.get(f"was-{line.bundle_id}", row.mark)
        if said == was:
            # as it was shown: what somebody else made of it meanwhile stays
            return stands
        row.is_checked = f"was-{line.bundle_id}" in form
        row.has_moved = was != row.mark
        row.problem = _moved(row) if row.has_moved else problem
        if price_pesewas is None:
            row.problem = row.problem or _unpriced(row)
        else:
            row.change = (price_pesewas, row.hidden)
        return row


def _read(row: Row, typed: str) -> tuple[int | None, str | None]:
    """The price that was typed, None for none; and why it cannot be read."""
    if not typed.strip():
        return None, None
    try:
        return money.parse_ghs(typed), None
    except money.BadAmount as bad:
        return None, f"{row.name}: {bad.sentence}"


def _mark(price_pesewas: int | None, hidden: bool) -> str:
    """A price and whether it is hidden, in short: `2450`, `2450h`; `h` without a price."""
    price = "" if price_pesewas is None else price_pesewas
    return f"{price}{'h' if hidden else ''}"


def _moved(row: Row) -> str:
    price, is_shown = row.line.price_pesewas, not row.line.hidden
    stands = "has no price" if price is None else f"is {money.cedis(price)}"
    shelf = "shown" if is_shown else "hidden"
    return f"{row.name} {stands} now, {shelf}. Save again to have it as you typed."


def _unpriced(row: Row) -> str:
    floor = money.format_ghs(row.line.agent_price_pesewas)
    return (
        f"{row.name}: type a price of {floor} or more, or keep the old one and hide it."
    )


@bp.get("/prices")
def prices() -> ResponseReturnValue:
    """The price table; who may not change prices reads it. What was typed when a log-in ended
    stands in it again."""
    typed = g.kept.take("/prices") if may("owner") else None
    refusal = (
        None
        if typed is None
        else (
            "Your log-in had ended. What you had typed is here again: look it over,"
            " then save."
        )
    )
    return _page(PriceSheet(catalog.price_table(), typed), refusal)


@bp.post("/prices")
@needs("owner")
def save_prices() -> ResponseReturnValue:
    """Save every changed price, or none when one of them is wrong."""
    sheet = PriceSheet(catalog.price_table(), request.form)
    if sheet.gone:
        return (
            _page(
                sheet,
                "Some of these bundles are no longer offered. Look the table over and"
                " save again.",
            ),
            422,
        )
    if sheet.has_moved:
        return _page(sheet, catalog.ShownOtherwise.sentence), 422
    if sheet.sentences:
        return _page(sheet), 422
    problems: dict[int, str] = {}
    if sheet.changes:
        try:
            problems = catalog.save_prices(sheet.changes, actor(), sheet.shown)
        except catalog.ShownOtherwise as refusal:
            # between the look above and the lock
            sheet = PriceSheet(catalog.price_table(), request.form)
            return _page(sheet, refusal.sentence), 422
    for row in sheet.rows:
        row.problem = problems.get(row.line.bundle_id)
    if problems:
        return _page(sheet), 422
    flash(_saved(sheet))
    return redirect(url_for(".prices"), 303)


def _saved(sheet: PriceSheet) -> str:
    """What was saved, in the words of what was done: `Saved 2 prices, hid 1 bundle.`"""
    changed = [(row.line, *row.change) for row in sheet.rows if row.change is not None]
    deeds = (
        (
            "saved",
            sum(
                price_pesewas != line.price_pesewas
                for line, price_pesewas, _hidden in changed
            ),
            "price",
        ),
        (
            "hid",
            sum(hidden and not line.hidden for line, _price, hidden in changed),
            "bundle",
        ),
        (
            "showed",
            sum(line.hidden and not hidden for line, _price, hidden in changed),
            "bundle",
        ),
    )
    said = ", ".join(
        f"{verb} {count} {what}{'' if count == 1 else 's'}"
        for verb, count, what in deeds
        if count
    )
    if said:
        return f"{said[:1].upper()}{said[1:]}."
    return "Nothing was changed."


def _page(sheet: PriceSheet, refusal: str | None = None) -> str:
    return render_template(
        "portal/prices.html",
        sheet=sheet,
        refusal=refusal,
        **standing.notes(),
        shelf=catalog.notices(),
        fee_bp=config.current().gateway_fee_bp if g.store.pay_online else None,
    )
