import copy
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing.enums import (
    EndReason,
    IncompleteReason,
    InvoiceStatus,
    NextActionType,
    PaymentState,
    PaymentStatus,
    SubscriptionStatus,
)
from billing.providers.stripe import mapping
from billing.providers.types import (
    InvoiceData,
    NextAction,
    PaymentData,
    PaymentMethodData,
    SubscriptionData,
)
from billing.providers.values import Incomplete
from billing.tests.stripe_life import StripeLife, published

FIXTURES = Path(__file__).parent / "fixtures"
AS_OF = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
EPOCH = 1_795_386_217


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return found


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.fixture
def life() -> StripeLife:
    life = StripeLife(customer_reference="cus-row", subscription_reference="sub-row")
    life.sign_up()
    life.subscribe()
    return life


def subscription(life: StripeLife, **changes: Any) -> SubscriptionData:
    source = copy.deepcopy(life.objects["subscription", life.subscription_id])
    return mapping.subscription(source | changes, as_of=AS_OF)


def invoice(life: StripeLife, **changes: Any) -> InvoiceData:
    source = life.api_objects()["invoice", life.invoice_id]
    return mapping.invoice(source | changes, as_of=AS_OF)


def payment(**changes: Any) -> PaymentData:
    return mapping.payment(published("payment_intent") | changes, as_of=AS_OF)


class TestCustomer:
    def test_all_fields(self, life: StripeLife) -> None:
        data = mapping.customer(life.objects["customer", life.customer_id], as_of=AS_OF)
        assert (data.id, data.email, data.name) == (life.customer_id, "ana@example.com", "Ana")
        assert data.default_payment_method_id == life.payment_method_id
        assert data.reference == "cus-row"
        assert data.as_of == AS_OF
        assert not data.is_deleted

    def test_published_example_without_name_and_email(self) -> None:
        data = mapping.customer(published("customer"), as_of=AS_OF)
        assert (data.email, data.name, data.reference) == ("", "", None)
        assert data.created_at == at(1234567890)

    def test_older_shape(self) -> None:
        data = mapping.customer(load("older_customer"), as_of=AS_OF)
        assert (data.email, data.default_payment_method_id) == ("a@b.c", "pm_uC13e5B6De9hwd")
        assert data.reference == "77aa"

    def test_deleted(self) -> None:
        source = {"id": "cus_1", "object": "customer", "deleted": True}
        assert mapping.customer(source, as_of=AS_OF).is_deleted

    def test_expanded_default_method(self) -> None:
        settings = {"default_payment_method": {"id": "pm_1", "object": "payment_method"}}
        source = {"id": "cus_1", "invoice_settings": settings}
        assert mapping.customer(source, as_of=AS_OF).default_payment_method_id == "pm_1"

    @pytest.mark.parametrize("source", [{}, {"id": None}, {"id": 5}])
    def test_without_an_id_is_incomplete(self, source: dict[str, Any]) -> None:
        with pytest.raises(Incomplete):
            mapping.customer(source, as_of=AS_OF)


class TestPaymentMethod:
    def map(self, source: dict[str, Any]) -> PaymentMethodData:
        return mapping.payment_method(source, as_of=AS_OF)

    def test_card(self, life: StripeLife) -> None:
        data = self.map(life.objects["payment_method", life.payment_method_id])
        assert (data.type, data.brand, data.last4) == ("card", "visa", "4242")
        assert (data.exp_month, data.exp_year) == (8, 2030)
        assert data.customer_id == life.customer_id
        assert data.is_active
        assert data.billing_address["country"] == "US"
        assert "line2" not in data.billing_address

    def test_detached(self) -> None:
        data = self.map(published("payment_method"))
        assert (data.customer_id, data.is_active) == (None, False)

    def test_bank_account(self) -> None:
        data = self.map(load("bank_account"))
        assert (data.type, data.last4, data.brand) == ("bank_account", "6789", "STRIPE TEST BANK")
        assert data.exp_month is None

    def test_sepa_debit(self) -> None:
        data = self.map(load("sepa_debit"))
        assert (data.type, data.last4, data.brand) == ("sepa_debit", "3000", "37040044")

    def test_a_kind_that_we_do_not_know(self) -> None:
        data = self.map({"id": "pm_1", "type": "moon_cash", "customer": "cus_1"})
        assert (data.type, data.last4) == ("moon_cash", "")

    @pytest.mark.parametrize(("month", "year"), [(13, 70_000), (-1, -1), (True, "2030")])
    def test_an_expiry_that_is_none(self, life: StripeLife, month: object, year: object) -> None:
        source = life.objects["payment_method", life.payment_method_id]
        card = {**source["card"], "exp_month": month, "exp_year": year}
        data = mapping.payment_method(source | {"card": card}, as_of=AS_OF)
        assert (data.exp_month, data.exp_year) == (None, None)


class TestSubscription:
    @pytest.mark.parametrize("quantity", [-1, 2**31, "2"])
    def test_a_quantity_that_is_none(self, life: StripeLife, quantity: object) -> None:
        item = {**life.objects["subscription", life.subscription_id]["items"]["data"][0]}
        items = {"data": [item | {"quantity": quantity}]}
        assert subscription(life, items=items).quantity == 1

    def test_an_id_that_is_none(self, life: StripeLife) -> None:
        assert subscription(life, default_payment_method="p" * 256).payment_method_id is None

    def test_period_and_price_from_the_item(self, life: StripeLife) -> None:
        data = subscription(life)
        item = life.objects["subscription", life.subscription_id]["items"]["data"][0]
        assert data.status is SubscriptionStatus.INCOMPLETE
        assert data.customer_id == life.customer_id
        assert data.price_id == "price_pro_monthly"
        assert data.current_period_start == at(item["current_period_start"])
        assert data.current_period_end == at(item["current_period_end"])
        assert data.latest_invoice_id == life.invoice_id
        assert data.reference == "sub-row"
        assert (data.trial_end, data.ended_at, data.end_reason) == (None, None, None)

    def test_older_shape_has_period_and_plan_beside(self) -> None:
        data = mapping.subscription(load("older_subscription"), as_of=AS_OF)
        assert data.status is SubscriptionStatus.ACTIVE
        assert (data.price_id, data.quantity) == ("pro", 1)
        assert data.current_period_start == at(EPOCH)
        assert data.current_period_end == at(1797978217)
        assert data.reference == "6c1d"

    def test_oldest_shape_without_items(self) -> None:
        source = load("older_subscription") | {"quantity": 3}
        del source["items"]
        data = mapping.subscription(source, as_of=AS_OF)
        assert (data.price_id, data.quantity) == ("pro", 3)

    @pytest.mark.parametrize("status", list(SubscriptionStatus))
    def test_each_status(self, life: StripeLife, status: SubscriptionStatus) -> None:
        assert subscription(life, status=status.value).status is status

    @pytest.mark.parametrize("word", ["hibernating", "", None, 5])
    def test_an_unknown_status_is_none(self, life: StripeLife, word: object) -> None:
        data = subscription(life, status=word)
        assert data.status is None
        assert data.provider_status == (word if isinstance(word, str) else "")

    @pytest.mark.parametrize(
        ("reason", "expected"),
        [
            ("cancellation_requested", EndReason.CUSTOMER),
            ("payment_failed", EndReason.PAYMENT_FAILED),
            ("payment_disputed", EndReason.FRAUD),
            ("canceled_by_retention_policy", EndReason.PROVIDER),
            (None, None),
        ],
    )
    def test_end_reason(
        self, life: StripeLife, reason: str | None, expected: EndReason | None
    ) -> None:
        details = {"reason": reason}
        data = subscription(life, status="canceled", cancellation_details=details)
        assert data.end_reason is expected

    def test_an_expired_start_ended_for_want_of_payment(self, life: StripeLife) -> None:
        data = subscription(life, status="incomplete_expired")
        assert data.end_reason is EndReason.PAYMENT_FAILED

    def test_a_scheduled_cancel_has_not_ended(self, life: StripeLife) -> None:
        life.pay()
        life.schedule_cancel()
        data = subscription(life)
        assert data.cancel_at_period_end
        assert data.cancel_at == data.current_period_end
        assert data.canceled_at == life.now
        assert data.end_reason is None

    def test_paused_collection_and_trial(self, life: StripeLife) -> None:
        pause = {"behavior": "void", "resumes_at": EPOCH}
        data = subscription(life, status="trialing", trial_end=EPOCH, pause_collection=pause)
        assert data.collection_paused
        assert data.resumes_at == at(EPOCH)
        assert data.trial_end == at(EPOCH)

    def test_expanded_secret_tells_what_to_do(self, life: StripeLife) -> None:
        secret = {"client_secret": "pi_1_secret_2", "type": "payment_intent"}
        latest = {"id": "in_1", "object": "invoice", "confirmation_secret": secret}
        data = subscription(life, latest_invoice=latest)
        assert data.latest_invoice_id == "in_1"
        assert data.incomplete_reason is IncompleteReason.REQUIRES_ACTION
        details = {"client_secret": "pi_1_secret_2", "intent": "payment"}
        assert data.next_action == NextAction(type=NextActionType.USE_SDK, details=details)

    def test_expanded_set_up_of_a_trial(self, life: StripeLife) -> None:
        setup = {"id": "seti_1", "status": "requires_action", "client_secret": "seti_1_secret"}
        data = subscription(life, status="trialing", pending_setup_intent=setup)
        assert data.next_action is not None
        assert data.next_action.details == {"client_secret": "seti_1_secret", "intent": "setup"}
        assert data.incomplete_reason is None

    @pytest.mark.parametrize(
        ("status", "action", "expected"),
        [
            ("processing", None, IncompleteReason.PROCESSING),
            (
                "requires_action",
                {"type": "oxxo_display_details", "oxxo_display_details": {"number": "1"}},
                IncompleteReason.VOUCHER_WAITING,
            ),
            (
                "requires_action",
                {"type": "use_stripe_sdk", "use_stripe_sdk": {}},
                IncompleteReason.REQUIRES_ACTION,
            ),
        ],
    )
    def test_older_expanded_intent(
        self, life: StripeLife, status: str, action: object, expected: IncompleteReason
    ) -> None:
        intent = {"id": "pi_1", "status": status, "next_action": action, "client_secret": "s"}
        data = subscription(life, latest_invoice={"id": "in_1", "payment_intent": intent})
        assert data.incomplete_reason is expected
        assert data.next_action is not None


class TestInvoice:
    def test_open(self, life: StripeLife) -> None:
        data = invoice(life)
        assert data.status is InvoiceStatus.OPEN
        assert (data.currency, data.total_minor, data.amount_due_minor) == ("USD", 2990, 2990)
        assert data.subscription_id == life.subscription_id
        assert data.payment_id == life.payment_id
        assert data.payment_state is PaymentState.NONE
        assert data.number == "LIFE1-0001"

    @pytest.mark.parametrize(
        "changes",
        [{"attempted": True}, {"attempt_count": 1}, {"attempted": None, "attempt_count": 2}],
    )
    def test_open_after_an_attempt(self, life: StripeLife, changes: dict[str, Any]) -> None:
        assert invoice(life, **changes).payment_state is PaymentState.FAILED

    def test_no_attempt_is_told_of_an_unknown_status(self, life: StripeLife) -> None:
        assert invoice(life, status="melted", attempted=True).payment_state is None

    def test_paid_owes_nothing(self, life: StripeLife) -> None:
        life.pay()
        data = invoice(life)
        assert data.status is InvoiceStatus.PAID
        assert data.payment_state is PaymentState.PAID
        assert (data.amount_due_minor, data.amount_paid_minor) == (0, 2990)
        assert data.paid_at == life.now

    def test_the_subscriptions_reference_is_not_the_invoices(self, life: StripeLife) -> None:
        assert invoice(life).reference is None
        assert invoice(life, metadata={"cobro_reference": "inv-row"}).reference == "inv-row"

    def test_period_is_the_one_that_the_line_bills(self, life: StripeLife) -> None:
        life.pay()
        life.renew()
        start, end = invoice(life).period_start, invoice(life).period_end
        current = subscription(life)
        assert (start, end) == (current.current_period_start, current.current_period_end)

    def test_period_without_lines_is_the_invoices_own(self, life: StripeLife) -> None:
        data = invoice(life, lines={"data": []}, period_start=EPOCH, period_end=EPOCH + 1)
        assert (data.period_start, data.period_end) == (at(EPOCH), at(EPOCH + 1))

    def test_lines(self, life: StripeLife) -> None:
        (line,) = invoice(life).lines
        assert (line.description, line.amount_minor, line.quantity) == ("1 x Pro", 2990, 1)
        assert line.unit_rate == Decimal(2990)

    def test_taxes_and_discounts(self, life: StripeLife) -> None:
        data = invoice(
            life,
            total_taxes=[{"amount": 100}, {"amount": 60}],
            total_discount_amounts=[{"amount": 50, "discount": "di_1"}],
        )
        assert (data.tax_minor, data.discount_minor) == (160, 50)

    def test_taxes_of_the_version_before(self, life: StripeLife) -> None:
        data = invoice(life, total_taxes=None, total_tax_amounts=[{"amount": 7}])
        assert data.tax_minor == 7

    def test_older_shape(self) -> None:
        data = mapping.invoice(load("older_invoice"), as_of=AS_OF)
        assert data.status is InvoiceStatus.PAID
        assert (data.amount_due_minor, data.tax_minor, data.discount_minor) == (0, 160, 0)
        assert data.subscription_id == "sub_Cgfu6opQsp5suV"
        assert data.payment_id == "pi_eAsWceBGRJtKgr"
        assert data.period_end == at(1797978217)
        assert data.lines[0].unit_rate == Decimal(1000)

    def test_older_shape_with_a_discount_and_without_status(self) -> None:
        source = load("older_invoice") | {"paid": True, "discount": {"coupon": {}}, "total": 1060}
        del source["status"], source["total_tax_amounts"]
        data = mapping.invoice(source, as_of=AS_OF)
        assert (data.status, data.discount_minor) == (InvoiceStatus.PAID, 100)

    def test_older_charge_without_intent(self) -> None:
        source = load("older_invoice") | {"payment_intent": None}
        assert mapping.invoice(source, as_of=AS_OF).payment_id == "ch_So67bB02JrF8Yz"

    @pytest.mark.parametrize("status", list(InvoiceStatus))
    def test_each_status(self, life: StripeLife, status: InvoiceStatus) -> None:
        assert invoice(life, status=status.value).status is status

    def test_an_unknown_status_is_none(self, life: StripeLife) -> None:
        data = invoice(life, status="melted")
        assert (data.status, data.provider_status) == (None, "melted")

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"status": "requires_action"}, PaymentState.REQUIRES_ACTION),
            (
                {"status": "requires_action", "next_action": {"type": "oxxo_display_details"}},
                PaymentState.VOUCHER_WAITING,
            ),
            ({"status": "processing"}, PaymentState.PROCESSING),
            ({"status": "requires_payment_method"}, PaymentState.NONE),
            (
                {"status": "requires_payment_method", "last_payment_error": {"type": "card_error"}},
                PaymentState.FAILED,
            ),
            ({"status": "succeeded"}, None),
        ],
    )
    def test_collection_from_the_expanded_intent(
        self, life: StripeLife, changes: dict[str, Any], expected: PaymentState | None
    ) -> None:
        intent = {"id": "pi_9", "object": "payment_intent", "payment_method": "pm_9"} | changes
        link = {"payment": {"type": "payment_intent", "payment_intent": intent}, "status": "open"}
        data = invoice(life, payments={"object": "list", "data": [link]})
        assert data.payment_state is expected
        assert (data.payment_id, data.payment_method_id) == ("pi_9", "pm_9")

    @pytest.mark.parametrize(
        "changes",
        [
            {"currency": None},
            {"currency": "us"},
            {"currency": 5},
            {"amount_due": "12"},
            {"total": None},
            {"subtotal": True},
            {"lines": {"data": [{"amount": None}]}},
        ],
    )
    def test_without_what_every_invoice_has_is_incomplete(
        self, life: StripeLife, changes: dict[str, Any]
    ) -> None:
        with pytest.raises(Incomplete):
            invoice(life, **changes)


class TestPayment:
    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("requires_payment_method", PaymentStatus.PENDING),
            ("requires_confirmation", PaymentStatus.PENDING),
            ("requires_action", PaymentStatus.REQUIRES_ACTION),
            ("processing", PaymentStatus.PROCESSING),
            ("requires_capture", PaymentStatus.PROCESSING),
            ("succeeded", PaymentStatus.SUCCEEDED),
            ("canceled", PaymentStatus.CANCELED),
            ("teleported", None),
        ],
    )
    def test_each_status(self, word: str, status: PaymentStatus | None) -> None:
        data = payment(status=word, last_payment_error=None)
        assert (data.status, data.provider_status) == (status, word)
        assert (data.amount_minor, data.currency) == (1099, "USD")

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (
                {"code": "card_declined", "decline_code": "insufficient_funds"},
                "insufficient_funds",
            ),
            ({"code": "expired_card"}, "expired_card"),
            ({"code": "authentication_required"}, "authentication_required"),
            ({"code": "card_declined", "decline_code": "do_not_honor"}, "card_declined"),
            ({"type": "api_error"}, "card_declined"),
        ],
    )
    def test_a_declined_attempt(self, error: dict[str, Any], code: str) -> None:
        data = payment(status="requires_payment_method", last_payment_error=error)
        assert (data.status, data.decline_code) == (PaymentStatus.FAILED, code)

    def test_paid_at_from_the_expanded_charge(self) -> None:
        data = payment(status="succeeded", latest_charge={"id": "ch_1", "created": EPOCH})
        assert data.paid_at == at(EPOCH)

    def test_older_shape(self) -> None:
        data = mapping.payment(load("older_payment_intent"), as_of=AS_OF)
        assert data.invoice_id == "in_D5ahniGYeDI3lM"
        assert data.paid_at == at(EPOCH)

    def test_a_bare_charge(self) -> None:
        data = mapping.payment(load("charge"), as_of=AS_OF)
        assert (data.id, data.status) == ("ch_bare", PaymentStatus.FAILED)
        assert (data.decline_code, data.paid_at) == ("expired_card", None)

    @pytest.mark.parametrize(
        ("action", "expected_type", "details"),
        [
            (
                {"type": "redirect_to_url", "redirect_to_url": {"url": "https://bank.example/3ds"}},
                NextActionType.REDIRECT,
                {"url": "https://bank.example/3ds"},
            ),
            (
                {
                    "type": "oxxo_display_details",
                    "oxxo_display_details": {
                        "number": "123",
                        "expires_after": EPOCH,
                        "hosted_voucher_url": "https://pay.example/v",
                    },
                },
                NextActionType.DISPLAY_VOUCHER,
                {
                    "reference": "123",
                    "expires_at": "2026-11-22T22:23:37+00:00",
                    "url": "https://pay.example/v",
                },
            ),
            (
                {
                    "type": "verify_with_microdeposits",
                    "verify_with_microdeposits": {"hosted_verification_url": "https://v.example"},
                },
                NextActionType.REDIRECT,
                {"url": "https://v.example"},
            ),
            (
                {"type": "use_stripe_sdk", "use_stripe_sdk": {"x": 1}},
                NextActionType.USE_SDK,
                {"client_secret": "pi_s", "intent": "payment"},
            ),
        ],
    )
    def test_next_action(
        self, action: object, expected_type: NextActionType, details: dict[str, str]
    ) -> None:
        data = payment(status="requires_action", next_action=action, client_secret="pi_s")
        assert data.next_action == NextAction(type=expected_type, details=details)

    def test_a_bank_debit_waits(self) -> None:
        assert payment(status="processing").next_action == NextAction(type=NextActionType.WAIT)
