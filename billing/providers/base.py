"""The contract of a payment provider: what each capability promises.

A provider declares what it can do by inheriting capability classes; a missing method fails when
the provider is built. Asking for a capability that a provider lacks raises UnsupportedOperation
before anything is sent (`billing.registry.providers.get`). Every method raises the typed errors of
`billing.errors` and nothing of the vendor's.

Rules for all: methods marked `@network` may talk to the provider and never run inside a database
transaction; writes take the `idempotency_key` that was committed before the call; the data returned
carries `as_of` in the provider's clock and the provider's own JSON as `raw`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from billing.enums import DisputeStatus, EventKind
from billing.providers.types import (
    JSON,
    CheckoutData,
    CheckoutRequest,
    ClientConfig,
    CustomerData,
    CustomerRequest,
    DisputeData,
    Features,
    HealthData,
    InvoiceData,
    ListedEvent,
    MeterData,
    MeterRequest,
    ObjectData,
    Page,
    PaymentData,
    PaymentMethodData,
    PaymentMethodRequest,
    PaymentRequest,
    PlanData,
    PlanRequest,
    PortalSessionData,
    PreviewData,
    ProviderEvent,
    Ref,
    RefundData,
    RefundRequest,
    SetupRequest,
    SetupSessionData,
    SubscriptionData,
    SubscriptionRequest,
    SubscriptionUpdate,
    UsageReport,
    VoucherRequest,
    WebhookEndpointData,
)

F = TypeVar("F", bound=Callable[..., Any])

NETWORK_METHODS: set[str] = set()


def network(method: F) -> F:
    """Mark a method as one that talks to the provider; the registry guards these calls."""
    NETWORK_METHODS.add(method.__name__)
    return method


class Capability(ABC):  # noqa: B024 - its methods are those of its subclasses
    """Something that a provider may be able to do. Subclasses in this module are the whole list;
    the first paragraph of each docstring is its line in docs/capabilities.md."""


class PaymentProvider(Capability):
    """Tells its name, its limits, what the browser needs, and whether our keys work.

    `options` come from the alias in BILLING_PROVIDERS.
    """

    def __init__(self, *, alias: str, mode: str, options: Mapping[str, Any]) -> None:
        self.alias = alias
        self.mode = mode
        self.options = options

    @classmethod
    def key_mode(cls, options: Mapping[str, Any]) -> str:
        """'test' or 'live' when the key in `options` shows what it is, else ''."""
        return ""

    @classmethod
    def option_problems(cls, options: Mapping[str, Any]) -> dict[str, str]:
        """What keeps `options` from being safe, by option; with any, nothing may start."""
        return {}

    @property
    @abstractmethod
    def provider_name(self) -> str:
        """The provider's own name, for staff: 'Stripe'."""

    @property
    @abstractmethod
    def features(self) -> Features:
        """Payment methods, currencies, countries and intervals that this provider takes."""

    @abstractmethod
    def client_config(self) -> ClientConfig:
        """Return what the browser needs to tokenise; nothing secret."""

    @network
    @abstractmethod
    def check_health(self) -> HealthData:
        """Ask the provider whether our credentials work."""

    @property
    def capabilities(self) -> frozenset[type[Capability]]:
        """The capability classes that this instance has."""
        return _capabilities_of(type(self))


@cache
def _capabilities_of(provider: type[PaymentProvider]) -> frozenset[type[Capability]]:
    return frozenset(
        base
        for base in provider.__mro__
        if base.__module__ == __name__ and issubclass(base, Capability)
    ) - {Capability}


class ReceivesWebhooks(PaymentProvider):
    """Verifies and reads webhooks: pure functions over the raw bytes; no call, no state."""

    @abstractmethod
    def verify_webhook_signature(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Raise InvalidSignature unless `body` was signed by the provider for this alias."""

    @abstractmethod
    def parse_webhook_event(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """Read id, type, time and object of a verified delivery; raise InvalidPayload."""

    @abstractmethod
    def map_webhook_object(
        self, kind: EventKind, payload: JSON, event: ProviderEvent
    ) -> ObjectData | None:
        """Return the event's object, or None when the payload does not hold it whole."""


class ReadsCustomers(PaymentProvider):
    """Reads customers."""

    @network
    @abstractmethod
    def get_customer(self, customer: Ref) -> CustomerData:
        """Raise ProviderObjectMissing when there is none."""


class ManagesCustomers(ReadsCustomers):
    """Creates, changes and deletes customers."""

    @network
    @abstractmethod
    def create_customer(self, request: CustomerRequest, *, idempotency_key: str) -> CustomerData:
        """Create the remote customer, carrying our reference."""

    @network
    @abstractmethod
    def update_customer(
        self, customer: Ref, request: CustomerRequest, *, idempotency_key: str
    ) -> CustomerData:
        """Replace name, e-mail, phone and address."""

    @network
    @abstractmethod
    def delete_customer(self, customer: Ref, *, idempotency_key: str) -> None:
        """Delete it at the provider; its subscriptions end there at once."""


class ReadsPaymentMethods(PaymentProvider):
    """Reads payment methods."""

    @network
    @abstractmethod
    def get_payment_method(self, payment_method: Ref) -> PaymentMethodData:
        """Raise ProviderObjectMissing when there is none."""

    @network
    @abstractmethod
    def list_payment_methods(self, customer: Ref) -> list[PaymentMethodData]:
        """All methods attached to the customer, newest first."""


class ManagesPaymentMethods(ReadsPaymentMethods):
    """Attaches a token from the browser, detaches payment methods, chooses the default."""

    @network
    @abstractmethod
    def create_payment_method(
        self, customer: Ref, request: PaymentMethodRequest, *, idempotency_key: str
    ) -> PaymentMethodData:
        """Attach a token from the browser; raise PaymentDeclined when the bank refuses it."""

    @network
    @abstractmethod
    def delete_payment_method(
        self, payment_method: Ref, *, idempotency_key: str
    ) -> PaymentMethodData:
        """Detach it; the answer has `is_active` False."""

    @network
    @abstractmethod
    def set_default_payment_method(
        self, customer: Ref, payment_method: Ref, *, idempotency_key: str
    ) -> CustomerData:
        """Make it the one that renewals are charged to, for running subscriptions too."""


class SetsUpPaymentMethods(PaymentProvider):
    """Lets customers add payment methods in the browser: 3-D Secure, mandates, micro-deposits."""

    @network
    @abstractmethod
    def create_setup_session(
        self, request: SetupRequest, *, idempotency_key: str
    ) -> SetupSessionData:
        """Open a session; raise InvalidRequest for a method that the provider does not set up."""

    @network
    @abstractmethod
    def get_setup_session(self, session: Ref) -> SetupSessionData:
        """Raise ProviderObjectMissing when there is none."""


class ReadsSubscriptions(PaymentProvider):
    """Reads subscriptions."""

    @network
    @abstractmethod
    def get_subscription(self, subscription: Ref) -> SubscriptionData:
        """Raise ProviderObjectMissing when there is none."""


class ManagesSubscriptions(ReadsSubscriptions):
    """Starts, changes and ends subscriptions."""

    @network
    @abstractmethod
    def create_subscription(
        self, request: SubscriptionRequest, *, idempotency_key: str
    ) -> SubscriptionData:
        """Start it and charge the first period; raise PaymentDeclined when that is refused."""

    @network
    @abstractmethod
    def update_subscription(
        self, subscription: Ref, changes: SubscriptionUpdate, *, idempotency_key: str
    ) -> SubscriptionData:
        """Change plan, quantity or payment method."""

    @network
    @abstractmethod
    def cancel_subscription(
        self, subscription: Ref, *, at_period_end: bool, idempotency_key: str
    ) -> SubscriptionData:
        """End it now or when the paid period ends.

        Raises UnsupportedOperation for `at_period_end` where `features.cancels_at_period_end` is
        False (Conekta).
        """


class ResumesSubscriptions(PaymentProvider):
    """Undoes a cancellation that is planned."""

    @network
    @abstractmethod
    def resume_subscription(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        """Undo a cancellation that is planned for the period's end."""


class PausesSubscriptions(PaymentProvider):
    """Pauses subscriptions: no invoices for a while."""

    @network
    @abstractmethod
    def pause_subscription(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        """Pause an active one now, until it is unpaused."""

    @network
    @abstractmethod
    def unpause_subscription(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        """Let it go on: with a new period, charged now and paused until that is paid; or, where
        pausing keeps the period (Conekta), with the one that is under way."""


class PreviewsChanges(PaymentProvider):
    """Tells what a change of a subscription would cost."""

    @network
    @abstractmethod
    def preview_change(self, subscription: Ref, changes: SubscriptionUpdate) -> PreviewData:
        """What the next invoice would be after `update_subscription` with `changes`; nothing is
        changed. Raises InvalidRequest as that would."""


class AppliesCoupons(PaymentProvider):
    """Takes coupons and promotion codes.

    A code that is unknown or used up is an InvalidRequest with the param "coupon", in
    `create_subscription` too.
    """

    @network
    @abstractmethod
    def apply_coupon(
        self, subscription: Ref, code: str, *, idempotency_key: str
    ) -> SubscriptionData:
        """Discount the invoices to come, in place of an earlier coupon."""

    @network
    @abstractmethod
    def remove_coupon(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        """Charge the full price again; without a coupon nothing changes."""


class ReadsInvoices(PaymentProvider):
    """Reads invoices."""

    @network
    @abstractmethod
    def get_invoice(self, invoice: Ref) -> InvoiceData:
        """Raise ProviderObjectMissing when there is none."""

    @network
    @abstractmethod
    def list_invoices(self, customer: Ref, *, limit: int = 100) -> list[InvoiceData]:
        """The customer's invoices, newest first."""


class CollectsInvoices(ReadsInvoices):
    """Collects an open invoice now."""

    @network
    @abstractmethod
    def pay_invoice(
        self, invoice: Ref, *, payment_method_id: str | None = None, idempotency_key: str
    ) -> InvoiceData:
        """Collect an open invoice now, with the default method when none is named.

        An invoice that is already paid is answered as it is. Raises PaymentDeclined.
        """


class VoidsInvoices(ReadsInvoices):
    """Takes back invoices.

    One that is void already is answered as it is.
    """

    @network
    @abstractmethod
    def void_invoice(self, invoice: Ref, *, idempotency_key: str) -> InvoiceData:
        """Take back an open or uncollectible invoice; raise InvalidRequest for any other."""


class WritesOffInvoices(VoidsInvoices):
    """Marks invoices uncollectible.

    One that is so already is answered as it is.
    """

    @network
    @abstractmethod
    def mark_uncollectible(self, invoice: Ref, *, idempotency_key: str) -> InvoiceData:
        """Give up an open invoice as a bad debt; raise InvalidRequest for any other."""


class PrintsInvoices(ReadsInvoices):
    """Gives an invoice as a PDF."""

    @network
    @abstractmethod
    def get_invoice_pdf(self, invoice: Ref) -> str:
        """The URL of the invoice as a PDF, for a browser; '' while there is none yet."""


class ReadsPayments(PaymentProvider):
    """Reads payments."""

    @network
    @abstractmethod
    def get_payment(self, payment: Ref) -> PaymentData:
        """Raise ProviderObjectMissing when there is none."""


class RefundsPayments(PaymentProvider):
    """Sends money back: the whole of a payment or parts of it, and tells how that went."""

    @network
    @abstractmethod
    def create_refund(self, request: RefundRequest, *, idempotency_key: str) -> RefundData:
        """Send money of a payment back, carrying our reference; the answer may still be pending.

        Raises InvalidRequest where the payment has not that much left, or cannot be refunded.
        """

    @network
    @abstractmethod
    def get_refund(self, refund: Ref) -> RefundData:
        """Raise ProviderObjectMissing when there is none."""

    @network
    @abstractmethod
    def list_refunds(self, payment: Ref) -> list[RefundData]:
        """The payment's refunds, newest first, failed ones too."""


class ReadsDisputes(PaymentProvider):
    """Reads disputes: charges that a customer contests with the bank."""

    @network
    @abstractmethod
    def get_dispute(self, dispute: Ref) -> DisputeData:
        """Raise ProviderObjectMissing when there is none."""


class TakesPayments(ReadsPayments):
    """Charges a kept payment method once, outside any subscription."""

    @network
    @abstractmethod
    def create_payment(self, request: PaymentRequest, *, idempotency_key: str) -> PaymentData:
        """Charge it now. Where the customer must act first, `next_action` says how.

        Raises PaymentDeclined; off session also where the bank wants its owner's confirmation,
        with the decline code `authentication_required`.
        """


class IssuesVouchers(ReadsPayments):
    """Lets customers pay in a store or by bank transfer, with a reference that lasts some days."""

    @network
    @abstractmethod
    def create_voucher(self, request: VoucherRequest, *, idempotency_key: str) -> PaymentData:
        """Make a pending payment whose `next_action` shows what to pay with.

        One that was made for the same reference before is answered as it is now. Raises
        InvalidRequest for a voucher, a currency or an end that the provider does not take.
        """


class HostsCheckout(PaymentProvider):
    """Sells on a page of the provider's."""

    @network
    @abstractmethod
    def create_checkout(self, request: CheckoutRequest, *, idempotency_key: str) -> CheckoutData:
        """Open a checkout; raise InvalidRequest for what cannot be sold that way."""

    @network
    @abstractmethod
    def get_checkout(self, checkout: Ref) -> CheckoutData:
        """Raise ProviderObjectMissing when there is none."""


class HostsPortal(PaymentProvider):
    """Lets customers into the provider's own portal."""

    @network
    @abstractmethod
    def create_portal_session(
        self, customer: Ref, *, return_url: str, idempotency_key: str
    ) -> PortalSessionData:
        """Open the portal for one customer, who comes back to `return_url`."""


class MetersUsage(PaymentProvider):
    """Counts usage at the provider, for metered prices."""

    @network
    @abstractmethod
    def create_meter(self, request: MeterRequest, *, idempotency_key: str) -> MeterData:
        """Make the meter of an event name; one that is there already is answered as it is.

        Raises InvalidRequest where that one aggregates otherwise.
        """

    @network
    @abstractmethod
    def report_usage(self, report: UsageReport, *, idempotency_key: str) -> None:
        """Count it once, however often it is reported. Providers count later, not at once.

        Raises InvalidRequest for what the provider would not count.
        """


class RegistersWebhooks(PaymentProvider):
    """Registers where the provider sends its events."""

    @network
    @abstractmethod
    def list_webhooks(self) -> list[WebhookEndpointData]:
        """The account's endpoints, whoever made them; without their secrets."""

    @network
    @abstractmethod
    def register_webhook(self, url: str, *, idempotency_key: str) -> WebhookEndpointData:
        """Have exactly the events that we use sent to `url`, an https address.

        An endpoint that has this URL already is brought in line instead of doubled, switched on
        too; its secret is not told again. Raises InvalidRequest for another scheme.
        """


class ReadsPlans(PaymentProvider):
    """Reads the prices that are sold."""

    @network
    @abstractmethod
    def list_plans(self) -> list[PlanData]:
        """Every sellable price at the provider."""

    @network
    @abstractmethod
    def get_plan(self, plan: Ref) -> PlanData:
        """Raise ProviderObjectMissing when there is none."""


class PublishesPlans(ReadsPlans):
    """Makes prices sellable, renames them, stops selling them."""

    @network
    @abstractmethod
    def create_plan(self, request: PlanRequest, *, idempotency_key: str) -> PlanData:
        """Make the price sellable; amounts never change afterwards."""

    @network
    @abstractmethod
    def update_plan(self, plan: Ref, request: PlanRequest, *, idempotency_key: str) -> PlanData:
        """Change name and description; raise InvalidRequest for another amount."""

    @network
    @abstractmethod
    def archive_plan(self, plan: Ref, *, idempotency_key: str) -> PlanData:
        """Stop selling it; running subscriptions keep it."""


class FindsByReference(PaymentProvider):
    """Looks for what a lost answer may have made, where its key is not known any more."""

    @network
    @abstractmethod
    def find_customer(self, reference: str) -> CustomerData | None:
        """The customer that was made with this reference of ours; None when there is none."""

    @network
    @abstractmethod
    def find_subscription(
        self, customer: Ref, reference: str, price_id: str
    ) -> SubscriptionData | None:
        """The customer's subscription that was made with this reference; None when there is none.

        Where subscriptions carry no reference (Conekta): the customer's newest one at `price_id`
        that has not ended. Whether it was known before, the caller has to tell.
        """


class ListsRemote(PaymentProvider):
    """Lists what the account holds, page by page, whoever made it; ended subscriptions too.

    `cursor` is a page's `next_cursor`. `since` leaves out what was created before it: lists know
    no time of change. Raises ProviderObjectMissing or InvalidRequest for a cursor that has become
    void; the list is then begun anew. What cannot be mapped is told in the page.
    """

    @network
    @abstractmethod
    def list_customers(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[CustomerData]:
        """The account's customers; deleted ones may be left out."""

    @network
    @abstractmethod
    def list_subscriptions(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[SubscriptionData]:
        """The account's subscriptions, ended ones too."""

    @network
    @abstractmethod
    def list_account_invoices(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[InvoiceData]:
        """The account's invoices, told as fully as `get_invoice` where they are not settled."""

    @network
    @abstractmethod
    def list_payments(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[PaymentData]:
        """The account's payments, failed ones too."""


class ListsReturned(PaymentProvider):
    """Lists the refunds and disputes of the account's payments, page by page.

    `cursor` and `since` as in ListsRemote.
    """

    @network
    @abstractmethod
    def list_account_refunds(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[RefundData]:
        """The account's refunds, failed ones too."""

    @network
    @abstractmethod
    def list_disputes(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[DisputeData]:
        """The account's disputes, decided ones too."""


class ListsEvents(PaymentProvider):
    """Lists events that happened, for those whose delivery was lost."""

    @network
    @abstractmethod
    def list_events(self, *, cursor: str = "", since: datetime | None = None) -> Page[ListedEvent]:
        """The account's events as far back as the provider keeps them, delivered or not."""


class ResendsEvents(PaymentProvider):
    """Delivers an event that happened once more."""

    @network
    @abstractmethod
    def resend_event(self, event_id: str, *, idempotency_key: str) -> None:
        """Have the event posted again, with the same id, to every active endpoint that takes it.

        Raises ProviderObjectMissing for an event that the provider does not keep, InvalidRequest
        where it would be posted to nobody; the sandbox keeps it until there is somebody.
        """


class AdoptsCustomers(PaymentProvider):
    """Puts our reference on customers that exist at the provider already."""

    @network
    @abstractmethod
    def adopt_customer(
        self, customer: Ref, reference: str, *, idempotency_key: str
    ) -> CustomerData:
        """Put our reference on a customer that exists; nothing else of it changes."""


class Simulates(PaymentProvider):
    """Moves billing time, delivers webhooks, misbehaves on demand: the sandbox only.

    Billing time is shared by all stand-ins of one file.
    """

    @abstractmethod
    def advance_clock(self, by: timedelta) -> int:
        """Move billing time on, running what falls due on the way; return how many moments ran."""

    @abstractmethod
    def deliver_due(self, *, limit: int = 100) -> int:
        """Post the webhook deliveries that are due now; return how many were posted."""

    @abstractmethod
    def set_faults(self, **faults: object) -> None:
        """Set how deliveries and calls misbehave: see docs of the sandbox for the names."""

    @abstractmethod
    def complete_checkout(self, checkout: Ref, *, token: str) -> CheckoutData:
        """Pay an open checkout as its customer would, with a magic token.

        Raises PaymentDeclined, which leaves it open, and InvalidRequest for one that is closed.
        """

    @abstractmethod
    def pay_voucher(self, payment: Ref) -> PaymentData:
        """Pay a voucher as its customer would, be it late or of an invoice that is paid already.

        Raises InvalidRequest for one that is paid, or that is no voucher.
        """

    @abstractmethod
    def confirm_setup(self, session: Ref, token: str) -> SetupSessionData:
        """Give a setup session what the customer would type in the browser: a magic token.

        Raises InvalidRequest for one that is over, or that does not take this kind of method.
        """

    @abstractmethod
    def complete_setup(self, session: Ref) -> SetupSessionData:
        """Do what a setup session waits for: pass the bank's check, tell the micro-deposits.

        Raises InvalidRequest for one that waits for nothing.
        """

    @abstractmethod
    def fail_refund(self, refund: Ref) -> RefundData:
        """Let the customer's bank send the money back; InvalidRequest when it is back already."""

    @abstractmethod
    def open_dispute(
        self, payment: Ref, status: DisputeStatus = DisputeStatus.NEEDS_RESPONSE
    ) -> DisputeData:
        """Let the customer's bank take a payment back, or ask about it first (`warning`)."""

    @abstractmethod
    def close_dispute(self, dispute: Ref, status: DisputeStatus) -> DisputeData:
        """Let the bank decide: `won`, `lost`, `prevented` or `warning_closed`."""

    @abstractmethod
    def emit_event(self, event_type: str, object_id: str) -> str:
        """Queue a delivery of the object as it is now; return the event's id."""


CAPABILITIES: dict[str, type[Capability]] = {
    name: value
    for name, value in list(globals().items())
    if isinstance(value, type) and issubclass(value, Capability) and value is not Capability
}
