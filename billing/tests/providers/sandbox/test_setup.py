"""Setup sessions, with what the customer does in the browser."""

from typing import Any

import pytest

from billing.enums import MandateStatus, NextActionType, SetupStatus, SubscriptionStatus
from billing.errors import InvalidRequest, ProviderObjectMissing
from billing.providers.types import Ref, SetupRequest, SetupSessionData
from billing.testing import key
from billing.tests.providers.sandbox.conftest import Driver, MakeSandbox


def opened(driver: Driver, customer: Ref, *methods: str) -> Ref:
    request = SetupRequest(customer_id=customer.id, reference=key(), methods=methods)
    return Ref(id=driver.provider.create_setup_session(request, idempotency_key=key()).id)


def confirmed(driver: Driver, token: str, *methods: str) -> SetupSessionData:
    return driver.provider.confirm_setup(opened(driver, driver.customer(), *methods), token)


def methods_of(driver: Driver, session: SetupSessionData) -> list[Any]:
    return driver.provider.list_payment_methods(Ref(id=session.customer_id))


def test_a_card_is_attached_at_once(driver: Driver) -> None:
    session = confirmed(driver, "tok_visa")
    assert (session.status, session.next_action) == (SetupStatus.SUCCEEDED, None)
    assert [each.id for each in methods_of(driver, session)] == [session.payment_method_id]
    assert driver.provider.get_setup_session(Ref(id=session.id)).status is SetupStatus.SUCCEEDED


def test_a_card_that_was_checked_here_pays_without_another_check(driver: Driver) -> None:
    session = confirmed(driver, "tok_requires_action")
    assert session.status is SetupStatus.REQUIRES_ACTION
    assert session.next_action
    assert session.next_action.type is NextActionType.REDIRECT
    assert methods_of(driver, session) == []
    done = driver.provider.complete_setup(Ref(id=session.id))
    assert done.status is SetupStatus.SUCCEEDED
    bought = driver.subscribe(Ref(id=session.customer_id))
    assert bought.status is SubscriptionStatus.ACTIVE


def test_a_refused_card_leaves_the_session_open_for_another(driver: Driver) -> None:
    session = confirmed(driver, "tok_attach_declined")
    assert (session.status, session.decline_code) == (SetupStatus.FAILED, "card_declined")
    again = driver.provider.confirm_setup(Ref(id=session.id), "tok_visa")
    assert (again.status, again.decline_code) == (SetupStatus.SUCCEEDED, "")


@pytest.mark.parametrize("token", ["tok_bank_account", "tok_sepa_debit"])
def test_a_bank_account_has_a_mandate(driver: Driver, token: str) -> None:
    session = confirmed(driver, token)
    assert session.mandate_id
    assert session.mandate_status is MandateStatus.ACTIVE
    (method,) = methods_of(driver, session)
    assert token == f"tok_{method.type}"


def test_a_bank_account_may_wait_for_micro_deposits(driver: Driver) -> None:
    session = confirmed(driver, "tok_bank_account_unverified")
    assert session.status is SetupStatus.REQUIRES_ACTION
    assert session.mandate_status is MandateStatus.PENDING
    assert methods_of(driver, session) == []
    done = driver.provider.complete_setup(Ref(id=session.id))
    assert (done.status, done.mandate_status) == (SetupStatus.SUCCEEDED, MandateStatus.ACTIVE)


def test_only_the_methods_asked_for(driver: Driver) -> None:
    session = opened(driver, driver.customer(), "sepa_debit")
    with pytest.raises(InvalidRequest):
        driver.provider.confirm_setup(session, "tok_visa")
    found = driver.provider.confirm_setup(session, "tok_sepa_debit")
    assert found.status is SetupStatus.SUCCEEDED


@pytest.mark.parametrize("word", ["oxxo", "spei", "", "gold"])
def test_vouchers_are_not_kept(driver: Driver, word: str) -> None:
    customer = driver.customer()
    with pytest.raises(InvalidRequest) as refused:
        opened(driver, customer, word)
    assert refused.value.param == "methods"


def test_a_stand_in_sets_up_what_it_takes(make_sandbox: MakeSandbox) -> None:
    driver = Driver(make_sandbox(like={"methods": ["card", "oxxo"]}))
    customer = driver.customer()
    with pytest.raises(InvalidRequest):
        opened(driver, customer, "sepa_debit")
    session = opened(driver, customer)
    with pytest.raises(InvalidRequest):
        driver.provider.confirm_setup(session, "tok_sepa_debit")


def test_what_is_over_takes_nothing(driver: Driver) -> None:
    session = Ref(id=confirmed(driver, "tok_visa").id)
    with pytest.raises(InvalidRequest):
        driver.provider.confirm_setup(session, "tok_visa")
    with pytest.raises(InvalidRequest):
        driver.provider.complete_setup(session)


def test_a_deleted_customer_opens_none(driver: Driver) -> None:
    customer = driver.customer()
    driver.provider.delete_customer(customer, idempotency_key=key())
    with pytest.raises(ProviderObjectMissing):
        opened(driver, customer)
