"""When the name of an account is plainly a person's, and when somebody has to look."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.payouts.names import alike


@pytest.mark.parametrize(
    ("person", "account"),
    [
        ("Ama Owusu", "AMA OWUSU"),
        ("Ama Owusu", "OWUSU AMA"),
        ("Ama Owusu", "MRS. AMA SERWAA OWUSU"),
        ("Ama S. Owusu", "Ama Owusu"),
        ("Kofi Badu-Mensah", "MENSAH KOFI BADU"),
        ("Désiré Kouamé", "DESIRE KOUAME"),
        ("  ama   owusu ", "Ama\u00a0Owusu"),
    ],
)
def test_names_that_are_plainly_one_persons(person: str, account: str) -> None:
    assert alike(person, account) and alike(account, person)


@pytest.mark.parametrize(
    ("person", "account"),
    [
        ("Ama Owusu", "KOFI MENSAH"),
        ("Ama Owusu", "KOFI OWUSU"),
        ("Kwame Osei Mensah", "KOFI OSEI MENSAH"),  # brothers
        ("Kofi Mensah", "KOJO MENSAH"),
        ("Ama", "AMA OWUSU"),
        ("A. B.", "A B"),
        ("Mr Owusu", "MR OWUSU"),
        ("Ama Owusu", ""),
        ("", ""),
        ("024 123 4567", "024 123 4567"),
    ],
)
def test_names_that_a_person_has_to_look_at(person: str, account: str) -> None:
    assert not alike(person, account) and not alike(account, person)


@given(st.text(), st.text())
def test_any_two_texts_are_read(person: str, account: str) -> None:
    assert alike(person, account) == alike(account, person)
