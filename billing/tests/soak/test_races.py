"""Two of the same customer's requests at the same moment: one consistent result, here and there.

Over the API's own views, a thread and a database connection each; the provider takes a little time
for every write, so that the requests really meet.
"""

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from rest_framework.test import APIClient

from billing.errors import BillingError
from billing.models import (
    Customer,
    Membership,
    Operation,
    PaymentMethod,
    Subscription,
    SubscriptionPlan,
)
from billing.providers.base import ReadsCustomers, Simulates
from billing.providers.sandbox.calls import Calls
from billing.registry import providers
from billing.services import payment_methods, subscriptions
from billing.tests.api.conftest import PREFIX
from billing.tests.conftest import make_organization
from billing.tests.services.sandbox_objects import side_by_side
from billing.tests.soak import long_or_short

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.soak(block="races"),
]

# With each of two providers, so a race has twice as many.
ROUNDS = long_or_short(50, 8)
FEWER_ROUNDS = long_or_short(10, 4)
COUNTRIES = {"stripe": "DE", "conekta": "MX"}
LATENCY_SECONDS = 0.004
_ENDED = {"canceled", "incomplete_expired"}
_numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Buyer:
    """An organization and its owner."""

    alias: str
    organization: Any
    user: Any

    def send(self, verb: str, path: str, body: Any = None, key: str = "") -> Callable[[], Any]:
        """A request to be sent by `side_by_side`."""
        headers = {"Idempotency-Key": key} if key else {}

        def job() -> Any:
            client = APIClient(raise_request_exception=False)
            client.force_authenticate(self.user)
            url = f"{PREFIX}{path}"
            return getattr(client, verb)(url, body, format="json", headers=headers)

        return job

    def subscribe(self, key: str = "", **changes: Any) -> Callable[[], Any]:
        body = {"plan": "startup", "interval": "monthly", **changes}
        if "payment_method" not in body:
            body["payment_method_token"] = "tok_visa"
        return self.send("post", "/subscriptions", body, key)

    def add_card(self, token: str = "tok_visa") -> PaymentMethod:
        return payment_methods.add(self.organization, token=token, provider=self.alias)

    def running(self) -> Subscription:
        return subscriptions.create(
            self.organization,
            plan=SubscriptionPlan.objects.get(slug="startup"),
            interval="monthly",
            payment_method=self.add_card(),
        )


@pytest.fixture(params=list(COUNTRIES))
def alias(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def slow_provider(published: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its writes take a little time, so that requests meet."""
    assert connection.vendor == "postgresql", "SQLite runs one transaction at a time"
    settings.BILLING_CALLER_RATE = settings.BILLING_CARD_RATE = "1000000/second"
    monkeypatch.setattr(Calls, "write", _slow(Calls.write, LATENCY_SECONDS))


@pytest.fixture
def late_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read may be old when it arrives: others have written and been answered since."""
    monkeypatch.setattr(Calls, "read", _slow(Calls.read, 10 * LATENCY_SECONDS))


def _slow(call: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    def slow(*args: Any) -> Any:
        time.sleep(random.uniform(0, LATENCY_SECONDS))
        answer = call(*args)
        time.sleep(random.uniform(0, seconds))
        return answer

    return slow


@pytest.fixture
def buyers(alias: str, slow_provider: None) -> Iterator[Buyer]:
    """A new buyer per round."""
    return _rounds(alias, ROUNDS)


@pytest.fixture
def fewer_buyers(alias: str, slow_provider: None) -> Iterator[Buyer]:
    """For races of which one meeting tells as much as many."""
    return _rounds(alias, FEWER_ROUNDS)


def _rounds(alias: str, count: int) -> Iterator[Buyer]:
    """In the end nothing is left open and every invariant holds."""
    for _ in range(count):
        yield _buyer(alias)
    assert not Operation.objects.filter(outcome__in=["pending", "unknown"]).exists()
    call_command("billing_invariants")


def _buyer(alias: str) -> Buyer:
    number = next(_numbers)
    organization = make_organization(f"Racer {number}", COUNTRIES[alias])
    user = get_user_model().objects.create(username=f"racer-{number}")
    Membership.objects.create(user=user, organization=organization, role="owner")
    return Buyer(alias=alias, organization=organization, user=user)


def statuses(answers: list[Any]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def codes(answers: list[Any]) -> set[str]:
    """Why requests were refused."""
    return {answer.json()["code"] for answer in answers if answer.status_code >= 400}


def told(buyer: Buyer) -> dict[str, Any]:
    """What the provider holds of a buyer: one customer, subscriptions, cards."""
    reference = str(Customer.objects.get(organization=buyer.organization).pk)
    with providers.get(buyer.alias, Simulates)._store.read() as session:
        (customer,) = (
            each for each in session.of_kind("customer") if each.body["reference"] == reference
        )
        held = [each.body for each in session.of_customer("subscription", customer.id)]
        cards = session.of_customer("payment_method", customer.id)
    return {
        "customer": customer.id,
        "subscriptions": sorted(
            (
                each["id"],
                each["status"],
                each["quantity"],
                each["cancel_at_period_end"],
                each["price"],
            )
            for each in held
        ),
        "cards": sorted(each.id for each in cards if each.body["customer"]),
    }


def stored(buyer: Buyer) -> dict[str, Any]:
    """What our rows say, as `told`; also fails where a row was made that is nowhere else."""
    customer = Customer.objects.get(organization=buyer.organization)
    rows = Subscription.objects.filter(organization=buyer.organization)
    cards = PaymentMethod.objects.filter(customer=customer, is_active=True)
    unmade = rows.filter(provider_subscription_id=None).exclude(status__in=_ENDED)
    assert not unmade.exists()
    return {
        "customer": customer.provider_customer_id,
        "subscriptions": sorted(
            (
                row.provider_subscription_id,
                row.status,
                row.quantity,
                row.cancel_at_period_end,
                row.provider_price_id,
            )
            for row in rows.exclude(provider_subscription_id=None)
        ),
        "cards": sorted(card.provider_payment_method_id for card in cards),
    }


def remote_default(buyer: Buyer) -> str | None:
    customer = Customer.objects.get(organization=buyer.organization)
    data = providers.get(buyer.alias, ReadsCustomers).get_customer(customer.ref)
    return data.default_payment_method_id


def stored_default(buyer: Buyer) -> str | None:
    customer = Customer.objects.get(organization=buyer.organization)
    return customer.default_payment_method_id or None


def charges(buyer: Buyer) -> int:
    """How often the provider took the buyer's money."""
    customer = Customer.objects.get(organization=buyer.organization)
    with providers.get(buyer.alias, Simulates)._store.read() as session:
        payments = session.of_customer("payment", str(customer.provider_customer_id))
    return sum(each.body["status"] == "succeeded" for each in payments)


def assert_one_subscription(buyer: Buyer) -> None:
    remote = told(buyer)
    assert remote == stored(buyer)
    assert [status for _, status, *_ in remote["subscriptions"]] == ["active"]
    assert charges(buyer) == 1


def test_two_subscribes(buyers: Iterator[Buyer]) -> None:
    for buyer in buyers:
        card = str(buyer.add_card().pk)
        answers = side_by_side(*[buyer.subscribe(payment_method=card)] * 2)
        assert statuses(answers) == [201, 409]
        assert codes(answers) <= {"already_subscribed", "request_in_progress"}
        assert_one_subscription(buyer)


def test_two_subscribes_that_are_declined(fewer_buyers: Iterator[Buyer]) -> None:
    """The attempt that ends frees the slot for nobody but the next."""
    for buyer in fewer_buyers:
        good, bad = (str(buyer.add_card(token).pk) for token in ("tok_visa", "tok_declined"))
        answers = side_by_side(*[buyer.subscribe(payment_method=bad)] * 2)
        assert statuses(answers) in ([402, 402], [402, 409])
        assert codes(answers) <= {"card_declined", "request_in_progress"}
        assert told(buyer)["subscriptions"] == stored(buyer)["subscriptions"] == []
        assert buyer.subscribe(payment_method=good)().status_code == 201
        assert_one_subscription(buyer)


def test_two_first_subscribes_make_one_remote_customer(buyers: Iterator[Buyer]) -> None:
    for buyer in buyers:
        answers = side_by_side(*[buyer.subscribe()] * 2)
        assert statuses(answers) == [201, 409]
        assert codes(answers) <= {"already_subscribed", "request_in_progress"}
        assert_one_subscription(buyer)


def test_change_against_cancel(buyers: Iterator[Buyer], record_property: Any) -> None:
    first: Counter[str] = Counter()
    for buyer in buyers:
        sold = buyer.running()
        path = f"/subscriptions/{sold.pk}"
        changed, ended = side_by_side(
            buyer.send("patch", path, {"plan": "business"}),
            buyer.send("delete", f"{path}?at_period_end=false"),
        )
        assert ended.status_code == 200
        assert changed.status_code in (200, 409), changed.json()
        assert codes([changed]) <= {"invalid_transition"}
        first["change" if changed.status_code == 200 else "cancel"] += 1
        remote = told(buyer)
        assert remote == stored(buyer)
        ((_, status, *_, price),) = remote["subscriptions"]
        assert status == "canceled"
        assert (price != sold.provider_price_id) is (changed.status_code == 200)
    record_property("who was first", dict(first))


def test_two_cancels(buyers: Iterator[Buyer]) -> None:
    for buyer in buyers:
        path = f"/subscriptions/{buyer.running().pk}?at_period_end=false"
        answers = side_by_side(*[buyer.send("delete", path)] * 2)
        assert statuses(answers) in ([200, 200], [200, 409]), codes(answers)
        assert codes(answers) <= {"invalid_transition"}
        remote = told(buyer)
        assert remote == stored(buyer)
        assert [status for _, status, *_ in remote["subscriptions"]] == ["canceled"]


@pytest.mark.parametrize("alias", ["stripe"], indirect=True)
def test_changes(fewer_buyers: Iterator[Buyer], late_reads: None) -> None:
    """The answers carry the same second: which is the provider's last word only it can tell."""
    for buyer in fewer_buyers:
        path = f"/subscriptions/{buyer.running().pk}"
        wanted = range(2, 7)
        answers = side_by_side(*[buyer.send("patch", path, {"quantity": n}) for n in wanted])
        assert statuses(answers) == [200] * 5, codes(answers)
        assert_one_subscription(buyer)
        assert told(buyer)["subscriptions"][0][2] in wanted


@pytest.mark.parametrize("alias", ["stripe"], indirect=True)
def test_change_against_planned_end(fewer_buyers: Iterator[Buyer]) -> None:
    """Neither takes back what the other has done."""
    for buyer in fewer_buyers:
        path = f"/subscriptions/{buyer.running().pk}"
        answers = side_by_side(
            buyer.send("patch", path, {"quantity": 4}), buyer.send("delete", path)
        )
        assert statuses(answers) == [200, 200], codes(answers)
        assert_one_subscription(buyer)
        assert told(buyer)["subscriptions"][0][2:4] == (4, True)


@pytest.mark.parametrize("alias", ["stripe"], indirect=True)
def test_resume_against_cancel(fewer_buyers: Iterator[Buyer]) -> None:
    for buyer in fewer_buyers:
        subscription = subscriptions.cancel(buyer.running(), at_period_end=True)
        path = f"/subscriptions/{subscription.pk}"
        resumed, ended = side_by_side(
            buyer.send("patch", path, {"cancel_at_period_end": False}),
            buyer.send("delete", f"{path}?at_period_end=false"),
        )
        assert ended.status_code == 200
        assert resumed.status_code in (200, 409), resumed.json()
        assert codes([resumed]) <= {"invalid_transition"}
        remote = told(buyer)
        assert remote == stored(buyer)
        assert [status for _, status, *_ in remote["subscriptions"]] == ["canceled"]


@pytest.mark.parametrize("alias", ["stripe"], indirect=True)
def test_two_resumes(buyers: Iterator[Buyer]) -> None:
    for buyer in buyers:
        subscription = subscriptions.cancel(buyer.running(), at_period_end=True)
        resume = {"cancel_at_period_end": False}
        path = f"/subscriptions/{subscription.pk}"
        answers = side_by_side(*[buyer.send("patch", path, resume)] * 2)
        assert statuses(answers) in ([200, 200], [200, 409]), codes(answers)
        assert codes(answers) <= {"invalid_transition"}
        assert_one_subscription(buyer)
        assert told(buyer)["subscriptions"][0][3] is False


def test_the_same_key_twenty_times(buyers: Iterator[Buyer]) -> None:
    for buyer in buyers:
        answers = side_by_side(*[buyer.subscribe(key="one")] * 20)
        assert set(statuses(answers)) <= {201, 409}
        assert codes(answers) <= {"request_in_progress"}
        assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
        assert_one_subscription(buyer)
        assert len(told(buyer)["cards"]) == 1


def test_two_bodies_under_one_key(buyers: Iterator[Buyer]) -> None:
    for buyer in buyers:
        answers = side_by_side(
            buyer.subscribe(key="one", plan="startup"), buyer.subscribe(key="one", plan="business")
        )
        assert statuses(answers) == [201, 409]
        assert codes(answers) == {"idempotency_conflict"}
        assert_one_subscription(buyer)
        (done,) = (answer.json() for answer in answers if answer.status_code == 201)
        assert Subscription.objects.get(pk=done["id"]).plan.slug == done["plan"]["slug"]


def test_two_runs_of_one_request(fewer_buyers: Iterator[Buyer]) -> None:
    """Below the API, which keeps answers: a run may outlive its lease and meet its repetition."""
    for buyer in fewer_buyers:
        buyer.add_card()

        def add(buyer: Buyer = buyer) -> None:
            payment_methods.add(
                buyer.organization, token="tok_visa", provider=buyer.alias, request_key="one"
            )

        outcomes = side_by_side(*[_outcome(add)] * 4)
        assert set(outcomes) <= {"", "request_in_progress"}
        remote = told(buyer)
        assert remote == stored(buyer)
        assert len(remote["cards"]) == 2


def test_two_runs_of_one_purchase(fewer_buyers: Iterator[Buyer]) -> None:
    for buyer in fewer_buyers:

        def buy(buyer: Buyer = buyer) -> None:
            subscriptions.create(
                buyer.organization,
                plan=SubscriptionPlan.objects.get(slug="startup"),
                interval="monthly",
                token="tok_visa",
                request_key="one",
            )

        outcomes = side_by_side(*[_outcome(buy)] * 4)
        assert "" in outcomes
        assert set(outcomes) <= {"", "request_in_progress", "already_subscribed"}
        assert_one_subscription(buyer)
        assert len(told(buyer)["cards"]) == 1


def test_default_card_against_its_removal(
    buyers: Iterator[Buyer], deliver: Callable[..., int]
) -> None:
    """Which card a provider takes instead only a webhook tells."""
    for buyer in buyers:
        buyer.add_card()
        card = buyer.add_card("tok_mastercard")
        outcomes = side_by_side(
            _outcome(lambda card=card: payment_methods.set_default(card)),
            _outcome(lambda card=card: payment_methods.remove(_again(card))),
        )
        assert outcomes[1] == ""
        assert outcomes[0] in ("", "provider_object_missing", "invalid_request"), outcomes
        remote = told(buyer)
        assert remote == stored(buyer)
        assert card.provider_payment_method_id not in remote["cards"]
        deliver(buyer.alias)
        assert remote_default(buyer) == stored_default(buyer) != card.provider_payment_method_id


def test_two_default_cards(buyers: Iterator[Buyer]) -> None:
    for buyer in buyers:
        cards = [buyer.add_card() for _ in range(3)]
        jobs = [_outcome(lambda card=card: payment_methods.set_default(card)) for card in cards[1:]]
        assert side_by_side(*jobs) == ["", ""]
        assert told(buyer) == stored(buyer)
        assert remote_default(buyer) == stored_default(buyer)
        assert remote_default(buyer) in [card.provider_payment_method_id for card in cards[1:]]


def _again(card: PaymentMethod) -> PaymentMethod:
    """As another request reads it."""
    return PaymentMethod.objects.select_related("customer").get(pk=card.pk)


def _outcome(action: Callable[[], object]) -> Callable[[], str]:
    """The code of what it raised, or ''."""

    def job() -> str:
        try:
            action()
        except BillingError as exc:
            return exc.code
        return ""

    return job
