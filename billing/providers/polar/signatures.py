"""The signatures of Polar's deliveries: Standard Webhooks, by one of two keys. Pure.

An endpoint signs with the whole secret as UTF-8, or as the standard has it with the bytes that
stand in base64 after `whsec_` (Polar API, `uses_standard_webhook_signature`); the secret does not
show which, so both are tried. The standard's own package knows the second only, raises whatever
odd input makes it raise, and cannot read a body that is not UTF-8: it makes the tests' vectors.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterator, Mapping, Sequence

from billing.errors import InvalidSignature
from billing.providers.http import header

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"  # the headers
TOLERANCE_SECONDS = 300
_STANDARD_PREFIX = "whsec_"
_ID = re.compile(r"[!-~]{1,255}")
_STAMP = re.compile(r"[0-9]{1,12}")
_SIGNED = re.compile(r"v1,([A-Za-z0-9+/]{43}=)")


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> None:
    """Raise InvalidSignature unless one of `secrets` signed `body` within the last five minutes.

    The header may hold several signatures, parted by spaces. Without secrets nothing passes.
    """
    event_id, stamp = header(headers, ID) or "", header(headers, TIMESTAMP) or ""
    if not _ID.fullmatch(event_id) or not _STAMP.fullmatch(stamp):
        raise _refusal()
    found = [_SIGNED.fullmatch(each) for each in (header(headers, SIGNATURE) or "").split(" ")]
    theirs = [each[1] for each in found if each]
    signed = f"{event_id}.{stamp}.".encode() + body
    ours = [_signature(key, signed) for each in secrets for key in _keys(each)]
    matches = [hmac.compare_digest(one, other) for one in ours for other in theirs]
    if not any(matches) or abs(time.time() - int(stamp)) > TOLERANCE_SECONDS:
        raise _refusal()


def _signature(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _keys(secret: str) -> Iterator[bytes]:
    """Yield what the secret may stand for; never an empty key, with which anybody could sign."""
    if secret:
        yield secret.encode()
    if secret.startswith(_STANDARD_PREFIX):
        yield from _decoded(secret.removeprefix(_STANDARD_PREFIX))


def _decoded(text: str) -> Iterator[bytes]:
    """Yield the bytes of base64, which may lack its padding; nothing for what is none."""
    try:
        key = base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except ValueError:
        return
    if key:
        yield key


def _refusal() -> InvalidSignature:
    return InvalidSignature("no configured secret signed this delivery within the last 5 minutes")
