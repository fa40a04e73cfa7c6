"""The inbox: taking deliveries in, and draining them into billing state."""

from billing.services.webhooks.drain import drain
from billing.services.webhooks.intake import receive, retry

__all__ = ["drain", "receive", "retry"]
