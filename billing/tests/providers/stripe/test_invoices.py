import pytest

from billing.enums import InvoiceStatus, PaymentState
from billing.errors import InvalidRequest, OutcomeUnknown, PaymentDeclined
from billing.providers.stripe import StripeProvider
from billing.providers.types import PaymentMethodRequest, Ref, SubscriptionRequest
from billing.testing import key
from billing.tests.stripe_account import StripeAccount


@pytest.fixture
def invoice(stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest) -> Ref:
    """An open one: the first of a subscription whose customer has to confirm."""
    made = stripe.create_subscription(challenged(stripe, wanted), idempotency_key=key())
    assert made.latest_invoice_id
    return Ref(id=made.latest_invoice_id, customer_id=made.customer_id)


def challenged(stripe: StripeProvider, wanted: SubscriptionRequest) -> SubscriptionRequest:
    return SubscriptionRequest(
        reference=key(),
        customer_id=wanted.customer_id,
        price_id=wanted.price_id,
        payment_method_id=attach(stripe, wanted, "authenticationRequired"),
    )


def attach(stripe: StripeProvider, wanted: SubscriptionRequest, name: str) -> str:
    token = PaymentMethodRequest(token=f"pm_card_{name}")
    owner = Ref(id=wanted.customer_id)
    return stripe.create_payment_method(owner, token, idempotency_key=key()).id


def test_with_the_method_named(
    stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest, invoice: Ref
) -> None:
    account.calls.clear()
    paid = stripe.pay_invoice(
        invoice, payment_method_id=wanted.payment_method_id, idempotency_key="op-pay"
    )
    assert account.sent("POST", f"invoices/{invoice.id}/pay") == [
        {
            "payment_method": wanted.payment_method_id,
            "expand[0]": "payments.data.payment.payment_intent",
        }
    ]
    assert account.keys() == ["op-pay"]
    assert (paid.status, paid.payment_state) == (InvoiceStatus.PAID, PaymentState.PAID)
    assert (paid.amount_due_minor, paid.amount_paid_minor) == (0, 29900)
    assert paid.payment_id


def test_with_the_default_method(
    stripe: StripeProvider, account: StripeAccount, invoice: Ref
) -> None:
    account.calls.clear()
    with pytest.raises(PaymentDeclined) as declined:
        stripe.pay_invoice(invoice, idempotency_key=key())
    assert declined.value.decline_code == "authentication_required"
    (sent,) = account.sent("POST", f"invoices/{invoice.id}/pay")
    assert "payment_method" not in sent


def test_a_draft_is_finalized_first(
    stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest, invoice: Ref
) -> None:
    account.objects[invoice.id]["status"] = "draft"
    account.calls.clear()
    paid = stripe.pay_invoice(
        invoice, payment_method_id=wanted.payment_method_id, idempotency_key="op-draft"
    )
    assert account.keys() == ["op-draft-finalize", "op-draft"]
    assert paid.status is InvoiceStatus.PAID


def test_a_decline(
    stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest, invoice: Ref
) -> None:
    broke = attach(stripe, wanted, "chargeCustomerFail")
    with pytest.raises(PaymentDeclined) as declined:
        stripe.pay_invoice(invoice, payment_method_id=broke, idempotency_key=key())
    assert declined.value.decline_code == "insufficient_funds"
    assert stripe.get_invoice(invoice).status is InvoiceStatus.OPEN


def test_one_that_is_paid_is_answered_as_it_is(
    stripe: StripeProvider, account: StripeAccount, invoice: Ref
) -> None:
    account.pay(invoice.id)
    account.calls.clear()
    paid = stripe.pay_invoice(invoice, idempotency_key=key())
    assert paid.status is InvoiceStatus.PAID
    assert account.keys() == []


def test_one_that_is_paid_just_then(
    stripe: StripeProvider, account: StripeAccount, invoice: Ref
) -> None:
    account.before("POST", f"invoices/{invoice.id}/pay", lambda: account.pay(invoice.id))
    paid = stripe.pay_invoice(invoice, idempotency_key=key())
    assert paid.status is InvoiceStatus.PAID


def test_one_that_cannot_be_paid(
    stripe: StripeProvider, account: StripeAccount, invoice: Ref
) -> None:
    account.objects[invoice.id]["status"] = "void"
    with pytest.raises(InvalidRequest):
        stripe.pay_invoice(invoice, idempotency_key=key())


def test_a_lost_answer_has_one_effect(
    stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest, invoice: Ref
) -> None:
    account.lose_next("POST", f"invoices/{invoice.id}/pay")
    used, card = key(), wanted.payment_method_id
    with pytest.raises(OutcomeUnknown):
        stripe.pay_invoice(invoice, payment_method_id=card, idempotency_key=used)
    paid = stripe.pay_invoice(invoice, payment_method_id=card, idempotency_key=used)
    assert paid.status is InvoiceStatus.PAID
    assert account.objects[invoice.id]["attempt_count"] == 1


@pytest.mark.parametrize(
    ("command", "path", "status"),
    [
        ("void_invoice", "void", InvoiceStatus.VOID),
        ("mark_uncollectible", "mark_uncollectible", InvoiceStatus.UNCOLLECTIBLE),
    ],
)
class TestWritingOff:
    def test_an_open_one(
        self,
        stripe: StripeProvider,
        account: StripeAccount,
        invoice: Ref,
        command: str,
        path: str,
        status: InvoiceStatus,
    ) -> None:
        account.calls.clear()
        written_off = getattr(stripe, command)(invoice, idempotency_key=f"op-{path}")
        assert account.sent("POST", f"invoices/{invoice.id}/{path}") == [
            {"expand[0]": "payments.data.payment.payment_intent"}
        ]
        assert account.keys() == [f"op-{path}"]
        assert (written_off.id, written_off.status) == (invoice.id, status)

    def test_one_that_is_so_already(
        self,
        stripe: StripeProvider,
        account: StripeAccount,
        invoice: Ref,
        command: str,
        path: str,
        status: InvoiceStatus,
    ) -> None:
        account.objects[invoice.id]["status"] = status.value
        found = getattr(stripe, command)(invoice, idempotency_key=key())
        assert found.status is status
        assert account.calls[-1]["method"] == "GET"

    @pytest.mark.parametrize("other", ["draft", "paid"])
    def test_one_that_cannot_be(
        self,
        stripe: StripeProvider,
        account: StripeAccount,
        invoice: Ref,
        command: str,
        path: str,
        status: InvoiceStatus,
        other: str,
    ) -> None:
        account.objects[invoice.id]["status"] = other
        with pytest.raises(InvalidRequest):
            getattr(stripe, command)(invoice, idempotency_key=key())
        assert account.objects[invoice.id]["status"] == other

    def test_a_lost_answer_has_one_effect(
        self,
        stripe: StripeProvider,
        account: StripeAccount,
        invoice: Ref,
        command: str,
        path: str,
        status: InvoiceStatus,
    ) -> None:
        account.lose_next("POST", f"invoices/{invoice.id}/{path}")
        used = key()
        with pytest.raises(OutcomeUnknown):
            getattr(stripe, command)(invoice, idempotency_key=used)
        assert getattr(stripe, command)(invoice, idempotency_key=used).status is status
        assert account.calls[-1]["response_status"] == 200


def test_its_pdf(stripe: StripeProvider, account: StripeAccount, invoice: Ref) -> None:
    url = account.objects[invoice.id]["invoice_pdf"]
    assert url.endswith("/pdf")
    assert stripe.get_invoice_pdf(invoice) == url
    account.objects[invoice.id] |= {"status": "draft", "invoice_pdf": None}
    assert stripe.get_invoice_pdf(invoice) == ""
