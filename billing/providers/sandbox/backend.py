"""What the parts of SandboxProvider share: what it stands in for, its file, and its calls."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing.errors import InvalidRequest, UnsupportedOperation
from billing.providers.base import CAPABILITIES, Capability, PaymentProvider, Simulates
from billing.providers.sandbox import clock
from billing.providers.sandbox.calls import Calls
from billing.providers.sandbox.store import Session, Store
from billing.providers.types import JSON, Features, MethodLimit, Ref

METHODS = ("card", "bank_account", "sepa_debit", "oxxo", "spei")


class SandboxBackend(PaymentProvider):
    """State in a file of `_store`; API calls go through `_calls`."""

    def __init__(self, *, alias: str, mode: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias=alias, mode=mode, options=options)
        self._like: Mapping[str, Any] = options.get("like") or {}
        self._capabilities = _allowed(super().capabilities, self._like)
        self._store = Store(
            path=os.fspath(options["path"]),
            namespace=options.get("namespace") or alias,
            mode=mode,
            seed=options.get("seed"),
        )
        self._calls = Calls(self._store, self.features.has_idempotency_keys)

    @property
    def provider_name(self) -> str:
        return str(self._like.get("name") or "Sandbox")

    @property
    def capabilities(self) -> frozenset[type[Capability]]:
        return self._capabilities

    @property
    def features(self) -> Features:
        like = self._like
        return Features(
            methods=tuple(like.get("methods", METHODS)),
            method_limits={
                name: MethodLimit(**{each: frozenset(codes) for each, codes in limit.items()})
                for name, limit in like.get("method_limits", {}).items()
            },
            currencies=frozenset(like.get("currencies", ())),
            countries=frozenset(like.get("countries", ())),
            cancels_at_period_end=like.get("cancels_at_period_end", True),
            has_idempotency_keys=like.get("has_idempotency_keys", True),
            has_quantities=like.get("has_quantities", True),
            required_profile=tuple(like.get("required_profile", ("email",))),
        )

    def _get(self, kind: str, ref: Ref) -> tuple[JSON, datetime]:
        def read(session: Session) -> tuple[JSON, datetime]:
            return session.require(kind, ref.id).body, clock.moment(session.now)

        return self._calls.read(read)

    def _require_planned_ends(self) -> None:
        if not self.features.cancels_at_period_end:
            raise UnsupportedOperation(f"{self.provider_name} ends subscriptions only at once")

    def _require_quantity(self, quantity: int | None) -> None:
        if quantity not in (None, 1) and not self.features.has_quantities:
            raise InvalidRequest(f"{self.provider_name} sells one at a time", param="quantity")


def _allowed(
    own: frozenset[type[Capability]], like: Mapping[str, Any]
) -> frozenset[type[Capability]]:
    """Return the capabilities of what `like` names; what every stand-in needs is always there."""
    if "capabilities" not in like:
        return own
    unknown = set(like["capabilities"]) - set(CAPABILITIES)
    if unknown:
        raise ValueError(f"`like` names no capabilities of ours: {', '.join(sorted(unknown))}")
    named = {PaymentProvider, Simulates} | {CAPABILITIES[name] for name in like["capabilities"]}
    return frozenset(each for each in own if any(issubclass(one, each) for one in named))
