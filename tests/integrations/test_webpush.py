"""Web push on the wire: the example of RFC 8291, who sends by RFC 8292, what answers mean, and where
nothing is sent at all."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from integrations.push_port import Browser, Gone, Later, Message, Refused, Taken
from integrations.webpush import keys, sealing
from integrations.webpush.coding import decoded, encoded
from tests.support.push import PUBLIC, Phone, Service

# RFC 8291, section 5 and appendix A
TEXT = b"When I grow up, I want to be a watermelon"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tl"
    "zAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
PUBLIC_KEY = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SENDERS_KEY = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
MESSAGE = Message(b'{"title": "1 new order"}', "news-1", is_urgent=True, keep_s=60)


def sent(phone: Phone, service: Service, **more: Any) -> object:
    push = service.push(keys.make(), lambda _address: True, **more)
    return push.send(Browser(phone.endpoint, phone.p256dh, phone.auth), MESSAGE)


def test_the_example_of_rfc_8291() -> None:
    ours = ec.derive_private_key(
        int.from_bytes(decoded(SENDERS_KEY), "big"), keys.CURVE
    )
    made = sealing.seal_with(TEXT + b"\x02", PUBLIC_KEY, AUTH, ours, decoded(SALT))
    assert encoded(made) == BODY


def test_only_the_browser_reads_it_and_its_length_tells_nothing() -> None:
    phone, service = Phone(), Service()
    assert sent(phone, service) == Taken()
    (request,) = service.handed
    assert phone.read(request.content) == {"title": "1 new order"}
    assert request.headers["content-encoding"] == "aes128gcm"
    assert request.headers["topic"] == "news-1" and request.headers["ttl"] == "60"
    assert request.headers["urgency"] == "high"
    lengths = {
        len(sealing.seal(b"x" * many, phone.p256dh, phone.auth)) for many in (1, 9, 250)
    }
    assert len(lengths) == 1
    longest = sealing.seal(b"x" * sealing.LONGEST, phone.p256dh, phone.auth)
    assert len(longest) == sealing.RECORD_BYTES
    with pytest.raises(ValueError, match="at most"):
        sealing.seal(b"x" * (sealing.LONGEST + 1), phone.p256dh, phone.auth)


def test_a_push_service_can_tell_who_sends() -> None:
    phone, service = Phone(), Service()
    pair = keys.make()
    service.push(pair, lambda _address: True).send(
        Browser(phone.endpoint, phone.p256dh, phone.auth), MESSAGE
    )
    kind, _, said = service.handed[0].headers["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in said.split(","))
    assert kind == "vapid" and parts["k"] == pair.partition(".")[2]
    head, claims, signature = parts["t"].split(".")
    assert json.loads(decoded(head)) == {"typ": "JWT", "alg": "ES256"}
    told = json.loads(decoded(claims))
    assert told["aud"] == "https://updates.push.services.mozilla.com"
    assert told["sub"] == "mailto:x@example.test"
    both = decoded(signature)
    assert len(both) == 64
    r, s = (int.from_bytes(half, "big") for half in (both[:32], both[32:]))
    point = decoded(parts["k"])
    ec.EllipticCurvePublicKey.from_encoded_point(keys.CURVE, point).verify(
        encode_dss_signature(r, s),
        f"{head}.{claims}".encode(),
        ec.ECDSA(hashes.SHA256()),
    )


@pytest.mark.parametrize(
    ("status", "headers", "means"),
    [
        (200, {}, Taken()), (201, {}, Taken()), (404, {}, Gone()), (410, {}, Gone()),
        (429, {"Retry-After": "120"}, Later("HTTP 429", 120.0)),
        (429, {"Retry-After": "9" * 400}, Later("HTTP 429")), (500, {}, Later("HTTP 500")),
        (503, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, Later("HTTP 503")),
        (301, {"Location": "https://127.0.0.1/"}, Refused("HTTP 301")),
        (400, {}, Refused("HTTP 400")), (403, {}, Refused("HTTP 403")),
        (413, {}, Refused("HTTP 413")),
    ],
)  # fmt: skip
def test_what_an_answer_means(
    status: int, headers: dict[str, str], means: object
) -> None:
    service = Service(status, headers)
    assert sent(Phone(), service) == means
    assert len(service.handed) == 1  # no redirect is followed


@pytest.mark.parametrize(
    "found",
    [[], ["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["::1"], ["fe80::1%eth0"],
     ["::ffff:10.0.0.1"], ["0.0.0.0"], [PUBLIC, "192.168.1.1"]],
)  # fmt: skip
def test_no_private_address_is_called(found: list[str]) -> None:
    service = Service()
    assert sent(Phone(), service, look=lambda _host: found) == Later(
        "no public address"
    )
    assert service.handed == []


def test_what_may_not_be_called_or_has_no_key_is_gone() -> None:
    service = Service()
    push = service.push(keys.make(), lambda _address: False)
    phone = Phone()
    browser = Browser(phone.endpoint, phone.p256dh, phone.auth)
    assert push.send(browser, MESSAGE) == Gone()
    off_curve = Browser(phone.endpoint, encoded(b"\x04" + b"\x01" * 64), phone.auth)
    assert service.push(keys.make(), lambda _a: True).send(off_curve, MESSAGE) == Gone()
    assert service.handed == []


@pytest.mark.parametrize("host", ["a..push.example", "xn--zzzz.push.example", "[::1"])
def test_what_is_no_name_of_a_host_is_gone_and_looked_up_nowhere(host: str) -> None:
    service, looked = Service(), list[str]()

    def look(name: str) -> list[str]:
        looked.append(name)
        return [PUBLIC]

    push = service.push(keys.make(), lambda _a: True, look=look)
    phone = Phone()
    browser = Browser(f"https://{host}/x", phone.p256dh, phone.auth)
    assert push.send(browser, MESSAGE) == Gone()
    assert service.handed == [] and looked == []


def test_halves_of_two_pairs_are_no_key() -> None:
    one, other = keys.make(), keys.make()
    mixed = f"{one.partition('.')[0]}.{other.partition('.')[2]}"
    with pytest.raises(keys.BadKey, match="do not belong together"):
        keys.read(mixed)
    phone = Phone()
    service = Service()
    found = service.push(mixed, lambda _address: True).send(
        Browser(phone.endpoint, phone.p256dh, phone.auth), MESSAGE
    )
    assert isinstance(found, Later) and "MAKOLA_PUSH_KEY" in found.reason


@pytest.mark.slow(seconds=2)
def test_cryptography_is_left_alone_until_a_notice_is_sent() -> None:
    said = (
        "import sys, integrations.webpush, integrations.webpush.command, fulfilment.notices;"
        "print('cryptography' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", said], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
