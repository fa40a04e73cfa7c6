"""Billing time in development: real time plus the offset in the sandbox's file."""

from datetime import datetime

from django.conf import settings
from django.utils import timezone

from billing.providers.sandbox.clock import offset


def now() -> datetime:
    """Return billing time, aware UTC."""
    return timezone.now() + offset(settings.SANDBOX_PATH)
