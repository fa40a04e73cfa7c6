"""The sandbox as a provider: one short method per operation, over its own SQLite file."""

from collections.abc import Mapping
from datetime import timedelta

from billing.enums import EventKind, InvoiceStatus
from billing.errors import (
    InvalidSignature,
    ProviderObjectMissing,
    ProviderUnavailable,
)
from billing.providers.base import (
    CollectsInvoices,
    FindsByReference,
    ManagesCustomers,
    ManagesPaymentMethods,
    ManagesSubscriptions,
    PrintsInvoices,
    PublishesPlans,
    ReceivesWebhooks,
    ResumesSubscriptions,
    Simulates,
    WritesOffInvoices,
)
from billing.providers.sandbox import (
    clock,
    customers,
    deliveries,
    documents,
    due,
    endpoints,
    mapping,
    payloads,
    plans,
    signatures,
    subscriptions,
)
from billing.providers.sandbox.checkouts import Checkouts
from billing.providers.sandbox.coupons import Coupons
from billing.providers.sandbox.endpoints import Endpoints
from billing.providers.sandbox.faults import current as current_faults
from billing.providers.sandbox.faults import set_faults as store_faults
from billing.providers.sandbox.listing import Listing
from billing.providers.sandbox.meters import Meters
from billing.providers.sandbox.pausing import Pausing
from billing.providers.sandbox.payments import Payments
from billing.providers.sandbox.previews import Previews
from billing.providers.sandbox.refunds import Refunds
from billing.providers.sandbox.setup import Setup
from billing.providers.sandbox.store import Record, Session
from billing.providers.sandbox.vouchers import Vouchers
from billing.providers.types import (
    JSON,
    ClientConfig,
    CustomerData,
    CustomerRequest,
    HealthData,
    InvoiceData,
    ObjectData,
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


class SandboxProvider(
    Payments,
    Vouchers,
    Checkouts,
    Meters,
    Endpoints,
    Listing,
    Refunds,
    Setup,
    Pausing,
    Previews,
    Coupons,
    ReceivesWebhooks,
    ManagesCustomers,
    ManagesPaymentMethods,
    ManagesSubscriptions,
    ResumesSubscriptions,
    CollectsInvoices,
    WritesOffInvoices,
    PrintsInvoices,
    PublishesPlans,
    FindsByReference,
    Simulates,
):
    """A provider without an account: state in a file, magic tokens, signed webhooks, own clock.

    Options: `path` (SQLite file), `secret` (Standard Webhooks secret, or a list of them, the first
    signs), `webhook_url` (where deliveries go; empty: to the endpoint that was registered by call,
    without one they stay queued), `namespace` (default: the alias), `like` (what it stands in for:
    `name`, `capabilities`, `methods`, `currencies`, `countries`, `cancels_at_period_end`,
    `has_idempotency_keys`, `has_quantities`, `required_profile`), `seed` (an integer: the same
    remote ids in every run), `public_key`.
    """

    def client_config(self) -> ClientConfig:
        public = {"public_key": str(self.options.get("public_key") or "")}
        return ClientConfig(adapter="sandbox", public=public)

    def check_health(self) -> HealthData:
        try:
            with self._store.read() as session:
                return HealthData(is_healthy=True, detail=_status(session))
        except ProviderUnavailable as exc:
            return HealthData(is_healthy=False, detail=exc.message)

    # Webhooks

    def verify_webhook_signature(self, body: bytes, headers: Mapping[str, str]) -> None:
        signatures.verify(self.options.get("secret"), body, headers)

    def parse_webhook_event(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        return payloads.parse(body)

    def map_webhook_object(
        self, kind: EventKind, payload: JSON, event: ProviderEvent
    ) -> ObjectData | None:
        if not event.is_pinned:
            return None
        return mapping.event_object(kind, payload, event.occurred_at)

    # Customers

    def get_customer(self, customer: Ref) -> CustomerData:
        return mapping.customer(*self._get("customer", customer))

    def create_customer(self, request: CustomerRequest, *, idempotency_key: str) -> CustomerData:
        answer = self._calls.write(
            "create_customer",
            idempotency_key,
            request,
            lambda session: customers.create(session, request),
        )
        return mapping.customer(answer.body, answer.as_of)

    def update_customer(
        self, customer: Ref, request: CustomerRequest, *, idempotency_key: str
    ) -> CustomerData:
        answer = self._calls.write(
            "update_customer",
            idempotency_key,
            [customer.id, request],
            lambda session: customers.update(session, customer.id, request),
        )
        return mapping.customer(answer.body, answer.as_of)

    def delete_customer(self, customer: Ref, *, idempotency_key: str) -> None:
        self._calls.write(
            "delete_customer",
            idempotency_key,
            customer.id,
            lambda session: customers.delete(session, customer.id),
        )

    def find_customer(self, reference: str) -> CustomerData | None:
        def read(session: Session) -> CustomerData | None:
            as_of = clock.moment(session.now)
            found = session.of_kind("customer")
            return next(
                (mapping.customer(each.body, as_of) for each in found if _is(each, reference)),
                None,
            )

        return self._calls.read(read)

    # Payment methods

    def get_payment_method(self, payment_method: Ref) -> PaymentMethodData:
        return mapping.payment_method(*self._get("payment_method", payment_method))

    def list_payment_methods(self, customer: Ref) -> list[PaymentMethodData]:
        def read(session: Session) -> list[PaymentMethodData]:
            session.require("customer", customer.id)
            as_of = clock.moment(session.now)
            found = customers.methods(session, customer.id)
            return [mapping.payment_method(method.body, as_of) for method in found]

        return self._calls.read(read)

    def create_payment_method(
        self, customer: Ref, request: PaymentMethodRequest, *, idempotency_key: str
    ) -> PaymentMethodData:
        answer = self._calls.write(
            "create_payment_method",
            idempotency_key,
            [customer.id, request],
            lambda session: customers.attach(session, customer.id, request),
        )
        return mapping.payment_method(answer.body, answer.as_of)

    def delete_payment_method(
        self, payment_method: Ref, *, idempotency_key: str
    ) -> PaymentMethodData:
        answer = self._calls.write(
            "delete_payment_method",
            idempotency_key,
            payment_method.id,
            lambda session: customers.detach(session, payment_method.id),
        )
        return mapping.payment_method(answer.body, answer.as_of)

    def set_default_payment_method(
        self, customer: Ref, payment_method: Ref, *, idempotency_key: str
    ) -> CustomerData:
        answer = self._calls.write(
            "set_default_payment_method",
            idempotency_key,
            [customer.id, payment_method.id],
            lambda session: customers.set_default(session, customer.id, payment_method.id),
        )
        return mapping.customer(answer.body, answer.as_of)

    # Subscriptions

    def get_subscription(self, subscription: Ref) -> SubscriptionData:
        return mapping.subscription(*self._get("subscription", subscription))

    def create_subscription(
        self, request: SubscriptionRequest, *, idempotency_key: str
    ) -> SubscriptionData:
        self._require_quantity(request.quantity)
        answer = self._calls.write(
            "create_subscription",
            idempotency_key,
            request,
            lambda session: subscriptions.create(session, request),
        )
        return mapping.subscription(answer.body, answer.as_of)

    def update_subscription(
        self, subscription: Ref, changes: SubscriptionUpdate, *, idempotency_key: str
    ) -> SubscriptionData:
        if changes.cancel_at_period_end:
            self._require_planned_ends()
        self._require_quantity(changes.quantity)
        answer = self._calls.write(
            "update_subscription",
            idempotency_key,
            [subscription.id, changes],
            lambda session: subscriptions.update(session, subscription.id, changes),
        )
        return mapping.subscription(answer.body, answer.as_of)

    def cancel_subscription(
        self, subscription: Ref, *, at_period_end: bool, idempotency_key: str
    ) -> SubscriptionData:
        if at_period_end:
            self._require_planned_ends()
        answer = self._calls.write(
            "cancel_subscription",
            idempotency_key,
            [subscription.id, at_period_end],
            lambda session: subscriptions.cancel(
                session, subscription.id, at_period_end=at_period_end
            ),
        )
        return mapping.subscription(answer.body, answer.as_of)

    def resume_subscription(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        answer = self._calls.write(
            "resume_subscription",
            idempotency_key,
            subscription.id,
            lambda session: subscriptions.resume(session, subscription.id),
        )
        return mapping.subscription(answer.body, answer.as_of)

    def find_subscription(
        self, customer: Ref, reference: str, price_id: str
    ) -> SubscriptionData | None:
        def read(session: Session) -> SubscriptionData | None:
            as_of = clock.moment(session.now)
            found = session.of_customer("subscription", customer.id)
            return next(
                (mapping.subscription(each.body, as_of) for each in found if _is(each, reference)),
                None,
            )

        return self._calls.read(read)

    # Invoices and payments

    def get_invoice(self, invoice: Ref) -> InvoiceData:
        return mapping.invoice(*self._get("invoice", invoice))

    def list_invoices(self, customer: Ref, *, limit: int = 100) -> list[InvoiceData]:
        def read(session: Session) -> list[InvoiceData]:
            session.require("customer", customer.id)
            as_of = clock.moment(session.now)
            found = session.of_customer("invoice", customer.id, limit)
            return [mapping.invoice(invoice.body, as_of) for invoice in found]

        return self._calls.read(read)

    def pay_invoice(
        self, invoice: Ref, *, payment_method_id: str | None = None, idempotency_key: str
    ) -> InvoiceData:
        answer = self._calls.write(
            "pay_invoice",
            idempotency_key,
            [invoice.id, payment_method_id],
            lambda session: subscriptions.pay(session, invoice.id, payment_method_id),
        )
        return mapping.invoice(answer.body, answer.as_of)

    def void_invoice(self, invoice: Ref, *, idempotency_key: str) -> InvoiceData:
        return self._write_off("void_invoice", invoice, InvoiceStatus.VOID, idempotency_key)

    def mark_uncollectible(self, invoice: Ref, *, idempotency_key: str) -> InvoiceData:
        status = InvoiceStatus.UNCOLLECTIBLE
        return self._write_off("mark_uncollectible", invoice, status, idempotency_key)

    def _write_off(self, verb: str, invoice: Ref, status: InvoiceStatus, key: str) -> InvoiceData:
        answer = self._calls.write(
            verb,
            key,
            invoice.id,
            lambda session: subscriptions.write_off(session, invoice.id, status),
        )
        return mapping.invoice(answer.body, answer.as_of)

    def get_invoice_pdf(self, invoice: Ref) -> str:
        def read(session: Session) -> str:
            found = session.require("invoice", invoice.id)
            return documents.invoice_url(found, session.require("customer", found.body["customer"]))

        return self._calls.read(read)

    # Plans

    def list_plans(self) -> list[PlanData]:
        def read(session: Session) -> list[PlanData]:
            as_of = clock.moment(session.now)
            found = session.of_kind("plan")
            return [mapping.plan(plan.body, as_of) for plan in found if plan.body["active"]]

        return self._calls.read(read)

    def get_plan(self, plan: Ref) -> PlanData:
        return mapping.plan(*self._get("plan", plan))

    def create_plan(self, request: PlanRequest, *, idempotency_key: str) -> PlanData:
        answer = self._calls.write(
            "create_plan",
            idempotency_key,
            request,
            lambda session: plans.create(session, request, self.features.currencies),
        )
        return mapping.plan(answer.body, answer.as_of)

    def update_plan(self, plan: Ref, request: PlanRequest, *, idempotency_key: str) -> PlanData:
        answer = self._calls.write(
            "update_plan",
            idempotency_key,
            [plan.id, request],
            lambda session: plans.update(session, plan.id, request),
        )
        return mapping.plan(answer.body, answer.as_of)

    def archive_plan(self, plan: Ref, *, idempotency_key: str) -> PlanData:
        answer = self._calls.write(
            "archive_plan",
            idempotency_key,
            plan.id,
            lambda session: plans.archive(session, plan.id),
        )
        return mapping.plan(answer.body, answer.as_of)

    # What only a simulation can do

    def advance_clock(self, by: timedelta) -> int:
        """Move billing time of the whole file; zero runs what wall time has made due."""
        return due.advance(self._store.path, by)

    def deliver_due(self, *, limit: int = 100) -> int:
        """Run what has fallen due, then post; return how many posts were answered with 2xx.

        Nothing is posted without `webhook_url` and `secret`, or a registered endpoint: deliveries
        stay queued.
        """
        due.run_overdue(self._store.path)
        url, secret = self.options.get("webhook_url"), self.options.get("secret")
        if not url:
            with self._store.read() as session:
                url, secret = endpoints.target(session)
        if not url or not secret:
            return 0
        return deliveries.deliver_due(self._store, str(url), secret, limit)

    def set_faults(self, **faults: object) -> None:
        """Set the faults named, leaving others; `faults.py` says what each does."""
        with self._store.write() as session:
            store_faults(session, faults)

    def emit_event(self, event_type: str, object_id: str) -> str:
        """Queue a delivery of the object as it is now; with no `object_id` an empty one (ping)."""
        with self._store.write() as session:
            record = session.find_any(object_id)
            if record is None and object_id:
                raise ProviderObjectMissing(f"no such object: {object_id!r}")
            return session.queue(event_type, record.body if record else {})

    def pending_deliveries(self, *, take: bool = False) -> list[tuple[dict[str, str], bytes]]:
        """Return headers and body of each queued delivery, due or not, oldest first, unfaulted.

        With `take` they leave the queue: the caller hands them over, in any order it likes.
        """
        secret = self.options.get("secret")
        if not secret:
            raise InvalidSignature("deliveries cannot be signed without a secret")
        with self._store.write() as session:
            waiting = deliveries.queued(session)
            if take:
                deliveries.mark_taken(session, waiting)
        return [(signatures.sign(secret, each.event_id, each.body), each.body) for each in waiting]

    def complete_payment(self, invoice: Ref) -> InvoiceData:
        """Do what the customer was asked to do: pay the voucher, pass the bank's check."""
        with self._store.write() as session:
            record = subscriptions.finish_payment(session, invoice.id)
            return mapping.invoice(record.body, clock.moment(session.now))


def _is(record: Record, reference: str) -> bool:
    return bool(record.body["reference"] == reference)


def _status(session: Session) -> str:
    counts = deliveries.counts(session)
    queued, failed = counts.get("queued", 0), counts.get("failed", 0)
    now = clock.moment(session.now).isoformat()
    names = ", ".join(f"{name}={value}" for name, value in current_faults(session).items())
    return (
        f"billing time {now}, {queued} deliveries queued, {failed} failed, faults: {names or '-'}"
    )
