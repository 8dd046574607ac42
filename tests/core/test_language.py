"""A text is its own name: in English as it stands, elsewhere as its file has it, in messages as
an SMS can carry it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from core.base import language, sms
from core.base.language import later, say, spoken, stored
from devkit import texts

VALUES = {
    "code": "K7QM-2XR9-4T",
    "store": "Ama's Data and Airtime, Kejetia",
    "bundle": "Telecel 100 GB",
    "number": "024\xa0123\xa04567",
}
ADDRESS = " https://amas-data-and-airtime.makola.example/tw/orders/K7QM2XR94T"


def test_a_text_is_said_in_the_language_of_now() -> None:
    assert say("You pay %(store)s", store="Ama") == "You pay Ama"
    with spoken("tw"):
        assert say("You pay %(store)s", store="Ama") == "Tua ma Ama"
        assert later("Ordered") == "Ordered", "it is for storing"
        assert say("Nobody has translated %(this)s", this="it").endswith("it")
    assert say("Ordered") == "Ordered"


def test_a_language_is_of_one_thread_and_ends_with_its_block() -> None:
    heard: list[str] = []
    with pytest.raises(KeyError), spoken("tw"):
        other = threading.Thread(target=lambda: heard.append(language.current()))
        other.start()
        other.join()
        assert language.current() == "tw"
        raise KeyError
    assert heard == ["en"] and language.current() == "en"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Delivered", "Aduru"),
        ("30 days", "Nnafua 30"),
        ("1 Week", "Nnawɔtwe 1"),
        ("24hours", "Nnɔnhwere 24"),
        ("what a person wrote", "what a person wrote"),
        ("valid for 30 days", "valid for 30 days"),
        ("100% sure %(x)s", "100% sure %(x)s"),
        ("", ""),
    ],
)
def test_what_is_stored_is_said_as_far_as_it_is_known(words: str, said: str) -> None:
    assert stored(words) == words
    with spoken("tw"):
        assert stored(words) == said


@pytest.mark.parametrize("code", language.NAMES)
def test_what_is_sent_on_fits_into_one_sms(code: str) -> None:
    """With its link, if one goes with it; in signs that let an SMS hold 160."""
    found = [
        text
        for path in (texts.ROOT / "storefront").rglob("*.py")
        for text in texts.texts_of(path, {"message": None})
    ]
    assert len(found) >= 4
    with spoken(code):
        for text in found:
            said = sms.message(text, **VALUES)
            assert sms.places(said + ADDRESS) is not None, said
            assert (sms.places(said + ADDRESS) or 0) <= sms.PLACES, said


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("me order ho asem", 16),
        ("asɛm", None),
        ("GH₵ 5", None),
        ("a\xa0b", None),
        ("[a]", 5),
        ("é ñ €", 6),
    ],
)
def test_the_places_of_an_sms(text: str, places: int | None) -> None:
    assert sms.places(text) == places


def test_a_message_is_spelt_for_an_sms() -> None:
    assert sms.spelt("me order ho asɛm: GH₵\xa05.00, Ɔ’s") == (
        "me order ho asem: GHS 5.00, O's"
    )


# The files


@pytest.mark.parametrize(
    "code", [code for code in language.NAMES if code != language.ENGLISH]
)
def test_a_language_says_every_text(code: str) -> None:
    """Otherwise: `python -m devkit.texts`, then translate what `--missing` names."""
    assert texts.faults(code) == {}


def test_the_files_are_as_the_code_is() -> None:
    """Otherwise: `python -m devkit.texts`."""
    told = texts.found()
    assert texts.TEMPLATE.read_text() == texts.written(told)
    for code in language.NAMES:
        if code != language.ENGLISH:
            file = language.path_of(code).read_text()
            assert file == texts.written(texts.renewed(told, code))


def test_a_text_of_every_kind_is_found(tmp_path: Path) -> None:
    python = tmp_path / "a.py"
    python.write_text('say("one %(x)s" " more", x=1)\nlater("two")\nother("no")\n')
    page = tmp_path / "a.html"
    page.write_text(
        """{{ _("three") }} {% trans %} four
        lines{% endtrans %} <a title="{{ _('five %(x)s', x=1) }}">six</a>"""
    )
    assert texts.texts_of(python) == ["one %(x)s more", "two"]
    assert texts.texts_of(page) == ["three", "four lines", "five %(x)s"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "not translated"),
        ("Tua ma", "other values are filled in"),
        ("Tua ma %(shop)s <b>x</b>", "other values are filled in"),
        ("Tua ma %(store)s", "other markup"),
        ("Tua <b>%(store)s</b>", None),
    ],
)
def test_what_is_wrong_with_a_translation_is_named(
    monkeypatch: pytest.MonkeyPatch, said: str, why: str | None
) -> None:
    ours, theirs = Catalog(), Catalog()
    ours.add("Pay <b>%(store)s</b>")
    theirs.add("Pay <b>%(store)s</b>", said)
    monkeypatch.setattr(texts, "found", lambda: ours)
    monkeypatch.setattr(texts, "kept", lambda _code: theirs)
    assert texts.faults("tw") == ({"Pay <b>%(store)s</b>": why} if why else {})
    theirs.add("gone", "kɔ")
    assert texts.faults("tw")["gone"] == "no text of ours any more"
