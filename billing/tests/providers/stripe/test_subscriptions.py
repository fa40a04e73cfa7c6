from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.enums import (
    IncompleteReason,
    NextActionType,
    PaymentState,
    SubscriptionStatus,
)
from billing.errors import (
    InvalidRequest,
    OutcomeUnknown,
    PaymentDeclined,
    ProviderObjectMissing,
)
from billing.providers.stripe import StripeProvider
from billing.providers.types import (
    PaymentMethodRequest,
    Ref,
    SubscriptionData,
    SubscriptionRequest,
    SubscriptionUpdate,
)
from billing.testing import key, plan_request
from billing.tests.stripe_account import StripeAccount

TRIAL_END = datetime(2026, 12, 24, 18, tzinfo=UTC)
EXPAND = {
    "expand[0]": "latest_invoice.confirmation_secret",
    "expand[1]": "pending_setup_intent",
}


def card(stripe: StripeProvider, customer_id: str, name: str) -> str:
    token = PaymentMethodRequest(token=f"pm_card_{name}")
    owner = Ref(id=customer_id)
    return stripe.create_payment_method(owner, token, idempotency_key=key()).id


def with_card(
    stripe: StripeProvider, wanted: SubscriptionRequest, name: str
) -> SubscriptionRequest:
    return replace(wanted, payment_method_id=card(stripe, wanted.customer_id, name))


def subscribe(stripe: StripeProvider, wanted: SubscriptionRequest) -> SubscriptionData:
    return stripe.create_subscription(wanted, idempotency_key=key())


def only_subscription(account: StripeAccount) -> dict[str, Any]:
    (found,) = [each for each in account.objects.values() if each["object"] == "subscription"]
    return found


class TestCreate:
    def test_is_made_unpaid_and_paid_at_once(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        account.calls.clear()
        wanted = replace(wanted, quantity=2)
        made = stripe.create_subscription(wanted, idempotency_key="op-sub")
        assert account.sent("POST", "subscriptions") == [
            {
                "customer": wanted.customer_id,
                "items[0][price]": wanted.price_id,
                "items[0][quantity]": "2",
                "default_payment_method": wanted.payment_method_id,
                "payment_behavior": "default_incomplete",
                "payment_settings[save_default_payment_method]": "on_subscription",
                "metadata[organization_id]": "org-1",
                "metadata[cobro_reference]": wanted.reference,
                **EXPAND,
            }
        ]
        assert account.sent("POST", f"invoices/{made.latest_invoice_id}/pay") == [
            {"payment_method": wanted.payment_method_id, "off_session": "false"}
        ]
        assert account.keys() == ["op-sub", "op-sub-pay"]
        assert (made.status, made.quantity) == (SubscriptionStatus.ACTIVE, 2)
        assert (made.reference, made.price_id) == (wanted.reference, wanted.price_id)
        assert made.next_action is None

    def test_three_d_secure_is_for_the_customer(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        made = subscribe(stripe, with_card(stripe, wanted, "authenticationRequired"))
        assert made.status is SubscriptionStatus.INCOMPLETE
        assert made.incomplete_reason is IncompleteReason.REQUIRES_ACTION
        assert made.next_action is not None
        assert made.next_action.type is NextActionType.USE_SDK
        (intent,) = account.all("payment_intent")
        assert made.next_action.details["client_secret"] == intent["client_secret"]

    @pytest.mark.parametrize("is_served", [True, False])
    def test_a_debit_is_with_the_bank_for_days(
        self,
        stripe: StripeProvider,
        account: StripeAccount,
        wanted: SubscriptionRequest,
        is_served: bool,
    ) -> None:
        account.serves_while_processing = is_served
        token = PaymentMethodRequest(token="pm_sepaDebit")
        owner = Ref(id=wanted.customer_id)
        method = stripe.create_payment_method(owner, token, idempotency_key=key())
        made = subscribe(stripe, replace(wanted, payment_method_id=method.id))
        found = stripe.find_subscription(owner, wanted.reference, wanted.price_id)
        (listed,) = stripe.list_subscriptions().items
        for told in (made, found, listed, stripe.get_subscription(Ref(id=made.id))):
            assert told is not None
            action = told.next_action and told.next_action.type
            expected = (SubscriptionStatus.ACTIVE, None, None)
            if not is_served:
                expected = (
                    SubscriptionStatus.INCOMPLETE,
                    IncompleteReason.PROCESSING,
                    NextActionType.WAIT,
                )
            assert (told.status, told.incomplete_reason, action) == expected
        invoice = stripe.get_invoice(Ref(id=made.latest_invoice_id or ""))
        assert invoice.payment_state is PaymentState.PROCESSING

    def test_without_a_method_the_browser_confirms(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        account.calls.clear()
        made = stripe.create_subscription(
            replace(wanted, payment_method_id=None), idempotency_key="op-bare"
        )
        assert account.keys() == ["op-bare"]
        assert "default_payment_method" not in account.sent("POST", "subscriptions")[0]
        assert made.status is SubscriptionStatus.INCOMPLETE
        assert made.next_action is not None
        assert made.next_action.details["intent"] == "payment"

    def test_a_trial_charges_nothing(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        account.calls.clear()
        made = stripe.create_subscription(
            replace(wanted, trial_end_at=TRIAL_END), idempotency_key="op-trial"
        )
        (sent,) = account.sent("POST", "subscriptions")
        assert sent["trial_end"] == str(int(TRIAL_END.timestamp()))
        assert account.keys() == ["op-trial"]
        assert (made.status, made.trial_end) == (SubscriptionStatus.TRIALING, TRIAL_END)
        assert made.next_action is None

    def test_a_trial_without_a_method_sets_one_up(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        made = subscribe(stripe, replace(wanted, payment_method_id=None, trial_end_at=TRIAL_END))
        assert made.next_action is not None
        assert made.next_action.details["intent"] == "setup"

    def test_a_decline_ends_it_again(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        wanted = with_card(stripe, wanted, "chargeCustomerFail")
        account.calls.clear()
        for _ in range(2):  # as a repetition of the same operation would
            with pytest.raises(PaymentDeclined) as declined:
                stripe.create_subscription(wanted, idempotency_key="op-declined")
            assert declined.value.decline_code == "insufficient_funds"
        assert only_subscription(account)["status"] == "incomplete_expired"
        keys = ["op-declined", "op-declined-pay", "op-declined-end"]
        assert account.keys() == keys * 2

    def test_a_decline_that_is_not_ended_is_unknown(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        wanted = with_card(stripe, wanted, "chargeCustomerFail")
        made = only_after(stripe, account, wanted, "op-stuck")
        account.refuse_next("DELETE", f"subscriptions/{made}", 429)
        with pytest.raises(OutcomeUnknown):
            stripe.create_subscription(wanted, idempotency_key="op-stuck")
        with pytest.raises(PaymentDeclined):
            stripe.create_subscription(wanted, idempotency_key="op-stuck")
        assert only_subscription(account)["status"] == "incomplete_expired"

    @pytest.mark.parametrize("status", [401, 429])
    def test_what_is_made_and_not_paid_is_unknown(
        self,
        stripe: StripeProvider,
        account: StripeAccount,
        wanted: SubscriptionRequest,
        status: int,
    ) -> None:
        used = key()
        only_after(stripe, account, wanted, used)
        invoice = only_subscription(account)["latest_invoice"]
        account.refuse_next("POST", f"invoices/{invoice}/pay", status)
        with pytest.raises(OutcomeUnknown):
            stripe.create_subscription(wanted, idempotency_key=used)
        again = stripe.create_subscription(wanted, idempotency_key=used)
        assert again.status is SubscriptionStatus.ACTIVE
        assert only_subscription(account)["id"] == again.id

    def test_an_invoice_that_was_paid_meanwhile(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        used = key()
        only_after(stripe, account, wanted, used)
        invoice = only_subscription(account)["latest_invoice"]
        account.pay(invoice)
        made = stripe.create_subscription(wanted, idempotency_key=used)
        assert made.status is SubscriptionStatus.ACTIVE

    @pytest.mark.parametrize("lost", ["subscriptions", "pay", "read"])
    def test_a_lost_answer_has_one_effect(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest, lost: str
    ) -> None:
        used = key()
        if lost == "subscriptions":
            account.lose_next("POST", "subscriptions")
        else:
            made = only_after(stripe, account, wanted, used)
            invoice = only_subscription(account)["latest_invoice"]
            places = {"pay": ("POST", f"invoices/{invoice}/pay")}
            account.lose_next(*places.get(lost, ("GET", f"subscriptions/{made}")))
        with pytest.raises(OutcomeUnknown):
            stripe.create_subscription(wanted, idempotency_key=used)
        made_again = stripe.create_subscription(wanted, idempotency_key=used)
        assert made_again.status is SubscriptionStatus.ACTIVE
        assert only_subscription(account)["id"] == made_again.id
        kinds = [each["object"] for each in account.objects.values()]
        assert kinds.count("invoice") == 1


def only_after(
    stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest, used: str
) -> str:
    """Make it with its answer lost, so that its ids are known before the rest; return its id."""
    account.lose_next("POST", "subscriptions")
    with pytest.raises(OutcomeUnknown):
        stripe.create_subscription(wanted, idempotency_key=used)
    return str(only_subscription(account)["id"])


class TestUpdate:
    def test_changes_the_item_that_is_there(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        made = subscribe(stripe, wanted)
        dearer = stripe.create_plan(plan_request(amount_minor=59900), idempotency_key=key())
        item = account.objects[made.id]["items"]["data"][0]["id"]
        changed = stripe.update_subscription(
            Ref(id=made.id),
            SubscriptionUpdate(price_id=dearer.id, quantity=3),
            idempotency_key="op-change",
        )
        assert account.sent("POST", f"subscriptions/{made.id}") == [
            {
                "items[0][id]": item,
                "items[0][price]": dearer.id,
                "items[0][quantity]": "3",
                "proration_behavior": "create_prorations",
                "payment_behavior": "error_if_incomplete",
                **EXPAND,
            }
        ]
        assert account.keys()[-1] == "op-change"
        assert (changed.price_id, changed.quantity) == (dearer.id, 3)
        assert len(account.objects[made.id]["items"]["data"]) == 1

    def test_sends_only_what_changes(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        made = subscribe(stripe, wanted)
        other = card(stripe, wanted.customer_id, "visa")
        changed = stripe.update_subscription(
            Ref(id=made.id), SubscriptionUpdate(payment_method_id=other), idempotency_key=key()
        )
        assert account.sent("POST", f"subscriptions/{made.id}") == [
            {"default_payment_method": other, **EXPAND}
        ]
        assert (changed.payment_method_id, changed.quantity) == (other, 1)

    def test_what_cannot_be_collected_is_a_decline(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        made = subscribe(stripe, wanted)
        account.refuse_next(
            "POST", f"subscriptions/{made.id}", 402, type="card_error", code="card_declined"
        )
        with pytest.raises(PaymentDeclined):
            stripe.update_subscription(
                Ref(id=made.id), SubscriptionUpdate(quantity=9), idempotency_key=key()
            )

    def test_without_an_item_nothing_is_sent(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        made = subscribe(stripe, wanted)
        account.objects[made.id]["items"]["data"] = []
        with pytest.raises(InvalidRequest):
            stripe.update_subscription(
                Ref(id=made.id), SubscriptionUpdate(quantity=9), idempotency_key=key()
            )
        assert account.sent("POST", f"subscriptions/{made.id}") == []


class TestEnd:
    def test_at_the_periods_end_and_undone(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        made = subscribe(stripe, wanted)
        ref = Ref(id=made.id)
        planned = stripe.cancel_subscription(ref, at_period_end=True, idempotency_key="op-plan-end")
        assert planned.cancel_at_period_end
        assert planned.cancel_at == made.current_period_end
        assert planned.status is SubscriptionStatus.ACTIVE
        resumed = stripe.resume_subscription(ref, idempotency_key="op-resume")
        assert (resumed.cancel_at_period_end, resumed.cancel_at) == (False, None)
        assert account.sent("POST", f"subscriptions/{made.id}") == [
            {"cancel_at_period_end": "true", **EXPAND},
            {"cancel_at_period_end": "false", **EXPAND},
        ]
        assert account.keys()[-2:] == ["op-plan-end", "op-resume"]

    def test_now(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        made = subscribe(stripe, wanted)
        ended = stripe.cancel_subscription(
            Ref(id=made.id), at_period_end=False, idempotency_key="op-end"
        )
        assert account.calls[-1]["method"] == "DELETE"
        assert account.keys()[-1] == "op-end"
        assert ended.status is SubscriptionStatus.CANCELED
        assert ended.ended_at

    def test_a_lost_end_is_told_on_repeating(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        ref = Ref(id=subscribe(stripe, wanted).id)
        account.lose_next("DELETE", f"subscriptions/{ref.id}")
        used = key()
        with pytest.raises(OutcomeUnknown):
            stripe.cancel_subscription(ref, at_period_end=False, idempotency_key=used)
        again = stripe.cancel_subscription(ref, at_period_end=False, idempotency_key=used)
        assert again.status is SubscriptionStatus.CANCELED

    def test_one_that_never_was(self, stripe: StripeProvider, account: StripeAccount) -> None:
        with pytest.raises(ProviderObjectMissing):
            stripe.cancel_subscription(Ref(id="sub_no"), at_period_end=False, idempotency_key=key())

    def test_missing_though_it_runs(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        ref = Ref(id=subscribe(stripe, wanted).id)
        account.refuse_next("DELETE", f"subscriptions/{ref.id}", 404)
        with pytest.raises(ProviderObjectMissing):
            stripe.cancel_subscription(ref, at_period_end=False, idempotency_key=key())
