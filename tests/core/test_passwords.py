"""What may be a password: the list, the names, the length, and what is pasted round it."""

from __future__ import annotations

import pytest
import tables_owner
from argon2 import PasswordHasher
from flask import Flask
from seed import PASSWORD

from core.accounts import logging_in, users
from core.accounts.devices import Place
from core.base import passwords, tenancy
from core.base.db import transaction
from core.base.passwords import BadPassword

AMA = ("Ama Mensah", "ama@example.test", "Ama's Data", "ama", "+233240000001")
HERE = Place("10.0.0.1", "portal")


def refusal(password: str, shortest: int = passwords.SHORTEST) -> str:
    with pytest.raises(BadPassword) as refused:
        passwords.check(password, shortest=shortest, own=AMA)
    return refused.value.sentence


@pytest.mark.parametrize(
    "password",
    [
        "password", "12345678", "PASSWORD", "Passw0rd!", "P@ssw0rd2024", "1234password",
        "password1234567", "passwordpassword",
        "password password", "iloveyou", "qwertyuiop", "1q2w3e4r", "trustno1", "letmein123",
        "ｐａｓｓｗｏｒｄ", "Makola123!",
        "chelsea1", "Ghana@1957", "Kumasi12", "ilovejesus1", "hunter2hunter2",
    ],
)  # fmt: skip
def test_what_guessers_try_first_is_refused(password: str) -> None:
    assert "Guessers try this" in refusal(password)


@pytest.mark.parametrize(
    "password",
    [
        "ama's data", "AmasData1", "Ama-Data-2024", "mensah77", "ama@example.test", "0240000001",
        "+233240000001",
        "233240000001", "4m4-m3ns4h!", "mensah mensah", "example1234", "makola-ama-2026",
    ],
)  # fmt: skip
def test_names_addresses_and_numbers_of_one_s_own_are_refused(password: str) -> None:
    assert "of yours or of the store" in refusal(password)


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaa",
        "abababab",
        "abcdabcd",
        "87654321",
        "hjkl;2019",
        "!@#$%^&*()",
        "poiuytrewq",
    ],
)
def test_rows_of_keys_and_repetitions_are_refused(password: str) -> None:
    sentence = refusal(password)
    assert "repeats itself" in sentence or "Guessers try this" in sentence


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD, "banku and okro stew", "x7Kp2mQ9", "Tr0ub4dor&3", "пароль-мой-дом",
        "ama has a password", "密码很难猜的一句话",
        "kenkey 🐟 fish", "  spaces inside  are kept ", "Straße nach Süden", "{]~;'[!?",
    ],
)  # fmt: skip
def test_other_words_and_signs_of_any_script_are_taken(password: str) -> None:
    assert passwords.check(password, shortest=passwords.SHORTEST, own=AMA)


def test_the_lengths_are_counted_without_what_is_pasted_round() -> None:
    assert "at least 8" in refusal("x7Kp2mQ")
    assert "at least 8" in refusal("  x7Kp2mQ  ")
    assert "at least 12" in refusal("x7Kp2mQ9vZ1", passwords.SHORTEST_OF_PLATFORM)
    assert (
        passwords.check("x7Kp2mQ9vZ1b", shortest=passwords.SHORTEST_OF_PLATFORM)
        == "x7Kp2mQ9vZ1b"
    )
    assert passwords.check(" " * 50 + "a long walk " * 16, shortest=8)
    assert "at most 200" in refusal("a long walk " * 17)


@pytest.mark.parametrize(
    "password",
    [
        "two\nlines of words",
        "tab\tbetween words",
        "nul\x00 between words",
        "half \ud800 a sign",
        "broken \ufffd sign",
    ],
)
def test_what_nobody_can_type_into_one_field_is_refused(password: str) -> None:
    assert "one line" in refusal(password)


def test_what_is_generated_is_always_taken() -> None:
    for _ in range(300):
        password = passwords.generate()
        assert (
            passwords.check(password, shortest=passwords.SHORTEST_OF_PLATFORM, own=AMA)
            == password
        )


@pytest.mark.parametrize(
    "pasted",
    [
        f" {PASSWORD}",
        f"{PASSWORD}\n",
        f"\t{PASSWORD}\r\n",
        f"\u00a0{PASSWORD}\u200b",
        f"\ufeff {PASSWORD} \u2069",
        PASSWORD,
    ],
)
def test_blanks_pasted_round_a_password_do_not_matter(
    context: Flask, pasted: str
) -> None:
    assert logging_in.authenticate("ama@example.test", pasted, HERE) is not None
    assert (
        logging_in.authenticate(
            "ama@example.test", pasted.replace("horse", "house"), HERE
        )
        is None
    )


def set_hash(value: str) -> None:
    tables_owner.execute(
        "UPDATE users SET password_hash = :hash WHERE email = 'ama@example.test'",
        hash=value,
    )


@pytest.mark.slow(seconds=0.7)
def test_a_password_kept_with_its_blanks_in_earlier_days_still_opens(
    context: Flask,
) -> None:
    set_hash(PasswordHasher().hash(f" {PASSWORD} "))
    assert logging_in.authenticate("ama@example.test", PASSWORD, HERE) is None
    assert (
        logging_in.authenticate("ama@example.test", f" {PASSWORD} ", HERE) is not None
    )


def test_a_hash_renewed_at_a_pasted_log_in_opens_without_the_blanks_too(
    context: Flask,
) -> None:
    set_hash(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD))
    assert (
        logging_in.authenticate("ama@example.test", f" {PASSWORD} ", HERE) is not None
    )
    assert logging_in.authenticate("ama@example.test", PASSWORD, HERE) is not None


def test_two_spellings_of_one_sign_are_one_password(context: Flask) -> None:
    with tenancy.across_stores(), transaction():
        users.add("efua@example.test", "Efua", "caf\u00e9 by the sea")
    assert (
        logging_in.authenticate("efua@example.test", "cafe\u0301 by the sea", HERE)
        is not None
    )
    assert logging_in.authenticate("efua@example.test", "cafe by the sea", HERE) is None


def test_a_guess_costs_at_most_two_hashes(context: Flask) -> None:
    assert len(passwords.candidates("plain words")) == 1
    assert len(passwords.candidates(" \u200bcafe\u0301 \ufb01ne ")) == 2


def test_new_people_are_held_to_the_rule_of_their_role(context: Flask) -> None:
    for role, password, good in (
        ("none", "x7Kp2mQ9", True), ("owner", "x7Kp2mQ9", False), ("support", "x7Kp2mQ9vZ1", False),
        ("finance", "x7Kp2mQ9vZ1b", True), ("none", "efua1234", False), ("none", "password", False),
    ):  # fmt: skip
        email = f"{role}{len(password)}@efua.test"
        try:
            with tenancy.across_stores(), transaction():
                users.add(email, "Efua", password, role)
            assert good, (role, password)
        except BadPassword:
            assert not good, (role, password)
