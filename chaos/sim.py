"""`python -m chaos.sim` of before: says its new name, and runs it."""

import runpy

print("chaos.sim is called this way now: python3 dev.py prove sim --long", flush=True)
runpy.run_module("tests.proofs.sim", run_name="__main__")
