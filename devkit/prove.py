"""`python3 dev.py prove`: what needs the whole program, a browser or every core, and somebody who
breaks things.

Decides which proofs there are, and the two forms of each: the short one is a test, the long one a
program of `tests/proofs` with the size at which its figures are written down. Without a name all
short forms run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from devkit import test

STAGES = (
    ("(browser or servers or matrix) and not (alone or all_cores)", 4),
    ("alone and timed and not all_cores", 2),
    ("alone and not (timed or all_cores)", 3),
    ("all_cores", 1),
)
"""Which tests are proofs, and in how many processes. A browser goes through all of the program, and
waits for pages most of the time, as who starts servers waits for them; a matrix goes through every
combination of something. What starts the whole program waits a third of its time and runs three at
once, since nothing it shows may depend on a quiet machine; two where it says that something takes
at most a second, or must meet a purchase under way. Last comes what has processes of its own for
all cores."""


@dataclass(frozen=True)
class Proof:
    """`short`: the test file, under `tests`. `long`: the program and its words; it takes further
    ones."""

    says: str
    short: str
    long: tuple[str, ...]


PROOFS = {
    "kill": Proof(
        "kill -9 of everything while orders are bought",
        "proofs/test_kill",
        ("tests.proofs.kill", "--seeds", "1-3"),
    ),
    "online": Proof(
        "kill -9 of everything while orders are paid online",
        "proofs/test_online_kill",
        ("tests.proofs.online_kill", "--seeds", "1-3"),
    ),
    "sim": Proof(
        "hundreds of days from seeds",
        "proofs/test_sim",
        ("tests.proofs.sim", "--seeds", "500", "--jobs", "2"),
    ),
    "mutants": Proof(
        "each rule taken out is seen", "proofs/test_mutants", ("tests.proofs.mutants",)
    ),
    "online-days": Proof(
        "days of taking money online from seeds",
        "proofs/test_online_days",
        ("pytest", "-m", "", "tests/proofs/test_online_days.py"),
    ),
    "online-mutants": Proof(
        "each rule of online money taken out is seen",
        "proofs/test_online_mutants",
        ("pytest", "-m", "", "tests/proofs/test_online_mutants.py"),
    ),
    "points": Proof(
        "a crash at every effect",
        "proofs/test_crash_points",
        ("tests.proofs.crash_points", "--all"),
    ),
    "outages": Proof(
        "each part gone or frozen", "proofs/test_outages", ("tests.proofs.outages",)
    ),
    "storm": Proof("a storm of webhooks", "proofs/test_storm", ("tests.proofs.storm",)),
    "deploy": Proof(
        "a new version under load", "proofs/test_deploy", ("tests.proofs.deploy",)
    ),
    "rate": Proof(
        "the supplier's rate limit", "proofs/test_supplier_rate", ("tests.proofs.rate",)
    ),
    "attacks": Proof(
        "half requests, floods", "proofs/test_attacks", ("tests.proofs.attacks",)
    ),
    "guessing": Proof(
        "guessed passwords", "proofs/test_guessing", ("tests.proofs.guessing",)
    ),
    "locks": Proof(
        "rows held by somebody",
        "proofs/test_locked_rows",
        ("tests.proofs.locked_rows",),
    ),
    "processes": Proof(
        "each web process sees a change within two seconds",
        "proofs/test_two_processes",
        ("tests.proofs.two_processes",),
    ),
    "fuzz": Proof(
        "every address with every method and odd forms, as each role",
        "proofs/test_fuzz",
        ("pytest", "-m", "", "tests/proofs/test_fuzz.py"),
    ),
    "up": Proof(
        "`up` is killed, and its processes",
        "devkit/test_up",
        ("pytest", "-m", "", "tests/devkit/test_up.py"),
    ),
    "drill": Proof(
        "a backup restored",
        "fulfilment/test_drill",
        ("pytest", "-m", "", "tests/fulfilment/test_drill.py"),
    ),
}


def main(words: Sequence[str]) -> int:
    """Run the proofs named, or all; print what took how long. Returns the worst exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 dev.py prove",
        description="Proofs: "
        + "; ".join(f"{name} ({proof.says})" for name, proof in PROOFS.items())
        + ".",
        epilog="Further words go to the program of a long form, or to pytest.",
    )
    parser.add_argument(
        "proof",
        nargs="?",
        choices=[*PROOFS, "all"],
        default="all",
    )
    parser.add_argument(
        "--long", action="store_true", help="at full size: minutes to hours"
    )
    options, more = parser.parse_known_args(words)
    if not options.long and options.proof == "all":
        return test.in_stages(STAGES, more)
    if options.proof == "all":
        names = list(PROOFS)
    else:
        names = [options.proof]
    taken = []
    for name in names:
        began = time.monotonic()
        if options.long:
            status = _long(PROOFS[name], more)
        else:
            status = test.main(["-m", "", _file(PROOFS[name]), *more])
        taken.append((name, status, time.monotonic() - began))
    for name, status, seconds in taken:
        print(
            f"{'ok    ' if status == 0 else 'FAILED'}  {name:<9} {seconds:7.1f} s",
            flush=True,
        )
    return max(status for _, status, _ in taken)


def _file(proof: Proof) -> str:
    return f"tests/{proof.short}.py"


def _long(proof: Proof, more: Sequence[str]) -> int:
    return abs(subprocess.call([sys.executable, "-m", *proof.long, *more]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
