"""A payment provider outside billing/: an invented API, kept in memory."""

import hashlib
import hmac
import json
import uuid
from datetime import UTC, datetime, timedelta

from billing.enums import EventKind, SubscriptionStatus
from billing.errors import InvalidPayload, InvalidSignature, ProviderObjectMissing
from billing.payloads import parse_object, require_text
from billing.providers.base import (
    ManagesCustomers,
    ManagesPaymentMethods,
    ManagesSubscriptions,
    PublishesPlans,
    ReceivesWebhooks,
)
from billing.providers.types import (
    ClientConfig,
    CustomerData,
    Features,
    HealthData,
    PaymentMethodData,
    PlanData,
    ProviderEvent,
    SubscriptionData,
)


class ToyPayProvider(
    ReceivesWebhooks, ManagesCustomers, ManagesPaymentMethods, ManagesSubscriptions, PublishesPlans
):
    objects: dict[str, dict] = {}

    provider_name = "ToyPay"
    features = Features(methods=("card",))

    def client_config(self):
        return ClientConfig(adapter="toypay", public={})

    def check_health(self):
        return HealthData(is_healthy=True)

    def verify_webhook_signature(self, body, headers):
        given = {name.lower(): value for name, value in headers.items()}.get("toy-signature", "")
        wanted = hmac.new(self.options["secret"].encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise InvalidSignature("wrong Toy-Signature")

    def parse_webhook_event(self, body, headers):
        payload = parse_object(body)
        subscription = payload.get("subscription")
        if not isinstance(subscription, dict):
            raise InvalidPayload("no subscription")
        return ProviderEvent(
            id=require_text(payload.get("id"), "id"),
            type="subscription.changed",
            occurred_at=datetime.fromisoformat(payload["at"]),
            mode=self.mode,
            kind=EventKind.SUBSCRIPTION,
            object_id=require_text(subscription.get("id"), "subscription id"),
            customer_id=require_text(subscription.get("customer"), "customer"),
            parent_id=require_text(subscription.get("customer"), "customer"),
        )

    def map_webhook_object(self, kind, payload, event):
        return subscription_data(payload["subscription"], event.occurred_at)

    def create_customer(self, request, *, idempotency_key):
        made = self._make("cus", name=request.name, email=request.email, ref=request.reference)
        return self.get_customer_by(made)

    def get_customer(self, customer):
        return self.get_customer_by(self._find(customer.id))

    def get_customer_by(self, found):
        return CustomerData(
            id=found["id"],
            email=found["email"],
            name=found["name"],
            as_of=now(),
            default_payment_method_id=found.get("default"),
            reference=found["ref"],
            raw=found,
        )

    def update_customer(self, customer, request, *, idempotency_key):
        self._find(customer.id).update(name=request.name, email=request.email)
        return self.get_customer(customer)

    def delete_customer(self, customer, *, idempotency_key):
        self.objects.pop(customer.id, None)

    def create_payment_method(self, customer, request, *, idempotency_key):
        made = self._make("pm", customer=customer.id)
        return method_data(made)

    def get_payment_method(self, payment_method):
        return method_data(self._find(payment_method.id))

    def list_payment_methods(self, customer):
        return [method_data(o) for o in self.objects.values() if o["id"].startswith("pm")]

    def delete_payment_method(self, payment_method, *, idempotency_key):
        found = self._find(payment_method.id)
        found["customer"] = None
        return method_data(found)

    def set_default_payment_method(self, customer, payment_method, *, idempotency_key):
        self._find(customer.id)["default"] = payment_method.id
        return self.get_customer(customer)

    def create_subscription(self, request, *, idempotency_key):
        made = self._make(
            "sub",
            customer=request.customer_id,
            price=request.price_id,
            status="active",
            ref=request.reference,
        )
        return subscription_data(made, now())

    def get_subscription(self, subscription):
        return subscription_data(self._find(subscription.id), now())

    def update_subscription(self, subscription, changes, *, idempotency_key):
        return self.get_subscription(subscription)

    def cancel_subscription(self, subscription, *, at_period_end, idempotency_key):
        self._find(subscription.id)["status"] = "canceled"
        return self.get_subscription(subscription)

    def create_plan(self, request, *, idempotency_key):
        made = self._make(
            "price",
            name=request.name,
            amount=request.amount_minor,
            currency=request.currency,
            interval=str(request.interval),
            ref=request.reference,
        )
        return plan_data(made)

    def list_plans(self):
        return [plan_data(o) for o in self.objects.values() if o["id"].startswith("price")]

    def get_plan(self, plan):
        return plan_data(self._find(plan.id))

    def update_plan(self, plan, request, *, idempotency_key):
        return self.get_plan(plan)

    def archive_plan(self, plan, *, idempotency_key):
        return self.get_plan(plan)

    def _make(self, prefix, **fields):
        made = {"id": f"{prefix}_{uuid.uuid4().hex}", **fields}
        self.objects[made["id"]] = made
        return made

    def _find(self, remote_id):
        if remote_id not in self.objects:
            raise ProviderObjectMissing(remote_id)
        return self.objects[remote_id]


def now():
    return datetime.now(UTC).replace(microsecond=0)


def method_data(found):
    return PaymentMethodData(
        id=found["id"], customer_id=found["customer"], type="card", as_of=now(), raw=found
    )


def subscription_data(found, as_of):
    return SubscriptionData(
        id=found["id"],
        customer_id=found["customer"],
        status=SubscriptionStatus(found["status"]),
        provider_status=found["status"],
        as_of=as_of,
        price_id=found["price"],
        current_period_start=as_of,
        current_period_end=as_of + timedelta(days=30),
        ended_at=as_of if found["status"] == "canceled" else None,
        reference=found["ref"],
        raw=found,
    )


def plan_data(found):
    return PlanData(
        id=found["id"],
        product_id="",
        name=found["name"],
        amount_minor=found["amount"],
        currency=found["currency"],
        interval=found["interval"],
        is_active=True,
        as_of=now(),
        reference=found["ref"],
        raw=found,
    )


def sign(body, secret):
    return {"Toy-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def event(event_id, found, status, at):
    changed = {**found, "status": status}
    return json.dumps({"id": event_id, "at": at.isoformat(), "subscription": changed}).encode()
