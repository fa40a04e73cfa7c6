from dataclasses import replace

import pytest

from billing.errors import InvalidRequest, OutcomeUnknown, ProviderObjectMissing
from billing.providers.conekta import ConektaProvider
from billing.providers.types import Ref
from billing.testing import customer_request, key
from billing.tests.conekta_account import ConektaAccount


class TestCreateCustomer:
    def test_sends_profile_and_reference(
        self, conekta: ConektaProvider, account: ConektaAccount
    ) -> None:
        request = replace(customer_request(), metadata={"organization_id": "org-1"})
        made = conekta.create_customer(request, idempotency_key=key())
        assert account.sent("POST", "customers") == [
            {
                "name": request.name,
                "email": request.email,
                "phone": request.phone,
                "custom_reference": request.reference,
                "metadata": {"organization_id": "org-1"},
            }
        ]
        assert made.reference == request.reference

    def test_what_is_missing_is_asked_for_and_never_invented(
        self, conekta: ConektaProvider, account: ConektaAccount
    ) -> None:
        assert conekta.features.required_profile == ("name", "email", "phone")
        with pytest.raises(InvalidRequest) as caught:
            conekta.create_customer(replace(customer_request(), phone=""), idempotency_key=key())
        assert caught.value.param == "phone"

    def test_a_lost_answer_is_not_sent_again_and_found(
        self, conekta: ConektaProvider, account: ConektaAccount
    ) -> None:
        request = customer_request()
        account.lose_next("POST", "customers")
        with pytest.raises(OutcomeUnknown):
            conekta.create_customer(request, idempotency_key=key())
        found = conekta.find_customer(request.reference)
        assert found is not None
        assert [each["id"] for each in account.all("customer")] == [found.id]


class TestOthers:
    def test_an_adopted_one_keeps_the_rest(
        self, conekta: ConektaProvider, account: ConektaAccount, owner: Ref
    ) -> None:
        conekta.adopt_customer(owner, "ours", idempotency_key=key())
        assert account.sent("PUT", f"customers/{owner.id}") == [{"custom_reference": "ours"}]

    def test_one_that_was_deleted_is_missing(
        self, conekta: ConektaProvider, account: ConektaAccount, owner: Ref
    ) -> None:
        conekta.delete_customer(owner, idempotency_key=key())
        with pytest.raises(ProviderObjectMissing):
            conekta.delete_customer(owner, idempotency_key=key())
