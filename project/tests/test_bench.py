"""The table of `make bench`: what counts as met, and that its samples are genuine deliveries."""

from pathlib import Path
from typing import Any

import environ
import pytest
from django.test import Client

from billing.models import WebhookEvent
from billing.registry import providers
from project.bench import samples
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


@pytest.mark.django_db
@pytest.mark.parametrize("alias", ["stripe", "conekta", "polar"])
def test_a_sample_is_accepted_and_a_forged_one_is_not(
    client: Client, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alias: str
) -> None:
    monkeypatch.setenv("STRIPE_TEST_KEY", "sk_test_fake")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", samples.STRIPE_SECRET)
    settings.BILLING_PROVIDERS = billing_providers(
        environ.Env(), "development", tmp_path / "sandbox.sqlite3", "http://127.0.0.1"
    )
    for is_forged, status in ((True, 400), (False, 200)):
        headers, body = samples.delivery(alias, 7, is_forged=is_forged)
        assert len(body) >= samples.BODY_BYTES
        kind = headers.pop("Content-Type")
        answer = client.post(f"/webhooks/{alias}", body, content_type=kind, headers=headers)
        assert answer.status_code == status
    assert WebhookEvent.objects.get().object_id == "sub_00000007"
    providers.reset()
