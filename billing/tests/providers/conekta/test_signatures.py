import base64
import hashlib
import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidSignature
from billing.providers.conekta import signatures
from billing.tests.conekta_account.signing import digest, key_pair, public_key

BODY = b'{"id": "6307a60c41de27127515a575", "name": "Jos\xc3\xa9"}'
SECRET = "a-shared-secret-made-up"
PEM = public_key()


def verify(value: str, body: bytes = BODY, **known: Any) -> None:
    signatures.verify(body, {"DIGEST": value}, **(known or {"public_keys": (PEM,)}))


def hex_digest(secret: str = SECRET, body: bytes = BODY) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def refused(value: str, body: bytes = BODY, **known: Any) -> None:
    with pytest.raises(InvalidSignature, match="^no configured key signed this delivery$"):
        verify(value, body, **known)


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    encoded = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode()


class TestRSA:
    @pytest.mark.parametrize("name", ["Digest", "DIGEST", "digest"])
    def test_what_the_key_signed_passes(self, name: str) -> None:
        signatures.verify(BODY, {name: digest(BODY)}, public_keys=(PEM,))

    def test_bytes_are_signed_as_they_are(self) -> None:
        verify(digest(b"\xff\xfe"), b"\xff\xfe")

    def test_any_of_several_keys(self) -> None:
        for number in (0, 1):
            verify(digest(BODY, number), public_keys=(PEM, public_key(1)))

    @pytest.mark.parametrize("body", [BODY + b" ", BODY[1:], b"", b" " + BODY])
    def test_another_body_is_refused(self, body: bytes) -> None:
        refused(digest(BODY), body)

    def test_another_key_is_refused(self) -> None:
        refused(digest(BODY, 2))

    def test_another_scheme_is_refused(self) -> None:
        pss = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=padding.PSS.MAX_LENGTH)
        for scheme, algorithm in ((pss, SHA256()), (padding.PKCS1v15(), SHA512())):
            signature = key_pair().sign(BODY, scheme, algorithm)
            refused(base64.b64encode(signature).decode())

    def test_the_prefix_of_rfc_3230_is_refused(self) -> None:
        refused(f"SHA-256={digest(BODY)}")
        refused(f"SHA-256={base64.b64encode(hashlib.sha256(BODY).digest()).decode()}")

    def test_one_that_is_cut_wrapped_or_doubled_is_refused(self) -> None:
        genuine = digest(BODY)
        for value in (genuine[:-4], genuine[:-1], genuine * 2, f"{genuine}\n", f" {genuine}"):
            refused(value)

    def test_a_key_that_is_too_short_signs_nothing(self) -> None:
        short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
        signature = short.sign(BODY, padding.PKCS1v15(), SHA256())
        refused(base64.b64encode(signature).decode(), public_keys=(pem_of(short),))


class TestHMAC:
    def test_what_the_secret_signed_passes(self) -> None:
        verify(hex_digest(), secrets=(SECRET,))

    def test_sixteen_bytes_are_enough(self) -> None:
        secret = "é" * 8
        assert signatures.problems({"webhook_secret": secret}) == {}
        verify(hex_digest(secret), secrets=(secret,))

    def test_any_of_several_secrets(self) -> None:
        verify(hex_digest(), secrets=("another-secret-made-up", SECRET))

    def test_another_secret_or_body_is_refused(self) -> None:
        refused(hex_digest("another-secret-made-up"), secrets=(SECRET,))
        refused(hex_digest(), BODY + b" ", secrets=(SECRET,))

    def test_it_is_hex_in_small_letters(self) -> None:
        refused(hex_digest().upper(), secrets=(SECRET,))
        signed = hmac.new(SECRET.encode(), BODY, hashlib.sha256).digest()
        refused(base64.b64encode(signed).decode(), secrets=(SECRET,))

    @pytest.mark.parametrize("secret", ["", "short", "x" * 15, PEM])
    def test_what_is_no_secret_signs_nothing(self, secret: str) -> None:
        refused(hex_digest(secret), secrets=(secret,))


class TestConfusion:
    """The public key is no secret: whoever knows it must not be able to sign with it."""

    @pytest.mark.parametrize("key", [PEM, PEM.strip(), PEM.replace("\n", "\\n"), PEM.encode()])
    def test_a_hmac_by_the_public_key_is_refused(self, key: str | bytes) -> None:
        key = key if isinstance(key, bytes) else key.encode()
        signed = hmac.new(key, BODY, hashlib.sha256)
        for value in (signed.hexdigest(), base64.b64encode(signed.digest()).decode()):
            refused(value)

    def test_an_rsa_signature_is_refused_by_a_secret(self) -> None:
        refused(digest(BODY), secrets=(SECRET,))

    def test_with_both_nothing_passes(self) -> None:
        for value in (digest(BODY), hex_digest()):
            refused(value, public_keys=(PEM,), secrets=(SECRET,))

    def test_with_neither_nothing_passes(self) -> None:
        for value in (digest(BODY), hex_digest(""), ""):
            refused(value, public_keys=(), secrets=())


MODES = pytest.mark.parametrize("known", [{"public_keys": (PEM,)}, {"secrets": (SECRET,)}])


class TestHostile:
    @MODES
    def test_a_missing_header(self, known: dict[str, Any]) -> None:
        for headers in ({}, {"Content-Digest": "x"}, {"X-Digest": "x"}):
            with pytest.raises(InvalidSignature):
                signatures.verify(BODY, headers, **known)

    @MODES
    @pytest.mark.parametrize(
        "value",
        ["", " ", "=", "====", "A", "v1,===", "é", "\x00", "\ud800", "a" * 60_000, "AAAA" * 86],
    )
    def test_garbage(self, known: dict[str, Any], value: str) -> None:
        refused(value, **known)

    @MODES
    @given(value=st.text(), body=st.binary())
    def test_no_text_ends_in_another_error(
        self, known: dict[str, Any], value: str, body: bytes
    ) -> None:
        refused(value, body, **known)

    @given(signature=st.binary(max_size=300))
    def test_no_bytes_end_in_another_error(self, signature: bytes) -> None:
        refused(base64.b64encode(signature).decode())


class TestPublicKeysOf:
    two = PEM + public_key(1)

    @pytest.mark.parametrize(
        ("value", "count"),
        [
            (PEM, 1),
            (PEM.replace("\n", "\\n"), 1),
            (two, 2),
            (two.replace("\n", "\\n"), 2),
            (f"{PEM}, {PEM}", 2),
            ([PEM, two], 3),
            ("", 0),
            ("  ", 0),
            (None, 0),
            (5, 0),
            (["", None], 0),
            ("no key", 0),
        ],
    )
    def test_each_block_is_one(self, value: object, count: int) -> None:
        found = signatures.public_keys_of(value)
        assert len(found) == count
        assert all(each + "\n" in self.two for each in found)


class TestProblems:
    def private_pem(self) -> str:
        key = key_pair()
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"webhook_public_key": "", "webhook_secret": ""},
            {"webhook_public_key": PEM},
            {"webhook_public_key": PEM.replace("\n", "\\n"), "webhook_secret": ""},
            {"webhook_secret": SECRET},
            {"webhook_secret": f"{SECRET}, another-secret-made-up"},
        ],
    )
    def test_one_mode_is_right(self, options: dict[str, str]) -> None:
        assert signatures.problems(options) == {}

    def test_both_modes(self) -> None:
        found = signatures.problems({"webhook_public_key": PEM, "webhook_secret": SECRET})
        told = "and the public key are both set: deliveries are signed in one way only"
        assert found == {"webhook_secret": told}

    @pytest.mark.parametrize("secret", ["short", "x" * 15, f"{SECRET}, short"])
    def test_a_secret_that_is_too_short(self, secret: str) -> None:
        found = signatures.problems({"webhook_secret": secret})
        assert found == {"webhook_secret": "is shorter than 16 bytes"}

    @pytest.mark.parametrize("secret", [PEM, PEM.replace("\n", "\\n"), f"{SECRET}, {PEM}"])
    def test_a_key_in_the_place_of_the_secret(self, secret: str) -> None:
        told = "holds a key in PEM: whoever knows a public one could forge deliveries"
        assert signatures.problems({"webhook_secret": secret}) == {"webhook_secret": told}

    def test_what_is_no_public_key(self) -> None:
        curve = ec.generate_private_key(ec.SECP256R1())
        short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
        broken = PEM.replace("MIIB", "AAAA")
        for value in (
            "no key",
            self.private_pem(),
            broken,
            PEM + broken,
            pem_of(short),
            pem_of(curve),
        ):
            found = signatures.problems({"webhook_public_key": value})
            assert found == {
                "webhook_public_key": "is not an RSA public key of 2048 bits or more, as PEM"
            }
