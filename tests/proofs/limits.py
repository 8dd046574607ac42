"""Other limits than those of `core.base.fixed`, in real processes: what takes days is to be seen
within a run.

Nobody sets these in the program. A proof names them in the environment of its processes
(`tests/proofs/inject`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.base.config import Config
from tests.proofs import patching
from tests.proofs.patching import Undo


def apply(told: str) -> Undo:
    """Read every configuration from now on with these limits, given as JSON. Raises `TypeError`
    for a name that is none."""
    changes = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in json.loads(told).items()
    }
    read = vars(Config)["from_environ"].__func__

    def with_changes(cls: type[Config], environ: Mapping[str, str]) -> Any:
        return replace(read(cls, environ), **changes)

    return patching.attribute(Config, "from_environ", classmethod(with_changes))
