"""Our services sell in pesos through the real Conekta backend, down to what goes over the wire.

Conekta knows no idempotency keys: a second POST makes a second object. So wherever an answer is
lost, what the first one made must be found before anything is sent again.
"""

import itertools
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from billing.conf import conf
from billing.enums import (
    InvoiceStatus,
    OperationOutcome,
    PaymentState,
    RefundReason,
    RefundStatus,
    SubscriptionStatus,
)
from billing.errors import OutcomeUnknown, PaymentDeclined
from billing.models import (
    Invoice,
    Operation,
    Organization,
    Payment,
    Refund,
    Subscription,
    SubscriptionPlan,
    WebhookEvent,
)
from billing.services import invoices, refunds, subscriptions, webhooks
from billing.tests.accounts.faults import Fault
from billing.tests.conekta_account import ConektaAccount, cards, cycles
from billing.tests.conekta_account import refunds as account_refunds
from billing.tests.conekta_account.journal import Journal
from billing.tests.conekta_account.signing import digest

pytestmark = pytest.mark.django_db(transaction=True)
VISA = "tok_test_visa_4242"
Event = dict[str, Any]
Order = Callable[[list[Event]], list[Event]]
ORDERS: dict[str, Order] = {
    "as sent": list,
    "reversed": lambda events: events[::-1],
    "doubled": lambda events: [each for each in events for _ in range(2)],
    "charges first": lambda events: sorted(events, key=lambda each: each["type"][:6]),
}


def subscribe(owner: Organization, plan: SubscriptionPlan, **more: Any) -> Subscription:
    more = {"token": VISA, "currency": "MXN"} | more
    return subscriptions.create(owner, plan=plan, interval="monthly", **more)


def post(events: list[Event]) -> None:
    """Post them, and drain."""
    for event in events:
        body = json.dumps(event).encode()
        webhooks.receive("conekta", body, {"Digest": digest(body)})
    webhooks.drain()


def deliver(journal: Journal, order: Order = list) -> None:
    """Post what the account tells."""
    post(order(journal.take()))


def made(conekta: ConektaAccount) -> Counter[str]:
    kinds = ("customer", "payment_source", "subscription", "order", "charge", "plan")
    found = Counter(each["object"] for each in conekta.objects.values())
    return Counter({kind: found[kind] for kind in kinds if found[kind]})


def let_time_pass() -> None:
    """The first sending cannot be under way any more."""
    for each in Operation.objects.all():
        each.created_at -= conf.idempotency_lease + timedelta(seconds=1)
        each.save(update_fields=["created_at"])


@pytest.mark.parametrize("order", ORDERS)
def test_a_life(
    conekta: ConektaAccount,
    conekta_journal: Journal,
    conekta_plan: SubscriptionPlan,
    organization_mx: Organization,
    order: str,
) -> None:
    """A sale, a renewal that is refused and then paid, and the end: in any order of webhooks."""
    row = subscribe(organization_mx, conekta_plan)
    assert row.status == SubscriptionStatus.ACTIVE
    deliver(conekta_journal, ORDERS[order])
    cards.refuse(conekta, conekta.all("subscription")[0]["card_id"])
    cycles.renew(conekta, str(row.provider_subscription_id))
    deliver(conekta_journal, ORDERS[order])
    row.refresh_from_db()
    assert row.status == SubscriptionStatus.PAST_DUE
    cards.accept(conekta, conekta.all("subscription")[0]["card_id"])
    cycles.retry(conekta, str(row.provider_subscription_id))
    deliver(conekta_journal, ORDERS[order])
    row.refresh_from_db()
    assert row.status == SubscriptionStatus.ACTIVE
    subscriptions.cancel(row, at_period_end=False)
    deliver(conekta_journal, ORDERS[order])
    row.refresh_from_db()
    assert row.status == SubscriptionStatus.CANCELED
    paid = Invoice.objects.filter(status=InvoiceStatus.PAID, subscription=row)
    assert [each.total_minor for each in paid] == [54900, 54900]
    statuses = Counter(Payment.objects.values_list("status", flat=True))
    assert statuses == {"succeeded": 2, "failed": 1}
    assert set(Payment.objects.values_list("invoice__subscription", flat=True)) == {row.pk}
    states = WebhookEvent.objects.exclude(state__in=["processed", "ignored"])
    assert list(states.values_list("event_type", "state", "error_message")) == []


def test_what_one_payment_tells_twice_is_paid_once(
    conekta: ConektaAccount,
    conekta_journal: Journal,
    conekta_plan: SubscriptionPlan,
    organization_mx: Organization,
) -> None:
    subscribe(organization_mx, conekta_plan)
    types = [each["type"] for each in conekta_journal.events]
    assert {"order.paid", "charge.paid"} <= set(types)
    deliver(conekta_journal)
    invoice, payment = Invoice.objects.get(), Payment.objects.get()
    assert (invoice.amount_paid_minor, payment.amount_minor) == (54900, 54900)
    assert payment.invoice == invoice
    assert invoice.payment_intent_id == payment.provider_payment_id


def test_a_decline_leaves_room_for_another_card(
    conekta: ConektaAccount, conekta_plan: SubscriptionPlan, organization_mx: Organization
) -> None:
    with pytest.raises(PaymentDeclined):
        subscribe(organization_mx, conekta_plan, token="tok_test_insufficient_funds")
    assert subscribe(organization_mx, conekta_plan).status == SubscriptionStatus.ACTIVE


CREATING = (
    ("customers", "POST/customers"),
    ("payment_sources", "POST/customers/*/payment_sources"),
    ("subscriptions", "POST/customers/*/subscriptions"),
)
LOST = (Fault.HANG, Fault.FAIL, Fault.HALF)


@pytest.mark.parametrize(
    ("place", "fault"),
    [(place, fault) for (_, place), fault in itertools.product(CREATING, LOST)],
)
def test_whatever_answer_of_a_sale_is_lost_it_is_one_sale(
    conekta: ConektaAccount,
    conekta_plan: SubscriptionPlan,
    organization_mx: Organization,
    place: str,
    fault: Fault,
) -> None:
    method, _, path = place.partition("/")
    conekta.break_next(fault, method, path)
    with pytest.raises(OutcomeUnknown):
        subscribe(organization_mx, conekta_plan, request_key="k1")
    let_time_pass()
    row = subscribe(organization_mx, conekta_plan, request_key="k1")
    assert row.status == SubscriptionStatus.ACTIVE
    assert made(conekta) == {
        "plan": 2, "customer": 1, "payment_source": 1, "subscription": 1, "order": 1, "charge": 1,
    }  # fmt: skip
    assert set(Operation.objects.values_list("outcome", flat=True)) == {OperationOutcome.DONE}


class TestRefunds:
    @pytest.fixture
    def payment(
        self,
        conekta: ConektaAccount,
        conekta_journal: Journal,
        conekta_plan: SubscriptionPlan,
        organization_mx: Organization,
    ) -> Payment:
        subscribe(organization_mx, conekta_plan)
        deliver(conekta_journal)
        return Payment.objects.get()

    def send_back(self, payment: Payment, amount: int = 1000) -> Refund:
        wish = RefundReason.REQUESTED_BY_CUSTOMER
        return refunds.create(payment, reason=wish, amount_minor=amount, request_key="k3")

    def at_conekta(self, conekta: ConektaAccount) -> list[int]:
        (charge,) = conekta.all("charge")
        return [each["amount"] for each in charge["refunds"]["data"]]

    def test_a_part(self, conekta: ConektaAccount, payment: Payment) -> None:
        row = self.send_back(payment)
        assert (row.status, row.amount_minor) == (RefundStatus.SUCCEEDED, 1000)
        assert self.at_conekta(conekta) == [-1000]
        payment.refresh_from_db()
        assert payment.refunded_minor == 1000
        assert Invoice.objects.get().payment_state == PaymentState.PARTIALLY_REFUNDED

    @pytest.mark.parametrize("fault", LOST)
    def test_a_lost_one_is_one(
        self, conekta: ConektaAccount, payment: Payment, fault: Fault
    ) -> None:
        conekta.break_next(fault, "POST", "orders/*/refunds")
        with pytest.raises(OutcomeUnknown):
            self.send_back(payment)
        let_time_pass()
        row = self.send_back(payment)
        assert (row.status, Refund.objects.count()) == (RefundStatus.SUCCEEDED, 1)
        assert self.at_conekta(conekta) == [-1000]
        assert Operation.objects.get(verb="refund.create").outcome == OperationOutcome.DONE

    def test_one_that_never_arrived_is_sent(
        self, conekta: ConektaAccount, payment: Payment
    ) -> None:
        conekta.break_next(Fault.DEAF, "POST", "orders/*/refunds")
        with pytest.raises(OutcomeUnknown):
            self.send_back(payment)
        let_time_pass()
        assert self.send_back(payment).status == RefundStatus.SUCCEEDED
        assert self.at_conekta(conekta) == [-1000]

    def test_one_of_staff_is_not_taken_for_ours(
        self, conekta: ConektaAccount, conekta_journal: Journal, payment: Payment
    ) -> None:
        """Staff has sent as much back in the panel; ours never arrived."""
        (order,) = conekta.all("order")
        account_refunds.refund_in_panel(conekta, order["id"], 1000)
        deliver(conekta_journal)
        conekta.break_next(Fault.DEAF, "POST", "orders/*/refunds")
        with pytest.raises(OutcomeUnknown):
            self.send_back(payment)
        let_time_pass()
        assert self.send_back(payment).status == RefundStatus.SUCCEEDED
        assert self.at_conekta(conekta) == [-1000, -1000]
        payment.refresh_from_db()
        assert payment.refunded_minor == 2000

    def test_a_webhook_that_is_quicker_than_the_look_up(
        self, conekta: ConektaAccount, conekta_journal: Journal, payment: Payment
    ) -> None:
        conekta.lose_next("POST", "orders/*/refunds")
        with pytest.raises(OutcomeUnknown):
            self.send_back(payment)
        deliver(conekta_journal)
        row = self.send_back(payment)
        assert (row.status, Refund.objects.count()) == (RefundStatus.SUCCEEDED, 1)
        assert self.at_conekta(conekta) == [-1000]

    def test_what_staff_sends_back_in_the_panel(
        self, conekta: ConektaAccount, conekta_journal: Journal, payment: Payment
    ) -> None:
        (order,) = conekta.all("order")
        account_refunds.refund_in_panel(conekta, order["id"], 700)
        account_refunds.refund_in_panel(conekta, order["id"], 54200)
        deliver(conekta_journal)
        assert sorted(Refund.objects.values_list("amount_minor", flat=True)) == [700, 54200]
        payment.refresh_from_db()
        assert payment.refunded_minor == 54900
        assert Invoice.objects.get().payment_state == PaymentState.REFUNDED


def test_what_is_owed_is_paid_once(
    conekta: ConektaAccount,
    conekta_journal: Journal,
    conekta_plan: SubscriptionPlan,
    organization_mx: Organization,
) -> None:
    row = subscribe(organization_mx, conekta_plan)
    cards.refuse(conekta, conekta.all("subscription")[0]["card_id"])
    cycles.renew(conekta, str(row.provider_subscription_id))
    deliver(conekta_journal)
    cards.accept(conekta, conekta.all("subscription")[0]["card_id"])
    owed = Invoice.objects.get(status=InvoiceStatus.OPEN)
    conekta.lose_next("POST", "customers/*/subscriptions/*/retry")
    with pytest.raises(OutcomeUnknown):
        invoices.pay(owed, request_key="k4")
    let_time_pass()
    assert invoices.pay(owed, request_key="k4").status == InvoiceStatus.PAID
    paid = [each for each in conekta.all("charge") if each["status"] == "paid"]
    assert len(paid) == 2
