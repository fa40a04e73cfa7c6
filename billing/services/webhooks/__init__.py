"""The inbox: taking deliveries in, and draining them into billing state."""

from billing.services.webhooks.drain import drain
from billing.services.webhooks.intake import REPLAYED, receive, retry

__all__ = ["REPLAYED", "drain", "receive", "retry"]
