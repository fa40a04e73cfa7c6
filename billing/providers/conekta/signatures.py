"""The DIGEST header of Conekta's deliveries, in one of two modes that never mix. Pure.

RSA (Conekta docs, webhook signatures): base64 of RSASSA-PKCS1-v1_5 with SHA-256 over the raw body;
the key is public, from `POST /webhook_keys`. HMAC: the body's HMAC-SHA256 in hex, for who puts a
gateway of that kind in between. Neither signs a time: the event's id is what guards against
replays.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from billing.errors import InvalidSignature
from billing.providers.http import header
from billing.providers.options import secrets_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

HEADER = "Digest"
PUBLIC_KEY, SECRET = "webhook_public_key", "webhook_secret"  # the options
SHORTEST_SECRET = 16
_SHORTEST_KEY = 2048
_PEM = re.compile(r"-----BEGIN [A-Z ]*PUBLIC KEY-----.+?-----END [A-Z ]*PUBLIC KEY-----", re.DOTALL)
_HEX = re.compile(r"[0-9a-f]{64}")


def public_keys_of(value: object) -> tuple[str, ...]:
    """Return the PEM blocks in an option, text or a list; `\\n` may be written out, as it is in an
    environment variable."""
    given = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    whole = "\n".join(each for each in given if isinstance(each, str))
    return tuple(_PEM.findall(whole.replace("\\n", "\n")))


def problems(options: Mapping[str, object]) -> dict[str, str]:
    """Return what is wrong, by option: then nothing is verified, so the process must not start."""
    found = {}
    secrets, keys = secrets_of(options.get(SECRET)), public_keys_of(options.get(PUBLIC_KEY))
    if options.get(PUBLIC_KEY) and not (keys and all(map(_is_key, keys))):
        found[PUBLIC_KEY] = "is not an RSA public key of 2048 bits or more, as PEM"
    if any("BEGIN" in each for each in secrets):
        found[SECRET] = "holds a key in PEM: whoever knows a public one could forge deliveries"
    elif not all(map(_is_secret, secrets)):
        found[SECRET] = f"is shorter than {SHORTEST_SECRET} bytes"
    elif secrets and options.get(PUBLIC_KEY):
        found[SECRET] = "and the public key are both set: deliveries are signed in one way only"
    return found


def verify(
    body: bytes,
    headers: Mapping[str, str],
    *,
    public_keys: Sequence[str] = (),
    secrets: Sequence[str] = (),
) -> None:
    """Raise InvalidSignature unless one of the keys, or else one of the secrets, signed `body`.

    With both, or with neither, nothing passes.
    """
    digest = header(headers, HEADER)
    if digest is None or bool(public_keys) == bool(secrets):
        raise _refusal()
    if public_keys:
        is_genuine = any(_is_signed(body, digest, pem) for pem in public_keys)
    else:
        is_genuine = any(_is_digest(body, digest, each) for each in secrets)
    if not is_genuine:
        raise _refusal()


def _is_signed(body: bytes, digest: str, pem: str) -> bool:
    from cryptography.exceptions import InvalidSignature as NotSigned
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    key = _load(pem)
    if key is None:
        return False
    try:
        key.verify(base64.b64decode(digest, validate=True), body, PKCS1v15(), SHA256())
    except (ValueError, NotSigned):
        return False
    return True


def _is_digest(body: bytes, digest: str, secret: str) -> bool:
    if not _is_secret(secret) or not _HEX.fullmatch(digest):
        return False
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, digest)


def _is_secret(secret: str) -> bool:
    return "BEGIN" not in secret and len(secret.encode()) >= SHORTEST_SECRET


def _is_key(pem: str) -> bool:
    return _load(pem) is not None


@lru_cache(maxsize=16)
def _load(pem: str) -> "RSAPublicKey | None":
    """Return the key; None for what is none, or too short to trust."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size >= _SHORTEST_KEY else None


def _refusal() -> InvalidSignature:
    return InvalidSignature("no configured key signed this delivery")
