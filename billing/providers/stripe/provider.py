"""StripeProvider: the capabilities that Stripe has so far, each a few lines over the client.

A write that takes several calls gives each a key derived from the operation's, so that a repetition
passes through the same ones. Facts: Stripe API reference at the pinned version.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from billing.enums import (
    EventKind,
    InvoiceStatus,
    PaymentMethodType,
    PaymentState,
    PaymentStatus,
    SubscriptionStatus,
)
from billing.errors import (
    InvalidRequest,
    PaymentDeclined,
    ProviderError,
    ProviderObjectMissing,
)
from billing.providers.base import (
    CollectsInvoices,
    FindsByReference,
    ManagesCustomers,
    ManagesPaymentMethods,
    ManagesSubscriptions,
    PublishesPlans,
    ReadsPayments,
    ReceivesWebhooks,
    ResumesSubscriptions,
)
from billing.providers.stripe import events, mapping, parameters, signatures
from billing.providers.stripe.client import PAGE, Answer, StripeClient, begun
from billing.providers.stripe.values import Incomplete, items, remote_id, text
from billing.providers.types import (
    JSON,
    ClientConfig,
    CustomerData,
    CustomerRequest,
    Features,
    HealthData,
    InvoiceData,
    ObjectData,
    PaymentData,
    PaymentMethodData,
    PaymentMethodRequest,
    PlanData,
    PlanRequest,
    ProviderEvent,
    Ref,
    SubscriptionData,
    SubscriptionRequest,
    SubscriptionUpdate,
)

API_BASE = "https://api.stripe.com"
_FEATURES = Features(
    methods=(
        PaymentMethodType.CARD,
        PaymentMethodType.BANK_ACCOUNT,
        PaymentMethodType.SEPA_DEBIT,
    )
)
_OBJECTS = {
    EventKind.CUSTOMER: ("customer",),
    EventKind.PAYMENT_METHOD: ("payment_method",),
    EventKind.SUBSCRIPTION: ("subscription",),
    EventKind.INVOICE: ("invoice",),
    EventKind.PAYMENT: ("payment_intent",),
}
_SUBSCRIPTION_EXPAND = ("latest_invoice.confirmation_secret", "pending_setup_intent")
_ENDED = (SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED)
_INVOICE_EXPAND = ("payments.data.payment.payment_intent",)


class StripeProvider(
    ReceivesWebhooks,
    ManagesCustomers,
    ManagesPaymentMethods,
    ManagesSubscriptions,
    ResumesSubscriptions,
    CollectsInvoices,
    ReadsPayments,
    PublishesPlans,
    FindsByReference,
):
    """Stripe. Options: `api_key`, `publishable_key`, `webhook_secret` (text, comma-separated or a
    list while it is rotated), `api_base`, `connect_timeout_seconds` 3, `read_timeout_seconds` 20,
    `max_retries` 2."""

    def __init__(self, *, alias: str, mode: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias=alias, mode=mode, options=options)
        self._secrets = signatures.secrets_of(options.get("webhook_secret"))
        self._client = StripeClient(
            alias=alias,
            api_key=str(options.get("api_key") or "").strip(),
            api_base=str(options.get("api_base") or API_BASE).rstrip("/"),
            connect_timeout_seconds=float(options.get("connect_timeout_seconds", 3)),
            read_timeout_seconds=float(options.get("read_timeout_seconds", 20)),
            max_retries=int(options.get("max_retries", 2)),
        )

    @classmethod
    def key_mode(cls, options: Mapping[str, Any]) -> str:
        """Stripe's keys say it: `sk_test_...` and `rk_test_...`, or the same with `live`."""
        parts = str(options.get("api_key", "")).split("_")
        return parts[1] if parts[0] in ("sk", "rk") and parts[1:2] in (["test"], ["live"]) else ""

    @property
    def provider_name(self) -> str:
        return "Stripe"

    @property
    def features(self) -> Features:
        return _FEATURES

    def client_config(self) -> ClientConfig:
        key = str(self.options.get("publishable_key") or "")
        return ClientConfig(adapter="stripe", public={"publishable_key": key})

    def check_health(self) -> HealthData:
        """Read the balance: every full key may, and the answer tells the key's mode."""
        try:
            is_live = self._client.get("balance").body.get("livemode") is True
        except ProviderError as exc:
            return HealthData(is_healthy=False, detail=exc.message)
        if is_live != (self.mode == "live"):
            return HealthData(is_healthy=False, detail=f"the key is not one of mode {self.mode}")
        return HealthData(is_healthy=True)

    # webhooks

    def verify_webhook_signature(self, body: bytes, headers: Mapping[str, str]) -> None:
        signatures.verify(body, headers, self._secrets)

    def parse_webhook_event(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        return events.parse(body)

    def map_webhook_object(
        self, kind: EventKind, payload: JSON, event: ProviderEvent
    ) -> ObjectData | None:
        source = events.object_of(payload)
        if source is None or source.get("object") not in _OBJECTS[kind]:
            return None
        try:
            return _told(_MAPPERS[kind](source, as_of=event.occurred_at), event, payload)
        except Incomplete:
            return None

    # reading

    def get_customer(self, customer: Ref) -> CustomerData:
        answer = self._client.get("customers", customer.id)
        return mapping.customer(answer.body, as_of=answer.as_of)

    def get_payment_method(self, payment_method: Ref) -> PaymentMethodData:
        answer = self._client.get("payment_methods", payment_method.id)
        return mapping.payment_method(answer.body, as_of=answer.as_of)

    def list_payment_methods(self, customer: Ref) -> list[PaymentMethodData]:
        found = self._client.pages("customers", customer.id, "payment_methods")
        return [mapping.payment_method(each, as_of=as_of) for each, as_of in found]

    def get_subscription(self, subscription: Ref) -> SubscriptionData:
        answer = self._client.get("subscriptions", subscription.id, expand=_SUBSCRIPTION_EXPAND)
        return mapping.subscription(answer.body, as_of=answer.as_of)

    def get_invoice(self, invoice: Ref) -> InvoiceData:
        answer = self._client.get("invoices", invoice.id, expand=_INVOICE_EXPAND)
        return mapping.invoice(answer.body, as_of=answer.as_of)

    def list_invoices(self, customer: Ref, *, limit: int = 100) -> list[InvoiceData]:
        """Stripe expands four levels at most, so a list tells the payments' ids only."""
        found = self._client.pages(
            "invoices", customer=customer.id, limit=limit, expand=("data.payments",)
        )
        return [mapping.invoice(each, as_of=as_of) for each, as_of in found]

    def get_payment(self, payment: Ref) -> PaymentData:
        """Read a PaymentIntent; invoices from before 2019-03-15 may name a bare charge."""
        if payment.id.startswith("ch_"):
            answer = self._client.get("charges", payment.id)
        else:
            answer = self._client.get("payment_intents", payment.id, expand=("latest_charge",))
        return mapping.payment(answer.body, as_of=answer.as_of)

    # customers

    def create_customer(self, request: CustomerRequest, *, idempotency_key: str) -> CustomerData:
        answer = self._client.post(
            "customers", idempotency_key=idempotency_key, params=parameters.new_customer(request)
        )
        return mapping.customer(answer.body, as_of=answer.as_of)

    def update_customer(
        self, customer: Ref, request: CustomerRequest, *, idempotency_key: str
    ) -> CustomerData:
        answer = self._client.post(
            "customers",
            customer.id,
            idempotency_key=idempotency_key,
            params=parameters.customer(request),
        )
        return mapping.customer(answer.body, as_of=answer.as_of)

    def delete_customer(self, customer: Ref, *, idempotency_key: str) -> None:
        """One that was deleted before is gone, as wanted; one that never was is missing."""
        try:
            self._client.delete("customers", customer.id, idempotency_key=idempotency_key)
        except ProviderObjectMissing:
            if not self.get_customer(customer).is_deleted:
                raise

    # payment methods

    def create_payment_method(
        self, customer: Ref, request: PaymentMethodRequest, *, idempotency_key: str
    ) -> PaymentMethodData:
        """The token is the id of a payment method that the browser made, with its billing details;
        Stripe attaches it as it is."""
        answer = self._client.post(
            "payment_methods",
            request.token,
            "attach",
            idempotency_key=idempotency_key,
            params={"customer": customer.id},
        )
        return mapping.payment_method(answer.body, as_of=answer.as_of)

    def delete_payment_method(
        self, payment_method: Ref, *, idempotency_key: str
    ) -> PaymentMethodData:
        answer = self._client.post(
            "payment_methods", payment_method.id, "detach", idempotency_key=idempotency_key
        )
        return mapping.payment_method(answer.body, as_of=answer.as_of)

    def set_default_payment_method(
        self, customer: Ref, payment_method: Ref, *, idempotency_key: str
    ) -> CustomerData:
        """A subscription's own default goes before its customer's. The customer comes last: whoever
        sees the new default there knows that the subscriptions have it."""
        kept = (None, payment_method.id)
        others = [each for each in self._running(customer) if each.payment_method_id not in kept]
        for number, each in enumerate(others):
            with begun(number > 0):
                self._client.post(
                    "subscriptions",
                    each.id,
                    idempotency_key=f"{idempotency_key}-{each.id}",
                    params={"default_payment_method": payment_method.id},
                )
        with begun(bool(others)):
            answer = self._client.post(
                "customers",
                customer.id,
                idempotency_key=idempotency_key,
                params={"invoice_settings": {"default_payment_method": payment_method.id}},
            )
        return mapping.customer(answer.body, as_of=answer.as_of)

    def _running(self, customer: Ref) -> list[SubscriptionData]:
        found = self._client.pages("subscriptions", customer=customer.id)
        listed = (mapping.subscription(each, as_of=as_of) for each, as_of in found)
        return [each for each in listed if each.status not in _ENDED]

    # subscriptions

    def create_subscription(
        self, request: SubscriptionRequest, *, idempotency_key: str
    ) -> SubscriptionData:
        """Make it, then pay its first invoice with the method named. Declined, it is ended again;
        where the customer must act, or no method is named, it stays incomplete."""
        answer = self._client.post(
            "subscriptions",
            idempotency_key=idempotency_key,
            expand=_SUBSCRIPTION_EXPAND,
            params=parameters.subscription(request),
        )
        made = mapping.subscription(answer.body, as_of=answer.as_of)
        if made.status is not SubscriptionStatus.INCOMPLETE or not request.payment_method_id:
            return made
        with begun():
            declined = self._pay_first(made, request.payment_method_id, f"{idempotency_key}-pay")
            if declined is None:
                return self.get_subscription(Ref(id=made.id))
            self._end_now(made.id, f"{idempotency_key}-end")
        raise declined

    def update_subscription(
        self, subscription: Ref, changes: SubscriptionUpdate, *, idempotency_key: str
    ) -> SubscriptionData:
        has_item = changes.price_id is not None or changes.quantity is not None
        item_id = self._item_id(subscription) if has_item else ""
        return self._change(subscription, parameters.changes(changes, item_id), idempotency_key)

    def cancel_subscription(
        self, subscription: Ref, *, at_period_end: bool, idempotency_key: str
    ) -> SubscriptionData:
        if at_period_end:
            return self._change(subscription, {"cancel_at_period_end": True}, idempotency_key)
        answer = self._end_now(subscription.id, idempotency_key)
        return mapping.subscription(answer.body, as_of=answer.as_of)

    def resume_subscription(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        return self._change(subscription, {"cancel_at_period_end": False}, idempotency_key)

    def _change(self, subscription: Ref, params: JSON, key: str) -> SubscriptionData:
        answer = self._client.post(
            "subscriptions",
            subscription.id,
            idempotency_key=key,
            expand=_SUBSCRIPTION_EXPAND,
            params=params,
        )
        return mapping.subscription(answer.body, as_of=answer.as_of)

    def _item_id(self, subscription: Ref) -> str:
        """We sell one price each, so it is the first."""
        answer = self._client.get("subscriptions", subscription.id)
        found = remote_id(next(iter(items(answer.body.get("items"))), None))
        if not found:
            raise InvalidRequest("the subscription has no item to change", param="items")
        return found

    def _pay_first(
        self, subscription: SubscriptionData, payment_method_id: str, key: str
    ) -> PaymentDeclined | None:
        """Return the bank's refusal. None: paid, under way, or for the customer to confirm in the
        browser, whatever the subscription says."""
        try:
            self._client.post(
                "invoices",
                subscription.latest_invoice_id or "",
                "pay",
                idempotency_key=key,
                params={"payment_method": payment_method_id, "off_session": False},
            )
        except PaymentDeclined as exc:
            return None if exc.decline_code == "authentication_required" else exc
        except InvalidRequest:
            return None
        return None

    def _end_now(self, subscription_id: str, key: str) -> Answer:
        """One that has ended before is answered as it is: Stripe calls it missing."""
        try:
            return self._client.delete("subscriptions", subscription_id, idempotency_key=key)
        except ProviderObjectMissing:
            answer = self._client.get("subscriptions", subscription_id)
            if mapping.subscription(answer.body, as_of=answer.as_of).status not in _ENDED:
                raise
            return answer

    # invoices

    def pay_invoice(
        self, invoice: Ref, *, payment_method_id: str | None = None, idempotency_key: str
    ) -> InvoiceData:
        """Stripe refuses to pay one that is paid, so a refusal is looked at again."""
        current = self.get_invoice(invoice)
        if current.status is InvoiceStatus.PAID:
            return current
        if current.status is InvoiceStatus.DRAFT:
            key = f"{idempotency_key}-finalize"
            self._client.post("invoices", invoice.id, "finalize", idempotency_key=key)
        try:
            answer = self._client.post(
                "invoices",
                invoice.id,
                "pay",
                idempotency_key=idempotency_key,
                expand=_INVOICE_EXPAND,
                params={"payment_method": payment_method_id},
            )
        except InvalidRequest:
            current = self.get_invoice(invoice)
            if current.status is not InvoiceStatus.PAID:
                raise
            return current
        return mapping.invoice(answer.body, as_of=answer.as_of)

    # what a lost answer may have made

    def find_customer(self, reference: str) -> CustomerData | None:
        """Stripe's search is up to a minute behind; whoever asks waits longer than that."""
        query = f"metadata['{mapping.REFERENCE_KEY}']:'{reference}'"
        answer = self._client.get("customers", "search", query=query, limit=PAGE)
        found = (mapping.customer(each, as_of=answer.as_of) for each in items(answer.body))
        return next((each for each in found if each.reference == reference), None)

    def find_subscription(self, customer: Ref, reference: str) -> SubscriptionData | None:
        expand = tuple(f"data.{name}" for name in _SUBSCRIPTION_EXPAND)
        listed = self._client.pages(
            "subscriptions", customer=customer.id, status="all", expand=expand
        )
        found = (mapping.subscription(each, as_of=as_of) for each, as_of in listed)
        return next((each for each in found if each.reference == reference), None)

    # plans

    def list_plans(self) -> list[PlanData]:
        found = self._client.pages(
            "prices", active="true", type="recurring", expand=("data.product",)
        )
        return list(_sellable(found))

    def get_plan(self, plan: Ref) -> PlanData:
        answer = self._client.get("prices", plan.id, expand=("product",))
        return mapping.plan(answer.body, as_of=answer.as_of)

    def create_plan(self, request: PlanRequest, *, idempotency_key: str) -> PlanData:
        parameters.check_amount(request)
        product_id = request.product_id or self._create_product(request, idempotency_key)
        answer = self._client.post(
            "prices",
            idempotency_key=idempotency_key,
            expand=("product",),
            params=parameters.price(request, product_id),
        )
        return mapping.plan(answer.body, as_of=answer.as_of)

    def update_plan(self, plan: Ref, request: PlanRequest, *, idempotency_key: str) -> PlanData:
        """Name and description are the product's, so its other prices get them too."""
        current = self.get_plan(plan)
        wanted = (request.amount_minor, request.currency, request.interval)
        if wanted != (current.amount_minor, current.currency, current.interval):
            raise InvalidRequest("a price keeps its amount; make another", param="amount_minor")
        answer = self._client.post(
            "products",
            current.product_id,
            idempotency_key=idempotency_key,
            params={"name": request.name, "description": request.description},
        )
        return mapping.plan({**current.raw, "product": answer.body}, as_of=answer.as_of)

    def archive_plan(self, plan: Ref, *, idempotency_key: str) -> PlanData:
        answer = self._client.post(
            "prices",
            plan.id,
            idempotency_key=idempotency_key,
            expand=("product",),
            params={"active": False},
        )
        return mapping.plan(answer.body, as_of=answer.as_of)

    def _create_product(self, request: PlanRequest, key: str) -> str:
        answer = self._client.post(
            "products", idempotency_key=f"{key}-product", params=parameters.product(request)
        )
        return remote_id(answer.body)


def _sellable(prices: Iterator[tuple[JSON, datetime]]) -> Iterator[PlanData]:
    """The prices that have one amount; whatever else is sold in the account is not ours."""
    for each, as_of in prices:
        with suppress(Incomplete):
            yield mapping.plan(each, as_of=as_of)


_MAPPERS: dict[EventKind, Callable[..., ObjectData]] = {
    EventKind.CUSTOMER: mapping.customer,
    EventKind.PAYMENT_METHOD: mapping.payment_method,
    EventKind.SUBSCRIPTION: mapping.subscription,
    EventKind.INVOICE: mapping.invoice,
    EventKind.PAYMENT: mapping.payment,
}
_COLLECTION = {
    "invoice.payment_failed": PaymentState.FAILED,
    "invoice.payment_action_required": PaymentState.REQUIRES_ACTION,
}


def _told(data: ObjectData, event: ProviderEvent, payload: JSON) -> ObjectData:
    """Add what only the event tells, by its type or by what it changed."""
    if isinstance(data, CustomerData) and event.type == "customer.deleted":
        return replace(data, is_deleted=True)
    if isinstance(data, PaymentMethodData) and data.customer_id is None:
        return replace(data, customer_id=text(events.former_customer(payload)) or None)
    if isinstance(data, InvoiceData):
        return _told_invoice(data, event.type)
    if isinstance(data, PaymentData):
        return _told_payment(data, event)
    return data


def _told_invoice(data: InvoiceData, event_type: str) -> InvoiceData:
    if event_type == "invoice.deleted":
        return replace(data, status=InvoiceStatus.VOID, payment_state=PaymentState.NONE)
    if data.status is InvoiceStatus.OPEN and event_type in _COLLECTION:
        return replace(data, payment_state=_COLLECTION[event_type])
    return data


def _told_payment(data: PaymentData, event: ProviderEvent) -> PaymentData:
    is_new = event.type == "payment_intent.succeeded" and data.status is PaymentStatus.SUCCEEDED
    if is_new and data.paid_at is None:
        return replace(data, paid_at=event.occurred_at)
    return data
