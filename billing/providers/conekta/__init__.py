"""Conekta: what it takes, sends and answers, in our types."""

from billing.providers.conekta.provider import ConektaProvider

__all__ = ["ConektaProvider"]
