"""`python3 dev.py up`: everything Makola needs, on one machine, until somebody stops it.

Decides what is said and undone at the start and at the end. Leaves to `plan` what was asked for, to
`whole` the order in which things start, to `processes` how children live and end, to `fork_runner`
that nothing survives a kill.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from devkit import datafolder, fork_runner, keys, plan
from devkit.console import Console
from devkit.daemons import ServerError
from devkit.plan import Plan, Refusal
from devkit.processes import Family, Stopping
from devkit.whole import Whole


def main(words: list[str]) -> int:
    """Run until stopped. Returns the exit status: 0 after an orderly stop, 1 after a refusal."""
    options = plan.parse(words)
    instance = Path(os.environ.get("MAKOLA_INSTANCE") or "instance").resolve()
    return fork_runner.run(
        lambda fd: _run(options, instance, fd),
        after_kill=lambda: (instance / "ready.json").unlink(missing_ok=True),
    )


def _run(options: Any, instance: Path, front_fd: int) -> int:
    try:
        datafolder.make(instance)
        with datafolder.alone(instance, front_fd):
            if options.reset:
                datafolder.reset(instance)
            return _serve(options, instance, front_fd)
    except (Refusal, ServerError) as refusal:
        print(f"dev.py: {refusal}", file=sys.stderr, flush=True)
    except OSError as error:
        print(
            f"dev.py: Makola cannot write to {instance} ({error}): make that folder yours or free"
            " some space.",
            file=sys.stderr,
            flush=True,
        )
    except Stopping:
        return 0
    return 1


def _serve(options: Any, instance: Path, front_fd: int) -> int:
    port, port_note = plan.choose_port(options.port)
    environ = plan.private(os.environ)
    if "DATA_MART_API_URL" in environ:
        sandbox_port = 0
    else:
        sandbox_port = datafolder.steady_port(instance / "ports.json", "sandbox")
    if any(name in environ for name in plan.PAYSTACK) or not sandbox_port:
        # and nobody pays a supplier that is not ours with play money
        gateway_port = 0
    else:
        gateway_port = datafolder.steady_port(instance / "ports.json", "gateway")
    what = Plan(
        options,
        environ,
        instance,
        keys.load(instance / "secrets.json"),
        port,
        sandbox_port,
        gateway_port,
    )
    workers = what.check().workers
    console = Console(instance / "up.log", environ, sys.stdout.fileno())
    family = Family(console, front_fd)
    whole = Whole(what, console, family)
    (instance / "ready.json").unlink(missing_ok=True)
    try:
        if port_note:
            console.say(port_note)
        whole.start(workers)
        whole.watch()
    except Stopping:
        return 0
    finally:
        (instance / "ready.json").unlink(missing_ok=True)
        datafolder.say_ending(instance)
        console.say("stopping")
        family.stop()
        console.say("stopped")
        console.flush(wait_s=0.5)
        console.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
