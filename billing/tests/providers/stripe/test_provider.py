import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import responses

from billing.enums import (
    EventKind,
    InvoiceStatus,
    PaymentState,
    PaymentStatus,
    SubscriptionStatus,
)
from billing.errors import InvalidSignature, ProviderError, ProviderObjectMissing
from billing.providers import base
from billing.providers.sandbox import SandboxProvider
from billing.providers.stripe import StripeProvider
from billing.providers.types import InvoiceData, ObjectData, PaymentData, PaymentMethodData, Ref
from billing.tests.providers.stripe.shared_contract import contract_module
from billing.tests.stripe_life import LifeEvent, StripeLife, sign
from project.stand_ins import STAND_INS

ROOT = Path(__file__).parents[4]
SECRET = "whsec_life"
BASE = "https://api.stripe.com"
BALANCE = {"object": "balance", "available": [], "pending": []}
MISSING = {"error": {"type": "invalid_request_error", "code": "resource_missing"}}


def provider(mode: str = "test", **options: Any) -> StripeProvider:
    given = {"api_key": "sk_test_1", "webhook_secret": SECRET, "max_retries": 0}
    return StripeProvider(alias="stripe", mode=mode, options=given | options)


@pytest.fixture
def life() -> StripeLife:
    life = StripeLife(customer_reference="cus-row", subscription_reference="sub-row")
    for step in (life.sign_up, life.subscribe, life.pay):
        step()
    return life


@pytest.fixture
def api(life: StripeLife) -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        life.serve(mock)
        yield mock


def told(event: LifeEvent, **changes: Any) -> ObjectData | None:
    payload = json.loads(event.body)
    payload["data"]["object"] |= changes
    parsed = provider().parse_webhook_event(event.body, {})
    assert parsed.kind is not None
    return provider().map_webhook_object(parsed.kind, payload, parsed)


class TestDeclaration:
    def test_capabilities(self) -> None:
        assert provider().capabilities == {
            base.PaymentProvider,
            base.ReceivesWebhooks,
            base.ReadsCustomers,
            base.ManagesCustomers,
            base.ReadsPaymentMethods,
            base.ManagesPaymentMethods,
            base.SetsUpPaymentMethods,
            base.ReadsSubscriptions,
            base.ManagesSubscriptions,
            base.ResumesSubscriptions,
            base.PausesSubscriptions,
            base.PreviewsChanges,
            base.AppliesCoupons,
            base.ReadsInvoices,
            base.CollectsInvoices,
            base.VoidsInvoices,
            base.WritesOffInvoices,
            base.PrintsInvoices,
            base.ReadsPayments,
            base.TakesPayments,
            base.HostsCheckout,
            base.HostsPortal,
            base.MetersUsage,
            base.RegistersWebhooks,
            base.RefundsPayments,
            base.ReadsDisputes,
            base.ReadsPlans,
            base.PublishesPlans,
            base.FindsByReference,
            base.ListsRemote,
            base.ListsReturned,
            base.ListsEvents,
            base.AdoptsCustomers,
        }

    def test_its_stand_in_can_do_what_it_can(self, tmp_path: Path) -> None:
        row = STAND_INS["stripe"]
        names = {each.__name__ for each in provider().capabilities}
        assert set(row["capabilities"]) - {"Simulates"} == names
        options = {"like": row, "path": str(tmp_path / "unused"), "secret": "whsec_c2VjcmV0"}
        stand_in = SandboxProvider(alias="stripe", mode="sandbox", options=options)
        assert stand_in.features == provider().features

    def test_name_features_and_public_config(self) -> None:
        stripe = provider(publishable_key="pk_test_1")
        assert stripe.provider_name == "Stripe"
        assert stripe.features.methods == ("card", "bank_account", "sepa_debit")
        config = stripe.client_config()
        assert (config.adapter, config.public) == ("stripe", {"publishable_key": "pk_test_1"})

    def test_importing_and_intake_load_neither_sdk_nor_django(self) -> None:
        code = (
            "import sys\n"
            "from billing.providers.stripe import StripeProvider\n"
            "p = StripeProvider(alias='s', mode='test', options={'api_key': 'sk_test_1'})\n"
            "p.client_config()\n"
            "print({'stripe', 'requests', 'django'} & set(sys.modules))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert done.stdout.strip() == "set()"


class TestHealth:
    @pytest.mark.parametrize(
        ("mode", "livemode", "is_healthy"),
        [("test", False, True), ("live", True, True), ("live", False, False)],
    )
    def test_the_key_must_be_of_the_mode(self, mode: str, livemode: bool, is_healthy: bool) -> None:
        with responses.RequestsMock() as mock:
            mock.get(f"{BASE}/v1/balance", json=BALANCE | {"livemode": livemode})
            assert provider(mode).check_health().is_healthy is is_healthy

    def test_a_refused_key_is_not_healthy(self) -> None:
        with responses.RequestsMock() as mock:
            mock.get(f"{BASE}/v1/balance", status=401, json={"error": {}})
            assert not provider().check_health().is_healthy


class TestWebhooks:
    def test_a_whole_life_is_verified_and_read(self) -> None:
        stripe = provider()
        for event in StripeLife().whole():
            stripe.verify_webhook_signature(
                event.body, {"Stripe-Signature": sign(event.body, SECRET)}
            )
            parsed = stripe.parse_webhook_event(event.body, {})
            assert parsed.kind is not None
            assert parsed.is_pinned
            data = stripe.map_webhook_object(parsed.kind, json.loads(event.body), parsed)
            if event.type == "invoice_payment.paid":
                assert data is None
            else:
                assert data is not None
                assert (data.id, data.as_of) == (parsed.object_id, event.occurred_at)

    @pytest.mark.parametrize("secret", ["", "  ", None, [], [""], ","])
    def test_a_blank_secret_passes_nothing(self, secret: object, life: StripeLife) -> None:
        body = life.events[0].body
        for used in ("", SECRET):
            with pytest.raises(InvalidSignature):
                provider(webhook_secret=secret).verify_webhook_signature(
                    body, {"Stripe-Signature": sign(body, used)}
                )

    def test_an_invoice_that_was_tried_is_read(self, life: StripeLife) -> None:
        """Its payload is the same whether the bank refused or a debit takes days."""
        *_, finalized, _ = life.start_renewal()
        assert told(finalized).payment_state is PaymentState.NONE
        _, failed, *_ = life.fail()
        assert told(failed).payment_state is PaymentState.FAILED
        assert told(life.event("invoice.updated", failed.object)) is None

    def test_a_deleted_customer_comes_whole(self, life: StripeLife) -> None:
        (event,) = life.delete_customer()
        data = told(event)
        assert data is not None
        assert data.is_deleted  # type: ignore[union-attr]

    def test_a_detached_method_is_not_active(self, life: StripeLife) -> None:
        (event,) = life.detach()
        data = told(event)
        assert isinstance(data, PaymentMethodData)
        assert (data.is_active, data.customer_id) == (False, life.customer_id)

    def test_the_type_tells_how_collecting_goes(self, life: StripeLife) -> None:
        life.start_renewal()
        failed = next(each for each in life.fail() if each.type == "invoice.payment_failed")
        data = told(failed)
        assert isinstance(data, InvoiceData)
        assert (data.status, data.payment_state) == (InvoiceStatus.OPEN, PaymentState.FAILED)

    def test_a_paid_invoice_stays_paid_whatever_the_type(self, life: StripeLife) -> None:
        life.start_renewal()
        failed = next(each for each in life.fail() if each.type == "invoice.payment_failed")
        data = told(failed, status="paid")
        assert isinstance(data, InvoiceData)
        assert data.payment_state is PaymentState.PAID

    def test_a_payment_is_paid_when_its_event_says(self, life: StripeLife) -> None:
        event = next(each for each in life.events if each.type == "payment_intent.succeeded")
        data = told(event)
        assert isinstance(data, PaymentData)
        assert (data.status, data.paid_at) == (PaymentStatus.SUCCEEDED, event.occurred_at)

    @pytest.mark.parametrize(
        "changes", [{"object": "price"}, {"object": None}, {"id": None}, {"amount": "12"}]
    )
    def test_what_is_not_whole_must_be_fetched(
        self, life: StripeLife, changes: dict[str, Any]
    ) -> None:
        event = next(each for each in life.events if each.type == "payment_intent.succeeded")
        assert told(event, **changes) is None

    def test_a_payload_without_object_must_be_fetched(self, life: StripeLife) -> None:
        parsed = provider().parse_webhook_event(life.events[0].body, {})
        assert provider().map_webhook_object(EventKind.CUSTOMER, {}, parsed) is None


@pytest.mark.usefixtures("api")
class TestReading:
    def test_customer(self, life: StripeLife) -> None:
        data = provider().get_customer(Ref(id=life.customer_id))
        assert (data.id, data.reference) == (life.customer_id, "cus-row")
        assert life.now - timedelta(seconds=5) <= data.as_of <= life.now

    def test_payment_methods(self, life: StripeLife) -> None:
        ref = Ref(id=life.payment_method_id, customer_id=life.customer_id)
        one = provider().get_payment_method(ref)
        (listed,) = provider().list_payment_methods(Ref(id=life.customer_id))
        assert one.id == listed.id == life.payment_method_id

    def test_subscription(self, life: StripeLife) -> None:
        data = provider().get_subscription(Ref(id=life.subscription_id))
        assert (data.status, data.reference) == (SubscriptionStatus.ACTIVE, "sub-row")

    def test_invoice_and_payment(self, life: StripeLife) -> None:
        invoice = provider().get_invoice(Ref(id=life.invoice_id))
        assert (invoice.status, invoice.payment_id) == (InvoiceStatus.PAID, life.payment_id)
        payment = provider().get_payment(Ref(id=life.payment_id))
        assert payment.status is PaymentStatus.SUCCEEDED

    def test_list_of_invoices(self, life: StripeLife, api: responses.RequestsMock) -> None:
        (data,) = provider().list_invoices(Ref(id=life.customer_id), limit=5)
        assert data.id == life.invoice_id
        query = api.calls[-1].request.url
        assert query is not None
        assert f"customer={life.customer_id}" in query
        assert "limit=5" in query

    def test_every_call_keeps_the_published_contract(
        self, life: StripeLife, api: responses.RequestsMock
    ) -> None:
        checker = contract_module().Checker()
        api.get(f"{BASE}/v1/balance", json=BALANCE | {"livemode": False})
        stripe, owner = provider(), Ref(id=life.customer_id)
        stripe.check_health()
        stripe.get_customer(owner)
        stripe.get_payment_method(Ref(id=life.payment_method_id))
        stripe.list_payment_methods(owner)
        stripe.get_subscription(Ref(id=life.subscription_id))
        stripe.get_invoice(Ref(id=life.invoice_id))
        stripe.list_invoices(owner)
        stripe.get_payment(Ref(id=life.payment_id))
        assert len(api.calls) == 8
        for call in api.calls:
            sent = call.request
            record = {"method": sent.method, "url": sent.url, "headers": dict(sent.headers)}
            assert checker.check(record | {"body": sent.body}) == []

    def test_deleted_customer(self) -> None:
        life = StripeLife(number=2)
        life.sign_up()
        life.delete_customer()
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            life.serve(mock)
            assert provider().get_customer(Ref(id=life.customer_id)).is_deleted

    def test_bare_charge(self, api: responses.RequestsMock) -> None:
        charge = {"id": "ch_1", "object": "charge", "amount": 5, "currency": "jpy"}
        api.get(f"{BASE}/v1/charges/ch_1", json=charge | {"status": "succeeded", "created": 1})
        data = provider().get_payment(Ref(id="ch_1"))
        assert (data.amount_minor, data.currency) == (5, "JPY")
        assert data.status is PaymentStatus.SUCCEEDED

    def test_missing(self, api: responses.RequestsMock) -> None:
        api.get(f"{BASE}/v1/subscriptions/sub_no", status=404, json=MISSING)
        with pytest.raises(ProviderObjectMissing):
            provider().get_subscription(Ref(id="sub_no"))

    def test_an_answer_without_what_it_must_have(self, api: responses.RequestsMock) -> None:
        api.get(f"{BASE}/v1/invoices/in_odd", json={"id": "in_odd", "object": "invoice"})
        with pytest.raises(ProviderError):
            provider().get_invoice(Ref(id="in_odd"))
