"""Polar: what it takes, sends and answers, in our types. Not registered: it is not whole yet."""

from billing.providers.polar.provider import PolarProvider

__all__ = ["PolarProvider"]
