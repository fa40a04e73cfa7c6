"""Stripe: what it takes, sends and answers, in our types."""

from billing.providers.stripe.provider import StripeProvider

__all__ = ["StripeProvider"]
