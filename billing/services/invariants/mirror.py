"""Statements about the rows that mirror a provider: whose they are, and their money."""

from datetime import timedelta
from typing import Any

from django.db.models import BigIntegerField, F, Func, IntegerField, OuterRef, Q, QuerySet, Sum
from django.db.models import Subquery as Sub
from django.db.models.functions import Coalesce, Greatest, Least

from billing import clock
from billing.enums import InvoiceStatus, PaymentState, PaymentStatus
from billing.models import (
    Customer,
    Dispute,
    Invoice,
    Payment,
    PaymentMethod,
    ProviderPrice,
    Refund,
    Subscription,
)
from billing.services.invariants.base import statement

# Providers show the first ten lines of an invoice in its body: a longer list may be cut.
_LINES_SHOWN = 10
# What a lost webhook and its provider's repetitions may take.
_GRACE = timedelta(days=1)
_PARENTS = {
    Subscription: ("customer", "payment_method"),
    Invoice: ("customer", "subscription", "payment_method"),
    Payment: ("customer", "invoice", "payment_method"),
    PaymentMethod: ("customer",),
    Refund: ("payment",),
    Dispute: ("payment",),
}


class _SumOfLines(Func):
    """The sum of `amount_minor` over a JSON list of invoice lines."""

    output_field = BigIntegerField()
    template = (
        "(SELECT SUM((line->>'amount_minor')::bigint)"
        " FROM jsonb_array_elements(%(expressions)s) AS line)"
    )

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = (
            "(SELECT SUM(json_extract(line.value, '$.amount_minor'))"
            " FROM json_each(%(expressions)s) AS line)"
        )
        return self.as_sql(compiler, connection, template=template, **extra)


class _CountOfLines(Func):
    function = "jsonb_array_length"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="json_array_length", **extra)


def _differs(*columns: str) -> QuerySet[Any, Any]:
    """Keys of all rows that differ from a row they point to in one of `columns`."""
    found: list[QuerySet[Any, Any]] = []
    for model, parents in _PARENTS.items():
        differs = Q()
        for parent in parents:
            is_linked = Q(**{f"{parent}__isnull": False})
            for column in columns:
                differs |= is_linked & ~Q(**{column: F(f"{parent}__{column}")})
        rows: Any = model._default_manager
        found.append(rows.filter(differs).values_list("pk", flat=True))
    return found[0].union(*found[1:], all=True)


@statement("Rows that point to each other belong to one organization.")
def one_organization() -> QuerySet[Any, Any]:
    return _differs("organization_id")


@statement("Rows that point to each other are of one provider and mode.")
def one_provider() -> QuerySet[Any, Any]:
    return _differs("provider", "mode")


@statement("The default payment method of a customer is the customer's own.")
def default_method_is_their_own() -> QuerySet[Any, Any]:
    owner = PaymentMethod.objects.filter(
        provider=OuterRef("provider"),
        mode=OuterRef("mode"),
        provider_payment_method_id=OuterRef("default_payment_method_id"),
    ).values("customer_id")
    return (
        Customer.objects.exclude(default_payment_method_id="")
        .annotate(owner=Sub(owner[:1]))
        .filter(owner__isnull=False)
        .exclude(owner=F("pk"))
        .values_list("pk", flat=True)
    )


@statement("No subscription lives on a day after the moment at which it was to end.")
def planned_end_is_kept() -> QuerySet[Any, Any]:
    return Subscription.objects.filter(
        ended_at=None, cancel_at__lt=clock.now() - _GRACE
    ).values_list("pk", flat=True)


@statement("The lines of an invoice add up to its subtotal.")
def invoice_lines_add_up() -> QuerySet[Any, Any]:
    return (
        Invoice.objects.annotate(count=_CountOfLines("line_items"))
        .filter(count__gt=0, count__lt=_LINES_SHOWN)
        .annotate(sum=_SumOfLines("line_items"))
        .exclude(sum=F("subtotal_minor"))
        .values_list("pk", flat=True)
    )


@statement("An invoice's total is its subtotal less the discount, with the tax in it or on top.")
def invoice_total_adds_up() -> QuerySet[Any, Any]:
    net = F("subtotal_minor") - F("discount_minor")
    return (
        Invoice.objects.annotate(
            lowest=Least(net, net + F("tax_minor")), highest=Greatest(net, net + F("tax_minor"))
        )
        .filter(Q(total_minor__lt=F("lowest")) | Q(total_minor__gt=F("highest")))
        .values_list("pk", flat=True)
    )


@statement("Nothing is left to pay on an invoice that is paid.")
def paid_invoice_owes_nothing() -> QuerySet[Any, Any]:
    return (
        Invoice.objects.filter(status=InvoiceStatus.PAID)
        .exclude(amount_due_minor=0)
        .values_list("pk", flat=True)
    )


@statement("The payments that succeeded for an invoice are not more than it asked for.")
def invoice_is_paid_once() -> QuerySet[Any, Any]:
    """What it asked for is its total, or more where an earlier balance was carried over to it."""
    paid = (
        Payment.objects.filter(invoice=OuterRef("pk"), status=PaymentStatus.SUCCEEDED)
        .values("invoice")
        .annotate(total=Sum("amount_minor"))
        .values("total")
    )
    asked = Greatest(F("total_minor"), F("amount_paid_minor") + F("amount_due_minor"))
    return (
        Invoice.objects.annotate(paid=Coalesce(Sub(paid), 0), asked=asked)
        .filter(Q(paid__gt=F("asked")) & Q(paid__gt=0))
        .values_list("pk", flat=True)
    )


def _sum(rows: QuerySet[Any], by: str, column: str = "amount_minor") -> Coalesce:
    """The sum of `column` over the `rows` whose `by` is the outer row; 0 without any."""
    sums = rows.filter(**{by: OuterRef("pk")}).values(by).annotate(total=Sum(column))
    return Coalesce(Sub(sums.values("total")), 0)


@statement("No more goes back of a payment than it has brought.")
def refunds_are_within_their_payment() -> QuerySet[Any, Any]:
    """What is only reserved counts."""
    return (
        Payment.objects.annotate(going=_sum(Refund.objects.lasting(), "payment"))
        .filter(going__gt=F("amount_minor"))
        .values_list("pk", flat=True)
    )


@statement("A payment knows what its refunds and disputes have taken.")
def payment_knows_what_has_gone() -> QuerySet[Any, Any]:
    refunded = _sum(Refund.objects.made(), "payment")
    charged_back = _sum(Dispute.objects.charged_back(), "payment")
    return (
        Payment.objects.annotate(refunded=refunded, charged_back=charged_back)
        .exclude(refunded_minor=F("refunded"), charged_back_minor=F("charged_back"))
        .values_list("pk", flat=True)
    )


@statement("An invoice knows what has gone of its payments, and a paid one says so.")
def invoice_knows_what_has_gone() -> QuerySet[Any, Any]:
    payments = Payment.objects.all()
    refunded = _sum(payments, "invoice", "refunded_minor")
    charged_back = _sum(payments, "invoice", "charged_back_minor")
    has_gone = Q(refunded_minor__gt=0) | Q(charged_back_minor__gt=0)
    says_so = ~Q(payment_state=PaymentState.PAID)
    return (
        Invoice.objects.annotate(refunded=refunded, charged_back=charged_back)
        .filter(
            ~Q(refunded_minor=F("refunded"), charged_back_minor=F("charged_back"))
            | (Q(status=InvoiceStatus.PAID) & ((has_gone & ~says_so) | (~has_gone & says_so)))
        )
        .values_list("pk", flat=True)
    )


@statement("A payment is in the currency of its invoice.")
def payment_in_its_invoices_currency() -> QuerySet[Any, Any]:
    return (
        Payment.objects.filter(invoice__isnull=False)
        .exclude(currency=F("invoice__currency"))
        .values_list("pk", flat=True)
    )


@statement("An invoice is in the currency that its subscription was sold in.")
def invoice_in_the_sold_currency() -> QuerySet[Any, Any]:
    return (
        Invoice.objects.filter(subscription__price__isnull=False)
        .exclude(currency=F("subscription__price__currency"))
        .values_list("pk", flat=True)
    )


@statement("A price that a provider sells is frozen.")
def sold_price_is_frozen() -> QuerySet[Any, Any]:
    return ProviderPrice.objects.filter(price__published_amount_minor=None).values_list(
        "pk", flat=True
    )
