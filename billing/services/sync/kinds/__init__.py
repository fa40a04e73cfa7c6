"""What each kind of mirrored object is: its model, how rows are found, which columns it fills."""

from collections.abc import Mapping

from billing.services.sync.kinds.base import NOBODY, Kind, Relatives
from billing.services.sync.kinds.customers import CustomerKind
from billing.services.sync.kinds.invoices import InvoiceKind
from billing.services.sync.kinds.payment_methods import PaymentMethodKind
from billing.services.sync.kinds.payments import PaymentKind
from billing.services.sync.kinds.refunds import DisputeKind, RefundKind
from billing.services.sync.kinds.subscriptions import SubscriptionKind

# Parents first: what a batch brings is known before what points to it.
KINDS: Mapping[str, Kind] = {
    kind.name.value: kind
    for kind in (
        CustomerKind(),
        PaymentMethodKind(),
        SubscriptionKind(),
        InvoiceKind(),
        PaymentKind(),
        RefundKind(),
        DisputeKind(),
    )
}

__all__ = ["KINDS", "NOBODY", "Kind", "Relatives"]
