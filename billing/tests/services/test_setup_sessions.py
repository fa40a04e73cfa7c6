"""Adding payment methods in the browser: opened here, done there, taken in when it is asked for."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.enums import NextActionType, OperationOutcome, SetupStatus
from billing.errors import (
    InvalidRequest,
    OutcomeUnknown,
    ProviderObjectMissing,
    UnsupportedOperation,
)
from billing.models import Customer, Operation, Organization, PaymentMethod, SetupSession
from billing.providers.base import Simulates
from billing.registry import providers
from billing.services import customers, reconcile, setup_sessions, subscriptions
from billing.services.setup_sessions import open_session, read

pytestmark = pytest.mark.django_db(transaction=True)


def browser() -> Any:
    return providers.get("stripe", Simulates)


def remote_sessions() -> int:
    """How many the sandbox holds."""
    with browser()._store.read() as session:
        return len(session.of_kind("setup_session"))


class TestOpen:
    def test_where_a_subscription_would_be_paid(
        self, organization_de: Organization, sandbox: Any
    ) -> None:
        state = open_session(organization_de, methods=["sepa_debit", "card", "sepa_debit"])
        session = state.session
        assert (session.provider, session.mode) == ("stripe", "sandbox")
        assert session.organization == organization_de
        assert state.data.status is SetupStatus.OPEN
        assert state.data.raw["methods"] == ["sepa_debit", "card"]
        assert state.data.reference == str(session.pk)
        assert state.data.next_action is not None
        assert state.data.next_action.type is NextActionType.USE_SDK
        operation = Operation.objects.get(verb=setup_sessions.OPEN)
        assert (operation.pk, operation.outcome) == (session.pk, OperationOutcome.DONE)
        assert operation.remote_id == session.provider_setup_session_id

    def test_its_secret_is_stored_nowhere(
        self, organization_de: Organization, sandbox: Any
    ) -> None:
        secret = open_session(organization_de, request_key="k").data.client_secret
        assert secret
        for model in (SetupSession, Operation, Customer):
            assert secret not in repr(list(model.objects.values()))

    def test_a_provider_that_has_no_sessions_says_so(
        self, organization_mx: Organization, sandbox: Any
    ) -> None:
        with pytest.raises(UnsupportedOperation):
            open_session(organization_mx)
        assert not Customer.objects.exists()

    def test_what_is_not_set_up_there_is_refused(
        self, organization_de: Organization, sandbox: Any
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            open_session(organization_de, methods=["oxxo"])
        assert refused.value.param == "methods"
        assert not SetupSession.objects.exists()

    def test_the_same_request_is_the_same_session(
        self, organization_de: Organization, sandbox: Any
    ) -> None:
        first, again = (open_session(organization_de, request_key="k") for _ in range(2))
        assert first.session == again.session
        assert first.data.client_secret == again.data.client_secret
        assert open_session(organization_de, request_key="other").session != first.session
        assert remote_sessions() == 2

    def test_a_lost_answer_is_found_by_repeating(
        self, organization_de: Organization, sandbox: Any
    ) -> None:
        customers.ensure(organization_de, "stripe")
        browser().set_faults(timeout_after_success=1)
        with pytest.raises(OutcomeUnknown):
            open_session(organization_de, request_key="k")
        state = open_session(organization_de, request_key="k")
        assert state.data.status is SetupStatus.OPEN
        assert remote_sessions() == SetupSession.objects.count() == 1

    def test_one_that_nobody_asks_for_again_is_given_up(
        self, organization_de: Organization, sandbox: Any
    ) -> None:
        customers.ensure(organization_de, "stripe")
        browser().set_faults(timeout_after_success=1)
        with pytest.raises(OutcomeUnknown):
            open_session(organization_de, request_key="k")
        Operation.objects.update(created_at=timezone.now() - timedelta(minutes=3))
        reconcile.reconcile_unknown()
        operation = Operation.objects.get(verb=setup_sessions.OPEN)
        assert operation.outcome == OperationOutcome.FAILED
        assert open_session(organization_de, request_key="k").data.status is SetupStatus.OPEN

    def test_one_that_was_recorded_before_the_process_died_is_done(
        self, organization_de: Organization, sandbox: Any
    ) -> None:
        open_session(organization_de)
        Operation.objects.filter(verb=setup_sessions.OPEN).update(
            outcome="pending", created_at=timezone.now() - timedelta(minutes=3)
        )
        reconcile.reconcile_unknown()
        operation = Operation.objects.get(verb=setup_sessions.OPEN)
        assert operation.outcome == OperationOutcome.DONE


class TestRead:
    def test_the_method_is_ours_without_any_webhook(
        self, organization_de: Organization, published: Any
    ) -> None:
        session = open_session(organization_de).session
        assert read(session).payment_method is None
        done = browser().confirm_setup(session.ref, "tok_visa")
        state = read(session)
        assert state.data.status is SetupStatus.SUCCEEDED
        method = PaymentMethod.objects.get()
        assert state.payment_method == method
        assert method.provider_payment_method_id == done.payment_method_id
        assert method.organization == organization_de
        bought = subscriptions.create(
            organization_de, plan=published["startup"], interval="monthly", payment_method=method
        )
        assert bought.status == "active"

    def test_the_webhook_may_be_quicker(
        self, organization_de: Organization, sandbox: Any, deliver: Any
    ) -> None:
        session = open_session(organization_de).session
        browser().confirm_setup(session.ref, "tok_visa")
        deliver("stripe")
        method = PaymentMethod.objects.get()
        assert read(session).payment_method == method
        assert PaymentMethod.objects.count() == 1

    def test_what_the_customer_must_do(self, organization_de: Organization, sandbox: Any) -> None:
        session = open_session(organization_de).session
        browser().confirm_setup(session.ref, "tok_bank_account_unverified")
        state = read(session)
        assert (state.data.status, state.payment_method) == (SetupStatus.REQUIRES_ACTION, None)
        assert state.data.next_action is not None
        assert state.data.next_action.type is NextActionType.REDIRECT
        browser().complete_setup(session.ref)
        method = read(session).payment_method
        assert method is not None
        assert (method.type, method.last4) == ("bank_account", "6789")

    def test_one_that_was_detached_since_is_not_shown(
        self, organization_de: Organization, sandbox: Any, deliver: Any
    ) -> None:
        session = open_session(organization_de).session
        browser().confirm_setup(session.ref, "tok_visa")
        method = read(session).payment_method
        assert method is not None
        browser().delete_payment_method(method.ref, idempotency_key="k")
        deliver("stripe")
        assert read(session).payment_method is None

    def test_another_customers_session_is_missing(
        self, organization_de: Organization, organization_mx: Organization, sandbox: Any
    ) -> None:
        """Whatever our row says: the provider knows whose it is."""
        mine = open_session(organization_de).session
        theirs = open_session(organization_mx, provider="stripe").session
        remote_id = theirs.provider_setup_session_id
        theirs.delete()
        mine.provider_setup_session_id = remote_id
        with pytest.raises(ProviderObjectMissing):
            read(mine)

    def test_one_that_is_gone(self, organization_de: Organization, sandbox: Any) -> None:
        session = open_session(organization_de).session
        session.provider_setup_session_id = "setup_gone"
        with pytest.raises(ProviderObjectMissing):
            read(session)
