"""The configuration of one process: what the environment says (`environment`), and the limits that
nobody sets (`fixed`).

Reads the variables, reports all that are missing or wrong at once, and proves the arithmetic of
leases. Leaves to others what the numbers mean: money in `ledger`, time in `clock`, the supplier's
pace in `fulfilment`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from core.base import setting_rules
from core.base.environment import Environment
from core.base.fixed import FixedLimits


class ConfigError(Exception):
    """One or more settings are missing or wrong; the message lists every one of them with its
    fix."""


@dataclass(frozen=True)
class Config(FixedLimits, Environment):
    """What one running Makola was told. Build it with `Config.from_environ`."""

    def __post_init__(self) -> None:
        """The arithmetic of leases (reliability §1), once: whoever could still buy is done before
        absence counts.

        Two roads lead to a late charge: a call begun at the last moment of its lease, and a job
        that runs into its time limit and is killed by the supervisor. After either the supplier
        itself may still work on it.
        """
        if (
            self.rate_reserved_for_purchases + self.rate_reserved_for_news
            >= self.rate_calls
        ):
            raise ConfigError(
                "rate_calls leaves nothing beside what is reserved for purchases and for signed"
                " news"
            )
        latest = max(
            self.send_lease_s + self.purchase_call_s,
            self.job_timeout_s + self.supervise_grace_s,
        )
        if self.grace_s < latest + self.supplier_longest_s:
            raise ConfigError(
                f"grace_s is {self.grace_s}: it must be at least"
                f" {latest + self.supplier_longest_s}, when the last call that could still buy is"
                " over"
            )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Config:
        """Read every setting. Raises `ConfigError` naming all that are missing or wrong, each with
        its fix."""
        values: dict[str, Any] = {}
        problems: list[str] = []
        for f in fields(cls):
            name = f.metadata.get("env")
            if name is None:
                continue
            text = environ.get(name, "").strip()
            if not text:
                # both are MISSING: the field has no default
                if f.default is f.default_factory:
                    problems.append(f"{name} is missing: {f.metadata['help']}.")
                continue
            try:
                values[f.name] = _read(str(f.type), text)
            except ValueError as error:
                problems.append(
                    f"{name} is {text!r}, but {error}: {f.metadata['help']}."
                )
        problems += setting_rules.problems(values)
        if problems:
            raise ConfigError(
                "Makola cannot start:\n" + "\n".join(f"  - {p}" for p in problems)
            )
        return cls(**values)


def _read(kind: str, text: str) -> Any:
    if kind == "bool":
        if text.lower() not in ("0", "1", "true", "false", "yes", "no"):
            raise ValueError("it must be 1 or 0")
        return text.lower() in ("1", "true", "yes")
    if kind == "int":
        if not re.fullmatch(r"\d{1,9}", text):
            raise ValueError("it must be a whole number")
        return int(text)
    if kind == "float":
        if not re.fullmatch(r"\d{1,6}(\.\d+)?", text) or float(text) <= 0:
            raise ValueError("it must be a number above 0")
        return float(text)
    return text


_current: Config | None = None


def use(config: Config) -> None:
    """Make `config` the one this process runs by."""
    global _current
    _current = config


def current() -> Config:
    """The configuration of this process. Raises `RuntimeError` before `use`."""
    if _current is None:
        raise RuntimeError("no configuration yet: create_app() sets it")
    return _current
