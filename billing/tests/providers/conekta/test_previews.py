import pytest

from billing.errors import InvalidRequest, ProviderObjectMissing
from billing.providers.conekta import ConektaProvider
from billing.providers.types import Ref, SubscriptionRequest, SubscriptionUpdate
from billing.testing import key, plan_request
from billing.tests.conekta_account import ConektaAccount


class TestPreviewChange:
    @pytest.fixture
    def ref(self, conekta: ConektaProvider, wanted: SubscriptionRequest) -> Ref:
        made = conekta.create_subscription(wanted, idempotency_key=key())
        return Ref(id=made.id, customer_id=made.customer_id)

    def test_a_new_price_is_whole_and_waits_for_the_next_cycle(
        self, conekta: ConektaProvider, account: ConektaAccount, ref: Ref
    ) -> None:
        request = plan_request(name="Max", amount_minor=99900)
        dearer = conekta.create_plan(request, idempotency_key=key())
        before = len(account.calls)
        preview = conekta.preview_change(ref, SubscriptionUpdate(price_id=dearer.id))
        assert (preview.due_now_minor, preview.total_minor) == (0, 99900)
        assert preview.billed_at == conekta.get_subscription(ref).current_period_end
        assert [line.description for line in preview.lines] == ["Max"]
        assert {each["method"] for each in account.calls[before:]} == {"GET"}

    def test_what_the_change_would_be_refused_for(self, conekta: ConektaProvider, ref: Ref) -> None:
        with pytest.raises(InvalidRequest):
            conekta.preview_change(ref, SubscriptionUpdate(quantity=2))
        with pytest.raises(ProviderObjectMissing):
            conekta.preview_change(ref, SubscriptionUpdate(price_id="none-such"))
