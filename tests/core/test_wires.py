"""Which addresses may carry a secret in clear."""

from __future__ import annotations

import pytest

from core.base import clear_text
from core.base.config import Config, ConfigError

GOOD = {
    "DATABASE_URL": "postgresql://a:b@127.0.0.1/d",
    "DATABASE_STORE_URL": "postgresql://s:b@127.0.0.1/d", "REDIS_URL": "redis://127.0.0.1",
    "MAKOLA_SECRET_KEY": "s" * 32,
    "DATA_MART_API_URL": "https://x.example/api", "DATA_MART_API_KEY": "k",
    "DATA_MART_API_SECRET": "s",
    "MAKOLA_WEBHOOK_TOKEN": "t" * 22,
}  # fmt: skip


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/api", "HTTPS://api.example.com/api", "http://localhost:8080/api", "http://LOCALHOST/api",
        "http://127.0.0.1:5000/api", "http://127.8.9.10/api", "http://[::1]:5000/api", "http://[::ffff:127.0.0.1]/api",
    ],
)  # fmt: skip
def test_keys_may_go_by_tls_or_stay_on_this_machine(url: str) -> None:
    assert (
        Config.from_environ({**GOOD, "DATA_MART_API_URL": url}).data_mart_api_url == url
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/api", "HTTP://api.example.com/api", "Http://api.example.com", "http://localhost.evil.com/api",
        "http://127.0.0.1.evil.com/api", "http://10.0.0.1/api", "http://192.168.1.5:8080/api", "http://0.0.0.0/api",
        "http://128.0.0.1/api", "http://[::2]/api", "http://[fe80::1]/api", "http://[::ffff:10.0.0.1]/api",
        "http://evil.localhost/api", "http://2130706433/api", "http://127.1/api", "http://localhost./api",
    ],
)  # fmt: skip
def test_keys_in_clear_to_another_machine_are_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(
        ConfigError,
        match="DATA_MART_API_URL would send the supplier's keys to .* in clear: use https://",
    ):
        Config.from_environ({**GOOD, "DATA_MART_API_URL": url})


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost@evil.com/api", "http://localhost:80@evil.com/api",
        "http://@evil.com/api", "https://:pw@evil.com/",
        "http://127.0.0.1\\@evil.com/api", "http://127.0.0.1\\.evil.com/", "http:///api",
        "ftp://127.0.0.1/api", "127.0.0.1:80",
        "http://[::1/api", "http://127.0.0.1:port/api", "//127.0.0.1/api",
    ],
)  # fmt: skip
def test_what_hides_its_host_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(ConfigError, match="DATA_MART_API_URL (must be|is not) an"):
        Config.from_environ({**GOOD, "DATA_MART_API_URL": url})


@pytest.mark.parametrize(
    "url",
    [
        "https://exa mple.com/api", "https://example.com/api?key=1", "https://example.com/api#part",
        "https://example.com/a\x7fpi", "https://example.com/\u00a0api", "http://127.0.0.1/api?",
    ],
)  # fmt: skip
def test_what_would_spoil_each_path_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(
        ConfigError, match="DATA_MART_API_URL has a blank, a . or a # in it"
    ):
        Config.from_environ({**GOOD, "DATA_MART_API_URL": url})


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        (
            "DATABASE_URL",
            "postgresql://a:b@db.internal/d",
            "DATABASE_URL leaves this machine",
        ),
        (
            "DATABASE_URL",
            "postgresql://a:b@db.internal/d?sslmode=prefer",
            "DATABASE_URL leaves this machine",
        ),
        (
            "DATABASE_URL",
            "postgresql://a:b@/d?host=10.0.0.7",
            "DATABASE_URL leaves this machine",
        ),
        ("DATABASE_URL", "postgresql://a:b@db.internal/d?sslmode=verify-full", None),
        ("DATABASE_URL", "postgresql://a:b@/d?host=/run/postgresql", None),
        (
            "DATABASE_STORE_URL",
            "postgresql://a:b@db.internal/d",
            "DATABASE_STORE_URL leaves this machine",
        ),
        ("REDIS_URL", "redis://:pw@valkey.internal/0", "REDIS_URL leaves this machine"),
        ("REDIS_URL", "rediss://:pw@valkey.internal/0", None),
        ("REDIS_URL", "unix:///run/valkey.sock", None),
        ("MAKOLA_BASE_DOMAIN", "shop.example", "MAKOLA_PUBLIC_SCHEME is http"),
        ("MAKOLA_BASE_DOMAIN", "localhost", None),
    ],
)
def test_other_secrets_in_clear_are_said_and_allowed(
    setting: str, value: str, says: str | None
) -> None:
    found = Config.from_environ(
        {**GOOD, "MAKOLA_PUBLIC_SCHEME": "http", setting: value}
    )
    said = clear_text.cautions(
        databases={
            "DATABASE_URL": found.database_url,
            "DATABASE_STORE_URL": found.database_store_url,
        },
        redis_url=found.redis_url,
        public_scheme=found.public_scheme,
        base_domain=found.base_domain,
    )
    assert [line.startswith(says or "") for line in said] == ([True] if says else [])
    assert "pw" not in "".join(said) and ":b@" not in "".join(said)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "MAKOLA_SECRET_KEY_FALLBACKS",
            f"{'o' * 40} short",
            "MAKOLA_SECRET_KEY_FALLBACKS has a key that is too short",
        ),
        (
            "MAKOLA_WEBHOOK_TOKEN_PREVIOUS",
            "short",
            "MAKOLA_WEBHOOK_TOKEN_PREVIOUS must be 22",
        ),
        (
            "MAKOLA_WEBHOOK_TOKEN_PREVIOUS",
            "t/" * 15,
            "MAKOLA_WEBHOOK_TOKEN_PREVIOUS must be 22",
        ),
        ("MAKOLA_RESET_LINK_S", "a day", "whole number"),
    ],
)
def test_wrong_settings_of_keys_are_refused_in_a_sentence_that_shows_no_key(
    name: str, value: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        Config.from_environ({**GOOD, name: value})
    assert "o" * 40 not in str(refused.value)


def test_earlier_keys_are_read_by_blanks_or_commas_and_the_present_one_signs() -> None:
    old, older = "o" * 32, "p" * 32
    for text in (f"{old},{older}", f" {old} {older} ", f"{old},\n {older},"):
        assert Config.from_environ(
            {**GOOD, "MAKOLA_SECRET_KEY_FALLBACKS": text}
        ).signing_keys == [
            old,
            older,
            "s" * 32,
        ]
    assert Config.from_environ(GOOD).signing_keys == ["s" * 32]


TEST_KEY, LIVE_KEY = "sk_test_0123456789", "sk_live_0123456789"


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({}, None),
        ({"SECRET_KEY": TEST_KEY, "MODE": "test"}, None),
        ({"SECRET_KEY": LIVE_KEY, "MODE": "live", "PREVIOUS_SECRET_KEY": LIVE_KEY}, None),
        ({"SECRET_KEY": TEST_KEY, "MODE": "test", "API_URL": "http://127.0.0.1:9"}, None),
        ({"SECRET_KEY": LIVE_KEY, "MODE": "test"}, (
         "PAYSTACK_SECRET_KEY is a live key, but PAYSTACK_MODE is test: set PAYSTACK_MODE=live,"
         " or use the test key.")),
        ({"SECRET_KEY": TEST_KEY, "MODE": "live"}, "is a test key, but PAYSTACK_MODE is live"),
        ({"SECRET_KEY": LIVE_KEY, "MODE": "live", "PREVIOUS_SECRET_KEY": TEST_KEY},
         "PAYSTACK_PREVIOUS_SECRET_KEY is a test key"),
        ({"SECRET_KEY": TEST_KEY}, "PAYSTACK_MODE is missing: set it to test or live"),
        ({"MODE": "test"}, "PAYSTACK_SECRET_KEY is missing: set it, or leave"),
        ({"API_URL": "https://api.paystack.co"}, "PAYSTACK_SECRET_KEY is missing"),
        ({"PREVIOUS_SECRET_KEY": TEST_KEY, "MODE": "test"}, "PAYSTACK_SECRET_KEY is missing"),
        ({"SECRET_KEY": "pk_test_0123456789", "MODE": "test"}, "PAYSTACK_SECRET_KEY must be a secret key"),
        ({"SECRET_KEY": TEST_KEY, "MODE": "sandbox"}, "PAYSTACK_MODE must be test or live"),
        ({"SECRET_KEY": TEST_KEY, "MODE": "test", "API_URL": "http://api.paystack.co"},
         "PAYSTACK_API_URL would send the keys to api.paystack.co in clear: use https://"),
        ({"SECRET_KEY": LIVE_KEY, "MODE": "live", "API_URL": "http://127.0.0.1:9"},
         "PAYSTACK_MODE is live, but PAYSTACK_API_URL is an address of this machine"),
        ({"SECRET_KEY": TEST_KEY, "MODE": "test", "SUPPLIER": "https://supplier.example/api"},
         "who pays with play money would get real data"),
        ({"SECRET_KEY": LIVE_KEY, "MODE": "live", "SUPPLIER": "https://supplier.example/api"}, None),
    ],
)  # fmt: skip
def test_keys_and_world_of_paystack_belong_together(
    told: dict[str, str], says: str | None
) -> None:
    supplier = told.get("SUPPLIER", "http://127.0.0.1:9/api")
    environ = {**GOOD, "DATA_MART_API_URL": supplier}
    environ |= {
        f"PAYSTACK_{name}": value for name, value in told.items() if name != "SUPPLIER"
    }
    if says is None:
        config = Config.from_environ(environ)
        assert config.paystack_mode == told.get("MODE", "")
        return
    with pytest.raises(ConfigError) as refused:
        Config.from_environ(environ)
    assert says in str(refused.value)
    assert "0123456789" not in str(refused.value)
