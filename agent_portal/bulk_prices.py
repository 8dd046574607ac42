"""Many prices by one rule: cost plus a percentage or an amount, rounded up, each row shown before
anything is saved.

Decides how the rule is typed and read back. What it makes of each bundle, and that just what was
shown is saved, is `core.catalog.bulk`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import actor, may, needs
from core import catalog
from core.base import money
from core.base.phones import NETWORKS
from core.base.refusal import Refusal
from core.catalog import Markup, Ruled

PATH = "/prices/bulk"
LONGEST_TYPED = 40
ROUNDINGS = [
    ("1", "to the pesewa"),
    ("10", "up to 0.10"),
    ("50", "up to 0.50"),
    ("100", "up to 1.00"),
]
LOST = (
    "Your log-in had ended. What you had typed is here again: look it over, then save."
)


@dataclass
class RuleForm:
    """The rule as it was typed, and what is wrong with it, by field."""

    network: str = ""
    by: str = "percent"
    amount: str = ""
    step: str = "10"
    with_hidden: bool = False
    problems: dict[str, str] = field(default_factory=dict)
    markup: Markup | None = None
    """What it means; None while nothing was typed or something is wrong."""

    @classmethod
    def of(cls, said: Mapping[str, str]) -> RuleForm:
        """What an address or a form says. One that says nothing yet has no problem."""
        form = cls(
            network=said.get("network", "")[:LONGEST_TYPED],
            by=said.get("by", "percent")[:LONGEST_TYPED],
            amount=said.get("amount", "")[:LONGEST_TYPED],
            step=said.get("step", "10")[:LONGEST_TYPED],
            with_hidden="hidden" in said,
        )
        if "amount" in said:
            form._read()
        return form

    @property
    def added(self) -> str:
        """What the rule adds, as the arithmetic of a row names it: `10 %`, `2.50`."""
        if self.markup is None:
            return ""
        if self.by == "percent":
            return f"{money.format_bp(self.markup.bp)} %"
        return money.format_ghs(self.markup.fixed_pesewas)

    def _read(self) -> None:
        if self.network not in ("", *NETWORKS):
            self.problems["network"] = "Choose a network from the list, or all of them."
        if self.by not in ("percent", "cedis"):
            self.problems["by"] = "Choose percent or cedis."
        if self.step not in dict(ROUNDINGS):
            self.problems["step"] = (
                "Choose from the list what prices are rounded up to."
            )
        bp = fixed = 0
        try:
            if self.by == "percent":
                bp = money.parse_percent(self.amount)
            else:
                fixed = money.parse_ghs(self.amount)
        except money.BadAmount as bad:
            self.problems["amount"] = bad.sentence
        if bp > catalog.MOST_MARKUP_BP:
            most = money.format_bp(catalog.MOST_MARKUP_BP)
            self.problems["amount"] = (
                f"Type {most} % or less; more is a typing mistake."
            )
        if not self.problems:
            self.markup = Markup(
                self.network, bp, fixed, int(self.step), self.with_hidden
            )


@bp.get(PATH)
def bulk_prices() -> ResponseReturnValue:
    """The rule, and what it would make of each bundle; the address says the rule, so Back and
    reload show the same. Nothing is saved."""
    typed = g.kept.take(PATH) if may("owner") else None
    if typed is not None:
        return _page(RuleForm.of(typed), LOST)
    form = RuleForm.of(request.args)
    return _page(form), 422 if form.problems else 200


@bp.post(PATH)
@needs("owner")
def save_bulk_prices() -> ResponseReturnValue:
    """Save what the page showed, all or none; pressed twice it is saved once."""
    form = RuleForm.of(request.form)
    if form.markup is None:
        return _page(form), 422
    try:
        saved = catalog.save_ruled(
            form.markup, request.form.get("seen", "")[:LONGEST_TYPED], actor()
        )
    except Refusal as refusal:
        return _page(form, refusal.sentence), 422
    flash(_saved(saved))
    return redirect(url_for(".prices"), 303)


def _saved(saved: list[Ruled]) -> str:
    """`Saved 12 prices: 9 up, 2 down, 1 new.`"""
    if not saved:
        return "Nothing was changed: these are your prices already."
    new = sum(one.is_new for one in saved)
    down = sum(one.falls for one in saved)
    told = [
        f"{count} {which}"
        for count, which in (
            (len(saved) - new - down, "up"),
            (down, "down"),
            (new, "new"),
        )
        if count
    ]
    many = f"{len(saved)} price{'' if len(saved) == 1 else 's'}"
    return f"Saved {many}: {', '.join(told)}."


def _page(form: RuleForm, refusal: str | None = None) -> str:
    ruled = catalog.preview(form.markup) if form.markup else []
    return render_template(
        "portal/bulk_prices.html",
        form=form,
        refusal=refusal,
        ruled=ruled,
        changing=[one for one in ruled if one.changes],
        falling=sum(one.falls for one in ruled),
        problems=[one for one in ruled if one.problem],
        seen=catalog.mark(ruled),
        roundings=ROUNDINGS,
        networks_by_name=[("", "All networks")]
        + [(key, network.name) for key, network in NETWORKS.items()],
    )
