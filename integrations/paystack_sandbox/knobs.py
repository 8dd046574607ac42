"""The knobs of the fake gateway: what is not documented, or may go wrong, is one of them.

Decides what can be turned and to which values. Reading a knob is left to the code it turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


class BadKnob(ValueError):
    """The knob does not exist, or the value does not fit it."""


@dataclass
class Knobs:
    """One gateway's behaviour; shared, and changed only through `turn`. Durations are in seconds,
    before `time_scale`."""

    as_ghana: bool = True
    """Off: the test world is as Paystack's own, where prompts, settlement and failures of transfers
    never occur."""
    time_scale: float = 1.0
    """Divides every duration."""
    latency_s: float = 0.0
    answer_s: float = 20.0
    """How long somebody takes to answer a prompt on their phone."""
    auto_approve_s: float = 0.0
    """A hosted page is paid by itself so long after it was made; 0 leaves it to a person."""
    pays_before_answer: bool = False
    """A hosted page is paid, and its webhook delivered, before it is answered for."""
    fees_late_s: float = 0.0
    """The fee of a payment is null for so long."""
    metadata_as: str = "as_given"
    session_timeout_s: float = 0.0
    refund_outcome: str = "processed"
    refund_s: float = 3600.0
    """From a refund to its end; half of it until it is processing."""
    refund_open_shows: str = "success"
    """What a payment says while all of it is being refunded."""
    starter: bool = False
    """A business that may not pay out."""
    otp: bool = False
    """Transfers wait for a code (123456)."""
    approval_url: str = ""
    transfer_outcome: str = "success"
    transfer_s: float = 30.0
    reversed_after_s: float = 172_800.0
    transfer_404_s: float = 0.0
    """A transfer cannot be verified for so long."""
    settle_to: str = "bank"
    dispute_verdict: str = "won"
    """What the bank says to a contested dispute."""
    rate_limits: bool = False
    reset_as: str = "relative"
    """How a 429 says when the window ends."""
    webhooks: bool = True
    webhook_copies: int = 1
    webhook_reorder: bool = False
    webhook_drop: float = 0.0
    """The share of webhooks that is lost for good."""
    webhook_wrong_signature: bool = False
    webhook_key: str = "current"
    webhook_timeout_s: float = 30.0
    live_schedule: bool = True
    """Off: what is sent in the test world is repeated as Paystack does there."""


CHOICES: dict[str, tuple[str, ...]] = {
    "metadata_as": ("as_given", "text", "empty", "zero", "null"),
    "refund_outcome": ("processed", "failed", "needs-attention"),
    "refund_open_shows": ("success", "reversal-pending"),
    "transfer_outcome": ("success", "failed", "reversed", "stuck"),
    "settle_to": ("bank", "balance"),
    "dispute_verdict": ("won", "lost"),
    "reset_as": ("relative", "epoch"),
    "webhook_key": ("current", "previous"),
}
_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Knobs)}
_SWITCH = {
    "on": True,
    "true": True,
    "1": True,
    "off": False,
    "false": False,
    "0": False,
}


def turn(knobs: Knobs, changes: Mapping[str, Any]) -> None:
    """Apply all changes or none. Raises `BadKnob`."""
    wanted = {name: _fit(name, value) for name, value in changes.items()}
    for name, value in wanted.items():
        setattr(knobs, name, value)


def as_dict(knobs: Knobs) -> dict[str, Any]:
    return asdict(knobs)


def _fit(name: str, value: Any) -> Any:
    if name not in _DEFAULTS:
        raise BadKnob(f"there is no knob called {name!r}")
    default = _DEFAULTS[name]
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise BadKnob(f"{name} is one of {', '.join(CHOICES[name])}; not {value!r}")
        return value
    if isinstance(default, bool):
        if str(value).lower() not in _SWITCH:
            raise BadKnob(f"{name} is on or off; not {value!r}")
        return _SWITCH[str(value).lower()]
    if isinstance(default, str):
        return str(value)
    try:
        number = type(default)(value)
    except (TypeError, ValueError):
        raise BadKnob(f"{name} is a number; not {value!r}") from None
    if isinstance(value, bool) or not 0 <= number < 1e9:  # also refuses nan
        raise BadKnob(f"{name} is a number from 0 up; not {value!r}")
    if name in ("time_scale", "webhook_timeout_s") and number == 0:
        raise BadKnob(f"{name} must be above 0")
    return number
