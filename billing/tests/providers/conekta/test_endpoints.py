"""Webhooks and the key that signs: each is made once, whatever gets lost."""

import pytest

from billing.errors import InvalidRequest, OutcomeUnknown
from billing.providers.conekta import ConektaProvider
from billing.providers.conekta.events import KINDS
from billing.testing import customer_request, key
from billing.tests.conekta_account import ConektaAccount
from billing.tests.conekta_account.journal import Journal
from billing.tests.conekta_account.signing import public_key, signed

URL = "https://billing.example.com/webhooks/conekta"


def test_a_new_one_comes_with_a_key(conekta: ConektaProvider, account: ConektaAccount) -> None:
    made = conekta.register_webhook(URL, idempotency_key=key())
    assert made.event_types == KINDS.keys()
    options = {"api_key": "key_fake", "webhook_public_key": made.secret}
    receiver = ConektaProvider(alias="conekta", mode="test", options=options)
    receiver.verify_webhook_signature(b"{}", signed()(b"{}"))
    assert len(account.all("webhook_key")) == 1


def test_a_key_that_signs_already_is_told(
    conekta: ConektaProvider, account: ConektaAccount
) -> None:
    account.make("webhook_key", account.new_hex(), active=True, public_key=public_key(1))
    account.make("webhook_key", account.new_hex(), active=False, public_key=public_key(2))
    assert conekta.register_webhook(URL, idempotency_key=key()).secret == public_key(1)
    assert len(account.all("webhook_key")) == 2


def test_an_old_one_is_brought_in_line(conekta: ConektaProvider, account: ConektaAccount) -> None:
    made = conekta.register_webhook(URL, idempotency_key=key())
    account.one(made.id).update(subscribed_events=["order.paid"], active=False)
    found = conekta.register_webhook(URL, idempotency_key=key())
    assert (found.id, found.is_active, found.event_types) == (made.id, True, made.event_types)


@pytest.mark.parametrize("path", ["webhooks", "webhook_keys"])
def test_a_lost_answer_makes_no_second_one(
    conekta: ConektaProvider, account: ConektaAccount, path: str
) -> None:
    account.lose_next("POST", path)
    with pytest.raises(OutcomeUnknown):
        conekta.register_webhook(URL, idempotency_key=key())
    conekta.register_webhook(URL, idempotency_key=key())
    assert (len(account.all("webhook")), len(account.all("webhook_key"))) == (1, 1)


def test_a_key_without_its_webhook_leaves_it_open(
    conekta: ConektaProvider, account: ConektaAccount
) -> None:
    account.refuse_next("POST", "webhooks", 429)
    with pytest.raises(OutcomeUnknown):
        conekta.register_webhook(URL, idempotency_key=key())
    assert conekta.register_webhook(URL, idempotency_key=key()).secret == public_key()


class TestResend:
    @pytest.fixture
    def event_id(self, conekta: ConektaProvider, account: ConektaAccount) -> str:
        """Of a customer.created."""
        Journal(account)
        conekta.create_customer(customer_request(), idempotency_key=key())
        return str(account.told[0]["id"])

    def test_to_the_active_ones_that_take_its_type(
        self, conekta: ConektaProvider, account: ConektaAccount, event_id: str
    ) -> None:
        made = [
            conekta.register_webhook(f"{URL}/{each}", idempotency_key=key()).id for each in range(4)
        ]
        account.one(made[1])["active"] = False
        account.one(made[2])["subscribed_events"] = ["order.paid"]
        conekta.resend_event(event_id, idempotency_key=key())
        (sent,) = account.sent("POST", f"events/{event_id}/resend")
        assert sorted(sent["webhooks_ids"]) == sorted([made[0], made[3]])
        assert [each["id"] for each in account.resent] == [event_id]

    def test_nothing_is_sent_where_nobody_takes_it(
        self, conekta: ConektaProvider, account: ConektaAccount, event_id: str
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            conekta.resend_event(event_id, idempotency_key=key())
        assert refused.value.param == "event_id"
        assert account.resent == []

    def test_a_lost_answer_leaves_it_open(
        self, conekta: ConektaProvider, account: ConektaAccount, event_id: str
    ) -> None:
        conekta.register_webhook(URL, idempotency_key=key())
        account.lose_next("POST", f"events/{event_id}/resend")
        with pytest.raises(OutcomeUnknown):
            conekta.resend_event(event_id, idempotency_key=key())
        conekta.resend_event(event_id, idempotency_key=key())
        assert [each["id"] for each in account.resent] == [event_id] * 2
