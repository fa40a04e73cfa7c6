"""What each kind makes of a snapshot: the parent that it needs, its columns, and its rows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from billing.enums import (
    BillingInterval,
    DisputeStatus,
    EndReason,
    EventKind,
    IncompleteReason,
    InvoiceStatus,
    NextActionType,
    PaymentState,
    PaymentStatus,
    RefundReason,
    RefundStatus,
    SubscriptionStatus,
)
from billing.models import (
    Customer,
    Dispute,
    Invoice,
    Organization,
    Payment,
    PaymentMethod,
    Price,
    ProviderPrice,
    Refund,
    Subscription,
)
from billing.providers.types import (
    CustomerData,
    DisputeData,
    InvoiceData,
    LineData,
    NextAction,
    PaymentData,
    PaymentMethodData,
    RefundData,
    SubscriptionData,
)
from billing.services.sync import KINDS, NOBODY
from billing.services.sync.kinds import Relatives
from billing.tests.services import sandbox_objects as objects
from billing.tests.services.sandbox_objects import ALIAS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MODE = "sandbox"
ACTION = NextAction(type=NextActionType.REDIRECT, details={"url": "https://example.test/3ds"})


def day(number: int) -> datetime:
    return NOW + timedelta(days=number)


SUBSCRIPTION = SubscriptionData(
    id="sub_1",
    customer_id="cus_1",
    status=SubscriptionStatus.ACTIVE,
    provider_status="w" * 61,
    as_of=NOW,
    price_id="price_1",
    quantity=3,
    current_period_start=day(1),
    current_period_end=day(2),
    trial_start=day(3),
    trial_end=day(4),
    cancel_at_period_end=True,
    cancel_at=day(5),
    canceled_at=day(6),
    ended_at=day(7),
    end_reason=EndReason.STAFF,
    incomplete_reason=IncompleteReason.PROCESSING,
    collection_paused=True,
    resumes_at=day(8),
    payment_method_id="pm_1",
    next_action=ACTION,
    raw={},
)
INVOICE = InvoiceData(
    id="inv_1",
    customer_id="cus_1",
    status=InvoiceStatus.OPEN,
    provider_status="w" * 61,
    currency="KWD",
    subtotal_minor=1_000,
    total_minor=1_050,
    amount_due_minor=550,
    as_of=NOW,
    amount_paid_minor=500,
    discount_minor=50,
    tax_minor=100,
    subscription_id="sub_1",
    number="n" * 101,
    payment_state=PaymentState.FAILED,
    payment_id="pay_1",
    payment_method_id="pm_1",
    period_start=day(1),
    period_end=day(2),
    due_at=day(3),
    paid_at=day(4),
    next_attempt_at=day(5),
    hosted_url="h" * 1_001,
    pdf_url="p" * 1_001,
    lines=(LineData(description="Seats", amount_minor=1_050, quantity=2),),
    raw={},
)
PAYMENT = PaymentData(
    id="pay_1",
    customer_id="cus_1",
    amount_minor=1_050,
    currency="KWD",
    status=PaymentStatus.FAILED,
    provider_status="w" * 61,
    as_of=NOW,
    invoice_id="inv_1",
    payment_method_id="pm_1",
    decline_code="d" * 61,
    paid_at=day(1),
    next_action=ACTION,
    raw={},
)
REFUND = RefundData(
    id="re_1",
    payment_id="pay_1",
    amount_minor=500,
    currency="KWD",
    status=RefundStatus.FAILED,
    provider_status="w" * 61,
    as_of=NOW,
    reason=RefundReason.DUPLICATE,
    failure_code="f" * 61,
    raw={},
)
DISPUTE = DisputeData(
    id="dp_1",
    payment_id="pay_1",
    amount_minor=1_050,
    currency="KWD",
    status=DisputeStatus.LOST,
    provider_status="w" * 61,
    as_of=NOW,
    reason="r" * 61,
    evidence_due_at=day(1),
    raw={},
)
METHOD = PaymentMethodData(
    id="pm_1",
    customer_id="cus_1",
    type="t" * 41,
    as_of=NOW,
    last4="42424",
    brand="b" * 41,
    exp_month=12,
    exp_year=2030,
    billing_address={"country": "MX"},
    raw={},
)
CUSTOMER = CustomerData(
    id="cus_1",
    email="e" * 321,
    name="n" * 201,
    as_of=NOW,
    default_payment_method_id="pm_1",
    raw={},
)


@pytest.fixture
def known() -> Relatives:
    """Every relative that the snapshots above name."""
    return Relatives(
        customers={"cus_1": Customer(organization_id=uuid4())},
        payment_methods={"pm_1": PaymentMethod()},
        subscriptions={"sub_1": Subscription(decision_id=uuid4())},
        invoices={"inv_1": Invoice()},
        payments={"pay_1": Payment(organization_id=uuid4())},
        prices={"price_1": ProviderPrice(price=Price(plan_id=uuid4(), interval="yearly"))},
    )


def owner(known: Relatives) -> dict[str, Any]:
    row = known.customers["cus_1"]
    return {"organization_id": row.organization_id, "customer_id": row.pk}


def method(known: Relatives) -> dict[str, Any]:
    return {
        "provider_payment_method_id": "pm_1",
        "payment_method_id": known.payment_methods["pm_1"].pk,
    }


class TestParents:
    @pytest.mark.parametrize(
        ("kind", "data"),
        [
            ("subscription", SUBSCRIPTION),
            ("invoice", replace(INVOICE, subscription_id=None)),
            ("payment", replace(PAYMENT, invoice_id=None)),
            ("payment_method", METHOD),
        ],
    )
    def test_the_customer_is_known_named_or_nobody(
        self, kind: str, data: Any, known: Relatives
    ) -> None:
        missing_parent = KINDS[kind].missing_parent
        assert missing_parent(data, None, known) == (EventKind.CUSTOMER, "")
        assert missing_parent(data, None, Relatives()) == (EventKind.CUSTOMER, "cus_1")
        nobody_s = replace(data, customer_id="")
        assert missing_parent(nobody_s, None, known) == (EventKind.CUSTOMER, NOBODY)
        row = KINDS[kind].model()
        assert missing_parent(data, row, Relatives()) == (EventKind.CUSTOMER, "")
        assert missing_parent(nobody_s, row, Relatives()) == (EventKind.CUSTOMER, "")

    def test_an_invoice_needs_its_subscription_and_a_payment_its_invoice(
        self, known: Relatives
    ) -> None:
        for kind, data, parent in (
            ("invoice", INVOICE, (EventKind.SUBSCRIPTION, "sub_1")),
            ("payment", PAYMENT, (EventKind.INVOICE, "inv_1")),
        ):
            missing_parent = KINDS[kind].missing_parent
            assert missing_parent(data, None, known) == (EventKind.CUSTOMER, "")
            assert missing_parent(data, None, Relatives()) == parent
            assert missing_parent(data, KINDS[kind].model(), Relatives()) == parent

    @pytest.mark.parametrize(("kind", "data"), [("refund", REFUND), ("dispute", DISPUTE)])
    def test_what_has_gone_back_needs_its_payment(
        self, kind: str, data: Any, known: Relatives
    ) -> None:
        missing_parent = KINDS[kind].missing_parent
        assert missing_parent(data, None, known) == (EventKind.PAYMENT, "")
        assert missing_parent(data, None, Relatives()) == (EventKind.PAYMENT, "pay_1")
        assert missing_parent(data, KINDS[kind].model(), Relatives()) == (EventKind.PAYMENT, "")

    def test_a_detached_method_belongs_to_whom_it_did(self, known: Relatives) -> None:
        data = replace(METHOD, customer_id=None)
        missing_parent = KINDS["payment_method"].missing_parent
        assert missing_parent(data, PaymentMethod(), known) == (EventKind.CUSTOMER, "")
        assert missing_parent(data, None, known) == (EventKind.CUSTOMER, NOBODY)

    def test_a_customer_needs_a_row_of_ours(self) -> None:
        missing_parent = KINDS["customer"].missing_parent
        assert missing_parent(CUSTOMER, Customer(), Relatives()) == (EventKind.CUSTOMER, "")
        assert missing_parent(CUSTOMER, None, Relatives()) == (EventKind.CUSTOMER, "cus_1")
        assert KINDS["customer"].relatives(ALIAS, MODE, [CUSTOMER]) == Relatives()


class TestSubscription:
    def values(self, row: Any, relatives: Relatives, **changes: Any) -> dict[str, Any]:
        return KINDS["subscription"].values(replace(SUBSCRIPTION, **changes), row, relatives)

    def test_every_column_of_a_new_one(self, known: Relatives) -> None:
        price = known.prices["price_1"]
        assert self.values(Subscription(), known) == {
            "provider_customer_id": "cus_1",
            "status": "active",
            "provider_status": "w" * 60,
            "incomplete_reason": "processing",
            "collection_paused": True,
            "quantity": 3,
            "current_period_start": day(1),
            "current_period_end": day(2),
            "trial_start": day(3),
            "trial_end": day(4),
            "cancel_at_period_end": True,
            "cancel_at": day(5),
            "canceled_at": day(6),
            "ended_at": None,
            "end_reason": "",
            "resumes_at": day(8),
            "next_action": {"type": "redirect", "url": "https://example.test/3ds"},
            "provider_price_id": "price_1",
            "plan_id": price.price.plan_id,
            "price_id": price.price_id,
            "billing_interval": "yearly",
            "slot": None,
            **method(known),
            **owner(known),
        }

    def test_a_known_one_keeps_its_owner_and_slot(self, known: Relatives) -> None:
        values = self.values(Subscription(customer_id=uuid4()), known)
        assert not {"organization_id", "customer_id", "slot"} & set(values)

    @pytest.mark.parametrize(
        ("changes", "ended_at"),
        [
            ({}, day(7)),
            ({"ended_at": None}, day(6)),
            ({"ended_at": None, "canceled_at": None}, NOW),
        ],
    )
    def test_an_ended_one_says_when_and_why(
        self, known: Relatives, changes: dict[str, Any], ended_at: datetime
    ) -> None:
        status = SubscriptionStatus.CANCELED
        values = self.values(Subscription(), known, status=status, **changes)
        assert (values["ended_at"], values["end_reason"]) == (ended_at, "staff")
        values = self.values(Subscription(), known, status=status, end_reason=None)
        assert values["end_reason"] == ""

    def test_an_unknown_word_keeps_the_state(self, known: Relatives) -> None:
        values = self.values(Subscription(status="past_due"), known, status=None)
        assert values["status"] == "past_due"
        ended = Subscription(status="canceled")
        assert self.values(ended, known, status=None)["ended_at"] == day(7)

    def test_what_is_not_told_is_blank(self, known: Relatives) -> None:
        values = self.values(
            Subscription(), known, incomplete_reason=None, next_action=None, payment_method_id=None
        )
        assert (values["incomplete_reason"], values["next_action"]) == ("", {})
        assert not set(method(known)) & set(values)

    def incomplete(self, known: Relatives, reason: str, **changes: Any) -> tuple[Any, Any]:
        row = Subscription(next_action={"type": "use_sdk"}, incomplete_reason=reason)
        changes = {"status": SubscriptionStatus.INCOMPLETE, "next_action": None, **changes}
        values = self.values(row, known, **changes)
        return values["next_action"], values["incomplete_reason"]

    def test_an_incomplete_one_keeps_what_the_answer_told(self, known: Relatives) -> None:
        kept = {"type": "use_sdk"}
        incomplete = self.incomplete
        reason = IncompleteReason.REQUIRES_ACTION
        assert incomplete(known, reason, incomplete_reason=None) == (kept, "requires_action")
        assert incomplete(known, reason) == (kept, "processing")
        told = {"type": "redirect", "url": "https://example.test/3ds"}
        assert incomplete(known, reason, next_action=ACTION, incomplete_reason=None) == (told, "")
        active = SubscriptionStatus.ACTIVE
        assert incomplete(known, reason, status=active, incomplete_reason=None) == ({}, "")

    def test_an_outcome_that_was_unknown_is_known_now(self, known: Relatives) -> None:
        reason = IncompleteReason.OUTCOME_UNKNOWN
        assert self.incomplete(known, reason, incomplete_reason=None)[1] == ""
        assert self.incomplete(known, reason)[1] == "processing"

    def test_a_price_that_is_not_told_changes_nothing(self, known: Relatives) -> None:
        values = self.values(Subscription(), known, price_id=None)
        assert not {"provider_price_id", "plan_id", "price_id", "billing_interval"} & set(values)

    @pytest.mark.parametrize(("before", "is_kept"), [("price_1", True), ("price_0", False)])
    def test_a_price_that_we_do_not_sell(self, before: str, is_kept: bool) -> None:
        row = Subscription(
            customer_id=uuid4(), provider_price_id=before, plan_id=uuid4(), price_id=uuid4()
        )
        values = self.values(row, Relatives())
        assert values["provider_price_id"] == "price_1"
        expected = (row.plan_id, row.price_id) if is_kept else (None, None)
        assert (values["plan_id"], values["price_id"]) == expected
        assert "billing_interval" not in values


class TestInvoice:
    def values(self, row: Any, relatives: Relatives, **changes: Any) -> dict[str, Any]:
        return KINDS["invoice"].values(replace(INVOICE, **changes), row, relatives)

    def test_every_column(self, known: Relatives) -> None:
        assert self.values(Invoice(), known) == {
            "subscription_id": known.subscriptions["sub_1"].pk,
            "decision_id": known.subscriptions["sub_1"].decision_id,
            "number": "n" * 100,
            "status": "open",
            "provider_status": "w" * 60,
            "payment_state": "failed",
            "currency": "KWD",
            "subtotal_minor": 1_000,
            "discount_minor": 50,
            "tax_minor": 100,
            "total_minor": 1_050,
            "amount_due_minor": 550,
            "amount_paid_minor": 500,
            "period_start": day(1),
            "period_end": day(2),
            "due_date": day(3),
            "paid_at": day(4),
            "next_attempt_at": day(5),
            "invoice_pdf_url": "p" * 1_000,
            "hosted_invoice_url": "h" * 1_000,
            "line_items": [
                {"description": "Seats", "amount": "1.050", "amount_minor": 1_050, "quantity": 2}
            ],
            "payment_intent_id": "pay_1",
            **method(known),
            **owner(known),
        }

    def test_what_is_not_told_is_kept(self) -> None:
        row = Invoice(subscription_id=uuid4(), decision_id=uuid4(), status="uncollectible")
        values = self.values(
            row,
            Relatives(),
            status=None,
            subscription_id=None,
            payment_id=None,
            payment_method_id=None,
        )
        assert (values["subscription_id"], values["status"]) == (row.subscription_id, row.status)
        assert values["decision_id"] == row.decision_id
        assert not {
            "payment_intent_id",
            "provider_payment_method_id",
            "payment_method_id",
            "organization_id",
            "customer_id",
        } & set(values)

    @pytest.mark.parametrize(
        ("status", "before", "state"),
        [
            (InvoiceStatus.PAID, "open", "paid"),
            (InvoiceStatus.OPEN, "open", "none"),
            (None, "paid", "refunded"),  # as it was
        ],
    )
    def test_the_state_of_its_payment_follows_where_it_is_not_told(
        self, status: Any, before: str, state: str
    ) -> None:
        row = Invoice(status=before, payment_state="refunded")
        values = self.values(row, Relatives(), status=status, payment_state=None)
        assert values["payment_state"] == state

    @pytest.mark.parametrize(
        ("refunded", "charged_back", "state"),
        [
            (0, 0, "paid"),
            (1, 0, "partially_refunded"),
            (499, 0, "partially_refunded"),
            (500, 0, "refunded"),
            (501, 0, "refunded"),
            (0, 1, "charged_back"),
            (500, 500, "charged_back"),
        ],
    )
    def test_a_paid_one_says_what_has_gone_back(
        self, refunded: int, charged_back: int, state: str
    ) -> None:
        row = Invoice(refunded_minor=refunded, charged_back_minor=charged_back)
        for told in (PaymentState.PAID, None):
            paid = {"status": InvoiceStatus.PAID, "payment_state": told}
            assert self.values(row, Relatives(), **paid)["payment_state"] == state

    @pytest.mark.parametrize("status", [InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE])
    def test_one_that_is_not_paid_says_what_is_told(self, status: InvoiceStatus) -> None:
        row = Invoice(refunded_minor=500, charged_back_minor=500)
        assert self.values(row, Relatives(), status=status)["payment_state"] == "failed"

    def test_a_provider_may_say_itself_that_it_went_back(self) -> None:
        told = {"status": InvoiceStatus.PAID, "payment_state": PaymentState.REFUNDED}
        assert self.values(Invoice(), Relatives(), **told)["payment_state"] == "refunded"


class TestPayment:
    def values(self, row: Any, relatives: Relatives, **changes: Any) -> dict[str, Any]:
        return KINDS["payment"].values(replace(PAYMENT, **changes), row, relatives)

    def test_every_column(self, known: Relatives) -> None:
        assert self.values(Payment(), known) == {
            "invoice_id": known.invoices["inv_1"].pk,
            "currency": "KWD",
            "amount_minor": 1_050,
            "status": "failed",
            "provider_status": "w" * 60,
            "decline_code": "d" * 60,
            "next_action": {"type": "redirect", "url": "https://example.test/3ds"},
            "paid_at": day(1),
            **method(known),
            **owner(known),
        }

    def test_what_is_not_told_is_kept(self) -> None:
        row = Payment(invoice_id=uuid4(), status="processing")
        values = self.values(
            row, Relatives(), status=None, invoice_id=None, next_action=None, payment_method_id=None
        )
        assert (values["invoice_id"], values["status"]) == (row.invoice_id, row.status)
        assert values["next_action"] == {}
        assert not {"payment_method_id", "organization_id", "customer_id"} & set(values)

    def test_when_it_was_paid_is_kept(self) -> None:
        row = Payment(paid_at=day(1), status="succeeded")
        assert self.values(row, Relatives(), paid_at=None)["paid_at"] == day(1)
        assert self.values(row, Relatives(), paid_at=day(2))["paid_at"] == day(2)

    def test_a_method_that_is_not_known_yet_is_named(self) -> None:
        values = self.values(Payment(), Relatives())
        assert values["provider_payment_method_id"] == "pm_1"
        assert values["payment_method_id"] is None


class TestRefund:
    def values(self, row: Any, relatives: Relatives, **changes: Any) -> dict[str, Any]:
        return KINDS["refund"].values(replace(REFUND, **changes), row, relatives)

    def test_every_column(self, known: Relatives) -> None:
        payment = known.payments["pay_1"]
        assert self.values(Refund(), known) == {
            "organization_id": payment.organization_id,
            "payment_id": payment.pk,
            "currency": "KWD",
            "amount_minor": 500,
            "status": "failed",
            "provider_status": "w" * 60,
            "reason": "duplicate",
            "failure_code": "f" * 60,
        }

    def test_what_is_not_told_is_kept(self) -> None:
        row = Refund(status="succeeded", reason="fraudulent")
        values = self.values(row, Relatives(), status=None, reason=None)
        assert (values["status"], values["reason"]) == ("succeeded", "fraudulent")
        assert not {"organization_id", "payment_id"} & set(values)


class TestDispute:
    def test_every_column(self, known: Relatives) -> None:
        payment = known.payments["pay_1"]
        assert KINDS["dispute"].values(DISPUTE, Dispute(), known) == {
            "organization_id": payment.organization_id,
            "payment_id": payment.pk,
            "currency": "KWD",
            "amount_minor": 1_050,
            "status": "lost",
            "provider_status": "w" * 60,
            "reason": "r" * 60,
            "evidence_due_at": day(1),
        }

    def test_an_unknown_word_keeps_the_state(self) -> None:
        row = Dispute(status="won")
        values = KINDS["dispute"].values(replace(DISPUTE, status=None), row, Relatives())
        assert values["status"] == "won"

    def test_none_is_reserved(self) -> None:
        assert KINDS["dispute"].reserved_rows(ALIAS, MODE, [DISPUTE]) == {}


class TestPaymentMethod:
    def values(self, relatives: Relatives, **changes: Any) -> dict[str, Any]:
        data = replace(METHOD, **changes)
        return KINDS["payment_method"].values(data, PaymentMethod(), relatives)

    def test_every_column(self, known: Relatives) -> None:
        assert self.values(known) == {
            "type": "t" * 40,
            "last4": "4242",
            "brand": "b" * 40,
            "exp_month": 12,
            "exp_year": 2030,
            "is_active": True,
            "billing_address": {"country": "MX"},
            "provider_customer_id": "cus_1",
            **owner(known),
        }

    def test_one_that_was_detached_keeps_its_owner_and_address(self, known: Relatives) -> None:
        values = self.values(known, customer_id=None, billing_address={})
        assert values["is_active"] is False
        assert not {"billing_address", "provider_customer_id", *owner(known)} & set(values)
        assert self.values(known, is_active=False)["is_active"] is False

    def test_its_state_in_the_ledger(self) -> None:
        status = KINDS["payment_method"].status
        assert status(PaymentMethod(is_active=True)) == "attached"
        assert status(PaymentMethod(is_active=False)) == "detached"


class TestCustomer:
    def values(self, row: Any = None, **changes: Any) -> dict[str, Any]:
        data = replace(CUSTOMER, **changes)
        return KINDS["customer"].values(data, row or Customer(), Relatives())

    def test_every_column(self) -> None:
        assert self.values() == {
            "name": "n" * 200,
            "email": "e" * 320,
            "default_payment_method_id": "pm_1",
            "deleted_at": None,
        }
        assert self.values(default_payment_method_id=None)["default_payment_method_id"] == ""

    def test_one_that_was_deleted_keeps_the_time(self, settings: Any) -> None:
        settings.BILLING_CLOCK = f"{__name__}.noon"
        assert self.values(is_deleted=True)["deleted_at"] == noon()
        row = Customer(deleted_at=day(1))
        assert self.values(row, is_deleted=True)["deleted_at"] == day(1)
        assert self.values(row)["deleted_at"] is None

    def test_one_that_was_deleted_keeps_who_it_was(self) -> None:
        assert self.values(is_deleted=True, name="", email="").keys() == {"deleted_at"}

    def test_its_state_in_the_ledger(self) -> None:
        status = KINDS["customer"].status
        assert status(Customer()) == "active"
        assert status(Customer(deleted_at=NOW)) == "deleted"


def noon() -> datetime:
    """Stands in the settings as BILLING_CLOCK."""
    return NOW + timedelta(hours=12)


class World:
    """Rows of every kind under the ids that the snapshots name."""

    def __init__(self, alias: str, mode: str, price: Price) -> None:
        self.organization = Organization.objects.create(name=f"{alias} {mode}")
        owned: dict[str, Any] = {"provider": alias, "mode": mode}
        self.customer = Customer.objects.create(
            organization=self.organization, provider_customer_id="cus_1", **owned
        )
        owned |= {"organization": self.organization, "customer": self.customer}
        self.subscription = Subscription.objects.create(
            provider_subscription_id="sub_1", provider_customer_id="cus_1", slot=None, **owned
        )
        self.invoice = Invoice.objects.create(provider_invoice_id="inv_1", currency="USD", **owned)
        self.payment = Payment.objects.create(
            provider_payment_id="pay_1", currency="KWD", amount_minor=1_050, **owned
        )
        self.method = PaymentMethod.objects.create(
            provider_payment_method_id="pm_1", type="card", **owned
        )
        self.price = ProviderPrice.objects.create(
            price=price, provider=alias, mode=mode, provider_price_id="price_1"
        )


@pytest.fixture
def world(db: Any) -> World:
    """Ours, and the same ids at another provider and in another mode, which are not."""
    price = objects.make_price(remote_id="")
    World("polar", MODE, price)
    World(ALIAS, "live", price)
    objects.make_customer("of nobody who is named")
    return World(ALIAS, MODE, price)


class TestRelatives:
    def relatives(self, data: Any) -> Relatives:
        other = replace(data, id="other", **{OWNERS.get(type(data), "customer_id"): "other"})
        kind = next(kind for kind in KINDS.values() if kind.id_field == ID_FIELDS[type(data)])
        return kind.relatives(ALIAS, MODE, [data, other])

    def test_are_those_of_the_same_provider_and_mode(self, world: World) -> None:
        customers = {"cus_1": world.customer}
        methods = {"pm_1": world.method}
        assert self.relatives(SUBSCRIPTION) == Relatives(
            customers=customers, payment_methods=methods, prices={"price_1": world.price}
        )
        assert self.relatives(INVOICE) == Relatives(
            customers=customers,
            payment_methods=methods,
            subscriptions={"sub_1": world.subscription},
        )
        assert self.relatives(PAYMENT) == Relatives(
            customers=customers, payment_methods=methods, invoices={"inv_1": world.invoice}
        )
        assert self.relatives(METHOD) == Relatives(customers=customers)
        for data in (REFUND, DISPUTE):
            assert self.relatives(data) == Relatives(payments={"pay_1": world.payment})

    def test_what_is_not_named_is_not_asked_for(
        self, world: World, django_assert_num_queries: Any
    ) -> None:
        data = replace(PAYMENT, customer_id="", payment_method_id=None, invoice_id=None)
        with django_assert_num_queries(0):
            assert KINDS["payment"].relatives(ALIAS, MODE, [data]) == Relatives()

    def test_a_price_comes_with_ours(self, world: World, django_assert_num_queries: Any) -> None:
        found = KINDS["subscription"].relatives(ALIAS, MODE, [SUBSCRIPTION])
        with django_assert_num_queries(0):
            assert found.prices["price_1"].price.interval == BillingInterval.MONTHLY


ID_FIELDS: dict[type, str] = {
    SubscriptionData: "provider_subscription_id",
    InvoiceData: "provider_invoice_id",
    PaymentData: "provider_payment_id",
    PaymentMethodData: "provider_payment_method_id",
    RefundData: "provider_refund_id",
    DisputeData: "provider_dispute_id",
}
OWNERS: dict[type, str] = {RefundData: "payment_id", DisputeData: "payment_id"}


class TestRows:
    def test_known_ones_are_found_by_their_remote_id(self, world: World) -> None:
        self.reserve(world, provider_subscription_id="sub_3")
        stored_rows = KINDS["subscription"].stored_rows
        items = [SUBSCRIPTION, replace(SUBSCRIPTION, id="sub_2")]
        assert stored_rows(ALIAS, MODE, items) == {"sub_1": world.subscription}

    @pytest.mark.parametrize("columns", [{"provider": "conekta"}, {"mode": "test"}])
    def test_the_same_id_elsewhere_is_another_row(
        self, world: World, columns: dict[str, str]
    ) -> None:
        Subscription.objects.filter(pk=world.subscription.pk).update(**columns)
        assert KINDS["subscription"].stored_rows(ALIAS, MODE, [SUBSCRIPTION]) == {}

    def reserved(self, *items: SubscriptionData) -> dict[str, Subscription]:
        return KINDS["subscription"].reserved_rows(ALIAS, MODE, items)

    def reserve(self, world: World, **columns: Any) -> Subscription:
        columns = {
            "provider": ALIAS,
            "mode": MODE,
            "provider_customer_id": "cus_1",
            "provider_price_id": "price_1",
            **columns,
        }
        return Subscription.objects.create(
            organization=world.organization, customer=world.customer, slot=None, **columns
        )

    @pytest.mark.parametrize(
        "reference", ["", None, "not-a-uuid", str(UUID(int=5))[:-1] + "X", str(UUID(int=5))]
    )
    def test_a_reference_that_is_not_ours_finds_none(
        self, world: World, reference: str | None
    ) -> None:
        assert (
            KINDS["invoice"].reserved_rows(
                ALIAS, MODE, [SimpleNamespace(reference=reference, id="i")]
            )
            == {}
        )

    def test_a_reference_finds_the_row_that_waits(self, world: World) -> None:
        row, other = self.reserve(world), self.reserve(world)
        mine = replace(SUBSCRIPTION, id="sub_2", reference=str(row.pk))
        theirs = replace(SUBSCRIPTION, id="sub_3", reference=str(other.pk))
        assert self.reserved(mine, theirs) == {"sub_2": row, "sub_3": other}

    def test_one_that_got_its_id_meanwhile_is_found_and_no_other(self, world: World) -> None:
        row = self.reserve(world, provider_subscription_id="sub_2")
        mine = replace(SUBSCRIPTION, id="sub_2", reference=str(row.pk))
        assert self.reserved(mine) == {"sub_2": row}
        assert self.reserved(replace(mine, id="sub_3")) == {}

    @pytest.mark.parametrize("columns", [{"provider": "polar"}, {"mode": "live"}])
    def test_a_reference_finds_none_elsewhere(self, world: World, columns: dict[str, str]) -> None:
        row = self.reserve(world, **columns)
        by_reference = replace(SUBSCRIPTION, id="sub_2", reference=str(row.pk))
        by_price = replace(SUBSCRIPTION, id="sub_2")
        assert self.reserved(by_reference) == self.reserved(by_price) == {}

    def test_without_one_customer_and_price_find_the_only_row(self, world: World) -> None:
        self.reserve(world, provider_price_id="price_2")
        self.reserve(world, provider_customer_id="cus_2")
        self.reserve(world, status="canceled", ended_at=NOW)
        row = self.reserve(world)
        unpriced = self.reserve(world, provider_price_id="")
        first = replace(SUBSCRIPTION, id="sub_2")
        assert self.reserved(first) == {"sub_2": row}
        # The row is taken by the first; a second subscription is another one.
        assert self.reserved(first, replace(first, id="sub_3")) == {"sub_2": row}
        assert self.reserved(replace(first, price_id=None)) == {"sub_2": unpriced}

    def test_a_reference_to_no_row_is_not_matched_by_price(self, world: World) -> None:
        self.reserve(world)
        assert self.reserved(replace(SUBSCRIPTION, id="sub_2", reference=str(uuid4()))) == {}

    def test_of_two_rows_neither_is_chosen(self, world: World) -> None:
        self.reserve(world)
        self.reserve(world)
        assert self.reserved(replace(SUBSCRIPTION, id="sub_2")) == {}

    def test_what_a_reference_found_is_no_one_else_s(self, world: World) -> None:
        row = self.reserve(world)
        mine = replace(SUBSCRIPTION, id="sub_2", reference=str(row.pk))
        assert self.reserved(mine, replace(SUBSCRIPTION, id="sub_3")) == {"sub_2": row}


def test_their_state_in_the_ledger_is_the_row_s() -> None:
    status = KINDS["invoice"].status(Invoice(status=InvoiceStatus.OPEN))
    assert (type(status), status) == (str, "open")
