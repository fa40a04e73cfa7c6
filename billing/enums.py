"""The words that models, services, providers and the API share. Plain Python: no Django here."""

from enum import StrEnum


class Mode(StrEnum):
    """Which world a remote object lives in; rows of different modes never meet."""

    SANDBOX = "sandbox"
    TEST = "test"
    LIVE = "live"


class BillingInterval(StrEnum):
    MONTHLY = "monthly"
    YEARLY = "yearly"


class TaxBehavior(StrEnum):
    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"
    UNSPECIFIED = "unspecified"


class TransactionType(StrEnum):
    SUBSCRIPTION = "subscription"
    PRODUCT_PURCHASE = "product_purchase"


class RuleSetState(StrEnum):
    """A draft can be changed, the active one decides, a retired one has decided."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


class EvidenceTier(StrEnum):
    """What tells a customer's country, in the order in which it is believed."""

    BILLING_ADDRESS = "billing_address"
    PROFILE = "profile"
    IP = "ip"


class SubscriptionStatus(StrEnum):
    """The eight states; each provider's own words are mapped onto them."""

    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELED = "canceled"
    UNPAID = "unpaid"
    PAUSED = "paused"


class IncompleteReason(StrEnum):
    REQUIRES_ACTION = "requires_action"
    VOUCHER_WAITING = "voucher_waiting"
    PROCESSING = "processing"
    OUTCOME_UNKNOWN = "outcome_unknown"


class EndReason(StrEnum):
    CUSTOMER = "customer"
    PAYMENT_FAILED = "payment_failed"
    TERM_COMPLETED = "term_completed"
    STAFF = "staff"
    MOVED = "moved"
    FRAUD = "fraud"
    PROVIDER = "provider"


class Collection(StrEnum):
    AUTOMATIC = "automatic"
    VOUCHER = "voucher"


class InvoiceStatus(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOID = "void"


class PaymentState(StrEnum):
    """How the collection of an invoice stands, beside the invoice's own status."""

    NONE = "none"
    REQUIRES_ACTION = "requires_action"
    VOUCHER_WAITING = "voucher_waiting"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    FAILED = "failed"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    CHARGED_BACK = "charged_back"


class PaymentStatus(StrEnum):
    """One attempt to move money."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class RefundStatus(StrEnum):
    """Money on its way back. Only the last two mean that it does not arrive."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class RefundReason(StrEnum):
    DUPLICATE = "duplicate"
    FRAUDULENT = "fraudulent"
    REQUESTED_BY_CUSTOMER = "requested_by_customer"


class DisputeStatus(StrEnum):
    """A bank's objection to a payment. `warning` is an inquiry: no money has been taken for it."""

    WARNING = "warning"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"
    PREVENTED = "prevented"


class PaymentMethodType(StrEnum):
    """Kinds of payment method that we know by name; providers may report others."""

    CARD = "card"
    BANK_ACCOUNT = "bank_account"
    SEPA_DEBIT = "sepa_debit"
    OXXO = "oxxo"
    SPEI = "spei"


# Paid by hand, with a reference that lasts some days.
VOUCHER_METHODS = (PaymentMethodType.OXXO, PaymentMethodType.SPEI)


class VoucherState(StrEnum):
    """What has become of a voucher; `expired` is what nobody paid, for whatever reason."""

    WAITING = "waiting"
    PAID = "paid"
    EXPIRED = "expired"


class SetupStatus(StrEnum):
    """How far a customer is with adding a payment method in the browser. `failed`: the last try was
    refused, and the same session takes another."""

    OPEN = "open"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class MandateStatus(StrEnum):
    """Whether a bank account may be debited; `pending` until the bank has confirmed it."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    PENDING = "pending"


class NextActionType(StrEnum):
    """What the customer must do before a payment can go on."""

    NONE = "none"
    REDIRECT = "redirect"
    USE_SDK = "use_sdk"
    DISPLAY_VOUCHER = "display_voucher"
    WAIT = "wait"


class CheckoutMode(StrEnum):
    """What a hosted checkout sells: a subscription, one payment, or nothing (it keeps a method)."""

    SUBSCRIPTION = "subscription"
    PAYMENT = "payment"
    SETUP = "setup"


class CheckoutStatus(StrEnum):
    """`complete` is not paid: debits and vouchers are settled later."""

    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


class Aggregation(StrEnum):
    """How a meter makes one number of the usage of a period."""

    SUM = "sum"
    COUNT = "count"
    LAST = "last"


class EventKind(StrEnum):
    """Which kind of object a webhook event tells about; one handler per kind."""

    CUSTOMER = "customer"
    PAYMENT_METHOD = "payment_method"
    SUBSCRIPTION = "subscription"
    INVOICE = "invoice"
    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"


class WebhookState(StrEnum):
    PENDING = "pending"
    PROCESSED = "processed"
    WAITING = "waiting"
    IGNORED = "ignored"
    FAILED = "failed"
    DEAD = "dead"


class OutboxState(StrEnum):
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    DEAD = "dead"


class OperationOutcome(StrEnum):
    """What became of one write at a provider. `unknown`: sent, and the answer was lost."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class IdempotencyStatus(StrEnum):
    RUNNING = "running"
    DONE = "done"
    RETRY = "retry"


class ChangeCause(StrEnum):
    """Why a row changed."""

    WEBHOOK = "webhook"
    API = "api"
    STAFF = "staff"
    SYNC = "sync"
    DRIFT = "drift"


class ChangeOutcome(StrEnum):
    """What a snapshot did to the row: changed it, confirmed it, came too late, or was refused."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    REFUSED = "refused"


class Role(StrEnum):
    OWNER = "owner"
    BILLING_ADMIN = "billing_admin"
    MEMBER = "member"
