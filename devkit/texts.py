"""The texts that customers read: found in the code, and brought into each language's file.

    python -m devkit.texts            write translations/ anew
    python -m devkit.texts --missing  say what each language lacks

`core/base/language.py` says how a text is written and found. Translations are kept word by word;
nothing is guessed for a text that is new.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

from babel.messages import extract, pofile
from babel.messages.catalog import Catalog

from core.base import language

ROOT = Path(__file__).resolve().parent.parent
READ = ("core", "edge", "fulfilment", "storefront", "templates")
"""Where texts of customers stand."""
TEMPLATE = language.FOLDER / "messages.pot"
IN_CODE = {"say": None, "later": None, "message": None, "BadNumber": None}
IN_TEMPLATES = {"_": None, "gettext": None}
_VALUE = re.compile(r"%\(\w+\)s|\{\w+\}")
"""Filled in by us, or by the script of the page."""
_TAG = re.compile(r"</?\w[^>]*>")
_IMPORT = r"^from core\.base\.(language|sms) import"
_OF_TODAY = (
    "POT-Creation-Date", "PO-Revision-Date", "Generated-By", "Project-Id-Version",
    "Last-Translator", "Language-Team", "Report-Msgid-Bugs-To",
)  # fmt: skip
_WIDE = 100


def found() -> Catalog:
    """Every text of the code, with the files that say it. A file's lines move; so they are not
    named."""
    texts = _empty("")
    for path in _sources():
        name = path.relative_to(ROOT).as_posix()
        for text in texts_of(path):
            texts.add(text, locations=[(name, 0)])
    return texts


def texts_of(path: Path, keywords: Mapping[str, None] | None = None) -> list[str]:
    """The texts that one file says; with `keywords`, those of these functions alone."""
    if path.suffix == ".py":
        method, options, usual = "python", {}, IN_CODE
    else:
        options = {"trimmed": "true", "silent": "false"}
        method, usual = "jinja2.ext:babel_extract", IN_TEMPLATES
    with path.open("rb") as file:
        rows = list(extract.extract(method, file, keywords or usual, options=options))
    return [str(row[1]) for row in rows]


def kept(code: str) -> Catalog:
    """What a language's file says now."""
    with language.path_of(code).open("rb") as file:
        return pofile.read_po(file, locale=None)


def renewed(texts: Catalog, code: str) -> Catalog:
    """The texts of the code, with the translations that a language's file has for them."""
    known = kept(code)
    brought = _empty(known.header_comment)
    for message in texts:
        if message.id:
            said = known.get(message.id)
            brought.add(
                message.id,
                said.string if said else "",
                locations=message.locations,
                user_comments=said.user_comments if said else (),
            )
    return brought


def faults(code: str) -> dict[str, str]:
    """What is wrong with a language's file: text → why. Empty when it says every text."""
    texts, known = found(), kept(code)
    wrong = {
        str(message.id): "no text of ours any more"
        for message in known
        if message.id and message.id not in texts
    }
    for message in texts:
        said = known.get(message.id) if message.id else None
        if message.id and (said is None or not said.string):
            wrong[str(message.id)] = "not translated"
        elif said is not None and message.id:
            why = _differs(str(message.id), str(said.string))
            wrong |= {str(message.id): why} if why else {}
    return wrong


def written(texts: Catalog) -> str:
    """The file, without the dates and versions that would change it each time."""
    out = BytesIO()
    pofile.write_po(out, texts, width=_WIDE, sort_output=True, include_lineno=False)
    head = rf'^"(?:{"|".join(_OF_TODAY)}): .*\n'
    return re.sub(head, "", out.getvalue().decode(), flags=re.MULTILINE)


def _empty(comment: str) -> Catalog:
    return Catalog(charset="utf-8", header_comment=comment, fuzzy=False)


def _differs(english: str, said: str) -> str:
    """What a translation has other than its text: a value that is filled in, or markup."""
    if sorted(set(_VALUE.findall(english))) != sorted(set(_VALUE.findall(said))):
        return "other values are filled in"
    if sorted(_TAG.findall(english)) != sorted(_TAG.findall(said)):
        return "other markup"
    return ""


def _sources() -> Iterator[Path]:
    for folder in READ:
        yield from sorted(
            path
            for path in (ROOT / folder).rglob("*")
            if path.suffix == ".html" or (path.suffix == ".py" and _says(path))
        )


def _says(path: Path) -> bool:
    """Whether a module has the words of `core.base.language` and `core.base.sms`: others may have
    functions of the same names."""
    if path.samefile(language.__file__):
        return True
    code = path.read_text(encoding="utf-8")
    return re.search(_IMPORT, code, re.MULTILINE) is not None


def main(words: list[str]) -> int:
    codes = [code for code in language.NAMES if code != language.ENGLISH]
    if words == ["--missing"]:
        wrong = {code: faults(code) for code in codes}
        for code, of_language in wrong.items():
            for text, why in of_language.items():
                print(f"{code}: {why}: {text}")
        return 1 if any(wrong.values()) else 0
    if words:
        print(__doc__)
        return 2
    texts = found()
    TEMPLATE.write_text(written(texts), encoding="utf-8")
    for code in codes:
        language.path_of(code).write_text(
            written(renewed(texts, code)), encoding="utf-8"
        )
    print(f"{len(texts)} texts")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
