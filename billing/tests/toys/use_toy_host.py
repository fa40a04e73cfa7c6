"""Run in a process of its own: a host with its own organization model sells a plan."""

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402
from shop.models import Company  # noqa: E402

from billing.models import BillingAccount, Price, SubscriptionPlan  # noqa: E402
from billing.services import plans  # noqa: E402

call_command("migrate", verbosity=0)
call_command("makemigrations", check=True, dry_run=True)
call_command("check")


def company(title):
    boss = get_user_model().objects.create_user(username=title)
    made = Company.objects.create(title=title, boss=boss)
    BillingAccount.objects.create(
        organization=made, name=title, email=f"{title}@example.test", country="FR"
    )
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=boss).key}")
    return made, client


plan = SubscriptionPlan.objects.create(slug="basic", name="Basic")
price = Price.objects.create(plan=plan, interval="monthly", currency="USD", amount_minor=500)
plans.publish(price, "sandbox")
mine, client = company("mine")
other, stranger = company("other")
assert isinstance(mine.pk, int)

answer = client.post(
    "/api/v1/billing/subscriptions",
    {"plan": "basic", "interval": "monthly", "payment_method_token": "tok_visa"},
    format="json",
)
assert answer.status_code == 201, answer.content
assert answer.json()["status"] == "active"
path = f"/api/v1/billing/subscriptions/{answer.json()['id']}"
assert client.get(path).status_code == 200
assert stranger.get(path).status_code == 404
assert stranger.delete(path).status_code == 404
assert stranger.get("/api/v1/billing/subscriptions").json()["results"] == []
assert stranger.get(path, HTTP_X_ORGANIZATION=str(mine.pk)).status_code == 404

staff = get_user_model().objects.create_superuser(username="staff", password="x")
browser = APIClient()
browser.force_login(staff)
assert browser.get("/admin/billing/subscription/").status_code == 200
assert browser.get("/admin/billing/organization/").status_code == 404
print("TOY HOST OK")
