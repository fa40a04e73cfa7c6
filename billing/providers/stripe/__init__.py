"""Stripe: what it sends and what it answers, in our types. Writing comes in a later capability."""

from billing.providers.stripe.provider import StripeProvider

__all__ = ["StripeProvider"]
