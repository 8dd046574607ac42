"""Puts a mutant into a real process of Makola, or other limits: web, relay, worker or supervisor,
whichever starts with this on its path.

`PYTHONPATH=tests/proofs/inject CHAOS_MUTANT=<name> CHAOS_LIMITS=<JSON>`: Python imports this file
before the program. Once the program has loaded `wsgi`, and with it every shipped module, the mutant
named is applied, and the limits that nobody can set are those of the JSON. A name that is none ends
the process.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType


class _AfterWsgi(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `wsgi` as everybody else would, and applies the mutant right after it has run."""

    def __init__(self, mutant: str, limits: str) -> None:
        self._mutant, self._limits = mutant, limits
        self._real: importlib.abc.Loader | None = None

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "wsgi":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None:
            self._real, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        assert self._real is not None
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert self._real is not None
        self._real.exec_module(module)
        root = str(Path(__file__).resolve().parents[3])
        if root not in sys.path:
            sys.path.append(root)
        from tests.proofs import limits, mutants

        if self._mutant:
            mutants.apply(self._mutant)
        if self._limits:
            limits.apply(self._limits)


_told = [os.environ.get(name, "") for name in ("CHAOS_MUTANT", "CHAOS_LIMITS")]
if any(_told):
    sys.meta_path.insert(0, _AfterWsgi(*_told))
