"""Who may try a password how often: the guesser is slowed, the known device and the new address get
in.

Counts are PostgreSQL's, so nothing here needs Valkey. What the pages say of it: agent_portal and
admin_console.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import tables_owner
from argon2 import PasswordHasher, Type, extract_parameters
from flask import Flask
from seed import PASSWORD
from sqlalchemy import func, select, text, update

from core.accounts import devices, guessing, logging_in, logins, users
from core.accounts.devices import Place
from core.accounts.guessing import Slower, TooManyTries, TryCount
from core.base import hashing
from core.base.db import db, transaction

AMA, KOFI = "ama@example.test", "kofi@example.test"


def at(address: str, device: str | None = None, door: str = "portal") -> Place:
    return Place(address, door, device)


def log_in(place: Place, email: str = AMA, password: str = PASSWORD) -> bool:
    return logging_in.authenticate(email, password, place) is not None


def guess(place: Place, times: int = 1, email: str = AMA) -> None:
    for _ in range(times):
        assert not log_in(place, email, "a wrong guess")


def device_of(email: str, door: str = "portal") -> str:
    user = users.by_email(email)
    assert user is not None
    return logging_in.remember(user, at("10.0.0.1", door=door))


def guessed_from_many(times: int = guessing.SLOW_FROM + 4) -> None:
    """So many wrong tries for ama, each from another address, that each new one waits the
    longest."""
    for n in range(times):
        with transaction():
            keys = guessing._keys(AMA, at(f"10.1.0.{n}"))
            guessing._locked(keys)
            guessing._add(keys)


def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which hashes were looked at, by their rule."""
    seen: list[str] = []
    fits = hashing.fits

    def counted(password_hash: str, password: str) -> bool:
        seen.append(password_hash.split("$")[3])
        return fits(password_hash, password)

    monkeypatch.setattr(hashing, "fits", counted)
    return seen


def test_the_right_password_opens_and_the_wrong_one_does_not(across: Flask) -> None:
    assert log_in(at("10.0.0.1"), "AMA@example.test ")
    assert not log_in(at("10.0.0.1"), password=PASSWORD + "x")
    assert not log_in(at("10.0.0.1"), "unknown@example.test")


@pytest.mark.parametrize("around", ["{} ", " {}", "\n{}\r\n", "\t{}\u00a0"])
def test_a_space_that_was_pasted_with_the_password_does_not_count(
    across: Flask, around: str
) -> None:
    assert log_in(at("10.0.0.1"), password=around.format(PASSWORD))


def test_a_space_round_a_new_password_is_not_part_of_it(across: Flask) -> None:
    with transaction():
        users.add("spaces@example.test", "Efua", " a password with blanks ")
    assert log_in(at("10.0.0.1"), "spaces@example.test", " a password with blanks ")
    assert log_in(at("10.0.0.1"), "spaces@example.test", "a password with blanks")


@pytest.mark.parametrize(
    "email",
    [
        "",
        "\x00",
        "a" * 5_000,
        "ama@example.test\x00",
        "é@ü.test",
        "\ud800@x",
        "' OR 1=1",
    ],
)
def test_odd_addresses_are_simply_unknown(across: Flask, email: str) -> None:
    assert not log_in(at("10.0.0.1"), email)


def test_five_wrong_ones_from_an_address_end_its_tries_for_that_account_and_for_nothing_else(
    across: Flask, jump: Callable[[float], None]
) -> None:
    guess(at("10.0.0.1"), 5)
    with pytest.raises(TooManyTries) as refused:
        log_in(at("10.0.0.1"))
    assert type(refused.value) is TooManyTries
    assert 890 <= refused.value.wait_s <= 900
    assert log_in(at("10.0.0.1"), KOFI), "another account from the same address"
    assert log_in(at("10.0.0.1", door="console"), "owner@example.test"), (
        "the other door"
    )
    jump(901)
    assert log_in(at("10.0.0.1"))


def test_a_new_address_waits_a_moment_and_then_gets_in_whoever_guesses(
    across: Flask, jump: Callable[[float], None]
) -> None:
    guessed_from_many()
    new = at("10.0.0.9")
    for _ in range(3):  # pressing again makes the wait no longer
        with pytest.raises(Slower) as slower:
            log_in(new)
        assert slower.value.wait_s == guessing.LONGEST_WAIT_S
    jump(4.5)
    with pytest.raises(Slower) as slower:
        log_in(new)
    assert slower.value.wait_s == 6
    guessed_from_many()
    jump(5.6)
    assert log_in(new)


def test_one_wait_is_good_for_one_try(
    across: Flask, jump: Callable[[float], None]
) -> None:
    guessed_from_many()
    guesser = at("10.0.0.9")
    for _ in range(3):
        with pytest.raises(Slower):
            guess(guesser)
        jump(10.1)
        guess(guesser)
    with pytest.raises(Slower):
        guess(guesser)


def test_the_wait_grows_from_a_second_to_ten(
    across: Flask, jump: Callable[[float], None]
) -> None:
    waits = []
    for n in range(guessing.SLOW_FROM + 6):
        try:
            guess(at(f"10.0.1.{n}"))
        except Slower as slower:
            waits.append(slower.wait_s)
            jump(slower.wait_s)
            guess(at(f"10.0.1.{n}"))
    assert waits == [1, 2, 4, 8, 10, 10]


def test_slowed_guessers_make_no_other_account_slow(across: Flask) -> None:
    guessed_from_many()
    assert log_in(at("10.0.0.9"), KOFI)
    assert log_in(at("10.0.0.9", door="console"), "owner@example.test")


def test_the_doors_count_apart(across: Flask) -> None:
    owner = "owner@example.test"
    guess(at("10.0.0.1"), 5, owner)
    with pytest.raises(TooManyTries):
        log_in(at("10.0.0.1"), owner)
    with pytest.raises(Slower):
        log_in(at("10.0.0.9"), owner)
    assert log_in(at("10.0.0.1", door="console"), owner)
    assert log_in(at("10.0.0.9", door="console"), owner)


def test_a_known_device_is_not_refused_for_others_failures(across: Flask) -> None:
    token = device_of(AMA)
    guess(at("10.0.0.1"), 5)
    guessed_from_many()
    with transaction():
        db.session.execute(update(TryCount).values(tries=10_000))
    assert log_in(at("10.0.0.1", token)), "from the guesser's own address"
    assert log_in(at("10.7.7.7", token))


def test_a_known_device_has_ten_tries_of_its_own_and_spoils_nobody_else_s(
    across: Flask, jump: Callable[[float], None]
) -> None:
    token = device_of(AMA)
    guess(at("10.0.0.1", token), 10)
    with pytest.raises(guessing.TooManyOfDevice) as refused:
        log_in(at("10.0.0.2", token))
    assert 890 <= refused.value.wait_s <= 900
    assert log_in(at("10.0.0.1")), "as a stranger, from the same address"
    jump(901)
    assert log_in(at("10.0.0.1", token))


def test_a_right_password_clears_what_the_device_had_mistyped(across: Flask) -> None:
    token = device_of(AMA)
    for _ in range(3):
        guess(at("10.0.0.1", token), 6)
        assert log_in(at("10.0.0.1", token))


@pytest.mark.parametrize(
    "elsewhere",
    [
        lambda token: (at("10.0.0.1", token), KOFI),
        lambda token: (at("10.0.0.1", token, "console"), AMA),
        lambda token: (at("10.0.0.1", token[:-1] + "x"), AMA),
        lambda token: (at("10.0.0.1", "x" * 43), AMA),
    ],
    ids=["another account", "the other door", "another token", "an invented token"],
)
def test_a_device_is_known_for_its_person_and_its_door_alone(
    across: Flask, elsewhere: Callable[[str], tuple[Place, str]]
) -> None:
    place, email = elsewhere(device_of(AMA))
    guess(place, 5, email)
    with pytest.raises(TooManyTries):
        guess(place, 1, email)


def test_a_device_of_two_people_is_known_for_both(across: Flask) -> None:
    token = device_of(AMA)
    kofi = users.by_email(KOFI)
    assert kofi is not None
    assert logging_in.remember(kofi, at("10.0.0.1", token)) == token
    guess(at("10.0.0.1", token), 10, KOFI)
    assert log_in(at("10.0.0.1", token), AMA)


def test_a_planted_token_is_replaced(across: Flask) -> None:
    ama = users.by_email(AMA)
    assert ama is not None
    assert logging_in.remember(ama, at("10.0.0.1", "p" * 43)) != "p" * 43


def test_forgotten_devices_are_strangers(across: Flask) -> None:
    token, of_kofi = device_of(AMA), device_of(KOFI)
    ama = users.by_email(AMA)
    assert ama is not None
    with transaction():
        logins.end_logins_of(ama)
    guess(at("10.0.0.1", token), 5)
    with pytest.raises(TooManyTries):
        log_in(at("10.0.0.1", token))
    guess(at("10.0.0.1", of_kofi), 7, KOFI)


def test_a_person_has_so_many_known_devices_and_old_ones_are_forgotten(
    across: Flask, jump: Callable[[float], None]
) -> None:
    first = device_of(AMA)
    for _ in range(devices.OF_PERSON):
        jump(1)
        last = device_of(AMA)
    assert count("known_devices") == devices.OF_PERSON
    guess(at("10.0.0.1", last), 6)
    guess(at("10.0.0.1", first), 5)
    with pytest.raises(TooManyTries):
        guess(at("10.0.0.1", first))
    jump(devices.KEPT_S + 1)
    guess(at("10.0.2.1", last), 5)
    with pytest.raises(TooManyTries):
        guess(at("10.0.2.1", last))
    guessing.prune()
    assert count("known_devices") == 0


def test_two_hundred_wrong_ones_close_an_address_at_that_door(across: Flask) -> None:
    guess(at("10.9.9.9"), 1, "nobody@nowhere.test")
    with transaction():
        address = guessing._keys(AMA, at("10.9.9.9"))["address"]
        set_ = update(TryCount).where(TryCount.key == address)
        db.session.execute(set_.values(tries=guessing.TRIES_OF_ADDRESS - 1))
    guess(at("10.9.9.9"), 1, "nobody2@nowhere.test")
    with pytest.raises(TooManyTries):
        log_in(at("10.9.9.9"))
    assert log_in(at("10.9.9.8"))
    assert log_in(at("10.9.9.9", door="console"), "owner@example.test")


def test_right_passwords_use_nothing_up(across: Flask) -> None:
    for _ in range(8):
        assert log_in(at("10.0.0.1"))
    assert db.session.scalar(select(func.max(TryCount.tries))) == 0


def test_forty_at_once_are_five(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many processes would, each thread has all of the places of a process to itself: the counts
    alone must hold."""
    monkeypatch.setattr(hashing, "_inside", threading.BoundedSemaphore(40))
    monkeypatch.setattr(hashing, "_again", threading.BoundedSemaphore(40))
    monkeypatch.setattr(hashing, "WAIT_S", 60)
    seen = hashes(monkeypatch)
    together = threading.Barrier(40)

    def one(_n: int) -> str:
        with app.app_context():
            together.wait()
            try:
                guess(at("10.0.0.1"))
            except TooManyTries as refused:
                return type(refused).__name__
            finally:
                db.session.remove()
            return "looked at"

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(one, range(40)))
    assert answers.count("looked at") == len(seen) == 5
    assert answers.count("TooManyTries") == 35


def test_forty_addresses_at_once_are_five_too_before_the_rest_has_to_wait(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_inside", threading.BoundedSemaphore(40))
    monkeypatch.setattr(hashing, "_again", threading.BoundedSemaphore(40))
    monkeypatch.setattr(hashing, "WAIT_S", 60)

    def one(n: int) -> str:
        with app.app_context():
            try:
                guess(at(f"10.0.3.{n}"))
            except Slower:
                return "waits"
            finally:
                db.session.remove()
            return "looked at"

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(one, range(40)))
    assert answers.count("looked at") == guessing.SLOW_FROM


def test_an_address_nobody_has_costs_the_same_as_a_wrong_password(
    across: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, since one hash takes so long that nothing else of a log-in shows beside it."""
    statements: list[list[str]] = [[], []]
    seen = hashes(monkeypatch)
    for place, email in enumerate([AMA, "nobody-at-all@example.test"]):
        listen = lambda conn, cursor, statement, *rest, place=place: statements[
            place
        ].append(statement)
        from sqlalchemy import event

        event.listen(db.engine, "before_cursor_execute", listen)
        db.session.remove()
        for device in (None, "y" * 43):
            guess(at("10.0.0.1", device), 2, email)
        event.remove(db.engine, "before_cursor_execute", listen)
    assert statements[0] == statements[1] and len(statements[0]) > 10
    assert len(seen) == 8 and len(set(seen)) == 1, (
        "the hash of nobody is made by the rule of everybody's"
    )


def test_an_invented_e_mail_is_slowed_and_refused_like_a_real_one(
    across: Flask, jump: Callable[[float], None]
) -> None:
    told: dict[str, list[str]] = {}
    for door, emails in (
        ("portal", (AMA, "nobody-at-all@example.test")),
        ("console", ("owner@example.test", AMA)),
    ):
        for email in emails:
            told[email] = []
            for n in range(9):
                place = at("10.0.0.1" if n < 6 else f"10.0.4.{n}", door=door)
                try:
                    guess(place, 1, email)
                    told[email].append("")
                except TooManyTries as refused:
                    told[email].append(refused.sentence)
        assert told[emails[0]] == told[emails[1]]
        jump(1_000)


def test_an_agent_at_the_console_is_a_wrong_password(across: Flask) -> None:
    for _ in range(5):
        assert not log_in(at("10.0.0.1", door="console"))
    with pytest.raises(TooManyTries):
        log_in(at("10.0.0.1", door="console"))


@pytest.mark.slow(seconds=0.2)
def test_a_flood_of_invented_e_mails_fills_no_table(
    across: Flask, monkeypatch: pytest.MonkeyPatch, jump: Callable[[float], None]
) -> None:
    monkeypatch.setattr(guessing, "MOST_COUNTS", 20)
    monkeypatch.setattr(guessing, "PRUNE_EVERY", 10)
    for n in range(60):
        jump(0.001)
        with transaction():
            guessing._locked(
                guessing._keys(f"nobody{n}@nowhere.test", at(f"10.5.0.{n}"))
            )
        if n % 10 == 0:
            guess(at("10.6.0.1"), 1, f"somebody{n}@nowhere.test")
            guessing.prune()
    assert count("login_counts") <= 20 + 3 * 10
    jump(901)
    guessing.prune()
    assert count("login_counts") == 0


def test_counts_name_nobody(across: Flask) -> None:
    guess(at("10.0.0.1"))
    kept = str(db.session.execute(text("SELECT * FROM login_counts")).all())
    assert AMA not in kept and "10.0.0.1" not in kept and "portal:pair:" in kept


def test_every_process_clears_away_what_is_over(
    across: Flask, monkeypatch: pytest.MonkeyPatch, jump: Callable[[float], None]
) -> None:
    guess(at("10.0.0.1"))
    jump(901)
    monkeypatch.setattr(guessing, "PRUNE_EVERY", 1)
    guess(at("10.0.0.2"), 1, KOFI)
    assert count("login_counts") == 3, "those of kofi's try alone"


def test_a_hash_by_an_older_rule_is_renewed_at_log_in_and_a_broken_one_opens_nothing(
    across: Flask, productions_hashes: None
) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)

    def set_hash(value: str) -> None:
        tables_owner.execute(
            "UPDATE users SET password_hash = :hash WHERE email = :email",
            hash=value,
            email=AMA,
        )

    set_hash(old)
    user = logging_in.authenticate(AMA, PASSWORD, at("10.0.0.1"))
    assert user is not None
    assert user.password_hash != old
    assert not hashing.is_old(user.password_hash)
    assert users.verify(user, PASSWORD)
    set_hash("not a hash")
    assert not log_in(at("10.0.0.1"))


@pytest.mark.parametrize("whose", ["somebody's", "nobody's"])
def test_a_hash_costs_what_owasp_asks_at_least(
    productions_hashes: None, whose: str
) -> None:
    made = hashing.make(PASSWORD) if whose == "somebody's" else hashing.NOBODYS
    told = extract_parameters(made)
    assert told.type is Type.ID
    assert (told.time_cost, told.memory_cost, told.parallelism) == (2, 19 * 1024, 1)
    assert (told.salt_len, told.hash_len) == (16, 32)


def test_a_password_changed_while_it_was_looked_at_opens_nothing(
    across: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits = hashing.fits

    def changed_meanwhile(password_hash: str, password: str) -> bool:
        found = fits(password_hash, password)
        tables_owner.execute(
            "UPDATE users SET password_hash = 'another' WHERE email = :email", email=AMA
        )
        return found

    monkeypatch.setattr(hashing, "fits", changed_meanwhile)
    assert not log_in(at("10.0.0.1"))


def test_two_threads_of_a_process_log_in_and_the_third_is_told_at_once(
    app: Flask,
) -> None:
    with hashing._one:  # somebody hashes
        pool = ThreadPoolExecutor(3)

        def one(email: str) -> str:
            with app.app_context():
                try:
                    return str(log_in(at("10.0.0.1"), email))
                except hashing.Busy:
                    return "busy"
                finally:
                    db.session.remove()

        waiting = [pool.submit(one, email) for email in (AMA, KOFI)]
        while hashing._inside._value > 0:  # type: ignore[attr-defined]
            pass
        third = pool.submit(one, "owner@example.test")
        assert third.result(1) == "busy"
        assert not any(one.done() for one in waiting)
    assert [one.result(5) for one in waiting] == ["True", "True"]
    pool.shutdown()


def test_who_is_refused_anyway_takes_no_place_from_others(
    across: Flask, monkeypatch: pytest.MonkeyPatch, jump: Callable[[float], None]
) -> None:
    """Or fifty who press on and on would leave the person no place to be looked at."""
    guess(at("10.0.0.1"), 5)
    with pytest.raises(Slower):
        guess(at("10.0.0.2"))
    token = device_of(AMA)
    monkeypatch.setattr(hashing, "_inside", threading.BoundedSemaphore(1))
    monkeypatch.setattr(hashing, "_again", threading.BoundedSemaphore(40))
    with hashing._inside:
        with pytest.raises(TooManyTries):
            log_in(at("10.0.0.1"))
        with pytest.raises(Slower):
            log_in(at("10.0.0.2"))
        with pytest.raises(hashing.Busy):
            log_in(at("10.0.0.1", token))
        jump(1.1)
        with pytest.raises(hashing.Busy):
            log_in(at("10.0.0.2"))
        jump(900)
        with pytest.raises(hashing.Busy):
            log_in(at("10.0.0.1"))
    assert log_in(at("10.0.0.1"))


def test_who_was_wrong_before_leaves_one_place_to_others(across: Flask) -> None:
    """Or those who guess on and on would be looked at more often than the person who comes once."""
    token = device_of(AMA)
    guess(at("10.0.0.1"))
    with hashing.turn(again=True):
        hashing._mine.inside = False  # that one is another thread's
        with pytest.raises(hashing.Busy):
            guess(at("10.0.0.1"))
        assert log_in(at("10.0.0.2"))
        assert log_in(at("10.0.0.1", token))
    assert log_in(at("10.0.0.1"))


@pytest.mark.slow(seconds=0.3)
def test_who_waits_too_long_for_the_hash_is_told_and_nothing_is_counted(
    across: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "WAIT_S", 0.05)
    with hashing._one:
        for _ in range(7):
            with pytest.raises(hashing.Busy):
                log_in(at("10.0.0.1"))
    assert log_in(at("10.0.0.1"))


def count(table: str) -> int:
    return int(db.session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)
