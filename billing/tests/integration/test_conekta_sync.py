"""All of Conekta's webhooks are lost; `billing_sync` repairs it, and what arrives late changes
nothing."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from billing.enums import PaymentMethodType
from billing.models import (
    Dispute,
    Invoice,
    Organization,
    Payment,
    PaymentMethod,
    Refund,
    Subscription,
    SubscriptionPlan,
)
from billing.providers.base import IssuesVouchers
from billing.providers.types import VoucherRequest
from billing.registry import providers
from billing.services import invariants, resync
from billing.services.resync import Count
from billing.tests.conekta_account import ConektaAccount, cards, cycles, orders, refunds
from billing.tests.conekta_account.journal import Journal
from billing.tests.integration.test_conekta_writes import ORDERS, post, subscribe

pytestmark = pytest.mark.django_db(transaction=True)


def happen(conekta: ConektaAccount, plan: SubscriptionPlan, owner: Organization) -> None:
    """A sale; renewals: refunded in part, taken back by the bank, refused by it;
    a voucher that is paid and one that expires."""
    row = subscribe(owner, plan)
    sold = str(row.provider_subscription_id)
    cycles.renew(conekta, sold)
    refunds.refund_in_panel(conekta, str(conekta.all("order")[0]["id"]), 900)
    cycles.renew(conekta, sold)
    orders.charge_back(conekta, str(conekta.all("order")[0]["id"]))
    cards.refuse(conekta, str(conekta.one(sold)["card_id"]))
    cycles.renew(conekta, sold)
    provider = providers.get("conekta", IssuesVouchers)
    for is_paid in (True, False):
        request = VoucherRequest(
            reference=str(uuid4()),
            customer_id=str(row.customer.provider_customer_id),
            method=PaymentMethodType.OXXO,
            amount_minor=19990,
            currency="MXN",
            # The account's time has gone on by months.
            expires_at=conekta.now + timedelta(days=3),
        )
        made = provider.create_voucher(request, idempotency_key="")
        (orders.pay if is_paid else orders.expire)(conekta, str(made.invoice_id))


def stored() -> dict[str, list[Any]]:
    """What our rows say, by the order in which Conekta has made the objects."""
    invoices = Invoice.objects.order_by("provider_invoice_id")
    payments = Payment.objects.order_by("provider_payment_id")
    return {
        "subscriptions": list(Subscription.objects.values_list("status", flat=True)),
        "invoices": list(invoices.values_list("status", "payment_state", "refunded_minor")),
        "of subscriptions": [each.subscription_id is not None for each in invoices],
        "payments": list(payments.values_list("status", "refunded_minor", "charged_back_minor")),
        "refunds": list(Refund.objects.values_list("amount_minor", "status")),
        "disputes": list(Dispute.objects.values_list("amount_minor", "status")),
    }


MAY_BE_MISSING = (
    "created_at", "updated_at", "livemode", "description", "reference_id", "is_refundable",
    "line_items", "fiscal_entity", "metadata", "customer_custom_reference",
)  # fmt: skip
EXPECTED = {
    "subscriptions": ["past_due"],
    "invoices": [
        ("paid", "paid", 0),
        ("paid", "partially_refunded", 900),
        ("paid", "charged_back", 0),
        ("open", "failed", 0),
        ("paid", "paid", 0),
        ("void", "none", 0),
    ],
    "of subscriptions": [True, True, True, True, False, False],
    "payments": [
        ("succeeded", 0, 0),
        ("succeeded", 900, 0),
        ("succeeded", 0, 54900),
        ("failed", 0, 0),
        ("succeeded", 0, 0),
        ("canceled", 0, 0),
    ],
    "refunds": [(900, "succeeded")],
    "disputes": [(54900, "needs_response")],
}


@pytest.mark.parametrize("order", ORDERS)
def test_a_run_makes_all_equal_and_a_second_writes_nothing(
    conekta: ConektaAccount,
    conekta_journal: Journal,
    conekta_plan: SubscriptionPlan,
    organization_mx: Organization,
    order: str,
) -> None:
    happen(conekta, conekta_plan, organization_mx)
    first = {step.kind: step.counts for step in resync.repair("conekta")}
    assert not any(counted[Count.FAILED] for counted in first.values())
    assert stored() == EXPECTED
    second = {step.kind: step.counts for step in resync.repair("conekta")}
    assert not any(counted[Count.WRITTEN] for counted in second.values())
    post(ORDERS[order](conekta_journal.take()))
    assert stored() == EXPECTED
    violated = {finding.statement.name for finding in invariants.check([]) if finding.count}
    assert violated == set()


def test_a_period_stays_known_when_the_next_one_has_begun(
    conekta: ConektaAccount, conekta_plan: SubscriptionPlan, organization_mx: Organization
) -> None:
    """Conekta tells the cycle of the last order only."""
    sold = str(subscribe(organization_mx, conekta_plan).provider_subscription_id)
    list(resync.repair("conekta"))
    first = Invoice.objects.get()
    assert first.period_end
    cycles.renew(conekta, sold)
    list(resync.repair("conekta"))
    earlier, later = Invoice.objects.order_by("period_start")
    assert (earlier.pk, earlier.period_start) == (first.pk, first.period_start)
    assert earlier.period_end == first.period_end == later.period_start


def test_what_nobody_knows_yet_costs_nothing_else(
    conekta: ConektaAccount,
    conekta_plan: SubscriptionPlan,
    organization_mx: Organization,
) -> None:
    """Words and kinds that are new, and answers without what may be missing."""
    happen(conekta, conekta_plan, organization_mx)
    list(resync.repair("conekta"))
    conekta.is_faithful = False
    (customer,) = conekta.all("customer")
    wallet = {"type": "wallet", "parent_id": customer["id"]}
    source = conekta.make("payment_source", "src_wallet", **wallet)
    customer["payment_sources"]["data"].append(source)
    conekta.all("order")[0]["payment_status"] = "brand_new"
    conekta.all("charge")[0]["status"] = "brand_new"
    for each in conekta.objects.values():
        for name in MAY_BE_MISSING:
            each.pop(name, None)
    counts = {step.kind: step.counts for step in resync.repair("conekta")}
    assert not any(counted[Count.FAILED] for counted in counts.values())
    assert stored() == EXPECTED
    assert Invoice.objects.filter(provider_status="brand_new").count() == 1
    types = PaymentMethod.objects.values_list("type", flat=True)
    assert sorted(types) == ["card", "wallet"]
