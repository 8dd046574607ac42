"""The bytes of a CSV or Excel file as the text that somebody could have pasted instead.

Decides what is a list at all, and how much of a file is read. A workbook is looked over before the
library opens it: how many parts, how large unpacked, and that no part declares entities.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from core.base.refusal import Refusal
from core.batches.splitting import MOST_LINES

MOST_PARTS = 200
"""Files within a workbook."""
MOST_UNPACKED_BYTES = 3 * 1024 * 1024
MOST_ROWS = 2 * MOST_LINES
"""Rows of a sheet that are looked at, empty ones too."""
MOST_COLUMNS = 40
_ZIP = b"PK\x03\x04"
_FOREIGN = {
    b"\xd0\xcf\x11\xe0": (
        "This is an old Excel file (.xls), or one with a password. Save it as .xlsx or .csv without"
        " a password, then choose that."
    ),
    b"%PDF": "This is a PDF. Choose the list itself, as .xlsx or .csv, or paste its lines.",
    b"\x89PNG": "This is a picture. Choose a list as .xlsx or .csv, or paste its lines.",
    b"\xff\xd8\xff": "This is a picture. Choose a list as .xlsx or .csv, or paste its lines.",
    b"{\\rtf": "This is a text document. Choose a list as .xlsx or .csv, or paste its lines.",
}
_UNREADABLE = (
    "This file cannot be read as a list. Save it as .xlsx or .csv and choose it again, or paste its"
    " lines."
)
_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What the library raises over a workbook that was damaged or made by hand."""


class BadFile(Refusal):
    """A file that is no list, or is too large. `sentence` says what to do."""


def text_of(data: bytes) -> tuple[str, str]:
    """The text of a file, and what of it was left out, as a sentence. Raises `BadFile`."""
    if not data.strip():
        raise BadFile("This file is empty. Choose another, or paste the lines.")
    for mark, sentence in _FOREIGN.items():
        if data.startswith(mark):
            raise BadFile(sentence)
    if data.startswith(_ZIP):
        return _workbook(data)
    return _text(data), ""


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        first, _, rest = text.partition("\n")
        # Excel's word for how the columns are parted
        return rest if first.strip().lower().startswith("sep=") else text
    raise BadFile(_UNREADABLE)


def _workbook(data: bytes) -> tuple[str, str]:
    try:
        _look_over(data)
        return _first_sheet(data)
    except _BROKEN as broken:
        raise BadFile(_UNREADABLE) from broken


def _look_over(data: bytes) -> None:
    """Raise `BadFile` for a workbook that would take too much to open, or is none."""
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        listed = parts.infolist()
        if any(part.flag_bits & 1 for part in listed):
            raise BadFile(
                "This workbook has a password. Save it without one, then choose it again."
            )
        unpacked = sum(part.file_size for part in listed)
        if len(listed) > MOST_PARTS or unpacked > MOST_UNPACKED_BYTES:
            raise BadFile(
                f"This workbook holds more than a list of {MOST_LINES:,} lines. Copy its rows into"
                " a new one, or paste them."
            )
        if "[Content_Types].xml" not in parts.namelist():
            raise BadFile(_UNREADABLE)
        for part in listed:
            # no reader unpacks more of a part than it declares
            inner = parts.read(part).replace(b"\x00", b"")
            if b"<!DOCTYPE" in inner or b"<!ENTITY" in inner:
                raise BadFile(_UNREADABLE)


def _first_sheet(data: bytes) -> tuple[str, str]:
    import openpyxl  # 20 MB of modules, for the few who upload

    book = openpyxl.load_workbook(
        io.BytesIO(data), read_only=True, data_only=True, keep_links=False
    )
    try:
        visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        if not visible:
            raise BadFile("This workbook has no sheet that can be seen. Unhide one.")
        sheet = visible[0]
        text = "\n".join(_rows(sheet))
        more = len(visible) > 1
        title = str(sheet.title)[:40]
    finally:
        book.close()
    return text, f"Only the first sheet, “{title}”, was read." if more else ""


def _rows(sheet: Any) -> Iterator[str]:
    """The rows of a sheet, each with its cells parted by tabs."""
    sheet.reset_dimensions()  # it says what it likes
    rows = sheet.iter_rows(
        max_row=MOST_ROWS + 1, max_col=MOST_COLUMNS, values_only=True
    )
    for at, row in enumerate(rows, 1):
        if at > MOST_ROWS:
            raise BadFile(
                f"This sheet goes on after row {MOST_ROWS:,}. Delete what stands there, empty rows"
                " too, or split the list."
            )
        yield "\t".join(_cell(value) for value in row).rstrip("\t")


def _cell(value: Any) -> str:
    """A cell as people see it: whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split())
