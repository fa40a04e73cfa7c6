"""Creations that a crash or a lost answer left open."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.enums import OperationOutcome
from billing.errors import OutcomeUnknown, RequestInProgress
from billing.models import Operation, Subscription
from billing.providers.base import Simulates
from billing.registry import providers
from billing.services import payment_methods, reconcile, subscriptions

pytestmark = pytest.mark.django_db(transaction=True)


def lose_an_answer(organization, plan, **fault):
    method = payment_methods.add(organization, token="tok_visa")
    providers.get(method.provider, Simulates).set_faults(**fault)
    with pytest.raises(OutcomeUnknown):
        subscriptions.create(organization, plan=plan, interval="monthly", payment_method=method)
    return Operation.objects.get(verb="subscription.create")


def age(operation, by):
    Operation.objects.filter(pk=operation.pk).update(created_at=timezone.now() - by)


class TestSettleCreations:
    def test_a_lost_answer_is_asked_for_again(self, organization_de, published):
        operation = lose_an_answer(organization_de, published["startup"], timeout_after_success=1)
        age(operation, timedelta(minutes=3))
        assert reconcile.settle_creations() == 1
        operation.refresh_from_db()
        assert operation.outcome == OperationOutcome.DONE
        row = Subscription.objects.get()
        assert (row.status, row.incomplete_reason) == ("active", "")
        assert reconcile.settle_creations() == 0

    def test_a_process_killed_before_the_call_blocks_nobody(self, organization_de, published):
        """Without a client key nobody else could find the operation again."""
        operation = lose_an_answer(organization_de, published["startup"], timeout_after_success=1)
        Operation.objects.update(outcome=OperationOutcome.PENDING)
        with pytest.raises(RequestInProgress):
            subscriptions.create(
                organization_de, plan=published["startup"], interval="monthly", token="tok_visa"
            )
        age(operation, timedelta(minutes=3))
        assert reconcile.settle_creations() == 1
        assert Subscription.objects.get().status == "active"

    def test_a_request_that_may_still_run_is_left_alone(self, organization_de, published):
        lose_an_answer(organization_de, published["startup"], timeout_after_success=1)
        assert reconcile.settle_creations() == 0

    def test_one_whose_key_is_forgotten_is_not_repeated(self, organization_de, published):
        operation = lose_an_answer(organization_de, published["startup"], timeout_after_success=1)
        age(operation, timedelta(hours=24))
        assert reconcile.settle_creations() == 0

    def test_where_no_keys_are_kept_nothing_is_repeated(self, organization_mx, published):
        operation = lose_an_answer(organization_mx, published["startup"], timeout_after_success=1)
        age(operation, timedelta(minutes=3))
        assert reconcile.settle_creations() == 0
        assert Subscription.objects.get().incomplete_reason == "outcome_unknown"

    def test_what_a_webhook_told_is_settled_without_a_call(
        self, organization_de, published, deliver
    ):
        operation = lose_an_answer(organization_de, published["startup"], timeout_after_success=1)
        deliver("stripe")
        age(operation, timedelta(minutes=3))
        providers.get("stripe", Simulates).set_faults(answer_500=5)
        assert reconcile.settle_creations() == 1
        operation.refresh_from_db()
        assert operation.outcome == OperationOutcome.DONE
