"""`instance/ready.json`: where everything is, once everything answers. Scripts and tests read it.

Decides its shape and when it is true: written after the health checks, its pids renewed when a
child is replaced, removed when the stop begins. Leaves to `processes` which children there are.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from devkit import keys, process_tree
from devkit.plan import NOWHERE, Plan

CODES = "messages.log"
"""In the instance folder: `core.base.messages.FILE`. No tool here imports the program."""


def answers(address: str, path: str) -> bool:
    """Whether the server at `host:port` says 200 to a GET of `path`. Never follows a proxy of the
    environment."""
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def supervised(pids_file: Path) -> dict[str, list[int]]:
    """The live relay, workers and worker of payments that `flask supervise` names in its file;
    empty lists before it wrote any."""
    try:
        named = json.loads(pids_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        named = {}
    return {
        kind: [pid for pid in named.get(kind, []) if process_tree.is_alive(pid)]
        for kind in ("worker", "relay", "payments")
    }


def accepts(host: str, port: int) -> bool:
    """Whether anything takes a connection there."""
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError:
        return False
    return True


def facts(
    plan: Plan,
    env: Mapping[str, str],
    admin_url: str,
) -> dict[str, Any]:
    """Everything in `ready.json` but the pids. `sandbox_url` is None with somebody else's
    supplier, `gateway_url` with somebody else's gateway."""
    stores = ("ama", "kofi") if plan.wants_demo else ()
    return {
        "store_urls": {slug: plan.public_url(slug) for slug in stores},
        "portal_url": plan.public_url("portal"),
        "console_url": plan.public_url("admin"),
        "webhook_url": plan.webhook_url,
        "sandbox_url": f"http://127.0.0.1:{plan.sandbox_port}"
        if plan.sandbox_port
        else None,
        "gateway_url": f"http://127.0.0.1:{plan.gateway_port}"
        if plan.gateway_port
        else None,
        "web_address": f"127.0.0.1:{plan.port}",
        "database_url": env["DATABASE_URL"],
        "database_platform_url": env["DATABASE_URL"],
        "database_store_url": env["DATABASE_STORE_URL"],
        "database_admin_url": admin_url,
        "redis_url": env["REDIS_URL"],
        "logins": {name: dict(plan.keys[name]) for name in (*stores, "owner")},
    }


class ReadyFile:
    """The file on disk. `renew` writes it when the pids changed; nothing else in it ever
    changes."""

    def __init__(
        self,
        path: Path,
        facts: Mapping[str, Any],
        pids: Callable[[], dict[str, list[int]]],
    ) -> None:
        self._path = path
        self._facts = dict(facts)
        self._pids = pids
        self._written: dict[str, list[int]] | None = None

    def renew(self) -> None:
        """Write the file if a process came or went since the last time."""
        pids = self._pids()
        if pids != self._written:
            keys.save(self._path, {**self._facts, "pids": pids})
            self._written = pids

    def remove(self) -> None:
        """Say that nothing is ready any more."""
        self._path.unlink(missing_ok=True)


def banner(plan: Plan, told: Mapping[str, Any]) -> str:
    """The links and log-ins for the person at the terminal. Without demo data the owner's password
    shows once."""
    rows = [
        (f"{slug.title()}'s store", url, "") for slug, url in told["store_urls"].items()
    ]
    agents = [
        f"{who['email']}  {who['password']}"
        for name, who in told["logins"].items()
        if name != "owner"
    ]
    rows += zip(
        ("Agent portal", *[""] * 9),
        (told["portal_url"], *[""] * 9),
        agents or [""],
        strict=False,
    )
    owner = told["logins"]["owner"]
    mark = plan.instance / "owner-shown"
    hidden = not plan.wants_demo and mark.exists()
    rows.append(
        (
            "Owner console",
            told["console_url"],
            owner["email"] + ("" if hidden else f"  {owner['password']}"),
        )
    )
    mark.touch()
    if told["sandbox_url"]:
        rows.append(
            (
                "Sandbox supplier",
                told["sandbox_url"],
                "mark orders as sent, successful or failed here",
            )
        )
    if told["gateway_url"]:
        rows.append(
            (
                "Sandbox gateway",
                told["gateway_url"],
                "payments as Paystack's: switch them on at the console and in a store",
            )
        )
    scale = plan.options.time_scale or float(plan.environ.get("MAKOLA_TIME_SCALE", 1))
    lines = [f"  {name:<17} {url:<33} {note}".rstrip() for name, url, note in rows]
    codes = plan.app_environ(NOWHERE, "-").get("MAKOLA_MESSAGES")
    if codes == "console":
        lines.append(f"  Codes of who signs up are written to {plan.instance / CODES}.")
    if scale != 1:
        lines.append(f"  Time runs {scale:g} times as fast (MAKOLA_TIME_SCALE).")
    return "\n".join(
        ["", "Makola is running. Ctrl-C stops it; the data stay.", "", *lines, ""]
    )


def register_webhook(plan: Plan) -> str:
    """PUT the webhook address to the sandbox. Returns what went wrong, or nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", plan.sandbox_port, timeout=10)
    headers = {
        "Content-Type": "application/json",
        "X-API-Key": plan.keys["sandbox_api_key"],
        "X-API-Secret": plan.keys["sandbox_api_secret"],
    }
    try:
        connection.request(
            "PUT",
            "/api/v1/webhook",
            json.dumps({"webhook_url": plan.webhook_url}),
            headers,
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()
    if status == 200:
        return ""
    return f"it answered {status}"


def webhook_command(plan: Plan) -> str:
    """How the person registers the webhook with a supplier that is not ours. The secrets stay in
    the environment."""
    body = json.dumps({"webhook_url": plan.webhook_url})
    return (
        "\nTo hear from the supplier at once, register the webhook:\n  curl -X PUT"
        f" '{plan.supplier_url.rstrip('/')}/v1/webhook' -H 'Content-Type: application/json' \\\n   "
        ' -H "X-API-Key: $DATA_MART_API_KEY" -H "X-API-Secret: $DATA_MART_API_SECRET" \\\n   '
        f" -d '{body}'"
    )
