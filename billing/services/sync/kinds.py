"""What each kind of mirrored object is: its model, how rows are found, which columns it fills."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from billing import clock
from billing.enums import (
    EventKind,
    IncompleteReason,
    InvoiceStatus,
    PaymentState,
    PaymentStatus,
    SubscriptionStatus,
)
from billing.lifecycle import TERMINAL_INVOICE, TERMINAL_PAYMENT, TERMINAL_SUBSCRIPTION
from billing.models import (
    Customer,
    Invoice,
    Payment,
    PaymentMethod,
    ProviderOwned,
    ProviderPrice,
    Subscription,
)
from billing.money import Money
from billing.providers.base import (
    Capability,
    ReadsCustomers,
    ReadsInvoices,
    ReadsPaymentMethods,
    ReadsPayments,
    ReadsSubscriptions,
)
from billing.providers.types import (
    CustomerData,
    InvoiceData,
    LineData,
    NextAction,
    PaymentData,
    PaymentMethodData,
    SubscriptionData,
)


@dataclass
class Relatives:
    """Rows that the snapshots of one batch point to, by remote id: loaded once per batch."""

    customers: dict[str, Customer] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    payment_methods: dict[str, PaymentMethod] = field(default_factory=dict)
    prices: dict[str, ProviderPrice] = field(default_factory=dict)


class Kind(ABC):
    """One kind of object; instances hold no state."""

    name: ClassVar[EventKind]
    model: ClassVar[type[ProviderOwned]]
    id_field: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    reader: ClassVar[type[Capability]]
    read_method: ClassVar[str]
    terminal: ClassVar[frozenset[str]] = frozenset()
    early: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def relatives(self, provider: str, mode: str, items: Sequence[Any]) -> Relatives:
        """Load what `items` point to."""

    @abstractmethod
    def missing_parent(self, data: Any, row: Any, relatives: Relatives) -> tuple[EventKind, str]:
        """Return kind and remote id of the parent that is not known yet, else (kind, '')."""

    @abstractmethod
    def values(self, data: Any, row: Any, relatives: Relatives) -> dict[str, Any]:
        """Return the columns that `data` sets; `row` is the stored one, or a new one."""

    def reserved_rows(self, provider: str, mode: str, items: Sequence[Any]) -> dict[str, Any]:
        """Rows inserted before their remote object existed: remote id -> row, locked."""
        wanted = {item.reference: item.id for item in items if _is_uuid(item.reference or "")}
        if not wanted:
            return {}
        rows = _locked(
            self.model,
            Q(pk__in=list(wanted))
            & Q(**{f"{self.id_field}__isnull": True})
            & Q(provider=provider, mode=mode),
        )
        return {wanted[str(row.pk)]: row for row in rows}

    def locked_rows(self, provider: str, mode: str, items: Sequence[Any]) -> dict[str, Any]:
        """The stored rows of `items` by remote id, locked in key order."""
        ids = [item.id for item in items]
        rows = _locked(self.model, Q(**{f"{self.id_field}__in": ids}, provider=provider, mode=mode))
        return {getattr(row, self.id_field): row for row in rows}

    def status(self, row: Any) -> str:
        """What the ledger shows as the row's state."""
        return str(row.status)


class CustomerKind(Kind):
    name = EventKind.CUSTOMER
    model = Customer
    id_field = "provider_customer_id"
    columns = ("name", "email", "default_payment_method_id", "deleted_at")
    reader = ReadsCustomers
    read_method = "get_customer"

    def relatives(self, provider: str, mode: str, items: Sequence[CustomerData]) -> Relatives:
        return Relatives()

    def missing_parent(
        self, data: CustomerData, row: Any, relatives: Relatives
    ) -> tuple[EventKind, str]:
        """A remote customer that names no row of ours belongs to nobody that we know."""
        return (EventKind.CUSTOMER, "" if row else data.id)

    def values(self, data: CustomerData, row: Any, relatives: Relatives) -> dict[str, Any]:
        return {
            "name": data.name[:200],
            "email": data.email[:320],
            "default_payment_method_id": data.default_payment_method_id or "",
            "deleted_at": (row.deleted_at or clock.now()) if data.is_deleted else None,
        }

    def status(self, row: Any) -> str:
        return "deleted" if row.deleted_at else "active"


class PaymentMethodKind(Kind):
    name = EventKind.PAYMENT_METHOD
    model = PaymentMethod
    id_field = "provider_payment_method_id"
    columns = (
        "organization_id", "customer_id", "provider_customer_id", "type", "last4", "brand",
        "exp_month", "exp_year", "billing_address", "is_active",
    )  # fmt: skip
    reader = ReadsPaymentMethods
    read_method = "get_payment_method"

    def relatives(self, provider: str, mode: str, items: Sequence[PaymentMethodData]) -> Relatives:
        return Relatives(customers=_customers(provider, mode, items))

    def missing_parent(
        self, data: PaymentMethodData, row: Any, relatives: Relatives
    ) -> tuple[EventKind, str]:
        if row or (data.customer_id and data.customer_id in relatives.customers):
            return (EventKind.CUSTOMER, "")
        return (EventKind.CUSTOMER, data.customer_id or "nobody")

    def values(self, data: PaymentMethodData, row: Any, relatives: Relatives) -> dict[str, Any]:
        owner = relatives.customers.get(data.customer_id or "")
        values: dict[str, Any] = {
            "type": data.type[:40],
            "last4": data.last4[:4],
            "brand": data.brand[:40],
            "exp_month": data.exp_month,
            "exp_year": data.exp_year,
            "is_active": data.is_active and data.customer_id is not None,
        }
        if data.billing_address:
            values["billing_address"] = dict(data.billing_address)
        if owner:
            values |= {
                "organization_id": owner.organization_id,
                "customer_id": owner.pk,
                "provider_customer_id": data.customer_id,
            }
        return values

    def status(self, row: Any) -> str:
        return "attached" if row.is_active else "detached"


class SubscriptionKind(Kind):
    name = EventKind.SUBSCRIPTION
    model = Subscription
    id_field = "provider_subscription_id"
    columns = (
        "organization_id", "customer_id", "plan_id", "price_id", "payment_method_id",
        "provider_customer_id", "provider_price_id", "provider_payment_method_id", "slot",
        "status", "provider_status", "incomplete_reason", "collection_paused", "billing_interval",
        "quantity", "current_period_start", "current_period_end", "trial_start", "trial_end",
        "cancel_at_period_end", "cancel_at", "canceled_at", "ended_at", "end_reason", "resumes_at",
        "next_action",
    )  # fmt: skip
    reader = ReadsSubscriptions
    read_method = "get_subscription"
    terminal = frozenset(TERMINAL_SUBSCRIPTION)
    early = frozenset({SubscriptionStatus.INCOMPLETE.value})

    def relatives(self, provider: str, mode: str, items: Sequence[SubscriptionData]) -> Relatives:
        return Relatives(
            customers=_customers(provider, mode, items),
            payment_methods=_payment_methods(provider, mode, items),
            prices=_by_id(
                ProviderPrice.objects.select_related("price"),
                "provider_price_id",
                provider,
                mode,
                (item.price_id for item in items),
            ),
        )

    def reserved_rows(self, provider: str, mode: str, items: Sequence[Any]) -> dict[str, Any]:
        """By our reference; where none came back, the one reserved row of customer and price."""
        found = super().reserved_rows(provider, mode, items)
        wanted = [item for item in items if item.id not in found and not item.reference]
        if not wanted:
            return found
        rows = _locked(
            Subscription,
            Q(
                provider=provider,
                mode=mode,
                provider_subscription_id=None,
                provider_customer_id__in={item.customer_id for item in wanted},
                ended_at=None,
            ),
        )
        for item in wanted:
            mine = [
                row
                for row in rows
                if row.provider_customer_id == item.customer_id
                and row.provider_price_id == (item.price_id or "")
            ]
            if len(mine) == 1:
                found[item.id] = mine[0]
                rows.remove(mine[0])
        return found

    def missing_parent(
        self, data: SubscriptionData, row: Any, relatives: Relatives
    ) -> tuple[EventKind, str]:
        known = row is not None or data.customer_id in relatives.customers
        return (EventKind.CUSTOMER, "" if known else data.customer_id)

    def values(self, data: SubscriptionData, row: Any, relatives: Relatives) -> dict[str, Any]:
        status = data.status.value if data.status else row.status
        ended = status in self.terminal
        values: dict[str, Any] = {
            "provider_customer_id": data.customer_id,
            "status": status,
            "provider_status": data.provider_status[:60],
            "incomplete_reason": data.incomplete_reason or "",
            "collection_paused": data.collection_paused,
            "quantity": data.quantity,
            "current_period_start": data.current_period_start,
            "current_period_end": data.current_period_end,
            "trial_start": data.trial_start,
            "trial_end": data.trial_end,
            "cancel_at_period_end": data.cancel_at_period_end,
            "cancel_at": data.cancel_at,
            "canceled_at": data.canceled_at,
            "ended_at": (data.ended_at or data.canceled_at or data.as_of) if ended else None,
            "end_reason": (data.end_reason or "") if ended else "",
            "resumes_at": data.resumes_at,
            "next_action": _next_action(data.next_action),
        }
        if status == row.status == SubscriptionStatus.INCOMPLETE and not data.next_action:
            # Payloads do not repeat what the answer told the customer to do.
            values["next_action"] = row.next_action
            if row.incomplete_reason != IncompleteReason.OUTCOME_UNKNOWN:
                values["incomplete_reason"] = data.incomplete_reason or row.incomplete_reason
        values |= self._price(data, row, relatives)
        values |= _method(data, relatives)
        if row.customer_id is None:
            owner = relatives.customers[data.customer_id]
            values |= {"organization_id": owner.organization_id, "customer_id": owner.pk}
            values["slot"] = None
        return values

    def _price(self, data: SubscriptionData, row: Any, relatives: Relatives) -> dict[str, Any]:
        if data.price_id is None:
            return {}
        mapped = relatives.prices.get(data.price_id)
        if mapped is None:
            unchanged = row.provider_price_id == data.price_id
            kept = {"plan_id": row.plan_id, "price_id": row.price_id} if unchanged else {}
            return {"provider_price_id": data.price_id, "plan_id": None, "price_id": None} | kept
        return {
            "provider_price_id": data.price_id,
            "plan_id": mapped.price.plan_id,
            "price_id": mapped.price_id,
            "billing_interval": mapped.price.interval,
        }


class InvoiceKind(Kind):
    name = EventKind.INVOICE
    model = Invoice
    id_field = "provider_invoice_id"
    columns = (
        "organization_id", "customer_id", "subscription_id", "payment_method_id",
        "provider_payment_method_id", "payment_intent_id", "number", "status", "provider_status",
        "payment_state", "currency", "subtotal_minor", "discount_minor", "tax_minor", "total_minor",
        "amount_due_minor", "amount_paid_minor", "period_start", "period_end", "due_date",
        "paid_at", "next_attempt_at", "invoice_pdf_url", "hosted_invoice_url", "line_items",
    )  # fmt: skip
    reader = ReadsInvoices
    read_method = "get_invoice"
    terminal = frozenset(TERMINAL_INVOICE)
    early = frozenset({InvoiceStatus.DRAFT.value})

    def relatives(self, provider: str, mode: str, items: Sequence[InvoiceData]) -> Relatives:
        return Relatives(
            customers=_customers(provider, mode, items),
            payment_methods=_payment_methods(provider, mode, items),
            subscriptions=_by_id(
                Subscription.objects.all(),
                "provider_subscription_id",
                provider,
                mode,
                (item.subscription_id for item in items),
            ),
        )

    def missing_parent(
        self, data: InvoiceData, row: Any, relatives: Relatives
    ) -> tuple[EventKind, str]:
        if data.subscription_id and data.subscription_id not in relatives.subscriptions:
            return (EventKind.SUBSCRIPTION, data.subscription_id)
        known = row is not None or data.customer_id in relatives.customers
        return (EventKind.CUSTOMER, "" if known else data.customer_id)

    def values(self, data: InvoiceData, row: Any, relatives: Relatives) -> dict[str, Any]:
        status = data.status.value if data.status else row.status
        subscription = relatives.subscriptions.get(data.subscription_id or "")
        values: dict[str, Any] = {
            "subscription_id": subscription.pk if subscription else row.subscription_id,
            "number": data.number[:100],
            "status": status,
            "provider_status": data.provider_status[:60],
            "payment_state": data.payment_state or _payment_state(status),
            "currency": data.currency,
            "subtotal_minor": data.subtotal_minor,
            "discount_minor": data.discount_minor,
            "tax_minor": data.tax_minor,
            "total_minor": data.total_minor,
            "amount_due_minor": data.amount_due_minor,
            "amount_paid_minor": data.amount_paid_minor,
            "period_start": data.period_start,
            "period_end": data.period_end,
            "due_date": data.due_at,
            "paid_at": data.paid_at,
            "next_attempt_at": data.next_attempt_at,
            "invoice_pdf_url": data.pdf_url[:1000],
            "hosted_invoice_url": data.hosted_url[:1000],
            "line_items": [_line(line, data.currency) for line in data.lines],
        }
        if data.payment_id is not None:
            values["payment_intent_id"] = data.payment_id
        values |= _method(data, relatives)
        return values | _owner(data, row, relatives)


class PaymentKind(Kind):
    name = EventKind.PAYMENT
    model = Payment
    id_field = "provider_payment_id"
    columns = (
        "organization_id", "customer_id", "invoice_id", "payment_method_id",
        "provider_payment_method_id", "currency", "amount_minor", "status", "provider_status",
        "decline_code", "next_action", "paid_at",
    )  # fmt: skip
    reader = ReadsPayments
    read_method = "get_payment"
    terminal = frozenset(TERMINAL_PAYMENT)
    early = frozenset({PaymentStatus.PENDING.value})

    def relatives(self, provider: str, mode: str, items: Sequence[PaymentData]) -> Relatives:
        return Relatives(
            customers=_customers(provider, mode, items),
            payment_methods=_payment_methods(provider, mode, items),
            invoices=_by_id(
                Invoice.objects.all(),
                "provider_invoice_id",
                provider,
                mode,
                (item.invoice_id for item in items),
            ),
        )

    def missing_parent(
        self, data: PaymentData, row: Any, relatives: Relatives
    ) -> tuple[EventKind, str]:
        if data.invoice_id and data.invoice_id not in relatives.invoices:
            return (EventKind.INVOICE, data.invoice_id)
        known = row is not None or data.customer_id in relatives.customers
        return (EventKind.CUSTOMER, "" if known else data.customer_id)

    def values(self, data: PaymentData, row: Any, relatives: Relatives) -> dict[str, Any]:
        invoice = relatives.invoices.get(data.invoice_id or "")
        values: dict[str, Any] = {
            "invoice_id": invoice.pk if invoice else row.invoice_id,
            "currency": data.currency,
            "amount_minor": data.amount_minor,
            "status": data.status.value if data.status else row.status,
            "provider_status": data.provider_status[:60],
            "decline_code": data.decline_code[:60],
            "next_action": _next_action(data.next_action),
            "paid_at": data.paid_at,
        }
        values |= _method(data, relatives)
        return values | _owner(data, row, relatives)


# Parents first: what a batch brings is known before what points to it.
KINDS: Mapping[str, Kind] = {
    kind.name.value: kind
    for kind in (
        CustomerKind(),
        PaymentMethodKind(),
        SubscriptionKind(),
        InvoiceKind(),
        PaymentKind(),
    )
}


def _locked(model: type[models.Model], condition: Q) -> list[Any]:
    # no_key: rows that point here may be inserted meanwhile; their foreign-key check must not wait.
    return list(
        model._default_manager.filter(condition).select_for_update(no_key=True).order_by("pk")
    )


def _by_id(
    rows: models.QuerySet[Any], id_field: str, provider: str, mode: str, ids: Iterable[str | None]
) -> dict[str, Any]:
    wanted = {item for item in ids if item}
    if not wanted:
        return {}
    found = rows.filter(**{f"{id_field}__in": wanted}, provider=provider, mode=mode)
    return {getattr(row, id_field): row for row in found}


def _customers(provider: str, mode: str, items: Sequence[Any]) -> dict[str, Customer]:
    ids = (item.customer_id for item in items)
    return _by_id(Customer.objects.all(), "provider_customer_id", provider, mode, ids)


def _payment_methods(provider: str, mode: str, items: Sequence[Any]) -> dict[str, PaymentMethod]:
    ids = (item.payment_method_id for item in items)
    return _by_id(PaymentMethod.objects.all(), "provider_payment_method_id", provider, mode, ids)


def _method(data: Any, relatives: Relatives) -> dict[str, Any]:
    if data.payment_method_id is None:
        return {}
    method = relatives.payment_methods.get(data.payment_method_id)
    return {
        "provider_payment_method_id": data.payment_method_id,
        "payment_method_id": method.pk if method else None,
    }


def _owner(data: Any, row: Any, relatives: Relatives) -> dict[str, Any]:
    owner = relatives.customers.get(data.customer_id)
    return {"organization_id": owner.organization_id, "customer_id": owner.pk} if owner else {}


def _next_action(action: NextAction | None) -> dict[str, Any]:
    return {"type": action.type.value, **action.details} if action else {}


def _line(line: LineData, currency: str) -> dict[str, Any]:
    return {
        "description": line.description,
        "amount": str(Money(line.amount_minor, currency).decimal),
        "amount_minor": line.amount_minor,
        "quantity": line.quantity,
    }


def _payment_state(status: str) -> str:
    return PaymentState.PAID if status == InvoiceStatus.PAID else PaymentState.NONE


def _is_uuid(text: str) -> bool:
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and all(
        char in "0123456789abcdef" for part in parts for char in part
    )
