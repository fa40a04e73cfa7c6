"""Run in a process of its own: subscribe at the toy provider and take its webhook."""

from datetime import timedelta

import django

django.setup()

import toypay  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402

from billing.models import (  # noqa: E402
    BillingAccount,
    Organization,
    Price,
    StateChange,
    Subscription,
    SubscriptionPlan,
)
from billing.services import plans, subscriptions, webhooks  # noqa: E402

call_command("migrate", verbosity=0)
call_command("createcachetable")
call_command("makemigrations", check=True, dry_run=True)

organization = Organization.objects.create(name="Somebody")
BillingAccount.objects.create(organization=organization, email="s@example.test", country="JP")
plan = SubscriptionPlan.objects.create(slug="basic", name="Basic")
price = Price.objects.create(plan=plan, interval="monthly", currency="USD", amount_minor=500)
plans.publish(price, "toy")

subscription = subscriptions.create(
    organization, plan=plan, interval="monthly", token="toy-token", request_key="k"
)
assert (subscription.status, subscription.provider) == ("active", "toy"), subscription

remote = toypay.ToyPayProvider.objects[subscription.provider_subscription_id]
later = subscription.provider_version + timedelta(seconds=5)
body = toypay.event("evt_1", remote, "past_due", later)
headers = toypay.sign(body, "toy-secret-for-tests")


def post(given):
    return Client().post("/webhooks/toy", data=body, content_type="application/json", headers=given)


assert post({"Toy-Signature": "forged"}).status_code == 400
assert post(headers).json() == {"status": "accepted"}
webhooks.drain()
assert Subscription.objects.get().status == "past_due"
assert post(headers).json() == {"status": "already_processed"}
assert StateChange.objects.filter(event_type="subscription.changed").count() == 1
print("TOY PROVIDER OK")
