"""What the tests may see of this machine: no database that could hold anything of worth."""

from __future__ import annotations

import itertools
import sys

import pytest
from _pytest.mark.expression import Expression
from projects import ROOT

from devkit import prove, test
from devkit.test import Refusal


@pytest.fixture
def given(postgres: dict[str, str]) -> dict[str, str]:
    """A complete database for the tests, as a person would name it."""
    return {
        "TEST_DATABASE_URL": postgres["app"],
        "TEST_DATABASE_STORE_URL": postgres["store"],
        "TEST_DATABASE_ADMIN_URL": postgres["admin"],
        "TEST_DATABASE_SUPERUSER_URL": postgres["super"],
    }


def test_the_addresses_of_real_servers_are_never_seen() -> None:
    seen = test.environment(
        {
            "DATABASE_URL": "postgresql://live/makola", "DATABASE_ADMIN_URL": "postgresql://live/makola",
            "REDIS_URL": "redis://live", "DATA_MART_API_KEY": "live", "MAKOLA_SECRET_KEY": "live",
            "PATH": "/bin", "PYTHONDONTWRITEBYTECODE": "1",
        }
    )  # fmt: skip
    assert seen == {"PATH": "/bin"}


def test_a_database_for_tests_is_passed_on(given: dict[str, str]) -> None:
    assert test.environment({**given, "TEST_REDIS_URL": "redis://x"}) == {
        **given,
        "TEST_REDIS_URL": "redis://x",
    }


def test_forced_wheels_leave_it_alone(given: dict[str, str]) -> None:
    assert (
        test.environment(
            {**given, "TEST_REDIS_URL": "redis://x", "MAKOLA_FORCE_WHEELS": "1"}
        )
        == {}
    )


def test_a_name_that_does_not_say_test_is_refused(given: dict[str, str]) -> None:
    given["TEST_DATABASE_URL"] = given["TEST_DATABASE_URL"].replace(
        "makola_test", "makola"
    )
    with pytest.raises(
        Refusal, match="names the database 'makola': give one whose name ends in _test"
    ):
        test.environment(given)


def test_two_of_three_addresses_are_refused(given: dict[str, str]) -> None:
    del given["TEST_DATABASE_ADMIN_URL"]
    with pytest.raises(Refusal, match="set TEST_DATABASE_ADMIN_URL, or none"):
        test.environment(given)


def test_roles_that_would_prove_nothing_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(
        Refusal, match="TEST_DATABASE_URL must not be the address of a superuser"
    ):
        test.environment(
            {**given, "TEST_DATABASE_URL": given["TEST_DATABASE_SUPERUSER_URL"]}
        )
    with pytest.raises(
        Refusal, match="TEST_DATABASE_SUPERUSER_URL must be the address of a superuser"
    ):
        test.environment(
            {**given, "TEST_DATABASE_SUPERUSER_URL": given["TEST_DATABASE_URL"]}
        )


def test_a_database_that_does_not_answer_is_refused(given: dict[str, str]) -> None:
    given["TEST_DATABASE_URL"] = "postgresql://a@127.0.0.1:9/x_test"
    with pytest.raises(Refusal, match="TEST_DATABASE_URL does not answer"):
        test.environment(given)


def test_a_browser_that_cannot_run_is_refused_and_a_missing_one_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert test.chromium({test.CHROMIUM: sys.executable}) == sys.executable
    with pytest.raises(Refusal, match="which cannot be run"):
        test.chromium({test.CHROMIUM: "/nowhere/chromium"})
    monkeypatch.setattr(test.shutil, "which", lambda _name: None)
    monkeypatch.setattr(test, "_MAC", "/nowhere")
    assert test.chromium({}) is None


@pytest.mark.parametrize(
    ("words", "passed_on"),
    [
        ([], ["-m", "not browser"]),
        (["-k", "ledger"], ["-k", "ledger", "-m", "not browser"]),
        (
            ["-m", "slow or browser", "-x"],
            ["-m", "(slow or browser) and not browser", "-x"],
        ),
    ],
)
def test_without_a_browser_its_tests_are_left_out(
    words: list[str], passed_on: list[str]
) -> None:
    assert test._selection(words, with_browser=False) == passed_on
    assert test._selection(words, with_browser=True) == words


PROCESSES = {"all_cores": 1, "alone": 3, "browser": 4, "servers": 4, "matrix": 4}
"""The first of these that a test carries says in how many processes its stage is."""


def test_every_test_is_in_one_stage_alone() -> None:
    every = (*test.STAGES, *prove.STAGES)
    names = ("slow", "timed", *PROCESSES)
    for marks in itertools.product((False, True), repeat=len(names)):
        carried = {name for name, is_so in zip(names, marks, strict=True) if is_so}
        stages = [
            which
            for which, _ in every
            if Expression.compile(which).evaluate(lambda name, **_: name in carried)  # noqa: B023 asked at once
        ]
        assert len(stages) == 1, carried
        first = next((mark for mark in PROCESSES if mark in carried), None)
        expected = PROCESSES[first] if first else 3
        if first == "alone" and "timed" in carried:
            expected = 2
        assert dict(every)[stages[0]] == expected, carried


def test_words_that_pick_tests_are_known_from_those_that_do_not() -> None:
    assert not any(map(test.chooses, ([], ["-q"], ["-q", "--durations=0", "-x"])))
    assert all(
        map(
            test.chooses,
            (["tests/core"], ["-k", "ledger"], ["-mslow"], ["-q", "-m", "slow"]),
        )
    )


def test_a_stage_without_tests_is_no_failure_unless_all_are() -> None:
    assert [test._worst(one) for one in ([0, 5], [5, 1, 0], [5, 5], [9, 0])] == [
        0,
        1,
        5,
        9,
    ]


@pytest.mark.parametrize("name", prove.PROOFS)
def test_each_proof_has_its_two_forms(name: str) -> None:
    proof = prove.PROOFS[name]
    short = ROOT / "tests" / f"{proof.short}.py"
    assert short.is_file()
    where = (
        proof.long[-1]
        if proof.long[0] == "pytest"
        else proof.long[0].replace(".", "/") + ".py"
    )
    assert (ROOT / where).is_file()


def test_a_proof_that_there_is_not_is_refused() -> None:
    with pytest.raises(SystemExit):
        prove.main(["everything"])
