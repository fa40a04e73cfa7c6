"""What became of a write whose answer was lost, read at the provider. Nothing is sent again here.

One function per verb: it reads the object, records it through `sync`, puts the remote id on the
operation, and tells whether the effect is there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from billing.enums import InvoiceStatus, PaymentState, SubscriptionStatus
from billing.errors import OutcomeUnknown, ProviderObjectMissing
from billing.models import (
    Customer,
    Invoice,
    Operation,
    PaymentMethod,
    Price,
    Refund,
    SetupSession,
    Subscription,
)
from billing.providers.base import (
    FindsByReference,
    ReadsCustomers,
    ReadsInvoices,
    ReadsPaymentMethods,
    ReadsPayments,
    ReadsPlans,
    ReadsSubscriptions,
    RefundsPayments,
)
from billing.providers.types import InvoiceData, Ref, RefundData, SubscriptionData
from billing.registry import providers
from billing.services import sync

_ENDED = (SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED)


def observe(operation: Operation) -> bool:
    """Whether the effect of `operation` is there; what was read is recorded.

    Raises UnsupportedOperation where the provider cannot be asked, OutcomeUnknown while it is still
    at work, and what it raises when it is away.
    """
    return _OBSERVERS[operation.verb](operation)


def _customer_is_made(operation: Operation) -> bool:
    customer = Customer.objects.get(pk=operation.subject_id)
    if not customer.provider_customer_id:
        finder = providers.get(operation.provider, FindsByReference)
        data = finder.find_customer(str(customer.pk))
        if data is None:
            return False
        customer = sync.upsert_customer(operation.provider, data)
    operation.remote_id = customer.provider_customer_id or ""
    return True


def _customer_is_adopted(operation: Operation) -> bool:
    customer = Customer.objects.get(pk=operation.subject_id)
    data = providers.get(operation.provider, ReadsCustomers).get_customer(customer.ref)
    sync.upsert_customer(operation.provider, data)
    operation.remote_id = data.id
    return data.reference == str(customer.pk)


def _subscription_is_made(operation: Operation) -> bool:
    subscription = Subscription.objects.select_related("customer").get(pk=operation.subject_id)
    if not subscription.provider_subscription_id:
        finder = providers.get(operation.provider, FindsByReference)
        data = finder.find_subscription(
            subscription.customer.ref, str(subscription.pk), subscription.provider_price_id
        )
        if data is None or _is_another(data.id, subscription):
            return False
        subscription = sync.upsert_subscription(operation.provider, data)
    operation.remote_id = subscription.provider_subscription_id or ""
    return True


def _is_another(remote_id: str, subscription: Subscription) -> bool:
    """Whether what was found is known as another one: it was there before this was asked for."""
    same = Subscription.objects.filter(
        provider=subscription.provider,
        mode=subscription.mode,
        provider_subscription_id=remote_id,
    )
    return same.exclude(pk=subscription.pk).exists()


def _refund_is_made(operation: Operation) -> bool:
    """Whether the payment has a refund that names ours, whatever has become of it since."""
    refund = Refund.objects.select_related("payment__customer").get(pk=operation.subject_id)
    if not refund.provider_refund_id:
        reader = providers.get(operation.provider, RefundsPayments)
        listed = reader.list_refunds(refund.payment.ref)
        named = (each for each in listed if each.reference == str(refund.pk))
        data = next(named, None) or _unexplained_refund(refund, listed)
        if data is None:
            return False
        refund = sync.upsert_refund(operation.provider, replace(data, reference=str(refund.pk)))
    operation.remote_id = refund.provider_refund_id or ""
    return True


def _unexplained_refund(refund: Refund, listed: Sequence[RefundData]) -> RefundData | None:
    """Where the provider keeps no reference of ours: one of its amount that no row has yet."""
    known = set(refund.payment.refunds.values_list("provider_refund_id", flat=True))
    fits = [
        each
        for each in listed
        if not each.keeps_reference
        and each.id not in known
        and each.amount_minor == refund.amount_minor
    ]
    return fits[-1] if fits else None  # the oldest: operations are settled in their order


def _price_is_published(operation: Operation) -> bool:
    listed = providers.get(operation.provider, ReadsPlans).list_plans()
    data = next((each for each in listed if each.reference == str(operation.subject_id)), None)
    if data is None:
        return False
    price = Price.objects.get(pk=operation.subject_id)
    operation.remote_id = sync.upsert_provider_price(
        operation.provider, price, data
    ).provider_price_id
    return True


def _subscription_is_canceled(operation: Operation) -> bool:
    return _read_subscription(operation).status in _ENDED


def _subscription_ends_with_its_period(operation: Operation) -> bool:
    data = _read_subscription(operation)
    return data.cancel_at_period_end or data.status in _ENDED


def _subscription_is_resumed(operation: Operation) -> bool:
    data = _read_subscription(operation)
    return not data.cancel_at_period_end and data.status not in _ENDED


def _subscription_is_paused(operation: Operation) -> bool:
    return _read_subscription(operation).status == SubscriptionStatus.PAUSED


def _subscription_is_unpaused(operation: Operation) -> bool:
    return _read_subscription(operation).status not in (SubscriptionStatus.PAUSED, *_ENDED)


def _subscription_is_changed(operation: Operation) -> bool:
    """Whether it has all that was asked for; what is None was not asked for."""
    data = _read_subscription(operation)
    wanted = {name: value for name, value in operation.request.items() if value is not None}
    return all(getattr(data, name) == value for name, value in wanted.items())


def _read_subscription(operation: Operation) -> SubscriptionData:
    subscription = Subscription.objects.select_related("customer").get(pk=operation.subject_id)
    reader = providers.get(operation.provider, ReadsSubscriptions)
    data = reader.get_subscription(subscription.ref)
    sync.upsert_subscription(operation.provider, data)
    operation.remote_id = data.id
    return data


def _method_is_added(operation: Operation) -> bool:
    """Whether the customer has a method that came with no other write and was not there before."""
    customer = Customer.objects.get(pk=operation.subject_id)
    listed = providers.get(operation.provider, ReadsPaymentMethods).list_payment_methods(
        customer.ref
    )
    before = PaymentMethod.objects.filter(customer=customer, created_at__lt=operation.created_at)
    others = Operation.objects.filter(verb=operation.verb, subject_id=customer.pk).exclude(
        pk=operation.pk
    )
    explained = {
        *before.values_list("provider_payment_method_id", flat=True),
        *others.values_list("remote_id", flat=True),
    }
    new = [data for data in listed if data.id not in explained]
    for data in new:
        sync.upsert_payment_method(operation.provider, data)
    if new:
        operation.remote_id = new[-1].id  # the oldest: operations are settled in their order
    return bool(new)


def _session_is_open(operation: Operation) -> bool:
    """One whose answer was lost is of no use: nobody has its client secret, and it charges nothing.
    The customer opens another."""
    session = SetupSession.objects.filter(pk=operation.pk).first()
    if session:
        operation.remote_id = session.provider_setup_session_id
    return session is not None


def _method_is_removed(operation: Operation) -> bool:
    method = PaymentMethod.objects.select_related("customer").get(pk=operation.subject_id)
    reader = providers.get(operation.provider, ReadsPaymentMethods)
    operation.remote_id = method.provider_payment_method_id
    try:
        data = reader.get_payment_method(method.ref)
    except ProviderObjectMissing:
        PaymentMethod.objects.filter(pk=method.pk).update(is_active=False)
        return True
    sync.upsert_payment_method(operation.provider, data)
    return not data.is_active


def _method_is_default(operation: Operation) -> bool:
    method = PaymentMethod.objects.select_related("customer").get(pk=operation.subject_id)
    reader = providers.get(operation.provider, ReadsCustomers)
    data = reader.get_customer(method.customer.ref)
    sync.upsert_customer(operation.provider, data)
    operation.remote_id = method.provider_payment_method_id
    return data.default_payment_method_id == method.provider_payment_method_id


def _invoice_is_paid(operation: Operation) -> bool:
    """An open invoice whose payment is under way is neither paid nor free to be paid again."""
    data = _read_invoice(operation)
    if data.status == InvoiceStatus.OPEN and data.payment_state == PaymentState.PROCESSING:
        raise OutcomeUnknown("the payment is still under way", provider=operation.provider)
    return data.status == InvoiceStatus.PAID


def _invoice_is_void(operation: Operation) -> bool:
    return _read_invoice(operation).status == InvoiceStatus.VOID


def _invoice_is_uncollectible(operation: Operation) -> bool:
    return _read_invoice(operation).status == InvoiceStatus.UNCOLLECTIBLE


def _read_invoice(operation: Operation) -> InvoiceData:
    invoice = Invoice.objects.select_related("customer").get(pk=operation.subject_id)
    data = providers.get(operation.provider, ReadsInvoices).get_invoice(invoice.ref)
    sync.upsert_invoice(operation.provider, data)
    operation.remote_id = data.id
    return data


def _voucher_is_issued(operation: Operation) -> bool:
    """Whether the provider holds a payment that names the operation: what the invoice is paid by
    now, or one that only a webhook has told of."""
    invoice = Invoice.objects.select_related("customer").get(pk=operation.subject_id)
    newest = _read_invoice(operation).payment_id or ""
    heard_of = invoice.payments.filter(created_at__gte=operation.created_at)
    reader = providers.get(operation.provider, ReadsPayments)
    for remote_id in {newest, *heard_of.values_list("provider_payment_id", flat=True)} - {""}:
        data = reader.get_payment(Ref(id=remote_id, customer_id=invoice.ref.customer_id))
        if data.reference == str(operation.pk):
            sync.upsert_payment(operation.provider, data)
            operation.remote_id = data.id
            return True
    operation.remote_id = ""
    return False


_OBSERVERS: Mapping[str, Callable[[Operation], bool]] = {
    "customer.create": _customer_is_made,
    "customer.adopt": _customer_is_adopted,
    "subscription.create": _subscription_is_made,
    "subscription.change": _subscription_is_changed,
    "subscription.cancel": _subscription_is_canceled,
    "subscription.cancel_at_period_end": _subscription_ends_with_its_period,
    "subscription.resume": _subscription_is_resumed,
    "subscription.pause": _subscription_is_paused,
    "subscription.unpause": _subscription_is_unpaused,
    "payment_method.add": _method_is_added,
    "setup_session.open": _session_is_open,
    "payment_method.remove": _method_is_removed,
    "payment_method.set_default": _method_is_default,
    "invoice.pay": _invoice_is_paid,
    "voucher.issue": _voucher_is_issued,
    "refund.create": _refund_is_made,
    "invoice.void": _invoice_is_void,
    "invoice.mark_uncollectible": _invoice_is_uncollectible,
    "price.publish": _price_is_published,
}
