"""How the settings of Paystack go together: a live key is never used by who believes to be testing.

Decides about texts only; what each setting is for is said in `environment`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.base import clear_text

KEY = r"sk_(test|live)_[!-~]{4,200}"
IS_KEY = "must be a secret key, which begins with sk_test_ or sk_live_, or empty."
_NAMES = {
    "PAYSTACK_SECRET_KEY": "paystack_secret_key",
    "PAYSTACK_PREVIOUS_SECRET_KEY": "paystack_previous_key",
}


def problems(values: dict[str, Any]) -> Iterator[str]:
    """What of these settings contradicts itself, each with its fix; `values` is what is given."""
    mode = values.get("paystack_mode", "")
    keys = {name: values[key] for name, key in _NAMES.items() if key in values}
    yield from _of_world(mode, keys, values.get("data_mart_api_url", ""))
    url = values.get("paystack_api_url", "")
    if (keys or mode or url) and "PAYSTACK_SECRET_KEY" not in keys:
        yield (
            "PAYSTACK_SECRET_KEY is missing: set it, or leave all other settings of Paystack out."
        )
    if url:
        yield from _of_address(url, mode)


def _of_world(mode: str, keys: dict[str, str], supplier: str) -> Iterator[str]:
    for name, key in keys.items():
        if mode and key[3:7] != mode:
            yield _of_another_world(name, key[3:7], mode)
    if keys and not mode:
        yield "PAYSTACK_MODE is missing: set it to test or live, as the key is."
    if keys and mode == "test" and not clear_text.is_of_this_machine(supplier):
        yield (
            "PAYSTACK_MODE is test, but DATA_MART_API_URL is no address of this machine: who pays"
            " with play money would get real data. Use a live key, or the sandbox supplier."
        )


def _of_another_world(name: str, world: str, mode: str) -> str:
    return (
        f"{name} is a {world} key, but PAYSTACK_MODE is {mode}: set PAYSTACK_MODE={world}, or use"
        f" the {mode} key."
    )


def _of_address(url: str, mode: str) -> Iterator[str]:
    problem = clear_text.problem_of_api("PAYSTACK_API_URL", url)
    if problem:
        yield problem
    elif mode == "live" and clear_text.is_of_this_machine(url):
        yield (
            "PAYSTACK_MODE is live, but PAYSTACK_API_URL is an address of this machine: leave"
            " PAYSTACK_API_URL out."
        )
