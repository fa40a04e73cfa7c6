"""Standard Webhooks signatures (standardwebhooks.com): sign ours, verify what arrives. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

from billing.errors import InvalidSignature

Secrets = str | Sequence[str] | None


def sign(secret: Secrets, event_id: str, body: bytes, at: datetime | None = None) -> dict[str, str]:
    """Return the headers of a delivery; of several secrets the first signs. `at` is wall time."""
    first = next(iter(_secrets(secret)), "")
    if not first:
        raise ValueError("a webhook secret is needed to sign")
    moment = (at or datetime.now(UTC)).astimezone(UTC)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(first).sign(event_id, moment, body.decode()),
    }


def verify(secret: Secrets, body: bytes, headers: Mapping[str, str]) -> None:
    """Raise InvalidSignature unless one of the secrets signed `body` within the last 5 minutes."""
    for each in _secrets(secret):
        try:
            Webhook(each).verify(body, dict(headers), json_parse=False)
        except Exception:  # noqa: BLE001, S112  hostile input raises more than the package's own
            continue
        return
    raise InvalidSignature("no configured secret signed this delivery")


def _secrets(secret: Secrets) -> list[str]:
    given = [secret] if isinstance(secret, str) else list(secret or ())
    return [each for each in given if each]
