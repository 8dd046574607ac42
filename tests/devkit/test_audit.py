"""The audit of the dependencies: what is found, what could not be looked at, and what is neither.

pip-audit's answers in `audited/` were recorded from pip-audit 2.10.1; pip is the real one, on an
index made here.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from email.message import Message
from pathlib import Path

import pytest

from devkit import audit, check, locks

AUDITED = Path(__file__).parent / "audited"
ROOT = Path(__file__).parents[2]
LOCK = (AUDITED / "two.lock").read_text()
HASH = "a" * 64


def replay(recording: str) -> locks.Look:
    """What the audit makes of a recorded answer of pip-audit about two.lock."""
    path = AUDITED / recording
    stream = "stdout" if path.suffix == ".json" else "stderr"
    code = f"import sys; sys.{stream}.write(open({str(path)!r}).read())"
    return audit.advisories("two.lock", LOCK, [sys.executable, "-c", code], {"jinja2"})


def test_a_known_vulnerability_names_package_and_the_version_that_mends_it() -> None:
    look = replay("found.json")
    assert look.found == [
        "jinja2 3.1.4 (ships): CVE-2024-56326, GHSA-q2x7-8rv6-6q7h; fixed in 3.1.5."
    ]
    assert (
        audit.status_of([locks.Look(told=["x"]), look, locks.Look(unseen=["y"])]) == 1
    )


def test_nothing_known_is_the_only_pass() -> None:
    look = replay("clean.json")
    assert (look.found, look.unseen) == ([], [])
    assert look.told == ["2 packages, no known vulnerability"]
    assert audit.status_of([look]) == 0


def test_what_pip_audit_skipped_is_not_audited_though_it_calls_that_success() -> None:
    look = replay("skipped.json")
    (sentence,) = look.unseen
    assert "nothing about 2 of 2 packages (flask, jinja2)" in sentence
    assert "not found on PyPI" in sentence
    assert audit.status_of([look]) == 2


def test_advisories_out_of_reach_are_said_in_a_sentence() -> None:
    look = replay("unreachable.txt")
    (sentence,) = look.unseen
    assert sentence.startswith(
        "The advisories cannot be reached for two.lock: requests.exceptions"
    )
    assert "Failed to resolve" in sentence
    assert audit.status_of([look]) == 2


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        '{"dependencies": []}',
        '{"dependencies": [{"name": "flask", "version": "3.1.2", "vulns": []}]}',
    ],
)
def test_no_answer_half_an_answer_and_one_about_another_version_are_no_audit(
    said: str,
) -> None:
    command = [sys.executable, "-c", f"print({said!r})"]
    look = audit.advisories("two.lock", LOCK, command, set())
    assert look.unseen
    assert audit.status_of([look]) == 2


def test_an_auditor_that_never_ends_is_no_audit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit, "ADVISORIES_S", 1)
    look = audit.advisories(
        "two.lock", LOCK, [sys.executable, "-c", "input()\nwhile True: pass"], set()
    )
    assert look.unseen


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"flask>=3.1 --hash=sha256:{HASH}", "not pinned"),
        (f"flask==3.* --hash=sha256:{HASH}", "not pinned"),
        (f"flask --hash=sha256:{HASH}", "not pinned"),
        ("flask==3.1.3", "no SHA-256"),
        ("flask==3.1.3 --hash=md5:d41d8cd98f00b204e9800998ecf8427e", "no SHA-256"),
        (f"flask==3.1.3 --hash=sha256:{HASH} --hash=sha256:short", "no SHA-256"),
        (f"flask @ https://h.example/f.whl --hash=sha256:{HASH}", "an address"),
        ("--extra-index-url https://h.example/simple", "an address"),
        ("-r other.txt", "an option"),
    ],
)
def test_a_line_that_is_no_hashed_pin_is_found(line: str, why: str) -> None:
    look = locks.lock_file("x.lock", f"{LOCK}{line}\n")
    (sentence,) = look.found
    assert why in sentence


def test_the_lock_files_are_read_whole() -> None:
    for name in audit.LOCKS:
        text = (ROOT / "requirements" / name).read_text()
        assert locks.lock_file(name, text).found == []
        assert len(locks.pins(text)) == text.count("==") - text.count(" == ") > 20
    assert locks.lock_file("x.lock", "# nothing\n").found
    assert {pin.name for pin in locks.pins(LOCK) if pin.is_wanted_here} == {
        "flask",
        "jinja2",
    }
    assert "pip-audit" in {
        pin.name for pin in locks.pins((ROOT / "requirements/audit.lock").read_text())
    }


def test_vendored_files_are_the_ones_named(tmp_path: Path) -> None:
    for listing in locks.VENDORED:
        shutil.copytree(
            (ROOT / listing).parent, (tmp_path / listing).parent, dirs_exist_ok=True
        )
    assert locks.vendored(ROOT).told == [
        "static/htmx-4.0.1.min.js",
        "tests/vendor/axe.min.js",
    ]
    assert locks.vendored(tmp_path).found == []
    with (tmp_path / "static/htmx-4.0.1.min.js").open("ab") as file:
        file.write(b"\n")
    (tmp_path / "static/other-1.min.js").write_text("x")
    (tmp_path / "tests/vendor/axe.min.js").unlink()
    changed, unlisted, gone = locks.vendored(tmp_path).found
    assert "is not the file" in changed and "htmx" in changed
    assert "nowhere" in unlisted and "other-1.min.js" in unlisted
    assert "not there" in gone and "axe" in gone


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A package index with `made` 1.0, withdrawn, and 2.0; gives a lock file of one version."""
    files, page = tmp_path / "files", tmp_path / "simple" / "made"
    files.mkdir()
    page.mkdir(parents=True)
    links = ""
    for version, yanked in (("1.0", ' data-yanked="broken"'), ("2.0", "")):
        wheel = files / f"made-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            folder = f"made-{version}.dist-info"
            archive.writestr(
                f"{folder}/METADATA",
                f"Metadata-Version: 2.1\nName: made\nVersion: {version}\n",
            )
            archive.writestr(
                f"{folder}/WHEEL",
                "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            archive.writestr(f"{folder}/RECORD", "")
        links += f'<a href="{wheel.as_uri()}"{yanked}>{wheel.name}</a>\n'
    (page / "index.html").write_text(
        f"<!DOCTYPE html><html><body>{links}</body></html>"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())

    def lock(version: str, digest: str = "") -> Path:
        wheel = files / f"made-{version}-py3-none-any.whl"
        digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
        path = tmp_path / "made.lock"
        path.write_text(f"made=={version} \\\n    --hash=sha256:{digest}\n")
        return path

    return lock


@pytest.fixture(scope="module")
def new_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pip that audit.lock pins, in a venv of its own as the audit makes it."""
    folder = tmp_path_factory.mktemp("auditors")
    lock = (ROOT / "requirements" / "audit.lock").read_text()
    (pip,) = (entry for entry in lock.split("\n") if entry.startswith("pip=="))
    only_pip = lock[lock.index(pip) : lock.index("pip-api==")]
    (folder / "pip.lock").write_text(only_pip)
    python = folder / "venv" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")],
        check=True,
        capture_output=True,
    )
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "-q",
        "--require-hashes",
        "-r",
        str(folder / "pip.lock"),
    ]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("pip cannot reach its package index")
    return python


@pytest.mark.slow(8)
@pytest.mark.servers
def test_a_withdrawn_release_and_another_file_are_found_and_a_silent_index_is_no_pass(
    index: Callable[..., Path], new_pip: Path
) -> None:
    good = audit.index_today("made.lock", index("2.0"), new_pip)
    assert good.told == [
        "1 packages are the same files as in made.lock, none withdrawn"
    ]
    assert audit.status_of([good]) == 0
    yanked = audit.index_today("made.lock", index("1.0"), new_pip)
    assert yanked.found == [
        "made 1.0 was withdrawn by its authors: take another version."
    ]
    other = audit.index_today("made.lock", index("2.0", HASH), new_pip)
    assert other.found == [
        "The index gives another file than made.lock names: made==2.0"
    ]
    lock = index("2.0")
    lock.write_text(lock.read_text().replace("made", "nowhere"))
    away = audit.index_today("made.lock", lock, new_pip)
    assert (away.found, audit.status_of([away])) == ([], 2)
    assert "No matching distribution" in away.unseen[0]


def test_without_the_auditors_the_command_says_so_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(audit, "VENV", tmp_path / "file" / "venv")
    (tmp_path / "file").write_text("a file where a folder must be")
    assert check.main(["--audit"]) == 2
    said = capsys.readouterr().out
    assert "NOT AUDITED  pip-audit could not be installed" in said
    assert audit.VERDICT[2] in said
    assert "LGPL-3.0-only: psycopg" in said


def test_a_finding_outweighs_what_was_not_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "auditors_python", lambda: None)
    monkeypatch.setattr(audit, "LOCKS", ("../README.md", *audit.LOCKS))
    assert check.main(["--audit"]) == 1
    assert "FOUND " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        (
            [("License-Expression", "MIT OR Apache-2.0"), ("License", "old")],
            "MIT OR Apache-2.0",
        ),
        (
            [
                ("Classifier", "License :: OSI Approved :: BSD License"),
                ("License", "Copyright"),
            ],
            "BSD License",
        ),
        ([("License", "MIT License\nand the whole text")], "MIT License"),
        ([("Classifier", "Framework :: Flask")], "says none"),
    ],
)
def test_a_licence_is_read_where_its_package_says_it(
    headers: list[tuple[str, str]], licence: str
) -> None:
    words = Message()
    for name, value in headers:
        words[name] = value
    assert audit.licence_of(words) == licence  # type: ignore[arg-type]
