import json
from dataclasses import replace
from typing import Any

import pytest
import responses
from responses import matchers

from billing.errors import InvalidRequest, OutcomeUnknown, ProviderObjectMissing
from billing.providers.polar import PolarProvider
from billing.providers.types import Ref
from billing.testing import customer_request, key
from billing.tests.providers.polar.conftest import API, example

CUSTOMER = example("subscription")["customer"]
URL = f"{API}/v1/customers/{CUSTOMER['id']}"
OWNER = Ref(id=CUSTOMER["id"], customer_id=CUSTOMER["id"])
MISSING = {"error": "ResourceNotFound", "detail": "Not found"}


def sent(wire: responses.RequestsMock) -> Any:
    body = wire.calls[-1].request.body
    assert body is not None
    return json.loads(body)


class TestCreateCustomer:
    def test_sends_profile_and_reference(
        self, polar: PolarProvider, wire: responses.RequestsMock
    ) -> None:
        request = replace(
            customer_request(),
            address={"line1": "1 Main St", "country": "US", "city": ""},
            metadata={"organization_id": "org-1"},
        )
        answer = CUSTOMER | {"external_id": request.reference}
        wire.post(f"{API}/v1/customers/", json=answer, status=201)
        made = polar.create_customer(request, idempotency_key=key())
        assert made.reference == request.reference
        assert sent(wire) == {
            "email": request.email,
            "name": request.name,
            "external_id": request.reference,
            "billing_address": {
                "line1": "1 Main St",
                "line2": None,
                "city": None,
                "state": None,
                "postal_code": None,
                "country": "US",
            },
            "metadata": {"organization_id": "org-1"},
        }

    def test_an_address_without_its_country_is_left_out(
        self, polar: PolarProvider, wire: responses.RequestsMock
    ) -> None:
        wire.post(f"{API}/v1/customers/", json=CUSTOMER, status=201)
        polar.create_customer(customer_request(), idempotency_key=key())
        assert sent(wire)["billing_address"] is None

    def test_a_lost_answer_is_not_sent_again_and_found(
        self, polar: PolarProvider, wire: responses.RequestsMock
    ) -> None:
        request = customer_request()
        made = wire.post(f"{API}/v1/customers/", status=502)
        with pytest.raises(OutcomeUnknown):
            polar.create_customer(request, idempotency_key=key())
        assert made.call_count == 1
        answer = CUSTOMER | {"external_id": request.reference}
        wire.get(f"{API}/v1/customers/external/{request.reference}", json=answer)
        found = polar.find_customer(request.reference)
        assert found is not None
        assert (found.id, found.reference) == (CUSTOMER["id"], request.reference)

    def test_a_reference_that_is_taken_is_refused(
        self, polar: PolarProvider, wire: responses.RequestsMock
    ) -> None:
        fault = {"loc": ["body", "external_id"], "msg": "taken", "type": "value_error"}
        wire.post(f"{API}/v1/customers/", json={"detail": [fault]}, status=422)
        with pytest.raises(InvalidRequest) as caught:
            polar.create_customer(customer_request(), idempotency_key=key())
        assert caught.value.param == "external_id"


class TestOthers:
    def test_one_is_read(self, polar: PolarProvider, wire: responses.RequestsMock) -> None:
        wire.get(URL, json=CUSTOMER)
        assert polar.get_customer(OWNER).email == "customer@example.com"

    def test_an_update_unsets_blanks_and_leaves_the_reference_alone(
        self, polar: PolarProvider, wire: responses.RequestsMock
    ) -> None:
        """Polar: an external id cannot be changed once it is set."""
        wire.patch(URL, json=CUSTOMER)
        request = replace(customer_request(), name="", address={})
        polar.update_customer(OWNER, request, idempotency_key=key())
        assert sent(wire) == {"email": request.email, "name": None, "billing_address": None}

    def test_one_is_deleted_once(self, polar: PolarProvider, wire: responses.RequestsMock) -> None:
        wire.delete(URL, status=204)
        wire.delete(URL, json=MISSING, status=404)
        polar.delete_customer(OWNER, idempotency_key=key())
        with pytest.raises(ProviderObjectMissing):
            polar.delete_customer(OWNER, idempotency_key=key())

    def test_a_reference_of_nobody(
        self, polar: PolarProvider, wire: responses.RequestsMock
    ) -> None:
        wire.get(f"{API}/v1/customers/external/nobody", json=MISSING, status=404)
        assert polar.find_customer("nobody") is None


class TestFindSubscription:
    REFERENCE = "0b7f6d52-6a1e-4f8e-9a0e-5f2f4c1d2e3a"

    def answer(self, wire: responses.RequestsMock, *found: dict[str, Any]) -> None:
        query = {"customer_id": OWNER.id, "page": 1, "limit": 100}
        match = [matchers.query_param_matcher(query)]
        body = {"items": list(found), "pagination": {"total_count": len(found), "max_page": 1}}
        wire.get(f"{API}/v1/subscriptions/", json=body, match=match)

    def test_by_our_reference_among_others(
        self, polar: PolarProvider, wire: responses.RequestsMock
    ) -> None:
        self.answer(wire, {"id": None, "metadata": None}, example("subscription"))
        found = polar.find_subscription(OWNER, self.REFERENCE, "any")
        assert found is not None
        assert found.reference == self.REFERENCE

    def test_none(self, polar: PolarProvider, wire: responses.RequestsMock) -> None:
        self.answer(wire, example("subscription"))
        assert polar.find_subscription(OWNER, "another", "any") is None
