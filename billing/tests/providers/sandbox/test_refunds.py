"""Refunds, and the disputes that a bank opens when it is told to."""

import json
from typing import Any

import pytest

from billing.enums import DisputeStatus, RefundStatus
from billing.errors import InvalidRequest, OutcomeUnknown
from billing.providers.types import Ref, RefundData
from billing.testing import key, refund_request
from billing.tests.providers.sandbox.conftest import Driver


@pytest.fixture
def payment(driver: Driver) -> Ref:
    """299.00 MXN, collected."""
    return Ref(id=driver.invoice(driver.start()).payment_id)


def refund(driver: Driver, payment: Ref, amount_minor: int, **changes: Any) -> RefundData:
    request = refund_request(driver.provider, payment, amount_minor=amount_minor)
    return driver.provider.create_refund(request, idempotency_key=changes.get("used") or key())


def told(driver: Driver) -> list[tuple[str, dict[str, Any]]]:
    """Type and object of what is delivered since the last look."""
    bodies = [json.loads(body) for _, body in driver.provider.pending_deliveries(take=True)]
    return [(each["type"], each["data"]["object"]) for each in bodies]


class TestRefunds:
    def test_in_parts_until_nothing_is_left(self, driver: Driver, payment: Ref) -> None:
        parts = [refund(driver, payment, amount) for amount in (10_000, 19_899, 1)]
        assert [each.status for each in parts] == [RefundStatus.SUCCEEDED] * 3
        for amount in (1, 29_900):
            with pytest.raises(InvalidRequest) as refused:
                refund(driver, payment, amount)
            assert refused.value.param == "amount_minor"
        listed = driver.provider.list_refunds(payment)
        assert [each.id for each in listed] == [each.id for each in reversed(parts)]

    @pytest.mark.parametrize("amount_minor", [0, -1])
    def test_nothing_is_no_refund(self, driver: Driver, payment: Ref, amount_minor: int) -> None:
        with pytest.raises(InvalidRequest):
            refund(driver, payment, amount_minor)

    def test_a_payment_that_was_not_collected(self, driver: Driver) -> None:
        invoice = driver.invoice(driver.start("tok_oxxo"))
        with pytest.raises(InvalidRequest) as refused:
            refund(driver, Ref(id=invoice.payment_id), 1)
        assert refused.value.param == "payment_id"

    def test_one_that_the_bank_sends_back_can_be_made_again(
        self, driver: Driver, payment: Ref
    ) -> None:
        made = refund(driver, payment, 29_900)
        failed = driver.provider.fail_refund(Ref(id=made.id))
        assert (failed.status, failed.failure_code) == (
            RefundStatus.FAILED,
            "expired_or_canceled_card",
        )
        with pytest.raises(InvalidRequest):
            driver.provider.fail_refund(Ref(id=made.id))
        assert refund(driver, payment, 29_900).status is RefundStatus.SUCCEEDED

    def test_its_events(self, driver: Driver, payment: Ref) -> None:
        told(driver)
        made = refund(driver, payment, 100)
        driver.provider.fail_refund(Ref(id=made.id))
        (_, first), (_, second) = events = told(driver)
        assert [name for name, _ in events] == ["refund.created", "refund.failed"]
        assert (first["status"], second["status"]) == ("succeeded", "failed")

    def test_a_lost_answer_has_one_effect(self, driver: Driver, payment: Ref) -> None:
        request, used = refund_request(driver.provider, payment, amount_minor=100), key()
        driver.provider.set_faults(timeout_after_success=1)
        with pytest.raises(OutcomeUnknown):
            driver.provider.create_refund(request, idempotency_key=used)
        made = driver.provider.create_refund(request, idempotency_key=used)
        assert driver.provider.list_refunds(payment) == [made]


class TestDisputes:
    def test_the_money_is_gone_until_it_is_won(self, driver: Driver, payment: Ref) -> None:
        dispute = driver.provider.open_dispute(payment)
        assert (dispute.status, dispute.amount_minor) == (DisputeStatus.NEEDS_RESPONSE, 29_900)
        with pytest.raises(InvalidRequest):
            refund(driver, payment, 1)
        won = driver.provider.close_dispute(Ref(id=dispute.id), DisputeStatus.WON)
        assert driver.provider.get_dispute(Ref(id=dispute.id)) == won
        assert refund(driver, payment, 1).status is RefundStatus.SUCCEEDED

    def test_an_inquiry_takes_no_money(self, driver: Driver, payment: Ref) -> None:
        inquiry = driver.provider.open_dispute(payment, DisputeStatus.WARNING)
        assert refund(driver, payment, 1).status is RefundStatus.SUCCEEDED
        closed = driver.provider.close_dispute(Ref(id=inquiry.id), DisputeStatus.WARNING_CLOSED)
        assert closed.status is DisputeStatus.WARNING_CLOSED

    def test_what_is_lost_stays_lost(self, driver: Driver, payment: Ref) -> None:
        dispute = Ref(id=driver.provider.open_dispute(payment).id)
        driver.provider.close_dispute(dispute, DisputeStatus.LOST)
        with pytest.raises(InvalidRequest):
            driver.provider.close_dispute(dispute, DisputeStatus.WON)
        with pytest.raises(InvalidRequest):
            refund(driver, payment, 1)

    @pytest.mark.parametrize("status", [DisputeStatus.WON, DisputeStatus.LOST])
    def test_none_begins_decided(self, driver: Driver, payment: Ref, status: DisputeStatus) -> None:
        with pytest.raises(InvalidRequest):
            driver.provider.open_dispute(payment, status)

    def test_its_events(self, driver: Driver, payment: Ref) -> None:
        told(driver)
        dispute = Ref(id=driver.provider.open_dispute(payment).id)
        driver.provider.close_dispute(dispute, DisputeStatus.WON)
        assert [name for name, _ in told(driver)] == ["dispute.created", "dispute.closed"]
