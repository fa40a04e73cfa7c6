"""Every event type that Stripe publishes (SDK 16.1, webhook endpoint parameters): as a kind, or as
ignored with the reason. And where the ids sit in an event's object. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime

from billing.enums import EventKind
from billing.errors import InvalidPayload
from billing.payloads import parse_object, require_text
from billing.providers.types import JSON, ProviderEvent

API_VERSION = "2026-10-28.endive"
UNKNOWN_TYPE = "unknown event type"
_OWNED = (EventKind.SUBSCRIPTION, EventKind.INVOICE, EventKind.PAYMENT)
THIN_EVENT = "thin events carry no object; the same facts arrive as snapshot events"
_OF_PAYMENTS = (EventKind.REFUND, EventKind.DISPUTE)
NOBODYS = "it names no customer, so it is nobody's here"
OF_NO_PAYMENT = "it names no payment, so it is none of ours"
_LATEST = 253_402_300_799  # the year 9999, the last that datetime holds

_USED = {
    EventKind.CUSTOMER: "customer.created customer.deleted customer.updated",
    EventKind.PAYMENT_METHOD: """payment_method.attached payment_method.automatically_updated
        payment_method.detached payment_method.updated""",
    EventKind.SUBSCRIPTION: """customer.subscription.created customer.subscription.deleted
        customer.subscription.paused customer.subscription.pending_update_applied
        customer.subscription.pending_update_expired customer.subscription.resumed
        customer.subscription.trial_will_end customer.subscription.updated""",
    EventKind.INVOICE: """invoice.created invoice.deleted invoice.finalization_failed
        invoice.finalized invoice.marked_uncollectible invoice.overdue invoice.overpaid
        invoice.paid invoice.payment_action_required invoice.payment_attempt_required
        invoice.payment_failed invoice.payment_succeeded invoice.sent invoice.updated
        invoice.voided invoice.will_be_due invoice_payment.paid""",
    EventKind.PAYMENT: """payment_intent.amount_capturable_updated payment_intent.canceled
        payment_intent.created payment_intent.partially_funded payment_intent.payment_failed
        payment_intent.processing payment_intent.requires_action payment_intent.succeeded""",
    EventKind.REFUND: "charge.refund.updated refund.created refund.failed refund.updated",
    EventKind.DISPUTE: """charge.dispute.closed charge.dispute.created
        charge.dispute.funds_reinstated charge.dispute.funds_withdrawn charge.dispute.updated""",
}
_UNUSED = {
    "a preview: its invoice has no id yet": "invoice.upcoming",
    "payment_intent.* tells the same of the payment": """charge.captured charge.expired
        charge.failed charge.pending charge.succeeded charge.updated""",
    "refund.* tells of each refund, this only their sum": "charge.refunded",
    "credit notes are not issued by us": """credit_note.created credit_note.updated
        credit_note.voided""",
    "what it starts arrives as customer.subscription.* and payment_method.*": """
        checkout.session.async_payment_failed checkout.session.async_payment_succeeded
        checkout.session.completed checkout.session.expired mandate.updated setup_intent.canceled
        setup_intent.created setup_intent.requires_action setup_intent.setup_failed
        setup_intent.succeeded""",
    "lines and discounts are read with their invoice": """coupon.created coupon.deleted
        coupon.updated customer.discount.created customer.discount.deleted
        customer.discount.updated invoiceitem.created invoiceitem.deleted promotion_code.created
        promotion_code.updated""",
    "sources are the old payment methods; we take payment_method.*": """customer.source.created
        customer.source.deleted customer.source.expiring customer.source.updated source.canceled
        source.chargeable source.failed source.mandate_notification
        source.refund_attributes_required source.transaction.created
        source.transaction.updated""",
    "prices are published by us and compared by the drift check": """plan.created plan.deleted
        plan.updated price.created price.deleted price.updated product.created product.deleted
        product.updated""",
    "tax data is written by us only": """customer.tax_id.created customer.tax_id.deleted
        customer.tax_id.updated tax.settings.updated tax_rate.created tax_rate.updated""",
    "usage and grants are kept by us": """billing.alert.triggered
        billing.credit_balance_transaction.created billing.credit_grant.created
        billing.credit_grant.updated billing.meter.created billing.meter.deactivated
        billing.meter.reactivated billing.meter.updated
        entitlements.active_entitlement_summary.updated""",
    "schedules, quotes and links are not used; the portal's acts arrive as what they change": """
        billing_portal.configuration.created
        billing_portal.configuration.updated billing_portal.session.created payment_link.created
        payment_link.updated quote.accepted quote.canceled quote.created quote.finalized
        subscription_schedule.aborted subscription_schedule.canceled
        subscription_schedule.completed subscription_schedule.created
        subscription_schedule.expiring subscription_schedule.released
        subscription_schedule.updated""",
    "the merchant's own money and account are not mirrored": """account.application.authorized
        account.application.deauthorized account.external_account.created
        account.external_account.deleted account.external_account.updated account.updated
        application_fee.created application_fee.refund.updated application_fee.refunded
        apps.install.created apps.install.deleted apps.install.updated balance.available
        balance_settings.updated capability.updated cash_balance.funds_available
        customer_cash_balance_transaction.created file.created payout.canceled payout.created
        payout.failed payout.paid payout.reconciliation_completed payout.updated person.created
        person.deleted person.updated reporting.report_run.failed reporting.report_run.succeeded
        reporting.report_type.updated reserve.hold.created reserve.hold.updated
        reserve.plan.created reserve.plan.disabled reserve.plan.expired reserve.plan.updated
        reserve.release.created sigma.scheduled_query_run.created topup.canceled topup.created
        topup.failed topup.reversed topup.succeeded transfer.created transfer.reversed
        transfer.updated""",
    "fraud and authentication signals are not mirrored": """radar.early_fraud_warning.created
        radar.early_fraud_warning.updated review.closed review.opened
        three_d_secure.authentication.canceled three_d_secure.authentication.challenge_started
        three_d_secure.authentication.errored three_d_secure.authentication.failed
        three_d_secure.authentication.requires_challenge
        three_d_secure.authentication.requires_submission
        three_d_secure.authentication.succeeded""",
    "this Stripe product is not used": """climate.order.canceled climate.order.created
        climate.order.delayed climate.order.delivered climate.order.product_substituted
        climate.product.created climate.product.pricing_updated
        financial_connections.account.account_numbers_updated
        financial_connections.account.created financial_connections.account.deactivated
        financial_connections.account.disconnected
        financial_connections.account.expected_deactivation_date_updated
        financial_connections.account.reactivated
        financial_connections.account.refreshed_balance
        financial_connections.account.refreshed_ownership
        financial_connections.account.refreshed_transactions
        financial_connections.account.supported_payment_method_types_updated
        financial_connections.account.upcoming_account_number_expiry
        financial_connections.account.upcoming_deactivation
        financial_connections.authorization.expected_deactivation_date_updated
        financial_connections.authorization.upcoming_deactivation
        identity.verification_session.canceled identity.verification_session.created
        identity.verification_session.processing identity.verification_session.redacted
        identity.verification_session.requires_input identity.verification_session.verified
        issuing_authorization.created issuing_authorization.request issuing_authorization.updated
        issuing_card.created issuing_card.updated issuing_cardholder.created
        issuing_cardholder.updated issuing_dispute.closed issuing_dispute.created
        issuing_dispute.funds_reinstated issuing_dispute.funds_rescinded issuing_dispute.submitted
        issuing_dispute.updated issuing_personalization_design.activated
        issuing_personalization_design.deactivated issuing_personalization_design.rejected
        issuing_personalization_design.updated issuing_token.created issuing_token.updated
        issuing_transaction.created issuing_transaction.purchase_details_receipt_updated
        issuing_transaction.updated terminal.reader.action_failed
        terminal.reader.action_succeeded terminal.reader.action_updated
        test_helpers.test_clock.advancing test_helpers.test_clock.created
        test_helpers.test_clock.deleted test_helpers.test_clock.internal_failure
        test_helpers.test_clock.ready treasury.credit_reversal.created
        treasury.credit_reversal.posted treasury.debit_reversal.completed
        treasury.debit_reversal.created treasury.debit_reversal.initial_credit_granted
        treasury.financial_account.closed treasury.financial_account.created
        treasury.financial_account.features_status_updated treasury.inbound_transfer.canceled
        treasury.inbound_transfer.created treasury.inbound_transfer.failed
        treasury.inbound_transfer.succeeded treasury.outbound_payment.canceled
        treasury.outbound_payment.created treasury.outbound_payment.expected_arrival_date_updated
        treasury.outbound_payment.failed treasury.outbound_payment.posted
        treasury.outbound_payment.returned treasury.outbound_payment.tracking_details_updated
        treasury.outbound_transfer.canceled treasury.outbound_transfer.created
        treasury.outbound_transfer.expected_arrival_date_updated
        treasury.outbound_transfer.failed treasury.outbound_transfer.posted
        treasury.outbound_transfer.returned treasury.outbound_transfer.tracking_details_updated
        treasury.received_credit.created treasury.received_credit.failed
        treasury.received_credit.succeeded treasury.received_debit.created""",
}
KINDS = {name: kind for kind, names in _USED.items() for name in names.split()}
IGNORED = {name: reason for reason, names in _UNUSED.items() for name in names.split()}


def parse(body: bytes) -> ProviderEvent:
    """Read what intake keeps of a delivery; raise InvalidPayload for what Stripe never sends."""
    payload = parse_object(body)
    event_type = require_text(payload.get("type"), "type")
    is_thin = str(payload.get("object")).startswith("v2.")
    kind = None if is_thin else KINDS.get(event_type)
    object_id, customer_id, parent_id = _ids(event_type, kind, payload) if kind else ("", "", "")
    nobodys = _nobodys(event_type, kind, customer_id, parent_id)
    api_version = _optional_text(payload.get("api_version"), "api_version")
    return ProviderEvent(
        id=require_text(payload.get("id"), "id"),
        type=event_type,
        occurred_at=_thin_time(payload) if is_thin else _time(payload),
        mode="live" if payload.get("livemode") is True else "test",
        kind=None if nobodys else kind,
        object_id=object_id,
        customer_id=customer_id,
        parent_id=parent_id,
        api_version=api_version,
        is_pinned=api_version == API_VERSION,
        ignored_because=_reason(event_type, is_thin, nobodys),
    )


def object_of(payload: JSON) -> JSON | None:
    """Return the event's `data.object`, None when there is none."""
    data = payload.get("data")
    found = data.get("object") if isinstance(data, Mapping) else None
    return found if isinstance(found, Mapping) else None


def former_customer(payload: JSON) -> object:
    """Return the customer that the event took off its object: a detached payment method's."""
    data = payload.get("data")
    previous = data.get("previous_attributes") if isinstance(data, Mapping) else None
    return id_of(previous.get("customer")) if isinstance(previous, Mapping) else None


def id_of(value: object) -> object:
    """Return the id of what may be expanded: Stripe puts text or the whole object there."""
    return value.get("id") if isinstance(value, Mapping) else value


def subscription_of(invoice: JSON) -> object:
    """Return the id of an invoice's subscription: under `parent` since 2025-03-31."""
    parent = invoice.get("parent")
    details = parent.get("subscription_details") if isinstance(parent, Mapping) else None
    named = details.get("subscription") if isinstance(details, Mapping) else None
    return id_of(named or invoice.get("subscription"))


def _nobodys(event_type: str, kind: EventKind | None, customer_id: str, parent_id: str) -> str:
    """Why the event's object can be nobody's here; '' when it may be somebody's."""
    if kind in _OF_PAYMENTS:
        return "" if parent_id else OF_NO_PAYMENT
    is_owned = kind in _OWNED and not _is_link(event_type)
    return NOBODYS if is_owned and not customer_id else ""


def _reason(event_type: str, is_thin: bool, nobodys: str) -> str:
    """Why nothing is done with the event; '' when something is."""
    if is_thin:
        return THIN_EVENT
    if event_type in KINDS:
        return nobodys
    return IGNORED.get(event_type, UNKNOWN_TYPE)


def _ids(event_type: str, kind: EventKind, payload: JSON) -> tuple[str, str, str]:
    target = object_of(payload)
    if target is None:
        raise InvalidPayload("data.object is not an object")
    is_link = _is_link(event_type)
    own_id = id_of(target.get("invoice")) if is_link else target.get("id")
    object_id = require_text(own_id, "the object's id")
    if kind is EventKind.CUSTOMER:
        return object_id, object_id, ""
    owner = id_of(target.get("customer")) or former_customer(payload)
    customer_id = _optional_text(owner, "customer")
    parent_id = customer_id
    if is_link:
        parent_id = object_id  # it names neither owner nor subscription: the invoice's row wakes it
    elif kind is EventKind.INVOICE:
        parent_id = _optional_text(subscription_of(target), "subscription") or customer_id
    elif kind in _OF_PAYMENTS:
        paid = target.get("payment_intent") or target.get("charge")  # some have no intent
        parent_id = _optional_text(id_of(paid), "payment")
    return object_id, customer_id, parent_id


def _is_link(event_type: str) -> bool:
    """Whether the event is about an invoice's payment, which names its invoice and nobody else."""
    return event_type.startswith("invoice_payment.")


def _optional_text(value: object, name: str) -> str:
    return require_text(value, name) if value else ""


def _time(payload: JSON) -> datetime:
    value = payload.get("created")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LATEST:
        raise InvalidPayload("created is not a Unix time in seconds")
    return datetime.fromtimestamp(value, UTC)


def _thin_time(payload: JSON) -> datetime:
    try:
        moment = datetime.fromisoformat(require_text(payload.get("created"), "created"))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidPayload("created is not an ISO 8601 time") from exc
