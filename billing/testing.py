"""Public test kit: the contract that every payment provider is held to, and signed webhooks.

    class TestMyProvider(ProviderContract):
        @pytest.fixture
        def provider(self): return MyProvider(alias="mine", mode="test", options={...})

A subclass also gives the fixtures that its capabilities need; each says what it is for. Nothing is
skipped: a case for a capability that the provider lacks asserts that it really lacks it.
"""

import inspect
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar, cast

import pytest
from standardwebhooks import Webhook

from billing.enums import (
    Aggregation,
    BillingInterval,
    CheckoutMode,
    CheckoutStatus,
    EventKind,
    InvoiceStatus,
    NextActionType,
    PaymentMethodType,
    PaymentStatus,
    RefundReason,
    RefundStatus,
    SetupStatus,
    SubscriptionStatus,
)
from billing.errors import (
    InvalidPayload,
    InvalidRequest,
    InvalidSignature,
    PaymentDeclined,
    ProviderKeyConflict,
    ProviderObjectMissing,
)
from billing.providers import base
from billing.providers.base import CAPABILITIES, Capability, PaymentProvider
from billing.providers.types import (
    CheckoutRequest,
    CustomerRequest,
    Features,
    MeterRequest,
    NextAction,
    Page,
    PaymentMethodRequest,
    PaymentRequest,
    PlanRequest,
    Ref,
    RefundRequest,
    SetupRequest,
    SubscriptionRequest,
    SubscriptionUpdate,
    UsageReport,
    VoucherRequest,
)

C = TypeVar("C", bound=Capability)
T = TypeVar("T")
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_FAR_AHEAD = datetime(2200, 1, 1, tzinfo=UTC)
Sign = Callable[[bytes], Mapping[str, str]]
SECRET = "whsec_Y29icm8tdGVzdHM="

# Bodies that a stranger could send: none of them may raise anything but InvalidPayload.
HOSTILE_BODIES: dict[str, bytes] = {
    "empty": b"",
    "not json": b"hello",
    "not utf-8": b"\xff\xfe{}",
    "text": b'"text"',
    "list": b"[]",
    "null": b"null",
    "number": b"12",
    "huge number": b"9" * 10_000,
    "empty object": b"{}",
    "nan": b'{"id": NaN}',
    "infinity": b'{"id": "evt_1", "created": -Infinity}',
    "deep list": b'{"data": ' + b"[" * 101 + b"]" * 101 + b"}",
    "very deep list": b"[" * 200_000,
    "very deep object": b'{"a":' * 200_000,
    "nulls": b'{"id": null, "type": null, "created": null, "created_at": null, "data": null}',
    "lists": b'{"id": [], "type": [], "created": [], "created_at": [], "data": []}',
    "objects": b'{"id": {}, "type": {}, "created": {}, "created_at": {}, "data": {}}',
    "flags": b'{"id": true, "type": true, "created": true, "created_at": true, "data": true}',
    "nul": b'{"id": "evt_\\u0000", "type": "a\\u0000", "created": 1, "data": {"object": {}}}',
    "surrogate": b'{"id": "\\ud800", "type": "\\udfff", "created": 1, "data": {"object": {}}}',
}

READS: tuple[tuple[type[Capability], str, str], ...] = (
    (base.ReadsCustomers, "get_customer", "customer"),
    (base.ReadsPaymentMethods, "get_payment_method", "payment_method"),
    (base.SetsUpPaymentMethods, "get_setup_session", "setup_session"),
    (base.ReadsSubscriptions, "get_subscription", "subscription"),
    (base.ReadsInvoices, "get_invoice", "invoice"),
    (base.ReadsPayments, "get_payment", "payment"),
    (base.RefundsPayments, "get_refund", "refund"),
    (base.ReadsDisputes, "get_dispute", "dispute"),
    (base.ReadsPlans, "get_plan", "plan"),
    (base.HostsCheckout, "get_checkout", "checkout"),
)
LISTS: tuple[tuple[type[Capability], str, str], ...] = (
    (base.ReadsPaymentMethods, "list_payment_methods", "payment_method"),
    (base.ReadsInvoices, "list_invoices", "invoice"),
)

PAGED: tuple[tuple[type[Capability], str, str], ...] = (
    (base.ListsRemote, "list_customers", "customer"),
    (base.ListsRemote, "list_subscriptions", "subscription"),
    (base.ListsRemote, "list_account_invoices", "invoice"),
    (base.ListsRemote, "list_payments", "payment"),
    (base.ListsReturned, "list_account_refunds", "refund"),
    (base.ListsReturned, "list_disputes", "dispute"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDelivery:
    """A genuine webhook request, and what it tells about."""

    body: bytes
    headers: Mapping[str, str]
    kind: EventKind
    object_id: str


def signed_webhook(
    event: Mapping[str, object] | bytes,
    *,
    secret: str = SECRET,
    event_id: str = "",
    at: datetime | None = None,
) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a delivery signed by Standard Webhooks; `at` is wall time.

    The event's own `id` is the message id unless `event_id` is given.
    """
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    if not event_id:
        event_id = str(json.loads(body)["id"])
    moment = (at or datetime.now(UTC)).astimezone(UTC)
    headers = {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, moment, body.decode()),
    }
    return body, headers


def key() -> str:
    """Return a fresh idempotency key or reference."""
    return str(uuid.uuid4())


def _ids(cases: tuple[tuple[type[Capability], str, str], ...]) -> list[str]:
    return [method for _, method, _ in cases]


class ProviderContract:
    """Inherit it as `Test...`; see the module's docstring."""

    # What a subclass gives

    @pytest.fixture
    def provider(self) -> PaymentProvider:
        """The provider under test, new in each case."""
        return cast(PaymentProvider, _give("provider"))

    @pytest.fixture
    def sign(self) -> Sign:
        """For ReceivesWebhooks: body -> the headers that sign it now (those headers only)."""
        return cast(Sign, _give("sign"))

    @pytest.fixture
    def delivery(self) -> SignedDelivery:
        """For ReceivesWebhooks: a genuine delivery in the provider's published shape."""
        return cast(SignedDelivery, _give("delivery"))

    @pytest.fixture
    def token(self) -> str:
        """For ManagesPaymentMethods: a token whose charges succeed."""
        return cast(str, _give("token"))

    @pytest.fixture
    def declined_token(self) -> str:
        """For ManagesSubscriptions: a token that attaches and whose charges are refused."""
        return cast(str, _give("declined_token"))

    @pytest.fixture
    def challenged_token(self) -> str:
        """For VoidsInvoices and TakesPayments: a token whose owner has to confirm charges."""
        return cast(str, _give("challenged_token"))

    @pytest.fixture
    def coupon(self) -> str:
        """For AppliesCoupons: a code that takes something off every invoice."""
        return cast(str, _give("coupon"))

    @pytest.fixture
    def missing(self) -> Ref:
        """For reads: an object that does not exist. Fakes of the wire answer it with a 404."""
        return Ref(id="missing_0001", customer_id="missing_0002")

    @pytest.fixture
    def posted(self) -> Callable[[], list[str]]:
        """For ResendsEvents: tells the ids of the events posted since it was last asked."""
        return cast(Callable[[], list[str]], _give("posted"))

    # Objects to read: made by the provider itself; one that only reads overrides these.

    @pytest.fixture
    def customer(self, provider: PaymentProvider) -> Ref:
        made = _as(provider, base.ManagesCustomers).create_customer(
            customer_request(), idempotency_key=key()
        )
        return Ref(id=made.id, customer_id=made.id)

    @pytest.fixture
    def plan(self, provider: PaymentProvider) -> Ref:
        made = _as(provider, base.PublishesPlans).create_plan(plan_request(), idempotency_key=key())
        return Ref(id=made.id)

    @pytest.fixture
    def payment_method(self, provider: PaymentProvider, customer: Ref, token: str) -> Ref:
        made = _as(provider, base.ManagesPaymentMethods).create_payment_method(
            customer, PaymentMethodRequest(token=token, reference=key()), idempotency_key=key()
        )
        return Ref(id=made.id, customer_id=customer.id)

    @pytest.fixture
    def setup_session(self, provider: PaymentProvider, customer: Ref) -> Ref:
        made = _as(provider, base.SetsUpPaymentMethods).create_setup_session(
            SetupRequest(customer_id=customer.id, reference=key()), idempotency_key=key()
        )
        return Ref(id=made.id, customer_id=customer.id)

    @pytest.fixture
    def subscription(
        self, provider: PaymentProvider, customer: Ref, plan: Ref, payment_method: Ref
    ) -> Ref:
        request = subscription_request(customer, plan, payment_method)
        made = _as(provider, base.ManagesSubscriptions).create_subscription(
            request, idempotency_key=key()
        )
        return Ref(id=made.id, customer_id=customer.id)

    @pytest.fixture
    def invoice(self, provider: PaymentProvider, subscription: Ref) -> Ref:
        found = _as(provider, base.ReadsSubscriptions).get_subscription(subscription)
        assert found.latest_invoice_id
        return Ref(id=found.latest_invoice_id, customer_id=subscription.customer_id)

    @pytest.fixture
    def open_invoice(
        self, provider: PaymentProvider, customer: Ref, plan: Ref, challenged_token: str
    ) -> Ref:
        card = PaymentMethodRequest(token=challenged_token)
        method = _as(provider, base.ManagesPaymentMethods).create_payment_method(
            customer, card, idempotency_key=key()
        )
        made = _as(provider, base.ManagesSubscriptions).create_subscription(
            subscription_request(customer, plan, Ref(id=method.id)), idempotency_key=key()
        )
        assert made.latest_invoice_id
        return Ref(id=made.latest_invoice_id, customer_id=customer.id)

    @pytest.fixture
    def checkout(self, provider: PaymentProvider, customer: Ref, plan: Ref) -> Ref:
        made = _as(provider, base.HostsCheckout).create_checkout(
            checkout_request(customer, plan), idempotency_key=key()
        )
        return Ref(id=made.id, customer_id=customer.id)

    @pytest.fixture
    def payment(self, provider: PaymentProvider, invoice: Ref) -> Ref:
        found = _as(provider, base.ReadsInvoices).get_invoice(invoice)
        assert found.payment_id
        return Ref(id=found.payment_id, customer_id=invoice.customer_id)

    @pytest.fixture
    def refund(self, provider: PaymentProvider, payment: Ref) -> Ref:
        request = refund_request(provider, payment, amount_minor=1)
        made = _as(provider, base.RefundsPayments).create_refund(request, idempotency_key=key())
        return Ref(id=made.id, customer_id=payment.customer_id)

    @pytest.fixture
    def dispute(self) -> Ref:
        """For ReadsDisputes: one that a bank has opened; no provider opens them by its API."""
        return cast(Ref, _give("dispute"))

    # What a provider says about itself

    def test_facts_are_well_formed(self, provider: PaymentProvider) -> None:
        assert provider.provider_name.strip()
        assert provider.alias
        assert provider.mode
        _check_features(provider.features)
        _check_client_config(provider)

    @pytest.mark.parametrize("name", CAPABILITIES)
    def test_capabilities_are_declared(self, provider: PaymentProvider, name: str) -> None:
        capability = CAPABILITIES[name]
        if capability not in provider.capabilities:
            assert_lacks(provider, capability)
            return
        assert isinstance(provider, capability)
        wider = set(capability.__mro__) & set(CAPABILITIES.values())
        assert wider <= provider.capabilities

    @pytest.mark.parametrize("name", CAPABILITIES)
    def test_signatures_are_those_of_the_base(self, provider: PaymentProvider, name: str) -> None:
        capability = CAPABILITIES[name]
        if capability not in provider.capabilities:
            assert_lacks(provider, capability)
            return
        for method, promised in inspect.getmembers(capability, inspect.isfunction):
            if not method.startswith("_"):
                actual = getattr(type(provider), method)
                assert _parameters(actual) == _parameters(promised), method

    # Webhooks

    def test_a_genuine_delivery_is_read(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.ReceivesWebhooks not in provider.capabilities:
            assert_lacks(provider, base.ReceivesWebhooks)
            return
        delivery: SignedDelivery = request.getfixturevalue("delivery")
        receiver = _as(provider, base.ReceivesWebhooks)
        receiver.verify_webhook_signature(delivery.body, delivery.headers)
        event = receiver.parse_webhook_event(delivery.body, delivery.headers)
        assert (event.kind, event.object_id) == (delivery.kind, delivery.object_id)
        assert event.id
        assert event.type
        assert not event.ignored_because
        check_data(event)
        data = receiver.map_webhook_object(delivery.kind, json.loads(delivery.body), event)
        if data is not None:
            check_data(data)
            assert (data.id, data.as_of) == (event.object_id, event.occurred_at)

    @pytest.mark.parametrize("change", [str.upper, str.lower, str.title])
    def test_header_names_arrive_in_any_case(
        self,
        provider: PaymentProvider,
        request: pytest.FixtureRequest,
        change: Callable[[str], str],
    ) -> None:
        if base.ReceivesWebhooks not in provider.capabilities:
            assert_lacks(provider, base.ReceivesWebhooks)
            return
        delivery: SignedDelivery = request.getfixturevalue("delivery")
        headers = {change(name): value for name, value in delivery.headers.items()}
        _as(provider, base.ReceivesWebhooks).verify_webhook_signature(delivery.body, headers)

    @pytest.mark.parametrize("value", ["", " ", ",", "v1,", "v1,é", "t=1,v1=0", "\x00", "a" * 9999])
    def test_a_forged_header_is_refused(
        self, provider: PaymentProvider, request: pytest.FixtureRequest, value: str
    ) -> None:
        if base.ReceivesWebhooks not in provider.capabilities:
            assert_lacks(provider, base.ReceivesWebhooks)
            return
        sign: Sign = request.getfixturevalue("sign")
        body = b'{"id": "evt_1"}'
        headers = sign(body)
        forged = [{**headers, name: value} for name in headers]
        for each in [*forged, dict.fromkeys(headers, value), {}]:
            assert_refused(provider, body, each)

    def test_a_changed_body_is_refused(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.ReceivesWebhooks not in provider.capabilities:
            assert_lacks(provider, base.ReceivesWebhooks)
            return
        delivery: SignedDelivery = request.getfixturevalue("delivery")
        for body in (delivery.body + b" ", delivery.body[1:], b"", b"\xff"):
            assert_refused(provider, body, delivery.headers)

    @pytest.mark.parametrize("name", HOSTILE_BODIES)
    def test_a_hostile_body_is_an_invalid_payload(
        self, provider: PaymentProvider, request: pytest.FixtureRequest, name: str
    ) -> None:
        if base.ReceivesWebhooks not in provider.capabilities:
            assert_lacks(provider, base.ReceivesWebhooks)
            return
        delivery: SignedDelivery = request.getfixturevalue("delivery")
        with pytest.raises(InvalidPayload):
            _as(provider, base.ReceivesWebhooks).parse_webhook_event(
                HOSTILE_BODIES[name], delivery.headers
            )

    # Reads

    @pytest.mark.parametrize(("capability", "method", "kind"), READS, ids=_ids(READS))
    def test_an_object_is_read(
        self,
        provider: PaymentProvider,
        request: pytest.FixtureRequest,
        capability: type[Capability],
        method: str,
        kind: str,
    ) -> None:
        if capability not in provider.capabilities:
            assert_lacks(provider, capability)
            return
        ref: Ref = request.getfixturevalue(kind)
        data = getattr(provider, method)(ref)
        check_data(data)
        assert data.id == ref.id

    @pytest.mark.parametrize(("capability", "method", "kind"), READS, ids=_ids(READS))
    def test_an_object_that_is_missing(
        self,
        provider: PaymentProvider,
        request: pytest.FixtureRequest,
        capability: type[Capability],
        method: str,
        kind: str,
    ) -> None:
        if capability not in provider.capabilities:
            assert_lacks(provider, capability)
            return
        missing = request.getfixturevalue("missing")
        with pytest.raises(ProviderObjectMissing):
            getattr(provider, method)(missing)

    @pytest.mark.parametrize(("capability", "method", "kind"), LISTS, ids=_ids(LISTS))
    def test_objects_are_listed(
        self,
        provider: PaymentProvider,
        request: pytest.FixtureRequest,
        capability: type[Capability],
        method: str,
        kind: str,
    ) -> None:
        if capability not in provider.capabilities:
            assert_lacks(provider, capability)
            return
        ref: Ref = request.getfixturevalue(kind)
        found = getattr(provider, method)(Ref(id=ref.customer_id, customer_id=ref.customer_id))
        assert ref.id in [data.id for data in found]
        for data in found:
            check_data(data)

    @pytest.mark.parametrize(("capability", "method", "kind"), PAGED, ids=_ids(PAGED))
    def test_what_the_account_holds_is_listed(
        self,
        provider: PaymentProvider,
        request: pytest.FixtureRequest,
        capability: type[Capability],
        method: str,
        kind: str,
    ) -> None:
        if capability not in provider.capabilities:
            assert_lacks(provider, capability)
            return
        ref: Ref = request.getfixturevalue(kind)
        lists = getattr(provider, method)
        found = _walk(lists)
        for data in found:
            check_data(data)
        ids = [data.id for data in found]
        assert ids.count(ref.id) == 1
        assert ref.id in [data.id for data in _walk(lists, since=_LONG_AGO)]
        assert _walk(lists, since=_FAR_AHEAD) == []
        (listed,) = [data for data in found if data.id == ref.id]
        read = getattr(provider, f"get_{kind}")(ref)
        assert _told(listed) == {name: getattr(read, name) for name in _told(listed)}

    def test_ended_subscriptions_are_listed(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        needed = {base.ListsRemote, base.ManagesSubscriptions}
        if not needed <= provider.capabilities:
            for capability in needed - provider.capabilities:
                assert_lacks(provider, capability)
            return
        ref: Ref = request.getfixturevalue("subscription")
        _as(provider, base.ManagesSubscriptions).cancel_subscription(
            ref, at_period_end=False, idempotency_key=key()
        )
        found = _walk(_as(provider, base.ListsRemote).list_subscriptions)
        (ended,) = [data for data in found if data.id == ref.id]
        assert ended.status is SubscriptionStatus.CANCELED

    def test_events_are_listed(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.ListsEvents not in provider.capabilities:
            assert_lacks(provider, base.ListsEvents)
            return
        ref: Ref = request.getfixturevalue("subscription")
        lists = _as(provider, base.ListsEvents).list_events
        found = _walk(lists)
        (listed,) = [
            each
            for each in found
            if each.event.object_id == ref.id and each.event.type.endswith("subscription.created")
        ]
        receiver = _as(provider, base.ReceivesWebhooks)
        assert receiver.parse_webhook_event(listed.body, {}) == listed.event
        assert len({each.event.id for each in found}) == len(found)
        assert _walk(lists, since=_FAR_AHEAD) == []

    def test_an_event_is_sent_again(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        needed = {base.ResendsEvents, base.ListsEvents, base.RegistersWebhooks}
        if not needed <= provider.capabilities:
            for capability in needed - provider.capabilities:
                assert_lacks(provider, capability)
            return
        resender = _as(provider, base.ResendsEvents)
        lists = _as(provider, base.ListsEvents).list_events
        url = "https://billing.example.com/webhooks/here"
        _as(provider, base.RegistersWebhooks).register_webhook(url, idempotency_key=key())
        ref: Ref = request.getfixturevalue("subscription")
        posted: Callable[[], list[str]] = request.getfixturevalue("posted")
        before = _walk(lists)
        (wanted,) = [
            each.event.id
            for each in before
            if each.event.object_id == ref.id and each.event.type.endswith("subscription.created")
        ]
        posted()
        resender.resend_event(wanted, idempotency_key=key())
        assert posted() == [wanted]
        assert _walk(lists) == before
        with pytest.raises(ProviderObjectMissing):
            resender.resend_event("missing_0001", idempotency_key=key())
        assert posted() == []

    def test_plans_are_listed(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.ReadsPlans not in provider.capabilities:
            assert_lacks(provider, base.ReadsPlans)
            return
        ref: Ref = request.getfixturevalue("plan")
        found = _as(provider, base.ReadsPlans).list_plans()
        assert ref.id in [plan.id for plan in found]

    # Writes

    def test_a_customer_is_written(self, provider: PaymentProvider) -> None:
        if base.ManagesCustomers not in provider.capabilities:
            assert_lacks(provider, base.ManagesCustomers)
            return
        writer = _as(provider, base.ManagesCustomers)
        request = customer_request()
        made = writer.create_customer(request, idempotency_key=key())
        check_data(made)
        assert (made.name, made.email) == (request.name, request.email)
        assert made.reference == request.reference
        ref = Ref(id=made.id, customer_id=made.id)
        changed = replace(request, name="Grace Hopper")
        assert writer.update_customer(ref, changed, idempotency_key=key()).name == changed.name
        assert writer.get_customer(ref).name == changed.name
        writer.delete_customer(ref, idempotency_key=key())
        assert _is_gone(writer, ref)

    def test_a_payment_method_is_written(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.ManagesPaymentMethods not in provider.capabilities:
            assert_lacks(provider, base.ManagesPaymentMethods)
            return
        writer = _as(provider, base.ManagesPaymentMethods)
        customer: Ref = request.getfixturevalue("customer")
        first: Ref = request.getfixturevalue("payment_method")
        wanted = PaymentMethodRequest(token=request.getfixturevalue("token"), reference=key())
        made = writer.create_payment_method(customer, wanted, idempotency_key=key())
        check_data(made)
        assert made.customer_id == customer.id
        assert made.is_active
        assert made.reference in (wanted.reference, None)
        second = Ref(id=made.id, customer_id=customer.id)
        owner = writer.set_default_payment_method(customer, second, idempotency_key=key())
        assert owner.default_payment_method_id == second.id
        gone = writer.delete_payment_method(first, idempotency_key=key())
        assert not gone.is_active
        assert [each.id for each in writer.list_payment_methods(customer)] == [second.id]

    def test_a_setup_session_is_opened(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.SetsUpPaymentMethods not in provider.capabilities:
            assert_lacks(provider, base.SetsUpPaymentMethods)
            return
        opener = _as(provider, base.SetsUpPaymentMethods)
        customer: Ref = request.getfixturevalue("customer")
        wanted = SetupRequest(customer_id=customer.id, reference=key(), methods=("card",))
        made = opener.create_setup_session(wanted, idempotency_key=key())
        check_data(made)
        assert (made.status, made.customer_id) == (SetupStatus.OPEN, customer.id)
        assert made.reference in (wanted.reference, None)
        assert made.client_secret
        assert made.client_secret not in repr(made)
        found = opener.get_setup_session(Ref(id=made.id, customer_id=customer.id))
        assert (found.id, found.client_secret) == (made.id, made.client_secret)
        with pytest.raises(InvalidRequest) as refused:
            opener.create_setup_session(replace(wanted, methods=("cash",)), idempotency_key=key())
        assert refused.value.param == "methods"

    def test_a_plan_is_written(self, provider: PaymentProvider) -> None:
        if base.PublishesPlans not in provider.capabilities:
            assert_lacks(provider, base.PublishesPlans)
            return
        writer = _as(provider, base.PublishesPlans)
        request = plan_request()
        made = writer.create_plan(request, idempotency_key=key())
        check_data(made)
        assert (made.amount_minor, made.currency) == (request.amount_minor, request.currency)
        assert made.interval == request.interval
        assert made.reference in (request.reference, None)
        ref = Ref(id=made.id)
        renamed = replace(request, name="Renamed")
        assert writer.update_plan(ref, renamed, idempotency_key=key()).name == "Renamed"
        dearer = replace(request, amount_minor=request.amount_minor + 1)
        with pytest.raises(InvalidRequest):
            writer.update_plan(ref, dearer, idempotency_key=key())
        assert not writer.archive_plan(ref, idempotency_key=key()).is_active

    def test_a_subscription_is_written(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.ManagesSubscriptions not in provider.capabilities:
            assert_lacks(provider, base.ManagesSubscriptions)
            return
        writer = _as(provider, base.ManagesSubscriptions)
        wanted = _subscription_request(request)
        made = writer.create_subscription(wanted, idempotency_key=key())
        check_data(made)
        assert made.status is SubscriptionStatus.ACTIVE
        assert (made.customer_id, made.price_id) == (wanted.customer_id, wanted.price_id)
        assert made.reference in (wanted.reference, None)
        assert made.current_period_start
        assert made.current_period_end
        assert made.current_period_start < made.current_period_end
        ref = Ref(id=made.id, customer_id=made.customer_id)
        _check_quantity(writer, ref)
        ended = writer.cancel_subscription(ref, at_period_end=False, idempotency_key=key())
        assert ended.status is SubscriptionStatus.CANCELED
        assert ended.ended_at

    def test_a_refused_first_charge_is_a_decline(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.ManagesSubscriptions not in provider.capabilities:
            assert_lacks(provider, base.ManagesSubscriptions)
            return
        customer: Ref = request.getfixturevalue("customer")
        card = PaymentMethodRequest(token=request.getfixturevalue("declined_token"))
        method = _as(provider, base.ManagesPaymentMethods).create_payment_method(
            customer, card, idempotency_key=key()
        )
        wanted = subscription_request(
            customer, request.getfixturevalue("plan"), Ref(id=method.id, customer_id=customer.id)
        )
        with pytest.raises(PaymentDeclined) as declined:
            _as(provider, base.ManagesSubscriptions).create_subscription(
                wanted, idempotency_key=key()
            )
        assert declined.value.decline_code

    def test_a_planned_end_is_undone(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        needed = {base.ManagesSubscriptions, base.ResumesSubscriptions}
        if not needed <= provider.capabilities:
            for capability in needed - provider.capabilities:
                assert_lacks(provider, capability)
            return
        ref: Ref = request.getfixturevalue("subscription")
        planned = _as(provider, base.ManagesSubscriptions).cancel_subscription(
            ref, at_period_end=True, idempotency_key=key()
        )
        assert planned.cancel_at_period_end
        assert planned.ended_at is None
        resumed = _as(provider, base.ResumesSubscriptions).resume_subscription(
            ref, idempotency_key=key()
        )
        assert not resumed.cancel_at_period_end

    def test_a_subscription_is_paused_and_goes_on(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.PausesSubscriptions not in provider.capabilities:
            assert_lacks(provider, base.PausesSubscriptions)
            return
        pauser = _as(provider, base.PausesSubscriptions)
        ref: Ref = request.getfixturevalue("subscription")
        paused = pauser.pause_subscription(ref, idempotency_key=key())
        check_data(paused)
        assert (paused.status, paused.ended_at) == (SubscriptionStatus.PAUSED, None)
        with pytest.raises(InvalidRequest):
            pauser.pause_subscription(ref, idempotency_key=key())
        again = pauser.unpause_subscription(ref, idempotency_key=key())
        assert again.status is SubscriptionStatus.ACTIVE
        if again.latest_invoice_id == paused.latest_invoice_id:
            assert again.current_period_end == paused.current_period_end
        with pytest.raises(InvalidRequest):
            pauser.unpause_subscription(ref, idempotency_key=key())

    def test_a_preview_tells_the_price_and_changes_nothing(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.PreviewsChanges not in provider.capabilities:
            assert_lacks(provider, base.PreviewsChanges)
            return
        ref: Ref = request.getfixturevalue("subscription")
        reader = _as(provider, base.ReadsSubscriptions)
        before = reader.get_subscription(ref)
        wanted = 3 if provider.features.has_quantities else 1
        preview = _as(provider, base.PreviewsChanges).preview_change(
            ref, SubscriptionUpdate(quantity=wanted)
        )
        check_data(preview)
        assert preview.total_minor >= wanted * plan_request().amount_minor
        assert preview.currency == plan_request().currency
        assert preview.subtotal_minor == sum(line.amount_minor for line in preview.lines)
        assert preview.billed_at == before.current_period_end
        assert preview.due_now_minor == 0
        after = reader.get_subscription(ref)
        assert (after.quantity, after.latest_invoice_id) == (1, before.latest_invoice_id)

    def test_a_coupon_is_applied_and_removed(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.AppliesCoupons not in provider.capabilities:
            assert_lacks(provider, base.AppliesCoupons)
            return
        coupons = _as(provider, base.AppliesCoupons)
        ref: Ref = request.getfixturevalue("subscription")
        code: str = request.getfixturevalue("coupon")
        discounted = coupons.apply_coupon(ref, code, idempotency_key=key())
        check_data(discounted)
        assert discounted.has_discount
        assert not coupons.remove_coupon(ref, idempotency_key=key()).has_discount
        wanted = replace(_subscription_request(request), coupon_code=code)
        writer = _as(provider, base.ManagesSubscriptions)
        assert writer.create_subscription(wanted, idempotency_key=key()).has_discount

    @pytest.mark.parametrize("code", ["NONE-SUCH", "", "../coupons", "50 % off", "x" * 300])
    def test_an_unknown_coupon_is_refused(
        self, provider: PaymentProvider, request: pytest.FixtureRequest, code: str
    ) -> None:
        if base.AppliesCoupons not in provider.capabilities:
            assert_lacks(provider, base.AppliesCoupons)
            return
        ref: Ref = request.getfixturevalue("subscription")
        with pytest.raises(InvalidRequest) as refused:
            _as(provider, base.AppliesCoupons).apply_coupon(ref, code, idempotency_key=key())
        assert refused.value.param == "coupon"

    def test_a_paid_invoice_is_answered_as_it_is(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.CollectsInvoices not in provider.capabilities:
            assert_lacks(provider, base.CollectsInvoices)
            return
        ref: Ref = request.getfixturevalue("invoice")
        answer = _as(provider, base.CollectsInvoices).pay_invoice(ref, idempotency_key=key())
        check_data(answer)
        assert (answer.id, answer.amount_due_minor) == (ref.id, 0)

    def test_a_payment_is_refunded_and_never_more_than_that(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.RefundsPayments not in provider.capabilities:
            assert_lacks(provider, base.RefundsPayments)
            return
        payment: Ref = request.getfixturevalue("payment")
        paid = _as(provider, base.ReadsPayments).get_payment(payment).amount_minor
        writer = _as(provider, base.RefundsPayments)
        part = refund_request(provider, payment, amount_minor=paid - 100)
        made = writer.create_refund(part, idempotency_key=key())
        check_data(made)
        assert (made.payment_id, made.amount_minor) == (payment.id, paid - 100)
        assert (made.currency, made.reason) == (part.currency, part.reason)
        assert made.reference == part.reference
        assert made.status in (RefundStatus.PENDING, RefundStatus.SUCCEEDED)
        with pytest.raises(InvalidRequest):
            writer.create_refund(
                refund_request(provider, payment, amount_minor=101), idempotency_key=key()
            )
        rest = refund_request(provider, payment, amount_minor=100)
        last = writer.create_refund(rest, idempotency_key=key())
        with pytest.raises(InvalidRequest):
            writer.create_refund(
                refund_request(provider, payment, amount_minor=1), idempotency_key=key()
            )
        listed = writer.list_refunds(payment)
        assert [each.id for each in listed] == [last.id, made.id]
        for each in listed:
            check_data(each)

    def test_a_repeated_key_refunds_once(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.RefundsPayments not in provider.capabilities:
            assert_lacks(provider, base.RefundsPayments)
            return
        payment: Ref = request.getfixturevalue("payment")
        writer = _as(provider, base.RefundsPayments)
        wanted, used = refund_request(provider, payment, amount_minor=100), key()
        made = writer.create_refund(wanted, idempotency_key=used)
        if provider.features.has_idempotency_keys:
            assert writer.create_refund(wanted, idempotency_key=used).id == made.id
        assert [each.id for each in writer.list_refunds(payment)] == [made.id]

    def test_an_invoice_is_written_off(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.WritesOffInvoices not in provider.capabilities:
            assert_lacks(provider, base.WritesOffInvoices)
            return
        writer = _as(provider, base.WritesOffInvoices)
        ref: Ref = request.getfixturevalue("open_invoice")
        bad_debt = writer.mark_uncollectible(ref, idempotency_key=key())
        check_data(bad_debt)
        assert (bad_debt.id, bad_debt.status) == (ref.id, InvoiceStatus.UNCOLLECTIBLE)
        again = writer.mark_uncollectible(ref, idempotency_key=key())
        assert again.status is InvoiceStatus.UNCOLLECTIBLE
        assert writer.void_invoice(ref, idempotency_key=key()).status is InvoiceStatus.VOID
        assert writer.void_invoice(ref, idempotency_key=key()).status is InvoiceStatus.VOID
        with pytest.raises(InvalidRequest):
            writer.mark_uncollectible(ref, idempotency_key=key())

    def test_an_open_invoice_is_voided(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.VoidsInvoices not in provider.capabilities:
            assert_lacks(provider, base.VoidsInvoices)
            return
        writer = _as(provider, base.VoidsInvoices)
        ref: Ref = request.getfixturevalue("open_invoice")
        for _ in range(2):
            voided = writer.void_invoice(ref, idempotency_key=key())
            check_data(voided)
            assert (voided.id, voided.status) == (ref.id, InvoiceStatus.VOID)
        paid: Ref = request.getfixturevalue("invoice")
        with pytest.raises(InvalidRequest):
            writer.void_invoice(paid, idempotency_key=key())
        assert writer.get_invoice(paid).status is InvoiceStatus.PAID

    def test_what_is_paid_is_not_written_off(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.WritesOffInvoices not in provider.capabilities:
            assert_lacks(provider, base.WritesOffInvoices)
            return
        writer = _as(provider, base.WritesOffInvoices)
        ref: Ref = request.getfixturevalue("invoice")
        with pytest.raises(InvalidRequest):
            writer.mark_uncollectible(ref, idempotency_key=key())
        assert writer.get_invoice(ref).status is InvoiceStatus.PAID

    def test_an_invoice_is_printed(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.PrintsInvoices not in provider.capabilities:
            assert_lacks(provider, base.PrintsInvoices)
            return
        printer = _as(provider, base.PrintsInvoices)
        url = printer.get_invoice_pdf(request.getfixturevalue("invoice"))
        assert url.startswith(("https://", "data:application/pdf;base64,"))
        with pytest.raises(ProviderObjectMissing):
            printer.get_invoice_pdf(request.getfixturevalue("missing"))

    def test_a_kept_method_is_charged_once(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.TakesPayments not in provider.capabilities:
            assert_lacks(provider, base.TakesPayments)
            return
        writer = _as(provider, base.TakesPayments)
        customer: Ref = request.getfixturevalue("customer")
        wanted = payment_request(customer, request.getfixturevalue("payment_method"))
        made = writer.create_payment(wanted, idempotency_key=key())
        check_data(made)
        assert made.status is PaymentStatus.SUCCEEDED
        assert (made.amount_minor, made.currency) == (wanted.amount_minor, wanted.currency)
        assert (made.customer_id, made.reference) == (customer.id, wanted.reference)
        if made.invoice_id:  # where the provider has an order for each payment
            order = Ref(id=made.invoice_id, customer_id=customer.id)
            paid = _as(provider, base.ReadsInvoices).get_invoice(order)
            assert (paid.status, paid.payment_id) == (InvoiceStatus.PAID, made.id)
        ref = Ref(id=made.id, customer_id=customer.id)
        assert writer.get_payment(ref).status is PaymentStatus.SUCCEEDED
        with pytest.raises(InvalidRequest):
            writer.create_payment(replace(wanted, amount_minor=0), idempotency_key=key())

    def test_a_voucher_waits_to_be_paid(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.IssuesVouchers not in provider.capabilities:
            assert_lacks(provider, base.IssuesVouchers)
            return
        writer = _as(provider, base.IssuesVouchers)
        customer: Ref = request.getfixturevalue("customer")
        for method, number in (("oxxo", "reference"), ("spei", "clabe")):
            wanted = voucher_request(customer, PaymentMethodType(method))
            made = writer.create_voucher(wanted, idempotency_key=key())
            check_data(made)
            assert (made.status, made.reference) == (PaymentStatus.PENDING, wanted.reference)
            assert made.next_action
            assert made.next_action.type is NextActionType.DISPLAY_VOUCHER
            details = made.next_action.details
            assert details[number].isdigit()
            assert (details["method"], details["currency"]) == (method, wanted.currency)
            assert details["amount_minor"] == str(wanted.amount_minor)
            assert datetime.fromisoformat(details["expires_at"]) > made.as_of
            assert writer.create_voucher(wanted, idempotency_key=key()).id == made.id
            ref = Ref(id=made.id, customer_id=customer.id)
            assert writer.get_payment(ref).next_action == made.next_action
        past = replace(wanted, reference=key(), expires_at=made.as_of)
        with pytest.raises(InvalidRequest):
            writer.create_voucher(past, idempotency_key=key())

    def test_a_refused_single_charge_is_a_decline(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.TakesPayments not in provider.capabilities:
            assert_lacks(provider, base.TakesPayments)
            return
        customer: Ref = request.getfixturevalue("customer")
        card = PaymentMethodRequest(token=request.getfixturevalue("declined_token"))
        method = _as(provider, base.ManagesPaymentMethods).create_payment_method(
            customer, card, idempotency_key=key()
        )
        with pytest.raises(PaymentDeclined) as declined:
            _as(provider, base.TakesPayments).create_payment(
                payment_request(customer, Ref(id=method.id)), idempotency_key=key()
            )
        assert declined.value.decline_code

    def test_a_charge_that_needs_its_owner(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.TakesPayments not in provider.capabilities:
            assert_lacks(provider, base.TakesPayments)
            return
        customer: Ref = request.getfixturevalue("customer")
        card = PaymentMethodRequest(token=request.getfixturevalue("challenged_token"))
        method = _as(provider, base.ManagesPaymentMethods).create_payment_method(
            customer, card, idempotency_key=key()
        )
        writer = _as(provider, base.TakesPayments)
        wanted = payment_request(customer, Ref(id=method.id))
        off_session = replace(wanted, is_off_session=True)
        with pytest.raises(PaymentDeclined) as declined:
            writer.create_payment(off_session, idempotency_key=key())
        assert declined.value.decline_code == "authentication_required"

    def test_a_checkout_is_opened(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.HostsCheckout not in provider.capabilities:
            assert_lacks(provider, base.HostsCheckout)
            return
        host = _as(provider, base.HostsCheckout)
        customer: Ref = request.getfixturevalue("customer")
        wanted = checkout_request(customer, request.getfixturevalue("plan"))
        made = host.create_checkout(wanted, idempotency_key=key())
        check_data(made)
        assert (made.mode, made.status) == (CheckoutMode.SUBSCRIPTION, CheckoutStatus.OPEN)
        assert (made.customer_id, made.reference) == (customer.id, wanted.reference)
        if made.invoice_id:  # where the provider has an order for each payment
            order = Ref(id=made.invoice_id, customer_id=customer.id)
            paid = _as(provider, base.ReadsInvoices).get_invoice(order)
            assert (paid.status, paid.payment_id) == (InvoiceStatus.PAID, made.id)
        assert made.url.startswith("https://")
        assert not made.is_paid
        with pytest.raises(InvalidRequest):
            host.create_checkout(replace(wanted, price_id=""), idempotency_key=key())

    def test_the_portal_lets_a_customer_in(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.HostsPortal not in provider.capabilities:
            assert_lacks(provider, base.HostsPortal)
            return
        customer: Ref = request.getfixturevalue("customer")
        if base.ManagesSubscriptions in provider.capabilities:
            request.getfixturevalue("subscription")  # what some portals are about
        made = _as(provider, base.HostsPortal).create_portal_session(
            customer, return_url="https://shop.example/account", idempotency_key=key()
        )
        check_data(made)
        assert made.url.startswith("https://")
        assert made.url not in repr(made)

    def test_a_meter_is_made_once_and_usage_reported(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.MetersUsage not in provider.capabilities:
            assert_lacks(provider, base.MetersUsage)
            return
        writer = _as(provider, base.MetersUsage)
        wanted = MeterRequest(event_name=f"calls_{key()}", name="Calls")
        made = writer.create_meter(wanted, idempotency_key=key())
        check_data(made)
        assert (made.event_name, made.aggregation) == (wanted.event_name, Aggregation.SUM)
        assert made.is_active
        assert writer.create_meter(wanted, idempotency_key=key()).id == made.id
        counting = replace(wanted, aggregation=Aggregation.COUNT)
        with pytest.raises(InvalidRequest):
            writer.create_meter(counting, idempotency_key=key())
        customer: Ref = request.getfixturevalue("customer")
        report = UsageReport(
            reference=key(),
            event_name=wanted.event_name,
            customer_id=customer.id,
            value=Decimal(25),
            occurred_at=made.as_of,
        )
        for _ in range(2):
            writer.report_usage(report, idempotency_key=key())
        unknown = replace(report, reference=key(), event_name="nothing")
        with pytest.raises(InvalidRequest):
            writer.report_usage(unknown, idempotency_key=key())

    def test_webhooks_are_registered_once(self, provider: PaymentProvider) -> None:
        if base.RegistersWebhooks not in provider.capabilities:
            assert_lacks(provider, base.RegistersWebhooks)
            return
        writer = _as(provider, base.RegistersWebhooks)
        url = "https://billing.example.com/webhooks/here"
        made = writer.register_webhook(url, idempotency_key=key())
        check_data(made)
        assert (made.url, made.is_pinned, made.is_active) == (url, True, True)
        assert made.secret
        assert made.secret not in repr(made)
        assert made.secret not in str(made.raw)
        again = writer.register_webhook(url, idempotency_key=key())
        assert (again.id, again.event_types, again.secret) == (made.id, made.event_types, "")
        assert [each.id for each in writer.list_webhooks()] == [made.id]
        with pytest.raises(InvalidRequest):
            writer.register_webhook("http://billing.example.com/here", idempotency_key=key())

    def test_what_was_made_is_found_by_its_reference(
        self, provider: PaymentProvider, request: pytest.FixtureRequest
    ) -> None:
        if base.FindsByReference not in provider.capabilities:
            assert_lacks(provider, base.FindsByReference)
            return
        finder = _as(provider, base.FindsByReference)
        assert finder.find_customer(key()) is None
        if base.ManagesCustomers in provider.capabilities:
            wanted = customer_request()
            made = _as(provider, base.ManagesCustomers).create_customer(
                wanted, idempotency_key=key()
            )
            assert finder.find_customer(wanted.reference) == made
        if base.ManagesSubscriptions in provider.capabilities:
            bought = _subscription_request(request)
            writer = _as(provider, base.ManagesSubscriptions)
            subscription = writer.create_subscription(bought, idempotency_key=key())
            owner = Ref(id=bought.customer_id, customer_id=bought.customer_id)
            found = finder.find_subscription(owner, bought.reference, bought.price_id)
            assert found
            assert found.id == subscription.id

    def test_a_customer_that_exists_is_adopted(self, provider: PaymentProvider) -> None:
        needed = {base.AdoptsCustomers, base.ManagesCustomers}
        if not needed <= provider.capabilities:
            for capability in needed - provider.capabilities:
                assert_lacks(provider, capability)
            return
        reader = _as(provider, base.ManagesCustomers)
        made = reader.create_customer(
            replace(customer_request(), reference=""), idempotency_key=key()
        )
        ref, reference = Ref(id=made.id, customer_id=made.id), key()
        adopted = _as(provider, base.AdoptsCustomers).adopt_customer(
            ref, reference, idempotency_key=key()
        )
        check_data(adopted)
        assert replace(adopted, raw={}, as_of=made.as_of) == replace(
            made, raw={}, reference=reference
        )
        assert reader.get_customer(ref).reference == reference

    def test_a_repeated_key_has_one_effect(self, provider: PaymentProvider) -> None:
        if base.ManagesCustomers not in provider.capabilities:
            assert_lacks(provider, base.ManagesCustomers)
            return
        writer = _as(provider, base.ManagesCustomers)
        request, used = customer_request(), key()
        first = writer.create_customer(request, idempotency_key=used)
        if not provider.features.has_idempotency_keys:
            return
        assert writer.create_customer(request, idempotency_key=used).id == first.id
        with pytest.raises(ProviderKeyConflict):
            writer.create_customer(replace(request, name="Other"), idempotency_key=used)


def _walk(lists: Callable[..., Page[T]], since: datetime | None = None) -> list[T]:
    """Every item of a list, over all of its pages."""
    found: list[T] = []
    cursor = ""
    while True:
        page = lists(cursor=cursor, since=since)
        assert page.unreadable == ()
        found += page.items
        if not page.next_cursor:
            return found
        assert page.next_cursor != cursor
        cursor = page.next_cursor


def _told(data: Any) -> dict[str, Any]:
    """What a listed object tells. A list may leave out what a read tells, never differ from it."""
    values = {each.name: getattr(data, each.name) for each in fields(data)}
    told = {name: value for name, value in values.items() if value is not None}
    return {name: value for name, value in told.items() if name not in ("raw", "as_of")}


def customer_request() -> CustomerRequest:
    """Return a request that every provider takes."""
    return CustomerRequest(
        reference=key(),
        name="Ada Lovelace",
        email="ada@example.com",
        phone="+525512345678",
        address={"line1": "Av. Juárez 1", "city": "México", "postal_code": "06000"},
    )


def plan_request(**changes: Any) -> PlanRequest:
    """Return a monthly price of 299.00 MXN."""
    request = PlanRequest(
        reference=key(),
        plan_reference=key(),
        name="Pro",
        description="All of it",
        amount_minor=29900,
        currency="MXN",
        interval=BillingInterval.MONTHLY,
    )
    return replace(request, **changes)


def subscription_request(customer: Ref, plan: Ref, payment_method: Ref) -> SubscriptionRequest:
    return SubscriptionRequest(
        reference=key(),
        customer_id=customer.id,
        price_id=plan.id,
        payment_method_id=payment_method.id,
    )


def refund_request(provider: PaymentProvider, payment: Ref, *, amount_minor: int) -> RefundRequest:
    """Return a request for a part of `payment`, in its currency."""
    found = _as(provider, base.ReadsPayments).get_payment(payment)
    return RefundRequest(
        reference=key(),
        payment_id=payment.id,
        amount_minor=amount_minor,
        currency=found.currency,
        reason=RefundReason.REQUESTED_BY_CUSTOMER,
    )


def voucher_request(customer: Ref, method: PaymentMethodType) -> VoucherRequest:
    """Return a voucher of 199.90 MXN."""
    return VoucherRequest(
        reference=key(),
        customer_id=customer.id,
        method=method,
        amount_minor=19990,
        currency="MXN",
    )


def payment_request(customer: Ref, payment_method: Ref) -> PaymentRequest:
    """Return a single charge of 199.90 MXN."""
    return PaymentRequest(
        reference=key(),
        customer_id=customer.id,
        payment_method_id=payment_method.id,
        amount_minor=19990,
        currency="MXN",
        description="A poster",
    )


def checkout_request(customer: Ref, plan: Ref) -> CheckoutRequest:
    """Return a checkout that sells a plan."""
    return CheckoutRequest(
        reference=key(),
        mode=CheckoutMode.SUBSCRIPTION,
        customer_id=customer.id,
        success_url="https://shop.example/thanks",
        cancel_url="https://shop.example/back",
        price_id=plan.id,
    )


def assert_lacks(provider: PaymentProvider, capability: type[Capability]) -> None:
    """Assert that the provider neither says nor is `capability`; a stand-in only says so."""
    assert capability not in provider.capabilities
    is_stand_in = base.Simulates in provider.capabilities
    assert is_stand_in or not isinstance(provider, capability)


def assert_refused(provider: PaymentProvider, body: bytes, headers: Mapping[str, str]) -> None:
    """Assert that the signature is refused, and by nothing but InvalidSignature."""
    with pytest.raises(InvalidSignature):
        _as(provider, base.ReceivesWebhooks).verify_webhook_signature(body, headers)


def check_data(data: Any) -> None:
    """Assert what holds for everything that crosses the border: aware UTC, minor units, codes."""
    for each in fields(data):
        value = getattr(data, each.name)
        if isinstance(value, datetime):
            assert value.utcoffset() == timedelta(0), each.name
        elif each.name.endswith("_minor"):
            assert type(value) is int, each.name
        elif each.name == "currency":
            assert len(value) == 3
            assert value == value.upper()
        elif each.name == "raw":
            assert isinstance(value, Mapping)
        elif each.name == "next_action" and value is not None:
            assert isinstance(value, NextAction)


def _check_features(features: Features) -> None:
    assert all(isinstance(method, str) and method for method in features.methods)
    assert all(len(code) == 3 and code.isupper() for code in features.currencies)
    assert all(len(code) == 2 and code.isupper() for code in features.countries)
    assert features.intervals <= frozenset(BillingInterval)


def _check_client_config(provider: PaymentProvider) -> None:
    """A key may look the same whether it is public or secret (Conekta)."""
    config = provider.client_config()
    assert config.adapter.isidentifier()
    told = ("public_key", "publishable_key")
    secrets = [value for name, value in provider.options.items() if name not in told and value]
    for name, value in config.public.items():
        assert isinstance(value, str), name
        assert value not in secrets, f"{name} is secret"
        assert not value.startswith(("sk_", "rk_", "whsec_")), f"{name} looks secret"


def _parameters(function: Callable[..., object]) -> list[tuple[str, object, object]]:
    signature = inspect.signature(function)
    return [(each.name, each.kind, each.default) for each in signature.parameters.values()]


def _subscription_request(request: pytest.FixtureRequest) -> SubscriptionRequest:
    customer, plan = request.getfixturevalue("customer"), request.getfixturevalue("plan")
    return subscription_request(customer, plan, request.getfixturevalue("payment_method"))


def _check_quantity(writer: base.ManagesSubscriptions, ref: Ref) -> None:
    changes = SubscriptionUpdate(quantity=3)
    if writer.features.has_quantities:
        assert writer.update_subscription(ref, changes, idempotency_key=key()).quantity == 3
        return
    with pytest.raises(InvalidRequest) as refused:
        writer.update_subscription(ref, changes, idempotency_key=key())
    assert refused.value.param == "quantity"


def _is_gone(writer: base.ManagesCustomers, ref: Ref) -> bool:
    try:
        return writer.get_customer(ref).is_deleted
    except ProviderObjectMissing:
        return True


def _as(provider: PaymentProvider, capability: type[C]) -> C:
    assert isinstance(provider, capability)
    return provider


def _give(name: str) -> object:
    pytest.fail(f"the test class of this provider has to give the fixture {name!r}")
