"""Aliases, capabilities, and the guard around every call to a provider."""

import threading
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from django.db import transaction

from billing import circuit, registry
from billing.errors import (
    OutcomeUnknown,
    ProviderObjectMissing,
    ProviderUnavailable,
    UnknownProvider,
    UnsupportedOperation,
)
from billing.providers.base import (
    ManagesSubscriptions,
    PaymentProvider,
    ReadsCustomers,
    ReceivesWebhooks,
    Simulates,
)
from billing.providers.sandbox import SandboxProvider
from billing.providers.types import Ref
from billing.registry import load_backend, providers


def test_aliases_keep_the_order_of_the_settings(sandbox: Any, settings: Any) -> None:
    assert providers.aliases() == list(settings.BILLING_PROVIDERS)


def test_an_alias_that_is_not_configured(sandbox: Any) -> None:
    with pytest.raises(UnknownProvider, match="nobody"):
        providers.get("nobody", PaymentProvider)
    assert not providers.supports("nobody", PaymentProvider)


def test_what_a_provider_cannot_do_is_told_before_anything_is_sent(sandbox: Any) -> None:
    assert not providers.supports("polar", ManagesSubscriptions)
    with pytest.raises(UnsupportedOperation, match="ManagesSubscriptions"):
        providers.get("polar", ManagesSubscriptions)


def test_one_instance_per_alias_for_all_threads(sandbox: Any) -> None:
    providers.reset()
    made: list[int] = []

    def ask() -> None:
        made.append(id(providers._instance("stripe")))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 20
    assert len(set(made)) == 1


def test_changed_settings_are_read_anew(sandbox: Any, settings: Any) -> None:
    before = providers._instance("stripe")
    entry = settings.BILLING_PROVIDERS["stripe"] | {"MODE": "test"}
    settings.BILLING_PROVIDERS = {"stripe": entry}
    after = providers._instance("stripe")
    assert after is not before
    assert after.mode == "test"
    assert providers.aliases() == ["stripe"]


def test_a_backend_is_a_dotted_path_or_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_backend("billing.providers.sandbox.SandboxProvider") is SandboxProvider
    offered = EntryPoint("toy", "billing.providers.sandbox:SandboxProvider", "billing.providers")
    monkeypatch.setattr(
        registry,
        "entry_points",
        lambda *, group, name: [offered] if name == "toy" else [],
    )
    assert load_backend("toy") is SandboxProvider
    with pytest.raises(UnknownProvider, match="missing"):
        load_backend("missing")


@pytest.mark.django_db(transaction=True)
def test_no_call_to_a_provider_inside_a_transaction(sandbox: Any) -> None:
    provider = providers.get("stripe", ReadsCustomers)
    with transaction.atomic(), pytest.raises(RuntimeError, match="get_customer"):
        provider.get_customer(Ref(id="cus_1"))
    with pytest.raises(ProviderObjectMissing):
        provider.get_customer(Ref(id="cus_1"))


@pytest.mark.django_db
def test_the_block_that_a_test_case_opens_does_not_count(sandbox: Any) -> None:
    with pytest.raises(ProviderObjectMissing):
        providers.get("stripe", ReadsCustomers).get_customer(Ref(id="cus_1"))


@pytest.mark.django_db(transaction=True)
def test_what_is_no_call_may_run_inside_a_transaction(sandbox: Any) -> None:
    with transaction.atomic():
        assert providers.get("stripe", PaymentProvider).features.methods
        providers.get("stripe", ReceivesWebhooks)


class TestCircuit:
    def test_repeated_failures_open_it(self, sandbox: Any) -> None:
        providers.get("stripe", Simulates).set_faults(answer_500=5)
        reader = providers.get("stripe", ReadsCustomers)
        for _ in range(5):
            with pytest.raises(ProviderUnavailable, match="answer_500"):
                reader.get_customer(Ref(id="cus_1"))
        with pytest.raises(ProviderUnavailable, match="circuit") as caught:
            reader.get_customer(Ref(id="cus_1"))
        assert caught.value.retry_after == 30
        with pytest.raises(ProviderObjectMissing):
            providers.get("conekta", ReadsCustomers).get_customer(Ref(id="cus_1"))

    def test_a_lost_answer_counts(self, sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def lost(self: Any, kind: str, ref: Any) -> Any:
            raise OutcomeUnknown("lost")

        monkeypatch.setattr(SandboxProvider, "_get", lost)
        for _ in range(5):
            with pytest.raises(OutcomeUnknown):
                providers.get("stripe", ReadsCustomers).get_customer(Ref(id="cus_1"))
        assert circuit.is_open("stripe")

    def test_an_answer_that_something_is_missing_does_not(self, sandbox: Any) -> None:
        for _ in range(10):
            with pytest.raises(ProviderObjectMissing):
                providers.get("stripe", ReadsCustomers).get_customer(Ref(id="cus_1"))
        assert not circuit.is_open("stripe")
