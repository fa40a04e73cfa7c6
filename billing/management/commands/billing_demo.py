"""`manage.py billing_demo`: one customer's life in Mexico and one in Germany, over HTTP.

Needs the running development server with its worker and its sandbox deliveries (`make run`).
"""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rest_framework.authtoken.models import Token

from billing.conf import conf
from billing.enums import Role
from billing.models import BillingAccount, Customer, Membership, StateChange, WebhookEvent
from billing.providers.base import Simulates
from billing.registry import providers
from billing.services import simulation

MONTH = timedelta(days=31)
JSON = dict[str, Any]
LIVES: list[dict[str, str]] = [
    {"name": "Tacos El Güero", "country": "MX", "phone": "+525512345678", "locale": "es"},
    {"name": "Müller Software GmbH", "country": "DE", "phone": "+493012345678", "locale": "de"},
]


class Command(BaseCommand):
    help = "Drive a Mexican and a German customer's life against the server on PORT."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default=f"http://127.0.0.1:{settings.PORT}")
        parser.add_argument("--timeout", type=float, default=30.0, help="seconds per step")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit with status 1 when a life does not end as expected."""
        if settings.ENVIRONMENT != "development":
            raise CommandError("billing_demo needs the sandbox: ENVIRONMENT=development.")
        for person in LIVES:
            life = Life(person, options["url"], options["timeout"], self.stdout.write)
            try:
                life.run()
            finally:
                life.calm_down()
        self.stdout.write(self.style.SUCCESS("Both lives ended as expected."))


class Life:
    """One organization from its first payment to its end, every webhook twice and out of order."""

    def __init__(
        self, person: dict[str, str], url: str, timeout: float, say: Callable[[str], Any]
    ) -> None:
        self.say = say
        self.timeout = timeout
        self.name = person["name"]
        self.organization, token = make_customer(person)
        self.api = Api(f"{url}/api/v1/billing", token)
        self.provider = ""
        self.path = ""

    def run(self) -> None:
        """Raise CommandError at the first step that does not end as expected."""
        self.say(f"\n{self.name}")
        self.subscribe()
        self.renew()
        self.fail_a_renewal()
        self.recover()
        self.cancel()
        self.print_timeline()
        self.check_effects()

    def subscribe(self) -> None:
        subscription = self.api.post(
            "/subscriptions",
            {"plan": "startup", "interval": "monthly", "payment_method_token": "tok_visa"},
        )
        self.provider = subscription["provider"]
        self.path = f"/subscriptions/{subscription['id']}"
        self.sandbox.set_faults(duplicate=True, reorder=True)
        self.wait("subscribed and paid", lambda: self.has("active", paid=1))

    def renew(self) -> None:
        before = self.api.get(self.path)["current_period_end"]
        simulation.advance(self.sandbox, MONTH)
        self.wait(
            "renewed a month later",
            lambda: (
                self.has("active", paid=2)
                and self.api.get(self.path)["current_period_end"] > before
            ),
        )

    def fail_a_renewal(self) -> None:
        self.add_default_method("tok_declined")
        simulation.advance(self.sandbox, MONTH)
        self.wait("the next renewal was declined", lambda: self.has("past_due", paid=2))

    def recover(self) -> None:
        self.add_default_method("tok_mastercard")
        self.wait("a new default card paid what was owed", lambda: self.has("active", paid=3))

    def cancel(self) -> None:
        self.api.delete(self.path)
        self.wait(
            "canceled for the period's end",
            lambda: bool(self.api.get(self.path)["cancel_at_period_end"]),
        )
        simulation.advance(self.sandbox, MONTH)
        self.wait("ended", lambda: self.has("canceled", paid=3))

    def print_timeline(self) -> None:
        rows = [
            (row["time"][:19], row["from"] or "-", row["to"], row["cause"])
            for row in self.api.get(f"{self.path}/timeline")["results"]
            if row["from"] != row["to"]
        ]
        self.say("  billing time (UTC)   from        to          cause")
        for at, old, new, cause in sorted(rows):
            self.say(f"  {at}  {old:<11} {new:<11} {cause}")

    def check_effects(self) -> None:
        """Every event has one row in the ledger, though it was delivered twice."""
        customer = Customer.objects.get(organization=self.organization, provider=self.provider)
        self.wait("all events applied", lambda: not self.unsettled(customer))
        effects = StateChange.objects.filter(organization=self.organization).exclude(event_id=None)
        total = effects.count()
        if total != effects.values("event_id").distinct().count():
            raise CommandError("an event took effect twice")
        self.say(f"  - {total} events of {self.provider}, each applied once")

    def unsettled(self, customer: Customer) -> bool:
        events = WebhookEvent.objects.filter(
            provider=self.provider, customer_id=customer.provider_customer_id
        )
        return events.exclude(state__in=["processed", "ignored"]).exists()

    def add_default_method(self, token: str) -> None:
        self.api.post(
            "/payment-methods", {"token": token, "provider": self.provider, "is_default": True}
        )

    def has(self, status: str, *, paid: int) -> bool:
        """Whether the subscription is in `status` with `paid` paid invoices."""
        if self.api.get(self.path)["status"] != status:
            return False
        subscription = self.path.rsplit("/", 1)[1]
        invoices = self.api.get(f"/invoices?subscription={subscription}")["results"]
        return [invoice["status"] for invoice in invoices].count("paid") == paid

    def wait(self, what: str, is_so: Callable[[], bool]) -> None:
        started = time.monotonic()
        while not is_so():
            if time.monotonic() - started > self.timeout:
                state = self.api.get(self.path)["status"]
                raise CommandError(
                    f"{self.name}: not {what} within {self.timeout:.0f} s; the subscription is "
                    f"{state}. Are worker and deliveries running (make run)?"
                )
            time.sleep(0.1)
        self.say(f"  - {what} ({time.monotonic() - started:.1f} s)")

    def calm_down(self) -> None:
        if self.provider:
            self.sandbox.set_faults(duplicate=False, reorder=False)

    @property
    def sandbox(self) -> Simulates:
        return providers.get(self.provider, Simulates)


class Api:
    """The billing API as a customer's program sees it: a token and JSON."""

    def __init__(self, base: str, token: str) -> None:
        self.base = base
        self.token = token

    def get(self, path: str) -> JSON:
        return self._send("GET", path, None)

    def post(self, path: str, body: JSON) -> JSON:
        return self._send("POST", path, body)

    def delete(self, path: str) -> JSON:
        return self._send("DELETE", path, None)

    def _send(self, method: str, path: str, body: JSON | None) -> JSON:
        headers = {
            "Authorization": f"Token {self.token}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
        }
        request = urllib.request.Request(  # noqa: S310 - the address is the operator's own
            self.base + path,
            data=json.dumps(body).encode() if body is not None else None,
            headers=headers,
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as exc:
            problem = _problem(exc.read())
            said = f"{problem.get('code', '')}: {problem.get('detail', '')}"
            raise CommandError(f"HTTP {exc.code} {said}") from exc
        except OSError as exc:
            raise CommandError(f"no server at {self.base}: start it with `make run`") from exc
        answered: JSON = json.loads(text) if text else {}
        return answered


def make_customer(person: dict[str, str]) -> tuple[Any, str]:
    """Make an organization with an owner; return it and the owner's API token."""
    model: Any = apps.get_model(conf.organization_model)
    organization = model.objects.create(name=person["name"])
    slug = uuid.uuid4().hex[:8]
    BillingAccount.objects.create(
        organization=organization,
        name=person["name"],
        email=f"demo-{slug}@example.test",
        phone=person["phone"],
        country=person["country"],
        address={"country": person["country"], "line1": "1 Demo Street", "city": "Demo"},
        locale=person["locale"],
    )
    user = get_user_model().objects.create_user(username=f"demo-{slug}")
    Membership.objects.create(user=user, organization=organization, role=Role.OWNER)
    return organization, Token.objects.create(user=user).key


def _problem(body: bytes) -> JSON:
    try:
        problem: JSON = json.loads(body)
    except ValueError:
        return {"detail": body[:200].decode("utf-8", "replace")}
    return problem
