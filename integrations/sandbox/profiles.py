"""The knobs of the supplier and the three sets of values they may start from.

Decides what can be turned, to which values, and what each profile means. Reading a knob is left to
the code it turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


class BadKnob(ValueError):
    """The knob does not exist, or the value does not fit it."""


@dataclass
class Knobs:
    """One supplier's behaviour; shared, and changed only through `turn`. Durations are in
    seconds."""

    profile: str = "documented"
    generation: str = "A2"
    """A2: orders wait for a person. A3: orders are forwarded and answered `completed` at once."""
    products: tuple[str, ...] = ("YELLOW", "TELECEL", "AT_PREMIUM")
    list_transactions: str = "full"
    statistics: str = "ok"
    capacities: str = "on"
    bulk: str = "on"
    """`POST /v1/purchase/bulk`."""
    bulk_alias: str = "on"
    """`POST /v1/bulk`."""
    dedupe: bool = True
    """Off is the worst case: a repeated reference buys again."""
    wallet_conflict: bool = False
    """Two purchases at once on one wallet: the second one gets a 500 and nothing is charged."""
    transaction_s: float = 0.0
    """How long a purchase keeps its wallet busy, before it is charged."""
    answer_s: float = 0.0
    """How long after the charge a purchase is answered."""
    upstream: str = "ok"
    """A3 only: what the forwarded call does."""
    latency_s: float = 0.0
    lookup_lag_s: float = 0.0
    """New orders answer 404 for so long."""
    float_noise: str = "natural"
    """natural: balances drift as binary floats do. always: one step more. off: none."""
    omit: tuple[str, ...] = ()
    """Members left out of every `data`, dotted: `product.name`, `completed_at`."""
    failure_reason_lingers: bool = False
    requeue_charges: str = "if_refunded"
    """Whether a revived order is charged again blindly, or only when its money went back before."""
    webhooks: bool = True
    webhook_created: bool = True
    webhook_on_status_change: bool = True
    signature_key: str = "plain_secret"
    webhook_delay_s: float = 0.0
    webhook_duplicate: bool = False
    webhook_duplicate_probability: float = 0.0
    webhook_reorder: bool = False
    webhook_shuffle_s: float = 0.0
    """Each copy is late by up to this much, drawn anew, so that they overtake each other."""
    webhook_before_response: bool = False
    webhook_before_probability: float = 0.0
    """The share of purchases whose event is delivered before their answer goes out."""
    webhook_drop_probability: float = 0.0
    webhook_timeout_s: float = 5.0
    rate_limit: int = 60
    rate_window: float = 60.0
    auto_fulfil: float = 0.0
    """Seconds from pending to successful when nobody acts; 0 leaves orders to a person."""
    auto_success_rate: float = 1.0
    time_scale: float = 1.0
    """Divides `auto_fulfil`."""
    abandon_on_disconnect: bool = False
    hold_cap_s: float = 300.0
    """A held request goes on by itself after this long."""


CHOICES: dict[str, tuple[str, ...]] = {
    "profile": ("documented", "published", "forwarding"),
    "generation": ("A2", "A3"),
    "list_transactions": ("full", "empty"),
    "statistics": ("ok", "broken"),
    "capacities": ("on", "gone"),
    "bulk": ("on", "gone"),
    "bulk_alias": ("on", "gone"),
    "upstream": ("ok", "fail", "crash"),
    "float_noise": ("natural", "always", "off"),
    "requeue_charges": ("if_refunded", "always"),
    "signature_key": ("plain_secret", "bcrypt_hash", "none"),
}

_AS_PUBLISHED: dict[str, Any] = {
    "products": ("YELLOW",),
    "list_transactions": "empty",
    "statistics": "broken",
    "capacities": "gone",
    "bulk_alias": "gone",
    "wallet_conflict": True,
    "transaction_s": 0.05,
    "webhook_on_status_change": False,
    "signature_key": "bcrypt_hash",
    "requeue_charges": "always",
    "failure_reason_lingers": True,
}

PROFILES: dict[str, dict[str, Any]] = {
    "documented": {},
    "published": _AS_PUBLISHED,
    "forwarding": {
        **_AS_PUBLISHED,
        "generation": "A3",
        "wallet_conflict": False,
        "transaction_s": 0.0,
    },
}

_ON = {"on", "true", "yes", "1"}
_OFF = {"off", "false", "no", "0"}


def preset(profile: str, **changes: Any) -> Knobs:
    """The knobs of a profile with changes on top. Raises `BadKnob`."""
    knobs = Knobs()
    turn(knobs, {"profile": profile, **changes})
    return knobs


def turn(knobs: Knobs, changes: Mapping[str, Any]) -> None:
    """Apply all changes or none. A `profile` among them first resets every knob to that profile.
    Raises `BadKnob`."""
    wanted = {name: _fit(name, value) for name, value in changes.items()}
    if "profile" in wanted:
        wanted = {
            **asdict(Knobs()),
            **PROFILES[wanted["profile"]],
            **wanted,
        }
    for name, value in wanted.items():
        setattr(knobs, name, value)


def as_dict(knobs: Knobs) -> dict[str, Any]:
    """Every knob and its value, as JSON can carry it."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(knobs).items()
    }


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Knobs)}


def _fit(name: str, value: Any) -> Any:
    if name not in _DEFAULTS:
        raise BadKnob(f"there is no knob called {name!r}")
    default = _DEFAULTS[name]
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise BadKnob(f"{name} is one of {', '.join(CHOICES[name])}; not {value!r}")
        return value
    if isinstance(default, bool):
        return _fit_switch(name, value)
    if isinstance(default, tuple):
        if isinstance(value, str):
            parts = value.split(",")
        else:
            parts = value
        if not isinstance(parts, (list, tuple)) or not all(
            isinstance(part, str) for part in parts
        ):
            raise BadKnob(f"{name} is a list of words; not {value!r}")
        return tuple(part.strip() for part in parts if part.strip())
    return _fit_number(name, value, type(default))


def _fit_switch(name: str, value: Any) -> bool:
    word = str(value).lower()
    if word not in _ON | _OFF:
        raise BadKnob(f"{name} is on or off; not {value!r}")
    return word in _ON


def _fit_number(name: str, value: Any, kind: type) -> Any:
    try:
        number = kind(value)
    except (TypeError, ValueError):
        raise BadKnob(f"{name} is a number; not {value!r}") from None
    if isinstance(value, bool) or not 0 <= number < 1e9:  # also refuses nan
        raise BadKnob(f"{name} is a number from 0 up; not {value!r}")
    if name in ("time_scale", "rate_limit", "rate_window") and number == 0:
        raise BadKnob(f"{name} must be above 0")
    return number
