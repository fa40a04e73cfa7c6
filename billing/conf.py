"""One typed property per BILLING_* setting. Read when used, so that tests can override them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string


class BillingSettings:
    @property
    def providers(self) -> Mapping[str, Mapping[str, Any]]:
        """BILLING_PROVIDERS: alias -> BACKEND (dotted path or entry point), MODE, OPTIONS."""
        value: Mapping[str, Mapping[str, Any]] = getattr(settings, "BILLING_PROVIDERS", {})
        return value

    @property
    def modes(self) -> dict[str, str]:
        """Alias -> sandbox, test or live, without building any provider."""
        return {alias: str(entry.get("MODE", "test")) for alias, entry in self.providers.items()}

    def mode(self, alias: str) -> str:
        """The mode that rows of `alias` are read and written in; '' for an unknown alias."""
        return self.modes.get(alias, "")

    @property
    def routes(self) -> Sequence[Mapping[str, Any]]:
        """BILLING_ROUTES: seeds rule set 1; the first match wins, the last matches everything."""
        value: Sequence[Mapping[str, Any]] = getattr(settings, "BILLING_ROUTES", ())
        return value

    @property
    def decision_age(self) -> timedelta:
        """BILLING_DECISION_HOURS: how long a purchase can name an earlier routing decision. 24."""
        return timedelta(hours=float(getattr(settings, "BILLING_DECISION_HOURS", 24)))

    @property
    def default_currency(self) -> str:
        """BILLING_DEFAULT_CURRENCY: when neither the request nor the rule names one."""
        return str(getattr(settings, "BILLING_DEFAULT_CURRENCY", "USD"))

    @property
    def organization_model(self) -> str:
        """BILLING_ORGANIZATION_MODEL: 'app.Model'; required and fixed before the first migrate."""
        value = getattr(settings, "BILLING_ORGANIZATION_MODEL", None)
        if not value:
            raise ImproperlyConfigured(
                "Set BILLING_ORGANIZATION_MODEL, for example to 'billing.Organization', "
                "before the first migrate."
            )
        return str(value)

    @property
    def membership(self) -> Callable[[Any], Any]:
        """BILLING_MEMBERSHIP: dotted path of f(user) -> iterable of (organization pk, role)."""
        path = getattr(settings, "BILLING_MEMBERSHIP", "billing.models.organizations.memberships")
        function: Callable[[Any], Any] = import_string(path)
        return function

    @property
    def user_country(self) -> Callable[[Any], str] | None:
        """BILLING_USER_COUNTRY: dotted path of f(user) -> ISO country or ''; None when unset."""
        path = getattr(settings, "BILLING_USER_COUNTRY", "")
        return import_string(path) if path else None

    @property
    def clock(self) -> str:
        """BILLING_CLOCK: dotted path of the function that tells billing time."""
        return str(getattr(settings, "BILLING_CLOCK", "django.utils.timezone.now"))

    @property
    def webhook_max_bytes(self) -> int:
        """BILLING_WEBHOOK_MAX_BYTES: larger deliveries get 413 unread. 1 MiB."""
        return int(getattr(settings, "BILLING_WEBHOOK_MAX_BYTES", 1024 * 1024))

    @property
    def nudge_window(self) -> timedelta:
        """BILLING_NUDGE_WINDOW_MS: at most one wake-up of the workers per process in this time."""
        return timedelta(milliseconds=int(getattr(settings, "BILLING_NUDGE_WINDOW_MS", 50)))

    @property
    def sweep(self) -> timedelta:
        """BILLING_SWEEP_SECONDS: how often beat has the tables looked through. 15."""
        return timedelta(seconds=float(getattr(settings, "BILLING_SWEEP_SECONDS", 15)))

    @property
    def lease(self) -> timedelta:
        """BILLING_LEASE_SECONDS: how long a worker owns what it claimed. 120."""
        return timedelta(seconds=float(getattr(settings, "BILLING_LEASE_SECONDS", 120)))

    @property
    def drain_batch_size(self) -> int:
        """BILLING_DRAIN_BATCH_SIZE: events claimed at once. 500."""
        return int(getattr(settings, "BILLING_DRAIN_BATCH_SIZE", 500))

    @property
    def drain_seconds(self) -> float:
        """BILLING_DRAIN_SECONDS: after this a drain hands over to the next task. 20."""
        return float(getattr(settings, "BILLING_DRAIN_SECONDS", 20))

    @property
    def max_attempts(self) -> int:
        """BILLING_MAX_ATTEMPTS: tries before an event or message is set aside as dead. 8."""
        return int(getattr(settings, "BILLING_MAX_ATTEMPTS", 8))

    @property
    def retry_base(self) -> timedelta:
        """BILLING_RETRY_BASE_SECONDS: the first back-off; it doubles with jitter. 10."""
        return timedelta(seconds=float(getattr(settings, "BILLING_RETRY_BASE_SECONDS", 10)))

    @property
    def waiting_base(self) -> timedelta:
        """BILLING_WAITING_BASE_SECONDS: first look-again for an unknown parent; up to 1 h. 30."""
        return timedelta(seconds=float(getattr(settings, "BILLING_WAITING_BASE_SECONDS", 30)))

    @property
    def waiting_limit(self) -> timedelta:
        """BILLING_WAITING_DAYS: after this an event about an unknown parent is ignored. 3."""
        return timedelta(days=float(getattr(settings, "BILLING_WAITING_DAYS", 3)))

    @property
    def planned_end_margin(self) -> timedelta:
        """BILLING_PLANNED_END_MINUTES: how long before its period's end we end a subscription whose
        provider cannot end it then. 60."""
        return timedelta(minutes=float(getattr(settings, "BILLING_PLANNED_END_MINUTES", 60)))

    @property
    def idempotency_lease(self) -> timedelta:
        """BILLING_IDEMPOTENCY_LEASE_SECONDS: a request that runs longer was killed. 90."""
        return timedelta(seconds=float(getattr(settings, "BILLING_IDEMPOTENCY_LEASE_SECONDS", 90)))

    @property
    def caller_rate(self) -> str:
        """BILLING_CALLER_RATE: API requests of one user, or of one anonymous address."""
        return str(getattr(settings, "BILLING_CALLER_RATE", "600/minute"))

    @property
    def card_rate(self) -> str:
        """BILLING_CARD_RATE: tries of one organization to add a card."""
        return str(getattr(settings, "BILLING_CARD_RATE", "10/hour"))

    @property
    def throttle_storage(self) -> str:
        """BILLING_THROTTLE_STORAGE: the Redis that counts both; '' counts in each process."""
        return str(getattr(settings, "BILLING_THROTTLE_STORAGE", ""))

    @property
    def circuit_failures(self) -> int:
        """BILLING_CIRCUIT_FAILURES: consecutive failures that open a provider's circuit. 5."""
        return int(getattr(settings, "BILLING_CIRCUIT_FAILURES", 5))

    @property
    def circuit_seconds(self) -> int:
        """BILLING_CIRCUIT_SECONDS: how long an open circuit refuses calls. 30."""
        return int(getattr(settings, "BILLING_CIRCUIT_SECONDS", 30))

    @property
    def metrics_token(self) -> str:
        """BILLING_METRICS_TOKEN: what a scraper of /metrics must show; '' means no metrics."""
        return str(getattr(settings, "BILLING_METRICS_TOKEN", ""))

    @property
    def payload_age(self) -> timedelta:
        """BILLING_PAYLOAD_DAYS: how long the bodies of settled events are kept. 90."""
        return timedelta(days=float(getattr(settings, "BILLING_PAYLOAD_DAYS", 90)))


conf = BillingSettings()
