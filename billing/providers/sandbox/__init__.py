"""The sandbox provider: everything a provider does, offline, in one SQLite file."""

from billing.providers.sandbox.provider import SandboxProvider

__all__ = ["SandboxProvider"]
