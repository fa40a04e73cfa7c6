"""docs/providers/stripe.md says what the code does."""

import re
from typing import Any

import pytest
import responses

from billing.providers.stripe import events
from billing.tests.contract.operations import STRIPE
from billing.tests.stripe_account import StripeAccount
from project.documented_settings import BILLING_PROVIDERS
from project.tests import stripe_page as page


def test_the_generated_parts_are_up_to_date() -> None:
    text = page.PAGE.read_text()
    assert text == page.filled(text), f"Refresh docs/providers/stripe.md: {page.REFRESH}"


def test_every_part_is_marked_once() -> None:
    marked = re.findall(r"<!-- (\w+): ", page.PAGE.read_text())
    assert sorted(marked) == sorted(page.PARTS)


def test_the_list_of_events_is_the_one_that_is_taken() -> None:
    assert set(re.findall(r"`([a-z_.]+)`", page.PARTS["taken"]())) == set(events.KINDS)


def test_every_ignored_type_is_in_a_family_that_is_shown() -> None:
    shown = re.findall(r"`([a-z0-9_.*]+)`", page.PARTS["ignored"]())
    families = tuple(each.removesuffix("*") for each in shown if each.endswith("*"))
    types = {each for each in events.IGNORED if each.startswith(families)} | set(shown)
    assert set(events.IGNORED) <= types
    assert not [each for each in events.KINDS if each.startswith(families)]


def test_permissions_are_found_in_the_code() -> None:
    text = page.permissions()
    read, write = (
        next(each for each in text.splitlines() if how in each) for how in ("read", "write")
    )
    assert "`customers`" in write
    assert "`balance`" in read
    assert "`customers`" not in read


def test_every_operation_of_the_contract_has_its_permission() -> None:
    text = page.permissions()
    for operation in (each for listed in STRIPE.values() for each in listed):
        words = operation.split("/")[2:4]
        assert f"`{words[0]}`" in text or f"`{'/'.join(words)}`" in text, operation


def test_the_version_is_the_pinned_one() -> None:
    versions = set(re.findall(r"\b20\d\d-\d\d-\d\d\.[a-z]+", page.PAGE.read_text()))
    assert versions == {events.API_VERSION}


@pytest.mark.django_db(transaction=True)
def test_the_registration_runs_as_it_stands(
    settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.BILLING_PROVIDERS = BILLING_PROVIDERS
    (code,) = re.findall(r"```python\n(.*?)```", page.PAGE.read_text(), re.DOTALL)
    account = StripeAccount()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        account.serve(mock)
        exec(code, {})  # noqa: S102 - the page's own words
    (made,) = account.all("webhook_endpoint")
    assert set(made["enabled_events"]) == set(events.KINDS)
    assert made["api_version"] == events.API_VERSION
    assert capsys.readouterr().out.startswith("whsec_")


def test_it_stays_short() -> None:
    assert len(page.PAGE.read_text().splitlines()) < 200
