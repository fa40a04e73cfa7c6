from dataclasses import replace

import pytest

from billing.enums import BillingInterval
from billing.errors import InvalidRequest, OutcomeUnknown, ProviderObjectMissing
from billing.providers.conekta import ConektaProvider
from billing.providers.types import Ref
from billing.testing import key, plan_request
from billing.tests.conekta_account import ConektaAccount


class TestCreatePlan:
    @pytest.mark.parametrize(
        ("interval", "word"), [(BillingInterval.MONTHLY, "month"), (BillingInterval.YEARLY, "year")]
    )
    def test_our_prices_uuid_is_its_id(
        self,
        conekta: ConektaProvider,
        account: ConektaAccount,
        interval: BillingInterval,
        word: str,
    ) -> None:
        request = plan_request(interval=interval)
        made = conekta.create_plan(request, idempotency_key=key())
        assert made.id == made.reference == request.reference
        (sent,) = account.sent("POST", "plans")
        assert sent == {
            "id": request.reference,
            "name": "Pro",
            "amount": 29900,
            "currency": "MXN",
            "interval": word,
            "frequency": 1,
        }

    def test_sent_again_after_a_lost_answer_it_is_there_once(
        self, conekta: ConektaProvider, account: ConektaAccount
    ) -> None:
        request = plan_request()
        account.lose_next("POST", "plans")
        with pytest.raises(OutcomeUnknown):
            conekta.create_plan(request, idempotency_key=key())
        again = conekta.create_plan(request, idempotency_key=key())
        assert [each["id"] for each in account.all("plan")] == [again.id]

    @pytest.mark.parametrize("changes", [{"amount_minor": 1}, {"currency": "USD"}])
    def test_another_one_under_the_same_id_is_refused(
        self, conekta: ConektaProvider, account: ConektaAccount, changes: dict[str, object]
    ) -> None:
        request = plan_request()
        conekta.create_plan(request, idempotency_key=key())
        with pytest.raises(InvalidRequest):
            conekta.create_plan(replace(request, **changes), idempotency_key=key())

    def test_a_refusal_of_something_else_is_one(
        self, conekta: ConektaProvider, account: ConektaAccount
    ) -> None:
        account.refuse_next("POST", "plans", 422, param="name")
        with pytest.raises(InvalidRequest) as caught:
            conekta.create_plan(plan_request(), idempotency_key=key())
        assert caught.value.param == "name"

    def test_nothing_is_free(self, conekta: ConektaProvider, account: ConektaAccount) -> None:
        with pytest.raises(InvalidRequest):
            conekta.create_plan(plan_request(amount_minor=0), idempotency_key=key())
        assert account.calls == []


class TestOthers:
    def test_only_the_name_changes(self, conekta: ConektaProvider, account: ConektaAccount) -> None:
        request = plan_request()
        made = conekta.create_plan(request, idempotency_key=key())
        renamed = replace(request, name="Max", description="More")
        conekta.update_plan(Ref(id=made.id), renamed, idempotency_key=key())
        assert account.sent("PUT", f"plans/{made.id}") == [{"name": "Max"}]

    def test_an_archived_one_stays_for_its_subscriptions(
        self, conekta: ConektaProvider, account: ConektaAccount
    ) -> None:
        made = conekta.create_plan(plan_request(), idempotency_key=key())
        assert not conekta.archive_plan(Ref(id=made.id), idempotency_key=key()).is_active
        assert account.one(made.id, "plan")

    def test_all_are_listed(self, conekta: ConektaProvider, account: ConektaAccount) -> None:
        made = [conekta.create_plan(plan_request(), idempotency_key=key()).id for _ in range(3)]
        account.make("plan", "odd", name="without amount")
        assert [each.id for each in conekta.list_plans()] == made[::-1]

    def test_none_such(self, conekta: ConektaProvider, account: ConektaAccount) -> None:
        with pytest.raises(ProviderObjectMissing):
            conekta.get_plan(Ref(id="gold-plan"))
