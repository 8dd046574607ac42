"""Files as lists: what spreadsheets save, what they break, and what somebody makes by hand."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable

import openpyxl
import pytest

from core.batches import files, reading, splitting
from core.batches.files import BadFile

CSV = "0241234567,5\n0551234567,2\n"
SHEET = "xl/worksheets/sheet1.xml"
HEAD = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
TAIL = b"</sheetData></worksheet>"


def workbook(*rows: list[object], sheets: int = 1) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(row)  # type: ignore[union-attr]
    for _ in range(sheets - 1):
        book.create_sheet()
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_part(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """A workbook with one of its parts written anew."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            inner = old.read(part)
            new.writestr(part, change(inner) if part == name else inner)
    return out.getvalue()


def wishes(data: bytes) -> list[tuple[str, int]]:
    text, _note = files.text_of(data)
    found = [reading.read(line) for line in splitting.split(text).lines.values()]
    return [(wish.recipient_msisdn, wish.mb) for wish in found]


def refused(data: bytes) -> str:
    with pytest.raises(BadFile) as bad:
        files.text_of(data)
    return bad.value.sentence


@pytest.mark.parametrize(
    "data",
    [
        CSV.encode(),
        CSV.encode("utf-8-sig"),
        CSV.encode("utf-16"),
        CSV.replace("\n", "\r\n").encode(),
        CSV.replace("\n", "\r").encode(),
        CSV.replace(",", ";").encode("cp1252"),
        ("sep=;\r\n" + CSV.replace(",", ";")).encode(),
    ],
)
def test_texts_in_the_encodings_that_spreadsheets_save(data: bytes) -> None:
    assert wishes(data) == [("+233241234567", 5_120), ("+233551234567", 2_048)]


def test_a_name_in_an_old_encoding_is_no_hindrance() -> None:
    assert wishes("0241234567,5,Aimé".encode("cp1252")) == [("+233241234567", 5_120)]


def test_a_workbook_with_lost_zeros_and_points() -> None:
    data = workbook(
        ["Phone", "Price", "GB", "Name"],
        [241234567, 24, 5, "Kofi"],
        [551234567.0, 10, 2.0, None],
        [None, None, None, None],
        ["020 123 4567", "10", "5GB", "Esi"],
        [233201234568, None, 1.5],
    )
    assert wishes(data) == [
        ("+233241234567", 5_120),
        ("+233551234567", 2_048),
        ("+233201234567", 5_120),
        ("+233201234568", 1_536),
    ]
    assert files.text_of(workbook(["0241234567", 5]))[1] == ""


def test_only_the_first_sheet_is_read_and_it_says_so() -> None:
    text, note = files.text_of(workbook(["0241234567", 5], sheets=2))
    assert text == "0241234567\t5" and "Only the first sheet" in note


def test_a_cell_of_a_workbook_cannot_make_lines_or_columns() -> None:
    text, _note = files.text_of(workbook(["0241234567\n0551234567 5", "a\tb"]))
    assert text.count("\n") == 0 and text.count("\t") == 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"  \n ", "empty"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"\xff\xd8\xff\xe0", "picture"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel file"),
        (b"0241234567\x005", "cannot be read as a list"),
        (b"PK\x03\x04 and no more", "cannot be read as a list"),
        (b"\xff\xfe0", "cannot be read as a list"),
    ],
)
def test_what_is_no_list_says_what_to_do(data: bytes, says: str) -> None:
    assert says in refused(data)


def test_a_zip_of_something_else_is_none() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        parts.writestr("list.csv", CSV)
    assert "cannot be read as a list" in refused(out.getvalue())


def test_a_bomb_is_refused_before_it_is_opened() -> None:
    data = with_part(workbook(["x"]), SHEET, lambda _old: b" " * 30_000_000)
    assert len(data) < 100_000
    assert "holds more than a list" in refused(data)


def test_a_workbook_of_very_many_parts_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        for at in range(files.MOST_PARTS + 1):
            parts.writestr(f"{at}.xml", b"")
    assert "holds more than a list" in refused(out.getvalue())


def test_a_part_that_lies_about_its_size_unpacks_no_more_than_it_said() -> None:
    data = bytearray(with_part(workbook(["x"]), SHEET, lambda _old: b" " * 50_000_000))
    for found in range(len(data) - 28):
        if data[found : found + 4] in (b"PK\x01\x02", b"PK\x03\x04"):
            size = found + (24 if data[found : found + 4] == b"PK\x01\x02" else 22)
            if int.from_bytes(data[size : size + 4], "little") == 50_000_000:
                data[size : size + 4] = (100).to_bytes(4, "little")
    assert "cannot be read as a list" in refused(bytes(data))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused(encoding: str) -> None:
    evil = (
        f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY a "ha">]>'
        "<x>&a;</x>"
    ).encode(encoding)
    data = with_part(workbook(["x"]), SHEET, lambda _old: evil)
    assert "cannot be read as a list" in refused(data)


def test_a_sheet_that_goes_on_for_ever_is_refused() -> None:
    far = HEAD + b'<row r="1048576"><c r="A1048576"><v>5</v></c></row>' + TAIL
    data = with_part(workbook(["x"]), SHEET, lambda _old: far)
    assert "goes on after row 2,000" in refused(data)


def test_a_row_as_wide_as_can_be_is_cut() -> None:
    data = workbook(["0241234567", 5, *["x"] * 500])
    assert files.text_of(data)[0].count("\t") == files.MOST_COLUMNS - 1


def test_a_damaged_workbook_is_refused_and_never_an_error() -> None:
    data = workbook(["0241234567", 5], ["0551234567", 2])
    dice = random.Random(13)
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(dice.randint(1, 12)):
            broken[dice.randrange(4, len(broken))] = dice.randrange(256)
        try:
            files.text_of(bytes(broken[: dice.randint(40, len(broken))]))
        except BadFile as bad:
            assert bad.sentence


def test_a_part_damaged_within_is_refused_and_never_an_error() -> None:
    data = workbook(["0241234567", 5], ["0551234567", 2])
    dice = random.Random(14)
    parts = zipfile.ZipFile(io.BytesIO(data)).namelist()

    def damage(inner: bytes) -> bytes:
        broken = bytearray(inner)
        for _ in range(dice.randint(1, 6)):
            broken[dice.randrange(len(broken))] = dice.randrange(32, 127)
        return bytes(broken)

    for _ in range(60):
        try:
            files.text_of(with_part(data, dice.choice(parts), damage))
        except BadFile as bad:
            assert bad.sentence
