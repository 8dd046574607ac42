"""`python -m chaos.kill` of before: says its new name, and runs it."""

import runpy

print("chaos.kill is called this way now: python3 dev.py prove kill --long", flush=True)
runpy.run_module("tests.proofs.kill", run_name="__main__")
