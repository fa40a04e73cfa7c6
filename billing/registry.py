"""`providers`: the settings alias -> provider instance, behind its circuit.

provider = providers.get(subscription.provider, ManagesSubscriptions)
"""

import logging
import threading
import time
from importlib.metadata import entry_points
from typing import Any, TypeVar, cast

from django.core.signals import setting_changed
from django.db import connections
from django.utils.module_loading import import_string

from billing import circuit, metrics
from billing.conf import conf
from billing.errors import (
    BillingError,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    UnknownProvider,
    UnsupportedOperation,
)
from billing.providers.base import NETWORK_METHODS, Capability, PaymentProvider

logger = logging.getLogger(__name__)
C = TypeVar("C", bound=Capability)
ENTRY_POINT_GROUP = "billing.providers"


class ProviderRegistry:
    """One instance per alias and process, made at first use and safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._instances: dict[str, PaymentProvider] = {}

    def aliases(self) -> list[str]:
        """The aliases in BILLING_PROVIDERS, in their order."""
        return list(conf.providers)

    def get(self, alias: str, capability: type[C]) -> C:
        """Return the provider of `alias` as `capability`.

        Raises UnknownProvider, and UnsupportedOperation when it cannot do this.
        """
        provider = self._instance(alias)
        if capability not in provider.capabilities:
            raise UnsupportedOperation(f"{alias} does not have {capability.__name__}")
        return cast(C, _Guarded(alias, provider))

    def supports(self, alias: str, capability: type[Capability]) -> bool:
        """Whether `alias` is configured and has `capability`."""
        return alias in conf.providers and capability in self._instance(alias).capabilities

    def ends_only_at_once(self, alias: str) -> bool:
        """Whether `alias` cannot end a subscription with its period: then we do, at that time."""
        if alias not in conf.providers:
            return False
        return not self._instance(alias).features.cancels_at_period_end

    def reset(self) -> None:
        """Forget all instances, so that changed settings are read."""
        with self._lock:
            self._instances.clear()

    def _instance(self, alias: str) -> PaymentProvider:
        provider = self._instances.get(alias)
        if provider is None:
            with self._lock:
                provider = self._instances.get(alias) or self._build(alias)
                self._instances[alias] = provider
        return provider

    def _build(self, alias: str) -> PaymentProvider:
        entry = conf.providers.get(alias)
        if entry is None:
            raise UnknownProvider(f"no provider is configured as {alias!r}")
        backend = load_backend(str(entry["BACKEND"]))
        return backend(
            alias=alias, mode=str(entry.get("MODE", "test")), options=entry.get("OPTIONS", {})
        )


def load_backend(name: str) -> type[PaymentProvider]:
    """Return the class behind a dotted path, or behind an entry point when there is no dot."""
    if "." in name:
        return cast(type[PaymentProvider], import_string(name))
    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        return cast(type[PaymentProvider], entry_point.load())
    raise UnknownProvider(f"no installed package offers the provider backend {name!r}")


class _Guarded:
    """Passes every network call through the circuit, the transaction check and the call log."""

    def __init__(self, alias: str, provider: PaymentProvider) -> None:
        self._alias = alias
        self._provider = provider

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._provider, name)
        if name not in NETWORK_METHODS:
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            return _call(self._alias, name, attribute, args, kwargs)

        return call


def _call(alias: str, name: str, method: Any, args: Any, kwargs: Any) -> Any:
    _ensure_no_transaction(name)
    _ensure_closed(alias, name)
    started = time.monotonic()
    outcome = "broken"  # what only an exception leaves that is none of ours
    try:
        answer = method(*args, **kwargs)
    except BillingError as exc:
        outcome = exc.code
        if isinstance(exc, ProviderUnavailable | OutcomeUnknown):
            circuit.record_failure(alias)
        elif isinstance(exc, ProviderError):
            circuit.record_success(alias)  # a refusal is an answer: the provider is there
        raise
    else:
        outcome = "ok"
        circuit.record_success(alias)
        return answer
    finally:
        seconds = time.monotonic() - started
        metrics.observe_call(alias, name, outcome, seconds)
        logger.info(
            "provider.called",
            extra={
                "provider": alias,
                "method": name,
                "outcome": outcome,
                "milliseconds": round(seconds * 1000),
            },
        )


def _ensure_closed(alias: str, name: str) -> None:
    try:
        circuit.ensure_closed(alias)
    except ProviderUnavailable:
        metrics.observe_call(alias, name, "circuit_open", 0.0)
        raise


def _ensure_no_transaction(name: str) -> None:
    """A row lock held during network I/O stops everybody else; tests' own blocks do not count."""
    for connection in connections.all(initialized_only=True):
        blocks = getattr(connection, "atomic_blocks", [])
        if any(not getattr(block, "_from_testcase", False) for block in blocks):
            raise RuntimeError(f"{name} was called inside a database transaction")


providers = ProviderRegistry()


def _reset_on_change(*, setting: str, **_: object) -> None:
    if setting == "BILLING_PROVIDERS":
        providers.reset()


setting_changed.connect(_reset_on_change, dispatch_uid="billing.registry.reset")
