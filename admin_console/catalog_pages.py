"""The catalogue as the supplier sells it: prices, what the last sync changed, and the switches that
stop selling."""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp, progress_panel
from admin_console.auth import needs
from core import catalog, outbox
from core.audit import Actor
from core.base import phones
from core.base.text_input import one_line


@bp.get("/catalogue")
def show_catalogue() -> str:
    return render_template(
        "console/catalogue.html", **page_values(progress_panel.of_request())
    )


@bp.get("/catalogue/panel")
def catalogue_panel() -> str | tuple[str, int]:
    """The same panel as in the page, asked for by it while a sync runs; 204 while there is nothing
    new to say."""
    progress = progress_panel.of_request() or abort(404)
    if progress_panel.nothing_new(progress):
        return "", 204
    return render_template("console/_catalogue_panel.html", **page_values(progress))


@bp.post("/catalogue/sync")
@needs("catalogue")
def sync_catalogue() -> Response:
    row = outbox.request("sync_catalogue", Actor.of_login(current_user))
    return redirect(url_for(".show_catalogue", asked=row.id), 303)


@bp.post("/catalogue/networks/<network>/pause")
@needs("catalogue")
def pause_network(network: str) -> Response | tuple[str, int]:
    if network not in phones.NETWORKS:
        abort(404)
    reason = one_line(request.form.get("reason", ""))
    if not reason:
        return _without_reason(network)
    catalog.pause_network(network, reason, Actor.of_login(current_user))
    flash(f"{phones.NETWORKS[network].name} is paused in every store.")
    return redirect(url_for(".show_catalogue"), 303)


@bp.post("/catalogue/networks/<network>/resume")
@needs("catalogue")
def resume_network(network: str) -> Response:
    if network not in phones.NETWORKS:
        abort(404)
    catalog.resume_network(network, Actor.of_login(current_user))
    flash(f"{phones.NETWORKS[network].name} is on sale again.")
    return redirect(url_for(".show_catalogue"), 303)


@bp.post("/catalogue/sales/pause")
@needs("catalogue")
def pause_sales() -> Response | tuple[str, int]:
    reason = one_line(request.form.get("reason", ""))
    if not reason:
        return _without_reason("sales")
    catalog.pause_sales(reason, Actor.of_login(current_user))
    flash("All sales are paused. Orders already placed go on.")
    return redirect(url_for(".show_catalogue"), 303)


@bp.post("/catalogue/sales/resume")
@needs("catalogue")
def resume_sales() -> Response:
    catalog.resume_sales(Actor.of_login(current_user))
    flash("Stores may sell again.")
    return redirect(url_for(".show_catalogue"), 303)


def _without_reason(switch: str) -> tuple[str, int]:
    values = page_values(None) | {"problem_switch": switch}
    return render_template("console/catalogue.html", **values), 422


def page_values(progress: progress_panel.Progress | None) -> dict[str, object]:
    """What the page and its panel are drawn from."""
    rules = catalog.rules()
    return {
        "progress": progress,
        "bundles": catalog.all_bundles(),
        "sync": catalog.last_sync(),
        "networks": phones.NETWORKS,
        "paused": catalog.paused_networks(),
        "sales_paused": catalog.sales_paused(),
        "problem_switch": None,
        "questions": catalog.questions(),
        "typed_share": f"{rules.above_bp / 100:g}",
        "typed_by_itself": rules.by_itself,
        "problem_share": None,
    }
