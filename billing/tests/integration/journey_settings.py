"""Settings of the journeys' processes: lost answers are noticed soon, and never close the door."""

from project.settings import *  # noqa: F403
from project.settings import BILLING_PROVIDERS

BILLING_CIRCUIT_FAILURES = 100_000
BILLING_CARD_RATE = "1000/hour"
# The SDK sends a call three times in all.
BILLING_PROVIDERS["stripe"]["OPTIONS"] |= {"read_timeout_seconds": 4}
