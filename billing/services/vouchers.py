"""Letting a customer pay an open invoice by hand: at a counter of OXXO, or by SPEI from a bank."""

from billing import clock
from billing.enums import OperationOutcome, PaymentMethodType
from billing.errors import InvalidTransition, VoucherMissing, VoucherNotOffered
from billing.models import Invoice, Operation, Payment
from billing.models.payments import PaymentQuerySet
from billing.providers.base import IssuesVouchers
from billing.providers.types import Features, MethodLimit, VoucherRequest
from billing.registry import providers
from billing.services import invoices, operations, sync

ISSUE = "voucher.issue"


def issue(invoice: Invoice, method: PaymentMethodType) -> Payment:
    """Return the payment whose `next_action` shows what to pay with; it is made where none of this
    method waits already.

    One of another method stays valid beside it, for nobody can take it back: whoever pays both has
    paid twice. Raises VoucherNotOffered, InvalidTransition unless the invoice is open,
    UnsupportedOperation where there are no vouchers, and what the provider raises.
    """
    provider = providers.get(invoice.provider, IssuesVouchers)
    _ensure_offered(provider.features, method, invoice.currency)
    invoices.ensure(invoice, "pay")
    key = _key(invoice, method)
    waiting = _waiting(invoice).filter(voucher_method=method).first()
    if waiting:
        return waiting
    wanted = {"method": method.value}
    step = str(invoice.pk)
    with operations.start(ISSUE, invoice, key, step=step, request=wanted) as operation:
        if operation.is_done:
            return _of(invoice).get(provider_payment_id=operation.remote_id)
        request = _request(invoice, method, operation)
        data = provider.create_voucher(request, idempotency_key=operation.key)
        operation.remote_id = data.id
        return sync.upsert_payment(invoice.provider, data)


def reissue(invoice: Invoice, method: PaymentMethodType | None = None) -> Payment:
    """Issue another voucher after the last one has run out, of the same method if none is named.

    Raises VoucherMissing where there has been none, InvalidTransition while one can still be paid,
    and as `issue` does.
    """
    last = newest(invoice)
    if _waiting(invoice).exists():
        raise InvalidTransition("a voucher of this invoice can still be paid")
    return issue(invoice, method or PaymentMethodType(last.voucher_method))


def newest(invoice: Invoice) -> Payment:
    """The voucher that was issued last, whatever has become of it; raise VoucherMissing."""
    found = _of(invoice).first()
    if found is None:
        raise VoucherMissing("no voucher was issued for this invoice")
    return found


def _of(invoice: Invoice) -> PaymentQuerySet:
    return Payment.objects.vouchers().filter(invoice=invoice).order_by("-created_at", "-pk")


def _waiting(invoice: Invoice) -> PaymentQuerySet:
    return _of(invoice).waiting(clock.now())


def _key(invoice: Invoice, method: PaymentMethodType) -> str:
    """The same for all who ask at once, so that the first makes it; another after each one made."""
    made = Operation.objects.filter(
        verb=ISSUE,
        subject_type="invoice",
        subject_id=invoice.pk,
        request__method=method.value,
        outcome=OperationOutcome.DONE,
    ).count()
    return f"{ISSUE}:{method}:{made}"


def _ensure_offered(features: Features, method: PaymentMethodType, currency: str) -> None:
    limit = features.method_limits.get(method, MethodLimit())
    if method not in features.methods or not limit.takes(currency):
        raise VoucherNotOffered(f"{method} does not go with {currency}")


def _request(invoice: Invoice, method: PaymentMethodType, operation: Operation) -> VoucherRequest:
    return VoucherRequest(
        reference=str(operation.pk),
        customer_id=invoice.ref.customer_id,
        method=method,
        amount_minor=invoice.amount_due_minor,
        currency=invoice.currency,
        invoice_id=invoice.provider_invoice_id,
        metadata={"organization_id": str(invoice.organization_id)},
    )
