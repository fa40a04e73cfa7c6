from dataclasses import replace

import pytest

from billing.errors import ProviderKeyConflict, ProviderObjectMissing
from billing.providers.stripe import StripeProvider
from billing.providers.types import CustomerRequest, Ref
from billing.testing import customer_request, key
from billing.tests.stripe_account import StripeAccount

BARE = CustomerRequest(reference="row-1", name="Ana", email="ana@example.com")


def test_create(stripe: StripeProvider, account: StripeAccount) -> None:
    request = replace(customer_request(), metadata={"organization_id": "org-1"})
    made = stripe.create_customer(request, idempotency_key="op-customer")
    assert account.sent("POST", "customers") == [
        {
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "phone": "+525512345678",
            "address[line1]": "Av. Juárez 1",
            "address[city]": "México",
            "address[postal_code]": "06000",
            "metadata[organization_id]": "org-1",
            "metadata[cobro_reference]": request.reference,
        }
    ]
    assert account.keys() == ["op-customer"]
    assert (made.email, made.name, made.reference) == (
        request.email,
        request.name,
        request.reference,
    )


def test_what_is_blank_is_not_sent_at_first(stripe: StripeProvider, account: StripeAccount) -> None:
    stripe.create_customer(BARE, idempotency_key=key())
    assert account.sent("POST", "customers") == [
        {"name": "Ana", "email": "ana@example.com", "metadata[cobro_reference]": "row-1"}
    ]


def test_what_became_blank_is_unset(stripe: StripeProvider, account: StripeAccount) -> None:
    made = stripe.create_customer(customer_request(), idempotency_key=key())
    stripe.update_customer(Ref(id=made.id), BARE, idempotency_key="op-update")
    assert account.sent("POST", f"customers/{made.id}") == [
        {
            "name": "Ana",
            "email": "ana@example.com",
            "phone": "",
            "address": "",
            "metadata[cobro_reference]": "row-1",
        }
    ]
    assert account.keys()[-1] == "op-update"
    assert account.objects[made.id]["phone"] is None


def test_a_line_that_became_blank_is_unset(stripe: StripeProvider, account: StripeAccount) -> None:
    made = stripe.create_customer(customer_request(), idempotency_key=key())
    moved = replace(BARE, address={"line1": "Calle 2", "unknown": "x"})
    stripe.update_customer(Ref(id=made.id), moved, idempotency_key=key())
    (sent,) = account.sent("POST", f"customers/{made.id}")
    assert (sent["address[line1]"], sent["address[city]"]) == ("Calle 2", "")
    assert "address[unknown]" not in sent


def test_delete(stripe: StripeProvider, account: StripeAccount) -> None:
    made = stripe.create_customer(BARE, idempotency_key=key())
    stripe.delete_customer(Ref(id=made.id), idempotency_key="op-delete")
    assert account.keys()[-1] == "op-delete"
    assert stripe.get_customer(Ref(id=made.id)).is_deleted


def test_a_repeated_delete_finds_it_gone(stripe: StripeProvider, account: StripeAccount) -> None:
    made = stripe.create_customer(BARE, idempotency_key=key())
    for _ in range(2):
        stripe.delete_customer(Ref(id=made.id), idempotency_key="op-delete")


def test_one_that_never_was_is_missing(stripe: StripeProvider, account: StripeAccount) -> None:
    with pytest.raises(ProviderObjectMissing):
        stripe.delete_customer(Ref(id="cus_no"), idempotency_key=key())


def test_another_body_with_the_same_key(stripe: StripeProvider, account: StripeAccount) -> None:
    used = key()
    stripe.create_customer(BARE, idempotency_key=used)
    with pytest.raises(ProviderKeyConflict):
        stripe.create_customer(replace(BARE, name="Bea"), idempotency_key=used)
