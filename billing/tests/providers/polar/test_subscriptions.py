import pytest
import responses

from billing.enums import SubscriptionStatus
from billing.errors import ProviderObjectMissing
from billing.providers.polar import PolarProvider
from billing.providers.types import Ref
from billing.tests.providers.polar.conftest import API, example

SUBSCRIPTION = example("subscription")
URL = f"{API}/v1/subscriptions/{SUBSCRIPTION['id']}"
REF = Ref(id=SUBSCRIPTION["id"], customer_id=SUBSCRIPTION["customer_id"])


def test_one_is_read(polar: PolarProvider, wire: responses.RequestsMock) -> None:
    wire.get(URL, json=SUBSCRIPTION)
    assert polar.get_subscription(REF).status is SubscriptionStatus.ACTIVE


def test_one_that_is_missing(polar: PolarProvider, wire: responses.RequestsMock) -> None:
    wire.get(URL, json={"error": "ResourceNotFound", "detail": "Not found"}, status=404)
    with pytest.raises(ProviderObjectMissing):
        polar.get_subscription(REF)
