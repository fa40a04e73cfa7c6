"""Where Stripe sends its events."""

import logging

import pytest

from billing.errors import InvalidRequest, OutcomeUnknown
from billing.providers.stripe import StripeProvider
from billing.providers.stripe.events import API_VERSION, KINDS
from billing.testing import key
from billing.tests.stripe_account import StripeAccount

URL = "https://billing.example.com/webhooks/stripe"
EVENTS = {f"enabled_events[{number}]": name for number, name in enumerate(sorted(KINDS))}


def test_a_new_one_is_pinned_and_gets_what_we_use(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    made = stripe.register_webhook(URL, idempotency_key="op-hook")
    assert account.sent("POST", "webhook_endpoints") == [
        {"url": URL, "api_version": API_VERSION, "metadata[cobro_key]": "op-hook", **EVENTS}
    ]
    assert account.keys() == ["op-hook"]
    assert (made.url, made.event_types) == (URL, frozenset(KINDS))
    assert (made.api_version, made.is_pinned, made.is_active) == (API_VERSION, True, True)


def test_its_secret_is_told_once_and_shown_nowhere(
    stripe: StripeProvider, account: StripeAccount, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        made = stripe.register_webhook(URL, idempotency_key=key())
    assert made.secret.startswith("whsec_")
    assert made.secret not in repr(made)
    assert made.secret not in str(made.raw)
    ours = [record for record in caplog.records if record.name.startswith("billing")]
    assert made.secret not in str([vars(record) for record in ours])
    (listed,) = stripe.list_webhooks()
    assert (listed.id, listed.secret) == (made.id, "")


def test_one_with_this_url_is_brought_in_line(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    """As staff made it in the dashboard: for all events, in an old version, and switched off."""
    old = account.make(
        "webhook_endpoint", "we", url=URL, enabled_events=["*"], api_version="2020-08-27"
    )
    old["status"] = "disabled"
    found = stripe.register_webhook(URL, idempotency_key="op-again")
    assert account.sent("POST", f"webhook_endpoints/{old['id']}") == [
        {"disabled": "false", **EVENTS}
    ]
    assert (found.id, found.event_types, found.is_active) == (old["id"], frozenset(KINDS), True)
    assert (found.api_version, found.is_pinned, found.secret) == ("2020-08-27", False, "")
    assert len(account.all("webhook_endpoint")) == 1


def test_among_several_the_pinned_one_is_kept_up(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    ours = stripe.register_webhook(URL, idempotency_key=key())
    account.make("webhook_endpoint", "we", url=URL, api_version="2020-08-27", enabled_events=["*"])
    found = stripe.register_webhook(URL, idempotency_key=key())
    assert (found.id, found.is_pinned) == (ours.id, True)


def test_others_are_left_alone(stripe: StripeProvider, account: StripeAccount) -> None:
    other = account.make("webhook_endpoint", "we", url=f"{URL}/other", enabled_events=["*"])
    made = stripe.register_webhook(URL, idempotency_key=key())
    assert made.id != other["id"]
    assert other["enabled_events"] == ["*"]
    assert {each.url for each in stripe.list_webhooks()} == {URL, f"{URL}/other"}


def test_a_lost_answer_makes_one_and_the_secret_is_not_lost(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    account.lose_next("POST", "webhook_endpoints")
    used = key()
    with pytest.raises(OutcomeUnknown):
        stripe.register_webhook(URL, idempotency_key=used)
    made = stripe.register_webhook(URL, idempotency_key=used)
    assert made.secret
    assert len(account.all("webhook_endpoint")) == 1


@pytest.mark.parametrize("url", ["http://billing.example.com/webhooks/stripe", "https://", "", "x"])
def test_only_https_is_registered(stripe: StripeProvider, account: StripeAccount, url: str) -> None:
    with pytest.raises(InvalidRequest):
        stripe.register_webhook(url, idempotency_key=key())
    assert account.calls == []
