from dataclasses import replace
from typing import Any

import pytest
import responses

from billing.enums import MandateStatus, NextActionType, SetupStatus
from billing.errors import InvalidRequest, OutcomeUnknown, ProviderObjectMissing
from billing.providers.stripe import StripeProvider
from billing.providers.stripe.setup import setup_session
from billing.providers.types import Ref, SetupRequest, SetupSessionData
from billing.testing import customer_request, key
from billing.tests.accounts.account import NOW
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_life import API_BASE, published


@pytest.fixture
def wanted(stripe: StripeProvider, account: StripeAccount) -> SetupRequest:
    customer = stripe.create_customer(customer_request(), idempotency_key=key())
    return SetupRequest(customer_id=customer.id, reference=key())


def opened(stripe: StripeProvider, wanted: SetupRequest, *methods: str) -> SetupSessionData:
    return stripe.create_setup_session(replace(wanted, methods=methods), idempotency_key=key())


def confirmed(
    stripe: StripeProvider, account: StripeAccount, wanted: SetupRequest, token: str
) -> SetupSessionData:
    made = opened(stripe, wanted)
    account.confirm_setup(made.id, token)
    return stripe.get_setup_session(Ref(id=made.id))


class TestCreate:
    def test_asks_for_later_charges_by_the_methods_named(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SetupRequest
    ) -> None:
        wanted = replace(wanted, methods=("card", "bank_account", "sepa_debit"))
        made = stripe.create_setup_session(wanted, idempotency_key="op-setup")
        assert account.sent("POST", "setup_intents") == [
            {
                "customer": wanted.customer_id,
                "allowed_payment_method_types[0]": "card",
                "allowed_payment_method_types[1]": "us_bank_account",
                "allowed_payment_method_types[2]": "sepa_debit",
                "metadata[cobro_reference]": wanted.reference,
                "expand[0]": "mandate",
            }
        ]
        assert account.keys()[-1] == "op-setup"
        assert made.raw["usage"] == "off_session"
        assert (made.status, made.provider_status) == (SetupStatus.OPEN, "requires_payment_method")
        assert (made.customer_id, made.reference) == (wanted.customer_id, wanted.reference)
        assert made.next_action is not None
        assert made.next_action.type is NextActionType.USE_SDK
        assert made.next_action.details == {
            "client_secret": made.client_secret,
            "intent": "setup",
        }

    def test_without_methods_stripe_decides(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SetupRequest
    ) -> None:
        opened(stripe, wanted)
        (sent,) = account.sent("POST", "setup_intents")
        assert not [name for name in sent if "payment_method_types" in name]

    def test_what_stripe_does_not_set_up_is_not_sent(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SetupRequest
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            opened(stripe, wanted, "card", "oxxo")
        assert refused.value.param == "methods"
        assert account.sent("POST", "setup_intents") == []

    def test_a_lost_answer_is_found_by_the_same_key(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SetupRequest
    ) -> None:
        account.lose_next("POST", "setup_intents")
        with pytest.raises(OutcomeUnknown):
            stripe.create_setup_session(wanted, idempotency_key="op-lost")
        made = stripe.create_setup_session(wanted, idempotency_key="op-lost")
        assert [each["id"] for each in account.all("setup_intent")] == [made.id]

    def test_the_secret_is_in_no_log(self, stripe: StripeProvider, wanted: SetupRequest) -> None:
        made = opened(stripe, wanted)
        assert made.client_secret
        assert made.client_secret not in repr(made)


class TestGet:
    def test_a_card(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SetupRequest
    ) -> None:
        found = confirmed(stripe, account, wanted, "pm_card_visa")
        assert found.status is SetupStatus.SUCCEEDED
        assert (found.next_action, found.mandate_id, found.mandate_status) == (None, None, None)
        owner = Ref(id=wanted.customer_id)
        listed = [each.id for each in stripe.list_payment_methods(owner)]
        assert listed == [found.payment_method_id]

    def test_three_d_secure(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SetupRequest
    ) -> None:
        found = confirmed(stripe, account, wanted, "pm_card_authenticationRequired")
        assert found.status is SetupStatus.REQUIRES_ACTION
        assert found.next_action is not None
        assert found.next_action.type is NextActionType.USE_SDK
        assert found.next_action.details["client_secret"] == found.client_secret
        assert stripe.list_payment_methods(Ref(id=wanted.customer_id)) == []
        account.finish_setup(found.id)
        assert stripe.get_setup_session(Ref(id=found.id)).status is SetupStatus.SUCCEEDED

    def test_a_refused_card_leaves_the_session_open_for_another(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SetupRequest
    ) -> None:
        found = confirmed(stripe, account, wanted, "pm_card_chargeDeclined")
        assert (found.status, found.decline_code) == (SetupStatus.FAILED, "insufficient_funds")
        assert found.next_action is not None
        assert found.next_action.type is NextActionType.USE_SDK
        account.confirm_setup(found.id, "pm_card_visa")
        again = stripe.get_setup_session(Ref(id=found.id))
        assert (again.status, again.decline_code) == (SetupStatus.SUCCEEDED, "")

    def test_a_bank_account_that_is_typed_in_waits_for_micro_deposits(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SetupRequest
    ) -> None:
        found = confirmed(stripe, account, wanted, "pm_usBankAccount")
        assert found.status is SetupStatus.REQUIRES_ACTION
        assert found.mandate_status is MandateStatus.PENDING
        assert found.next_action is not None
        assert found.next_action.type is NextActionType.REDIRECT
        assert found.next_action.details["url"].startswith("https://payments.stripe.com/")
        account.finish_setup(found.id)
        done = stripe.get_setup_session(Ref(id=found.id))
        assert (done.status, done.mandate_status) == (SetupStatus.SUCCEEDED, MandateStatus.ACTIVE)

    @pytest.mark.parametrize(
        ("token", "kind", "last4"),
        [
            ("pm_usBankAccount_success", "bank_account", "6789"),
            ("pm_sepaDebit_success", "sepa_debit", "3201"),
        ],
    )
    def test_a_bank_account_with_its_mandate(
        self,
        stripe: StripeProvider,
        account: StripeAccount,
        wanted: SetupRequest,
        token: str,
        kind: str,
        last4: str,
    ) -> None:
        found = confirmed(stripe, account, wanted, token)
        assert found.mandate_id
        assert found.mandate_status is MandateStatus.ACTIVE
        method = stripe.get_payment_method(Ref(id=found.payment_method_id or ""))
        assert (method.type, method.last4, method.is_active) == (kind, last4, True)
        account.objects[found.mandate_id]["status"] = "inactive"
        revoked = stripe.get_setup_session(Ref(id=found.id))
        assert revoked.mandate_status is MandateStatus.INACTIVE

    def test_one_that_is_missing(self, stripe: StripeProvider, account: StripeAccount) -> None:
        with pytest.raises(ProviderObjectMissing):
            stripe.get_setup_session(Ref(id="seti_none"))


class TestMapping:
    def of(self, **changes: Any) -> SetupSessionData:
        bare = {"last_setup_error": None, "next_action": None}
        return setup_session(published("setup_intent") | bare | changes, as_of=NOW)

    def test_an_unknown_word_loses_nothing_else(self) -> None:
        found = self.of(status="dreaming", customer="cus_1", mandate={"id": "m", "status": "odd"})
        assert (found.status, found.provider_status) == (None, "dreaming")
        assert (found.mandate_id, found.mandate_status) == ("m", None)
        assert (found.customer_id, found.next_action) == ("cus_1", None)

    @pytest.mark.parametrize(
        ("word", "status", "action"),
        [
            ("requires_confirmation", SetupStatus.OPEN, NextActionType.USE_SDK),
            ("processing", SetupStatus.PROCESSING, NextActionType.WAIT),
            ("canceled", SetupStatus.CANCELED, None),
        ],
    )
    def test_words(self, word: str, status: SetupStatus, action: NextActionType | None) -> None:
        found = self.of(status=word)
        assert found.status is status
        assert (found.next_action and found.next_action.type) == action

    def test_missing_optional_fields(self) -> None:
        found = setup_session({"id": "seti_1", "status": "succeeded"}, as_of=NOW)
        assert found.status is SetupStatus.SUCCEEDED
        assert (found.client_secret, found.payment_method_id, found.reference) == ("", None, None)


def test_where_the_mandate_cannot_be_expanded_its_id_is_told(stripe: StripeProvider) -> None:
    """A stand-in of an older version refuses what it cannot expand."""
    url = f"{API_BASE}/v1/setup_intents/seti_1"
    found = published("setup_intent") | {"id": "seti_1", "mandate": "mandate_1"}
    with responses.RequestsMock() as mock:
        mock.get(url, status=400, json={"error": {"type": "invalid_request_error"}})
        mock.get(url, json=found)
        session = stripe.get_setup_session(Ref(id="seti_1"))
    assert (session.mandate_id, session.mandate_status) == ("mandate_1", None)
