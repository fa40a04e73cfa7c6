"""The Stripe-Signature header: HMAC-SHA256 over `t.body`. Pure; the SDK's own checks accept any
future time and raise other exceptions than theirs on odd input, so they are not used."""

import hashlib
import hmac
import re
import time
from collections.abc import Mapping, Sequence

from billing.errors import InvalidSignature
from billing.providers.http import header

HEADER = "Stripe-Signature"
TOLERANCE_SECONDS = 300
_STAMP = re.compile(r"[0-9]{1,12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> None:
    """Raise InvalidSignature unless one of `secrets` signed `body` within the last five minutes.

    The header may hold several `v1` while Stripe rotates a secret (Stripe docs, "Receive events").
    Without secrets nothing passes.
    """
    found = header(headers, HEADER)
    if found is None:
        raise _refusal()
    stamp, digests = _read(found)
    signed = f"{stamp}.".encode() + body
    expected = [hmac.new(each.encode(), signed, hashlib.sha256).hexdigest() for each in secrets]
    matches = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in digests]
    if not any(matches) or abs(time.time() - int(stamp)) > TOLERANCE_SECONDS:
        raise _refusal()


def _read(found: str) -> tuple[str, list[str]]:
    pairs = [item.strip().partition("=") for item in found.split(",")]
    stamps = [value for name, _, value in pairs if name == "t"]
    digests = [value for name, _, value in pairs if name == "v1" and _DIGEST.fullmatch(value)]
    if len(stamps) != 1 or not _STAMP.fullmatch(stamps[0]):
        raise _refusal()
    return stamps[0], digests


def _refusal() -> InvalidSignature:
    return InvalidSignature("no configured secret signed this delivery within the last 5 minutes")
