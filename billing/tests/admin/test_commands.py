"""billing_seed and billing_replay_webhooks."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from billing.models import (
    BillingAccount,
    Membership,
    Organization,
    Price,
    ProviderPrice,
    RuleSet,
    SubscriptionPlan,
    WebhookEvent,
)
from billing.services import webhooks

COUNTED = (SubscriptionPlan, Price, ProviderPrice, BillingAccount, Membership, RuleSet)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.mark.django_db
class TestSeed:
    def test_makes_the_first_design_and_is_safe_to_repeat(self, sandbox: Any) -> None:
        out = run("billing_seed")
        first = [model.objects.count() for model in COUNTED]
        assert first[:2] == [3, 12]
        assert "maria" in out
        assert "cobro-dev" in out
        run("billing_seed")
        assert [model.objects.count() for model in COUNTED] == first

    def test_bears_organizations_of_the_same_name(self, sandbox: Any) -> None:
        """As billing_demo makes them: `make run` must start again after it."""
        run("billing_seed")
        names = list(Organization.objects.values_list("name", flat=True))
        Organization.objects.bulk_create(Organization(name=name) for name in names * 2)
        run("billing_seed")
        assert Organization.objects.count() == 3 * len(names)

    def test_prices_are_those_of_the_first_design(self, sandbox: Any) -> None:
        run("billing_seed")
        enterprise = SubscriptionPlan.objects.get(slug="enterprise")
        found = {
            (price.currency, price.interval): price.amount_minor
            for price in enterprise.prices.all()
        }
        assert found == {
            ("USD", "monthly"): 29999,
            ("USD", "yearly"): 299900,
            ("MXN", "monthly"): 549900,
            ("MXN", "yearly"): 5499000,
        }
        assert SubscriptionPlan.objects.get(is_popular=True).slug == "business"
        assert not Price.objects.filter(published_at=None).exists()

    def test_the_log_ins_work(self, sandbox: Any) -> None:
        run("billing_seed")
        users = get_user_model().objects
        assert users.get(username="staff").is_superuser
        assert not users.get(username="hans").is_staff
        for name in ("maria", "hans", "staff"):
            assert users.get(username=name).check_password("cobro-dev")

    def test_refuses_outside_development(self, settings: Any) -> None:
        settings.ENVIRONMENT = "production"
        with pytest.raises(CommandError, match="development"):
            run("billing_seed")
        assert not get_user_model().objects.exists()


class TestReplayWebhooks:
    @pytest.fixture(autouse=True)
    def _retried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.retried: list[Any] = []
        monkeypatch.setattr(webhooks, "retry", lambda event: self.retried.append(event.pk))

    def test_takes_the_events_of_a_state(self, rows: Callable[[int], Any]) -> None:
        events = [rows(number)[WebhookEvent].pk for number in (1, 2)]
        assert "2 events are due again" in run("billing_replay_webhooks", "--state=dead")
        assert self.retried == events
        assert "0 events" in run("billing_replay_webhooks", "--state=failed")

    def test_takes_one_event(self, rows: Callable[[int], Any]) -> None:
        wanted = rows(1)[WebhookEvent].pk
        rows(2)
        run("billing_replay_webhooks", f"--id={wanted}")
        assert self.retried == [wanted]

    def test_takes_those_of_a_provider(self, rows: Callable[[int], Any]) -> None:
        rows(1)
        out = run("billing_replay_webhooks", "--state=dead", "--provider=polar")
        assert "0 events" in out
        with pytest.raises(CommandError, match="nobody"):
            run("billing_replay_webhooks", "--state=dead", "--provider=nobody")

    def test_a_dry_run_changes_nothing(self, rows: Callable[[int], Any]) -> None:
        rows(1)
        out = run("billing_replay_webhooks", "--state=dead", "--dry-run")
        assert "1 events would be replayed" in out
        assert self.retried == []

    def test_wants_to_know_which(self, db: Any) -> None:
        with pytest.raises(CommandError, match="--state or --id"):
            run("billing_replay_webhooks")
