"""The frozen dataclasses that cross the border between services and providers.

`...Request` is sent, `...Data` is returned. Amounts are integer minor units with an upper-case
ISO 4217 currency; times are aware UTC. Optional means that the provider may not have it, or did not
tell it this time: the projection then keeps what is stored. A `status` of None means that the
provider's word is not one of ours: the stored state is kept and the raw word recorded as drift.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

from billing.enums import (
    Aggregation,
    BillingInterval,
    CheckoutMode,
    CheckoutStatus,
    DisputeStatus,
    EndReason,
    EventKind,
    IncompleteReason,
    InvoiceStatus,
    MandateStatus,
    NextActionType,
    PaymentMethodType,
    PaymentState,
    PaymentStatus,
    RefundReason,
    RefundStatus,
    SetupStatus,
    SubscriptionStatus,
    TaxBehavior,
)

JSON = Mapping[str, object]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Names an existing remote object. Conekta's paths need the customer beside the object."""

    id: str
    customer_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodLimit:
    """Where a payment method can be offered; empty means everywhere."""

    currencies: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()

    def takes(self, currency: str) -> bool:
        return not self.currencies or currency in self.currencies


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Finer facts than capabilities. An empty `currencies` or `countries` means every one.

    A method that is not in `method_limits` goes with every currency and country that the provider
    takes.
    """

    methods: tuple[str, ...]
    method_limits: Mapping[str, MethodLimit] = field(default_factory=dict)
    currencies: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    intervals: frozenset[BillingInterval] = frozenset(BillingInterval)
    cancels_at_period_end: bool = True
    has_idempotency_keys: bool = True
    has_quantities: bool = True
    required_profile: tuple[str, ...] = ("email",)

    def methods_in(self, country: str) -> dict[str, list[str]]:
        """Return the methods for a customer of `country`, each with its currencies; none: every.

        A method of certain countries only is left out where the country is not known ('').
        """
        limits = {name: self.method_limits.get(name, MethodLimit()) for name in self.methods}
        return {
            name: sorted(limit.currencies)
            for name, limit in limits.items()
            if not limit.countries or country in limit.countries
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """What the browser needs to tokenise: the adapter module's name and public values only."""

    adapter: str
    public: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthData:
    is_healthy: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAction:
    """What the customer must do now. `details` is safe to show to the customer, and to nobody else:
    URL, client secret, voucher. A voucher has `method`, what to pay with (`reference`, `barcode`,
    `clabe`), `amount_minor`, `currency`, and `expires_at` in ISO 8601, UTC."""

    type: NextActionType
    details: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRequest:
    """`reference` is the UUID of our Customer row; it is sent so that webhooks find the row."""

    reference: str
    name: str
    email: str
    phone: str = ""
    address: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerData:
    id: str
    email: str
    name: str
    as_of: datetime
    default_payment_method_id: str | None = None
    reference: str | None = None
    is_deleted: bool = False
    created_at: datetime | None = None
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethodRequest:
    """`token` comes from the provider's code in the browser; never a card number."""

    token: str
    reference: str = ""
    billing_address: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethodData:
    """`customer_id` is None once the method is detached; `exp_year` has four digits."""

    id: str
    customer_id: str | None
    type: str
    as_of: datetime
    last4: str = ""
    brand: str = ""
    exp_month: int | None = None
    exp_year: int | None = None
    billing_address: Mapping[str, str] = field(default_factory=dict)
    is_active: bool = True
    reference: str | None = None
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupRequest:
    """`reference` is the UUID of our row. `methods` are words of PaymentMethodType; empty: what the
    provider offers by default."""

    customer_id: str
    reference: str
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupSessionData:
    """A customer adding a payment method in the browser. `client_secret` lets whoever has it finish
    the session, so it is for its owner only. `payment_method_id` is attached once `status` is
    succeeded. `mandate_*`: the customer's leave to debit a bank account."""

    id: str
    customer_id: str
    status: SetupStatus | None
    provider_status: str
    as_of: datetime
    client_secret: str = field(default="", repr=False)
    payment_method_id: str | None = None
    next_action: NextAction | None = None
    mandate_id: str | None = None
    mandate_status: MandateStatus | None = None
    decline_code: str = ""
    reference: str | None = None
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRequest:
    """`reference` is the UUID of our Subscription row. `trial_end_at` None: no trial. `coupon_code`
    is what the customer typed; only for a provider that AppliesCoupons."""

    reference: str
    customer_id: str
    price_id: str
    quantity: int = 1
    payment_method_id: str | None = None
    trial_end_at: datetime | None = None
    coupon_code: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionUpdate:
    """Only what is not None changes. Proration follows the provider's default for plan changes."""

    price_id: str | None = None
    quantity: int | None = None
    payment_method_id: str | None = None
    cancel_at_period_end: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionData:
    id: str
    customer_id: str
    status: SubscriptionStatus | None
    provider_status: str
    as_of: datetime
    price_id: str | None = None
    quantity: int = 1
    current_period_start: datetime | None = None
    current_period_end: datetime | None = None
    trial_start: datetime | None = None
    trial_end: datetime | None = None
    cancel_at_period_end: bool = False
    cancel_at: datetime | None = None
    canceled_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: EndReason | None = None
    incomplete_reason: IncompleteReason | None = None
    collection_paused: bool = False
    has_discount: bool = False
    resumes_at: datetime | None = None
    payment_method_id: str | None = None
    latest_invoice_id: str | None = None
    next_action: NextAction | None = None
    reference: str | None = None
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineData:
    """One line of an invoice; `amount_minor` is the line's total, `unit_rate` may be sub-minor."""

    description: str
    amount_minor: int
    quantity: int = 1
    unit_rate: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewData:
    """The next invoice of a subscription as it would be, made at `billed_at` for the period named.

    `due_now_minor`: what the change itself would charge; 0 where it waits for `billed_at`.
    """

    currency: str
    subtotal_minor: int
    total_minor: int
    due_now_minor: int
    as_of: datetime
    discount_minor: int = 0
    tax_minor: int = 0
    billed_at: datetime | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    lines: tuple[LineData, ...] = ()
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceData:
    """An invoice as it is now. `amount_due_minor` is what is still owed, tax included."""

    id: str
    customer_id: str
    status: InvoiceStatus | None
    provider_status: str
    currency: str
    subtotal_minor: int
    total_minor: int
    amount_due_minor: int
    as_of: datetime
    amount_paid_minor: int = 0
    discount_minor: int = 0
    tax_minor: int = 0
    subscription_id: str | None = None
    number: str = ""
    payment_state: PaymentState | None = None
    payment_id: str | None = None
    payment_method_id: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    due_at: datetime | None = None
    paid_at: datetime | None = None
    next_attempt_at: datetime | None = None
    hosted_url: str = ""
    pdf_url: str = ""
    lines: tuple[LineData, ...] = ()
    reference: str | None = None
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentData:
    """One attempt to collect; `decline_code` is one of our stable codes, empty when none."""

    id: str
    customer_id: str
    amount_minor: int
    currency: str
    status: PaymentStatus | None
    provider_status: str
    as_of: datetime
    invoice_id: str | None = None
    payment_method_id: str | None = None
    decline_code: str = ""
    paid_at: datetime | None = None
    next_action: NextAction | None = None
    reference: str | None = None
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """`reference` is the UUID of our Refund row; `currency` is that of the payment."""

    reference: str
    payment_id: str
    amount_minor: int
    currency: str
    reason: RefundReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundData:
    """Money that goes back for one payment, `payment_id`; it names no customer.

    `reason` is None where the provider gives another one than ours; `failure_code` is the
    provider's word for why it did not arrive, empty when it did. Without `keeps_reference` the
    provider has no place for ours: that it is absent then says nothing about who made the refund.
    """

    id: str
    payment_id: str
    amount_minor: int
    currency: str
    status: RefundStatus | None
    provider_status: str
    as_of: datetime
    reason: RefundReason | None = None
    failure_code: str = ""
    reference: str | None = None
    keeps_reference: bool = True
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeData:
    """A bank's objection to one payment, `payment_id`; it names no customer.

    `amount_minor` is what is disputed, `reason` the provider's word, `evidence_due_at` the moment
    until which evidence is taken.
    """

    id: str
    payment_id: str
    amount_minor: int
    currency: str
    status: DisputeStatus | None
    provider_status: str
    as_of: datetime
    reason: str = ""
    evidence_due_at: datetime | None = None
    raw: JSON = field(repr=False)


ObjectData = (
    CustomerData
    | PaymentMethodData
    | SubscriptionData
    | InvoiceData
    | PaymentData
    | RefundData
    | DisputeData
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """One charge outside any subscription, of `amount_minor` in `currency`, to a kept method.

    `reference` is the UUID of our Payment row. `is_off_session`: the customer is not there to
    confirm it. `return_url` is where the bank's page sends the customer back to; without one the
    browser's own code confirms. `installments` are months without interest, 1 is the whole at once.
    """

    reference: str
    customer_id: str
    payment_method_id: str
    amount_minor: int
    currency: str
    description: str = ""
    is_off_session: bool = False
    return_url: str = ""
    installments: int = 1
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherRequest:
    """Something to pay with by hand: `method` is OXXO or SPEI, `expires_at` None: as long as the
    provider's vouchers last. `reference` is the UUID of our Operation. With `invoice_id` it pays
    that open invoice of the provider's, whose amount and currency are then its own.
    """

    reference: str
    customer_id: str
    method: PaymentMethodType
    amount_minor: int
    currency: str
    description: str = ""
    expires_at: datetime | None = None
    invoice_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutRequest:
    """A page of the provider's on which the customer pays or leaves a payment method.

    `reference` is the UUID of our row: the checkout carries it, and so does the subscription,
    payment or setup session that it makes. What is sold is `price_id` times `quantity`; a payment
    without a price is of `amount_minor` in `currency`, shown as `description`. A setup names the
    `currency` of later charges. `success_url` may hold the provider's placeholder for the
    checkout's id. `trial_end_at` None: no trial.
    """

    reference: str
    mode: CheckoutMode
    customer_id: str
    success_url: str
    cancel_url: str = ""
    price_id: str = ""
    quantity: int = 1
    amount_minor: int = 0
    currency: str = ""
    description: str = ""
    trial_end_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutData:
    """A hosted checkout. `url` is empty once it is closed; `total_minor`, tax included, is 0
    where nothing is sold. `is_paid`: it is complete, and nothing is owed for it."""

    id: str
    customer_id: str
    mode: CheckoutMode | None
    status: CheckoutStatus | None
    provider_status: str
    as_of: datetime
    url: str = ""
    is_paid: bool = False
    total_minor: int = 0
    currency: str = ""
    expires_at: datetime | None = None
    subscription_id: str | None = None
    payment_id: str | None = None
    invoice_id: str | None = None
    setup_session_id: str | None = None
    reference: str | None = None
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSessionData:
    """A short-lived link into the provider's own portal: whoever has `url` is the customer there.
    `expires_at` None: the provider does not say."""

    id: str
    customer_id: str
    as_of: datetime
    url: str = field(repr=False)
    expires_at: datetime | None = None
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterRequest:
    """`event_name` is what usage is reported under; the account has one active meter for it."""

    event_name: str
    name: str
    aggregation: Aggregation = Aggregation.SUM


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterData:
    id: str
    event_name: str
    name: str
    aggregation: Aggregation | None
    is_active: bool
    as_of: datetime
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """`reference` is the UUID of our UsageRecord row; the provider counts it once."""

    reference: str
    event_name: str
    customer_id: str
    value: Decimal
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpointData:
    """Where the provider sends events. `secret` signs them and is told once, when the endpoint is
    made. `is_pinned` False: it renders events in another API version than ours, which cannot be
    changed; delete it at the provider and register anew to get events that need no fetch."""

    id: str
    url: str
    event_types: frozenset[str]
    api_version: str
    is_pinned: bool
    is_active: bool
    as_of: datetime
    secret: str = field(default="", repr=False)
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """One price to sell. `reference`: our Price row's UUID; `product_id`: an existing product."""

    reference: str
    plan_reference: str
    name: str
    description: str
    amount_minor: int
    currency: str
    interval: BillingInterval
    product_id: str | None = None
    tax_behavior: TaxBehavior = TaxBehavior.UNSPECIFIED


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanData:
    """A sellable price at the provider; `product_id` is empty where a price is its own product."""

    id: str
    product_id: str
    name: str
    amount_minor: int
    currency: str
    interval: BillingInterval | None
    is_active: bool
    as_of: datetime
    reference: str | None = None
    raw: JSON = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """What intake keeps of one delivery; the body itself is stored beside it.

    `kind` None: an event that we do not use, with the reason in `ignored_because`. `parent_id` is
    the remote id of the object that must be known first (the customer of a subscription, the
    subscription of an invoice). `is_pinned` is False when the payload is rendered in another API
    version than ours: the object is then fetched instead of read from the payload.
    """

    id: str
    type: str
    occurred_at: datetime
    mode: str
    kind: EventKind | None = None
    object_id: str = ""
    customer_id: str = ""
    parent_id: str = ""
    api_version: str = ""
    is_pinned: bool = True
    ignored_because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A listed object that could not be mapped: its remote id, '' when even that is missing."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """A part of a list. `next_cursor` is opaque and asks for the next part; '' at the end."""

    items: tuple[Item, ...]
    next_cursor: str = ""
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEvent:
    """An event as it was delivered or should have been: `body` without signature, and its parts."""

    body: bytes
    event: ProviderEvent
