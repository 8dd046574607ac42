"""The systemd units we ship: they are understood, they say what operate.md says, and they give
nothing away."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from core.base.config import Config
from http_server import CONNECTIONS, OWN_FILES, STOP_S

ROOT = Path(__file__).resolve().parent.parent
UNITS = sorted((ROOT / "deploy").glob("*.service"))
HARDENED = {
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
    "PrivateDevices": "yes", "ProtectKernelTunables": "yes", "ProtectKernelModules": "yes",
    "ProtectControlGroups": "yes", "RestrictSUIDSGID": "yes", "RestrictNamespaces": "yes",
    "LockPersonality": "yes",
    "CapabilityBoundingSet": "", "SystemCallArchitectures": "native", "UMask": "0077",
    "KillMode": "mixed", "Restart": "always", "User": "makola",
}  # fmt: skip


def service(path: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser["Service"]


def test_there_is_a_unit_for_each_command() -> None:
    commands = {
        re.search(r"--app wsgi (\w+)", service(unit)["ExecStart"])[1] for unit in UNITS
    }  # type: ignore[index]
    assert commands == {"web", "supervise"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_has_a_user_of_its_own_and_may_do_nothing_else(unit: Path) -> None:
    told = service(unit)
    assert {name: told.get(name) for name in HARDENED} == HARDENED
    assert int(told["LimitNOFILE"]) >= CONNECTIONS + OWN_FILES
    longest_s = STOP_S if "web" in unit.name else Config.job_timeout_s + 15
    assert int(told["TimeoutStopSec"]) > longest_s, (
        "killed in the middle of what it finishes"
    )


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_the_unit(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here: the units are only read")
    here = tmp_path / unit.name
    text = unit.read_text().replace(
        "/opt/makola/.venv/bin/flask", shutil.which("true") or "/bin/true"
    )
    here.write_text(text.replace("/opt/makola", str(ROOT)))
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(here)],
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = [line for line in verified.stderr.splitlines() if unit.name in line]
    assert wrong == []
    judged = [
        "systemd-analyze",
        "security",
        "--offline=true",
        "--threshold=25",
        str(here),
    ]
    exposed = subprocess.run(judged, capture_output=True, text=True, check=False)
    assert exposed.returncode == 0, exposed.stdout[-300:]
