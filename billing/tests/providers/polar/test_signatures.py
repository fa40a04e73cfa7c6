"""Deliveries signed by the package of the Standard Webhooks, under both keys that Polar uses."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from billing.errors import InvalidSignature
from billing.providers.options import secrets_of
from billing.providers.polar import signatures

BODY = b'{"type": "order.paid", "name": "Jos\xc3\xa9"}'
ID = "2f1d5a5e-8f0e-4a52-8a7e-1b2c3d4e5f60"
NOW = 1_800_000_000
STANDARD = "whsec_" + base64.b64encode(b"fake-standard-secret-of-32-bytes").decode()
OLDER = "polar_whs_fake_secret"
REFUSED = "^no configured secret signed this delivery within the last 5 minutes$"


def by_standard(secret: str) -> Webhook:
    return Webhook(secret)


def by_whole_text(secret: str) -> Webhook:
    return Webhook(secret.encode())


def headers(
    signer: Webhook, *, at: int = NOW, body: bytes = BODY, **changes: str
) -> dict[str, str]:
    signature = signer.sign(ID, datetime.fromtimestamp(at, UTC), body.decode())
    made = {"id": ID, "timestamp": str(at), "signature": signature} | changes
    return {f"webhook-{name}": value for name, value in made.items()}


def verify(
    given: dict[str, str], *, secrets: tuple[str, ...] = (STANDARD,), body: bytes = BODY
) -> None:
    with time_machine.travel(NOW, tick=False):
        signatures.verify(body, given, secrets)


def refuse(
    given: dict[str, str], *, secrets: tuple[str, ...] = (STANDARD,), body: bytes = BODY
) -> None:
    with pytest.raises(InvalidSignature, match=REFUSED):
        verify(given, secrets=secrets, body=body)


class TestBothKeys:
    @pytest.mark.parametrize(
        ("secret", "signer"),
        [
            (STANDARD, by_standard(STANDARD)),
            (STANDARD, by_whole_text(STANDARD)),
            (OLDER, by_whole_text(OLDER)),
            ("any téxt", by_whole_text("any téxt")),
            ("whsec_not base64!", by_whole_text("whsec_not base64!")),
            ("whsec_YWJjZA", by_standard("whsec_YWJjZA==")),
        ],
    )
    def test_either_is_genuine(self, secret: str, signer: Webhook) -> None:
        verify(headers(signer), secrets=(secret,))

    def test_base64_without_the_prefix_is_text(self) -> None:
        bare = STANDARD.removeprefix("whsec_")
        refuse(headers(by_standard(bare)), secrets=(bare,))

    @pytest.mark.parametrize("secret", ["whsec_", "whsec_=", "whsec_=="])
    def test_a_prefix_alone_holds_no_key(self, secret: str) -> None:
        digest = hmac.digest(b"", f"{ID}.{NOW}.".encode() + BODY, hashlib.sha256)
        forged = f"v1,{base64.b64encode(digest).decode()}"
        refuse(headers(by_standard(STANDARD), signature=forged), secrets=(secret,))

    def test_an_empty_secret_verifies_nothing(self) -> None:
        digest = hmac.digest(b"", f"{ID}.{NOW}.".encode() + BODY, hashlib.sha256)
        forged = headers(by_standard(STANDARD), signature=f"v1,{base64.b64encode(digest).decode()}")
        refuse(forged, secrets=secrets_of(" , "))
        refuse(forged, secrets=("",))


class TestVerify:
    def test_headers_in_any_case(self) -> None:
        made = headers(by_standard(STANDARD))
        verify({name.title(): value for name, value in made.items()})
        verify({name.upper(): value for name, value in made.items()})

    def test_any_of_several_secrets(self) -> None:
        verify(headers(by_whole_text(OLDER)), secrets=("polar_whs_new", OLDER))

    def test_any_of_several_signatures(self) -> None:
        at = datetime.fromtimestamp(NOW, UTC)
        others = f"v1,{'A' * 43}= v1a,abc v2,x"
        signature = by_standard(STANDARD).sign(ID, at, BODY.decode())
        verify(headers(by_standard(STANDARD), signature=f"{others} {signature}"))

    def test_bytes_that_are_not_utf8_are_signed_as_they_are(self) -> None:
        body = b"\xff\xfe"
        digest = hmac.digest(OLDER.encode(), f"{ID}.{NOW}.".encode() + body, hashlib.sha256)
        signature = f"v1,{base64.b64encode(digest).decode()}"
        made = headers(by_whole_text(OLDER), signature=signature)
        verify(made, secrets=(OLDER,), body=body)

    @pytest.mark.parametrize("at", [NOW - 300, NOW + 300])
    def test_five_minutes_either_way_pass(self, at: int) -> None:
        verify(headers(by_standard(STANDARD), at=at))

    @pytest.mark.parametrize("at", [NOW - 301, NOW + 301, 0, 10**11])
    def test_outside_the_window_is_refused(self, at: int) -> None:
        refuse(headers(by_standard(STANDARD), at=at))

    @pytest.mark.parametrize("secrets", [(), (OLDER,), (STANDARD + "x",)])
    def test_another_or_no_secret_is_refused(self, secrets: tuple[str, ...]) -> None:
        refuse(headers(by_standard(STANDARD)), secrets=secrets)

    def test_a_changed_body_is_refused(self) -> None:
        refuse(headers(by_standard(STANDARD)), body=BODY + b" ")

    @pytest.mark.parametrize(
        "changes", [{"id": "another"}, {"timestamp": str(NOW + 1)}], ids=["id", "timestamp"]
    )
    def test_id_and_time_are_signed_too(self, changes: dict[str, str]) -> None:
        refuse(headers(by_standard(STANDARD), **changes))


class TestHostileHeaders:
    @pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    def test_a_missing_header_is_refused(self, missing: str) -> None:
        made = headers(by_standard(STANDARD))
        del made[missing]
        refuse(made)

    @pytest.mark.parametrize(
        "value",
        ["", "v1", "v1,", ",", "v1,é" + "A" * 42 + "=", "v1," + "A" * 44, "v1,=", "\x00\ud800"],
    )
    def test_a_garbled_signature_is_refused(self, value: str) -> None:
        refuse(headers(by_standard(STANDARD), signature=value))

    def test_another_version_of_signature_is_refused(self) -> None:
        made = headers(by_standard(STANDARD))
        refuse(made | {"webhook-signature": made["webhook-signature"].replace("v1", "v2")})

    @pytest.mark.parametrize("value", ["", "-1", "nan", "1e9", f"{NOW}.0", "١٨", "9" * 5000])
    def test_a_garbled_time_is_refused(self, value: str) -> None:
        refuse(headers(by_standard(STANDARD), timestamp=value))

    @pytest.mark.parametrize("value", ["", "a b", "\ud800", "i" * 256, "a\x00"])
    def test_a_garbled_id_is_refused(self, value: str) -> None:
        refuse(headers(by_standard(STANDARD), id=value))

    @given(event_id=st.text(), stamp=st.text(), signature=st.text(), body=st.binary())
    def test_no_text_ends_in_another_error(
        self, event_id: str, stamp: str, signature: str, body: bytes
    ) -> None:
        given = {"webhook-id": event_id, "webhook-timestamp": stamp}
        with pytest.raises(InvalidSignature):
            signatures.verify(body, given | {"webhook-signature": signature}, [STANDARD])

    @given(secret=st.text(st.characters(exclude_categories=["Cs"])))
    def test_no_secret_ends_in_another_error(self, secret: str) -> None:
        made = headers(by_standard(STANDARD), signature=f"v1,{'A' * 43}=")
        with pytest.raises(InvalidSignature):
            signatures.verify(BODY, made, [f"whsec_{secret}"])
