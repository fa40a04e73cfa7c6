import pytest
import responses
from responses import matchers

from billing.errors import ProviderUnavailable
from billing.providers.conekta import ConektaProvider
from billing.providers.types import Ref, SubscriptionRequest
from billing.providers.values import Incomplete
from billing.testing import key
from billing.tests.conekta_account import ConektaAccount
from billing.tests.providers.conekta.conftest import API, example, listed

OURS = "0b2f9d5e-6d3a-4a50-9a1c-6f4f1a4a7d11"


class TestFindCustomer:
    def test_by_search(self, conekta: ConektaProvider, wire: responses.RequestsMock) -> None:
        ours = example("customer", custom_reference=OURS)
        other = example("customer", id="cus_other", custom_reference=f"{OURS}-2")
        query = matchers.query_param_matcher({"search": OURS, "limit": "250"})
        wire.get(f"{API}/customers", json=listed(other, ours), match=[query])
        found = conekta.find_customer(OURS)
        assert found is not None
        assert (found.id, found.reference) == (ours["id"], OURS)

    def test_a_search_that_does_not_look_at_references(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        ours = listed(example("customer", custom_reference=OURS), has_more=True)
        first = matchers.query_param_matcher({"limit": "250"})
        wire.get(f"{API}/customers", json=ours, match=[first])
        wire.get(f"{API}/customers", json=listed())
        assert conekta.find_customer(OURS) is not None
        assert conekta.find_customer("another") is None

    def test_ours_where_it_is_odd_is_not_none(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        """To say that there is none would have a second one made."""
        odd = example("customer", custom_reference=OURS, id=None)
        wire.get(f"{API}/customers", json=listed(odd))
        with pytest.raises(Incomplete):
            conekta.find_customer(OURS)

    def test_no_answer_is_not_none(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        wire.get(f"{API}/customers", status=503)
        with pytest.raises(ProviderUnavailable):
            conekta.find_customer(OURS)


class TestFindSubscription:
    def test_the_newest_of_the_plan_that_runs(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        found = [
            {"id": "sub_old", "plan_id": "gold", "status": "active", "created_at": 1},
            {"id": "sub_new", "plan_id": "gold", "status": "past_due", "created_at": 3},
            {"id": "sub_untimed", "plan_id": "gold", "status": "active"},
            {"id": "sub_ended", "plan_id": "gold", "status": "canceled", "created_at": 9},
            {"id": "sub_other", "plan_id": "silver", "status": "active", "created_at": 8},
        ]
        wire.get(f"{API}/customers/cus_1/subscriptions", json=listed(*found))
        data = conekta.find_subscription(Ref(id="cus_1"), OURS, "gold")
        assert data is not None
        assert data.id == "sub_new"
        assert conekta.find_subscription(Ref(id="cus_1"), OURS, "bronze") is None

    def test_one_that_is_answered_in_the_place_of_a_list(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        source = example("subscription")
        wire.get(f"{API}/customers/cus_1/subscriptions", json=source)
        data = conekta.find_subscription(Ref(id="cus_1"), OURS, source["plan_id"])
        assert data is not None
        assert data.id == source["id"]

    def test_none_yet(
        self, conekta: ConektaProvider, account: ConektaAccount, wanted: SubscriptionRequest
    ) -> None:
        owner = Ref(id=wanted.customer_id)
        assert conekta.find_subscription(owner, key(), wanted.price_id) is None
