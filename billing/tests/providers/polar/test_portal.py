import json
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from billing.errors import OutcomeUnknown
from billing.providers.polar import PolarProvider
from billing.providers.types import PortalSessionData, Ref
from billing.providers.values import Incomplete
from billing.testing import check_data, key
from billing.tests.providers.polar.conftest import API, example

CUSTOMER = example("subscription")["customer"]
OWNER = Ref(id=CUSTOMER["id"], customer_id=CUSTOMER["id"])
BACK = "https://shop.example/account"
URL = f"{API}/v1/customer-sessions/"
SESSION = {
    "created_at": "2026-01-20T08:30:00Z",
    "modified_at": None,
    "id": "00000000-0000-4000-8000-000000000006",
    "token": "polar_cst_fake",
    "expires_at": "2026-01-20T09:30:00Z",
    "return_url": BACK,
    "customer_portal_url": "https://sandbox.polar.sh/shop/portal?customer_session_token=fake",
    "customer_id": OWNER.id,
    "customer": CUSTOMER,
}


def opened(polar: PolarProvider, return_url: str = BACK) -> PortalSessionData:
    return polar.create_portal_session(OWNER, return_url=return_url, idempotency_key=key())


@pytest.mark.parametrize(("return_url", "told"), [(BACK, BACK), ("", None)])
def test_a_session_is_for_one_customer(
    polar: PolarProvider, wire: responses.RequestsMock, return_url: str, told: str | None
) -> None:
    wire.post(URL, json=SESSION, status=201)
    data = opened(polar, return_url)
    check_data(data)
    sent = json.loads(str(wire.calls[0].request.body, "utf-8"))
    assert sent == {"customer_id": OWNER.id, "return_url": told}
    assert (data.id, data.customer_id) == (SESSION["id"], OWNER.id)
    assert data.url == SESSION["customer_portal_url"]
    assert data.expires_at == datetime(2026, 1, 20, 9, 30, tzinfo=UTC)


def test_what_lets_somebody_in_is_not_shown(
    polar: PolarProvider, wire: responses.RequestsMock
) -> None:
    wire.post(URL, json=SESSION, status=201)
    assert "fake" not in repr(opened(polar))


@pytest.mark.parametrize("name", ["id", "customer_portal_url"])
def test_a_session_without_its_link_is_none(
    polar: PolarProvider, wire: responses.RequestsMock, name: str
) -> None:
    without: dict[str, Any] = SESSION | {name: None}
    wire.post(URL, json=without, status=201)
    with pytest.raises(Incomplete, match=name):
        opened(polar)


def test_a_lost_answer(polar: PolarProvider, wire: responses.RequestsMock) -> None:
    wire.post(URL, status=502)
    with pytest.raises(OutcomeUnknown):
        opened(polar)
