"""What nobody can see changes no number, no code, no address and no search; what a person sees
does."""

from __future__ import annotations

import unicodedata
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import orders
from core.base import money, phones, text_input


@cache
def unseen_signs() -> list[str]:
    """Every sign of these four categories, and letters and unassigned ones that are ignored by
    default."""
    ignored = (
        0x034F,
        0x115F,
        0x1160,
        0x17B4,
        0x3164,
        0xFFA0,
        0x2065,
        0xFFF3,
        0xE0000,
        0xE0FFF,
    )
    more = (0xE01EF, 0x2800)
    return sorted(
        {
            chr(n)
            for n in range(0x110000)
            if unicodedata.category(chr(n)) in ("Cf", "Mn", "Me", "Zs")
        }
        | {chr(n) for n in (*ignored, *more)}
    )


@cache
def nines() -> list[str]:
    """The nine of every script that counts by tens."""
    return [
        chr(n)
        for n in range(0x110000)
        if unicodedata.category(chr(n)) == "Nd" and unicodedata.decimal(chr(n)) == 9
    ]


unseen = st.deferred(lambda: st.text(st.sampled_from(unseen_signs()), max_size=4))
national = st.integers(min_value=0, max_value=9_999_999).map(
    lambda rest: f"024{rest:07}"
)


@settings(deadline=None)  # the first example gathers the signs
@given(st.data())
def test_a_number_with_anything_unseen_in_it_and_in_any_digits_is_that_number(
    data: st.DataObject,
) -> None:
    number = data.draw(national)
    zero = ord(data.draw(st.sampled_from(nines()))) - 9
    shown = "".join(
        data.draw(unseen) + chr(zero + int(digit)) for digit in number
    ) + data.draw(unseen)
    assert phones.parse(shown) == "+233" + number[1:]


@pytest.mark.slow(seconds=0.2)
@given(st.data())
def test_a_code_with_anything_unseen_in_it_is_that_code(data: st.DataObject) -> None:
    code = orders.new_code()
    # Blanks part the words of a sentence, so they belong between the groups of a code only.
    hidden = st.text(
        st.sampled_from(
            [
                sign
                for sign in unseen_signs()
                if unicodedata.category(sign) != "Zs" and sign != "\u2800"
            ]
        ),
        max_size=3,
    )
    assert (
        orders.read_code(
            "".join(data.draw(hidden) + sign for sign in code) + data.draw(hidden)
        )
        == code
    )


def test_every_unseen_sign_by_itself() -> None:
    for sign in unseen_signs():
        assert phones.parse(f"{sign}024{sign}123{sign}4567{sign}") == "+233241234567", (
            f"U+{ord(sign):04X}"
        )


def test_every_script_has_its_digits() -> None:
    assert len(nines()) > 60
    for nine in nines():
        assert phones.parse("024123456" + nine) == "+233241234569", f"U+{ord(nine):04X}"


@pytest.mark.parametrize(
    "text",
    [
        "\u202d024 123 4567\u202c", "\u2066024\u2069 123 4567", "024\u200b123\u200d4567\ufeff",
        "024\u00ad123\u00ad4567",
        "024\u3000123\u20034567", "0️⃣2️⃣4️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣", "024\u2028123\n4567\t",
        "tel:0241234567", "TEL:+233-24-123-4567", "tel:+233241234567;ext=1",
        "\u202atel:024%20123%204567\u202c",
        "https://wa.me/233241234567", "wa.me/233241234567?text=Hello%20Ama", "http://www.wa.me/+233241234567",
        "https://wa.me/%2B233241234567?text=1%20GB", "https://wa.me/233241234567/",
        "https://api.whatsapp.com/send?phone=233241234567&text=Hi", "whatsapp://send?phone=+233241234567",
        "*024 123 4567*", "_024 123 4567_", "~0241234567~", "```0241234567```",
        "*_+233 24 123 4567_*", "“024 123 4567”,",
        "<0241234567>", "'0241234567", "(024) 123-4567.", "024–123—4567", "024‑123‑4567",
        "024−123−4567", "024·123·4567",
        "＋２３３２４１２３４５６７", "[+233] 24 123 4567", "024 123 4567;",
        "📞 024 123 4567", "☎️0241234567", "📱 024 123 4567 ✅", "🇬🇭 +233 24 123 4567",
        "👉🏿0241234567👈🏿", "\uf095 0241234567",
        "→ 0241234567", "0241234567…", "‹0241234567›", "「0241234567」", "•0241234567",
        '="0241234567"',
        "（024）123－4567", "024．123．4567", "024／123／4567", "：0241234567。", "024|123|4567",
        "{0241234567}", "024․123‧4567",
        "024ー123ー4567", "smsto:+233241234567:Hello 5", "sms:0241234567;?&body=5%20GB", "viber://chat?number=%2B233241234567",
        "https://web.whatsapp.com/send?phone=233241234567",
        "whatsapp.com/send/?phone=233241234567&text&app_absent=0",
        "https://api.whatsapp.com/send?text=2%20GB%20please&phone=233241234567&source=5",
    ],
)  # fmt: skip
def test_a_number_as_it_is_pasted(text: str) -> None:
    assert phones.parse(text) == "+233241234567"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("024 123 4567 MTN", "digits only"),
        ("*124#", "digits only"),
        ("024 ••• 4567", "digits only"),
        ("024\ufffd1234567", "digits only"),
        ("0241234567\ufffd", "digits only"),
        ("024 123 45⑥7", "digits only"),
        ("024 123 456⑦", "digits only"),
        ("📞", "Type the number"),
        ("https://wa.me/233241234567/0551234567", "digits"),
        ("2.41234567E+8", "digits only"),
        ("０２４ 1234", "7 digits"),
        ("²41234567", "digits only"),
        ("wa.me/", "Type the number"),
        ("\u202d\u202c", "Type the number"),
        ("https://evil.example/0241234567", "digits only"),
        ("https://wa.me/message/ABCDEF", "digits only"),
        ("tel:tel:0241234567", "digits only"),
        ("0241234567, 0551234567", "digits only"),
        ("0" * 50_000, "too long"),
        ("024\u200b" * 500, "too long"),
    ],
)
def test_what_is_seen_to_be_no_number_stays_none(text: str, says: str) -> None:
    with pytest.raises(phones.BadNumber) as bad:
        phones.parse(text)
    assert says in bad.value.sentence


@pytest.mark.slow(seconds=2.6)
@given(st.text(max_size=40))
def test_reading_what_was_read_changes_nothing(text: str) -> None:
    for read in (
        text_input.seen,
        text_input.with_digits,
        text_input.compact,
        lambda given: text_input.one_line(given, 30),
    ):
        assert read(read(text)) == read(text)
    assert not any(unicodedata.category(sign) == "Cf" for sign in text_input.seen(text))


def test_an_accent_stays_an_accent_and_a_blank_one_blank_in_a_search() -> None:
    assert (
        text_input.one_line("  Ak\u00f3sua\u3000\u200bMensah\u202c \n", 80)
        == "Ak\u00f3sua Mensah"
    )
    assert text_input.one_line("Ako\u200d\u0301sua", 80) == "Ak\u00f3sua"
    assert (
        text_input.seen("ama\u200b@example.test")
        == "ama@example.test"
        == text_input.seen("ａｍａ＠example.test")
    )


def test_amounts_are_read_through_what_nobody_sees() -> None:
    assert money.parse_ghs("\u202dGH₵\u00a024.50\u202c") == 2_450
    with pytest.raises(money.BadAmount):
        money.parse_ghs("24 50")  # a blank may have been a point


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_letters_are_read_as_those_with_something_unseen_among_them(
    text: str,
) -> None:
    """They are not looked at one by one."""
    for read in (text_input.visible, text_input.seen, text_input.with_digits):
        assert read(text) == read(text + "\u200b")


@given(
    st.text(
        st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), min_size=10, max_size=10
    )
)
def test_a_code_as_an_address_has_it_is_that_code_alone(code: str) -> None:
    assert orders.codes_in(code) == [code] == orders.codes_in(code + "\u200b")
