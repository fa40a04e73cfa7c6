"""A failed test shows what the processes had to say; Conekta as an account in this process."""

from collections.abc import Generator, Iterator
from datetime import timedelta
from typing import Any

import pytest
import responses

from billing.models import Price, SubscriptionPlan
from billing.registry import providers
from billing.services import plans
from billing.tests.conekta_account import ConektaAccount
from billing.tests.conekta_account.journal import Journal
from billing.tests.conekta_account.signing import public_key
from billing.tests.integration.harness import Cobro


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Generator[None, Any, Any]:
    report = yield
    system = item.funcargs.get("system")
    if report.failed and isinstance(system, Cobro):
        report.sections += [(f"log of {name}", text) for name, text in system.logs().items()]
    return report


@pytest.fixture
def conekta(settings: Any) -> Iterator[ConektaAccount]:
    """Everybody buys at Conekta, from an account in this process."""
    options = {"api_key": "key_fake", "webhook_public_key": public_key(), "max_retries": 0}
    backend = {"BACKEND": "billing.providers.conekta.ConektaProvider", "OPTIONS": options}
    settings.BILLING_PROVIDERS = {"conekta": backend | {"MODE": "test"}}
    settings.BILLING_ROUTES = [{"provider": "conekta"}]
    account = ConektaAccount(step=timedelta(seconds=2))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        account.serve(mock)
        yield account
    providers.reset()


@pytest.fixture
def conekta_journal(conekta: ConektaAccount) -> Journal:
    return Journal(conekta)


@pytest.fixture
def conekta_plan(conekta: ConektaAccount) -> SubscriptionPlan:
    plan = SubscriptionPlan.objects.create(slug="pro", name="Pro")
    for interval, amount in (("monthly", 54900), ("yearly", 549000)):
        price = Price.objects.create(
            plan=plan, interval=interval, currency="MXN", amount_minor=amount
        )
        plans.publish(price, "conekta")
    return plan
