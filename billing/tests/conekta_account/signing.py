"""How Conekta signs what it posts: RSASSA-PKCS1-v1_5 over the raw body, SHA-256, base64.

One key pair for each number, made once: 2048 bits take their time.
"""

import base64
import functools

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from billing.tests.accounts.journal import Sign


@functools.cache
def key_pair(number: int = 0) -> rsa.RSAPrivateKey:
    """The same for the same number; with another number it is another company's, say."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_key(number: int = 0) -> str:
    """The PEM that Conekta tells."""
    encoded = (
        key_pair(number)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return encoded.decode()


def digest(body: bytes, number: int = 0) -> str:
    """The value of the header DIGEST."""
    made = key_pair(number).sign(body, padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(made).decode()


def signed(number: int = 0) -> Sign:
    return lambda body: {"DIGEST": digest(body, number)}
