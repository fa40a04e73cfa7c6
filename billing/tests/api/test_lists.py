"""Pages by key, and how many queries a page costs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.authtoken.models import Token

from billing.models import Customer, Invoice, Organization
from billing.tests.api.conftest import PREFIX, client_of

pytestmark = pytest.mark.django_db
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def invoices(organization_mx: Organization, sandbox: Any) -> list[Invoice]:
    """Sixty, in threes of one moment each."""
    customer = Customer.objects.create(
        organization=organization_mx, provider="conekta", mode="sandbox"
    )
    made = Invoice.objects.bulk_create(
        Invoice(
            organization=organization_mx,
            customer=customer,
            provider="conekta",
            mode="sandbox",
            provider_invoice_id=f"in_{number}",
            status="paid" if number % 2 else "open",
            currency="MXN",
            total_minor=number,
        )
        for number in range(60)
    )
    for number, invoice in enumerate(made):
        invoice.created_at = START + timedelta(seconds=number // 3)
    Invoice.objects.bulk_update(made, ["created_at"])
    return sorted(made, key=lambda row: (row.created_at, row.pk), reverse=True)


def walk(client: Any, url: str, direction: str = "next") -> list[list[str]]:
    pages = []
    while url:
        body = client.get(url).json()
        pages.append([row["id"] for row in body["results"]])
        url = body[direction]
    return pages


class TestPages:
    @pytest.mark.parametrize("size", [1, 2, 7, 25, 60, 100])
    def test_every_row_once_in_order(self, size: int, client: Any, invoices: list[Invoice]) -> None:
        pages = walk(client, f"{PREFIX}/invoices?page_size={size}")
        assert [pk for page in pages for pk in page] == [str(row.pk) for row in invoices]
        assert all(len(page) == size for page in pages[:-1])

    def test_back_again(self, client: Any, invoices: list[Invoice]) -> None:
        url = f"{PREFIX}/invoices?page_size=7"
        forth = walk(client, url)
        last = client.get(url).json()
        while last["next"]:
            last = client.get(last["next"]).json()
        back = walk(client, last["previous"], "previous")
        assert [pk for page in reversed(back) for pk in page] == [
            pk for page in forth[:-1] for pk in page
        ]

    def test_the_first_page_has_no_previous(self, client: Any, invoices: list[Invoice]) -> None:
        body = client.get(f"{PREFIX}/invoices").json()
        assert (len(body["results"]), body["previous"]) == (25, None)

    def test_links_keep_the_filter(self, client: Any, invoices: list[Invoice]) -> None:
        pages = walk(client, f"{PREFIX}/invoices?status=paid&page_size=20")
        assert [len(page) for page in pages] == [20, 10]

    @pytest.mark.parametrize("size", ["101", "1000000", "9" * 5000, "100"])
    def test_at_most_a_hundred(
        self, size: str, client: Any, invoices: list[Invoice], monkeypatch: Any
    ) -> None:
        monkeypatch.setattr("billing.api.pagination.KeysetPagination.max_page_size", 30)
        assert len(client.get(f"{PREFIX}/invoices?page_size={size}").json()["results"]) == 30

    @pytest.mark.parametrize("size", ["0", "-1", "", "many", "1.5", "\u0664", "%00"])
    def test_senseless_sizes_are_the_usual_one(
        self, size: str, client: Any, invoices: list[Invoice]
    ) -> None:
        assert len(client.get(f"{PREFIX}/invoices?page_size={size}").json()["results"]) == 25

    @pytest.mark.parametrize(
        "cursor",
        [
            "x",
            "!!!!",
            "bnVsbA",  # null
            "W10",  # []
            "WzEsMl0",  # [1,2]
            "W2ZhbHNlLCJhIiwiYiJd",  # [false,"a","b"]
            "W2ZhbHNlLCIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsImIiXQ",  # a time, and "b" for an id
            "W2ZhbHNlLDEsMl0",  # [false,1,2]
            "\u00e9",
            "%00",
        ],
    )
    def test_forged_cursors(self, cursor: str, client: Any, invoices: list[Invoice]) -> None:
        answer = client.get(f"{PREFIX}/invoices?cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")

    def test_nothing(self, client: Any, organization_mx: Any, sandbox: Any) -> None:
        body = client.get(f"{PREFIX}/invoices").json()
        assert body == {"next": None, "previous": None, "results": []}


class TestQueries:
    """By token: the token with its user, the memberships, the organization, the page."""

    @pytest.fixture
    def by_token(self, owner: Any) -> Any:
        client = client_of()
        client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=owner).key}")
        return client

    @pytest.mark.parametrize("query", ["", "?page_size=100", "?status=paid"])
    def test_invoices(
        self, query: str, by_token: Any, invoices: Any, django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(4):
            assert by_token.get(f"{PREFIX}/invoices{query}").json()["results"]

    @pytest.mark.parametrize("path", ["subscriptions", "payment-methods"])
    def test_the_others(
        self, path: str, by_token: Any, subscription: Any, django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(4):
            assert by_token.get(f"{PREFIX}/{path}").json()["results"]

    def test_plans(self, anonymous: Any, plans: Any, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(2):
            assert len(anonymous.get(f"{PREFIX}/plans").json()["results"]) == 2
