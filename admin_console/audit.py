"""The audit log, newest first: who did what to what, and why. Lines are written by the verbs of core, never here."""

from __future__ import annotations

from flask import render_template

from admin_console import bp
from core import audit, config


@bp.get("/audit")
def list_audit() -> str:
    return render_template("console/audit.html", lines=audit.recent(config.current().page_size * 2))
