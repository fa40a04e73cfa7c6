"""The table of `make bench`: what counts as met, and that its samples are genuine deliveries."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import environ
import psycopg
import pytest
from django.db import connection
from django.test import Client

from billing.models import Invoice, Subscription, WebhookEvent
from billing.registry import providers
from project.bench import filling, limits, samples
from project.bench.figures import Figure, Table, ratios
from project.providers import billing_providers


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure(name="most", values=[1.0, 1.1, 9.0], aim=1.1), "met"),
        (Figure(name="most", values=[1.0, 1.2, 1.3], aim=1.1), "MISSED"),
        (Figure(name="least", values=[0.4, 0.5, 0.6], aim=0.5, at_least=True), "met"),
        (Figure(name="least", values=[0.4, 0.4, 0.6], aim=0.5, at_least=True), "MISSED"),
        (Figure(name="for information", values=[7.0]), ""),
        (Figure(name="no code yet"), "not built"),
    ],
)
def test_a_figure_is_judged_by_its_median(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict


def test_the_table_counts_misses_and_shows_the_spread(capsys: Any) -> None:
    table = Table()
    table.add(Figure(name="slow", values=ratios([3, 4, 8], [2, 2, 2]), aim=1.1))
    table.show()
    shown = capsys.readouterr().out
    assert "1.50..4.00  <= 1.10 MISSED" in shown
    assert shown.endswith("0 aims met, 1 missed\n")


@pytest.fixture
def configured(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("STRIPE_TEST_KEY", "sk_test_fake")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", samples.STRIPE_SECRET)
    settings.BILLING_PROVIDERS = billing_providers(
        environ.Env(), "development", tmp_path / "sandbox.sqlite3", "http://127.0.0.1"
    )
    yield
    providers.reset()


@pytest.mark.django_db
@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("alias", ["stripe", "conekta", "polar"])
def test_a_sample_is_accepted_and_a_forged_one_is_not(client: Client, alias: str) -> None:
    for is_forged, status in ((True, 400), (False, 200)):
        headers, body = samples.delivery(alias, 7, is_forged=is_forged)
        assert len(body) >= samples.BODY_BYTES
        kind = headers.pop("Content-Type")
        answer = client.post(f"/webhooks/{alias}", body, content_type=kind, headers=headers)
        assert answer.status_code == status
    assert WebhookEvent.objects.get().object_id == "sub_00000007"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("configured")
def test_the_limit_drains_into_the_tables_as_they_are_now() -> None:
    """It writes its columns by name: a new one without a default must be among them."""
    filling.keep_lives()
    try:
        filling.fill_customers(2)
        filling.fill_events(2)
        parameters = connection.get_connection_params()
        server = {
            name: parameters[name]
            for name in ("host", "port", "user", "password", "dbname")
            if parameters.get(name)
        }
        with psycopg.connect(**server, autocommit=True) as connected:
            limits.drain(connected)
        assert not WebhookEvent.objects.exclude(state="processed").exists()
        assert (Subscription.objects.count(), Invoice.objects.count()) == (2, 2)
    finally:
        filling.execute(f"DROP TABLE {filling.TEMPLATE}")
