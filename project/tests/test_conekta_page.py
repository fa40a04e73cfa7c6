"""docs/providers/conekta.md says what the code does, in both languages."""

import re
from pathlib import Path
from typing import Any

import pytest
import responses

from billing.providers.conekta import events
from billing.tests.conekta_account import ConektaAccount
from project.tests import conekta_page as pages

ENGLISH, SPANISH = pages.PAGES
both = pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)


def code_of(page: Path) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    return str(code)


@both
def test_the_generated_parts_are_up_to_date(page: Path) -> None:
    assert page.read_text() == pages.filled(page), f"Refresh {page.name}: {pages.REFRESH}"


@both
def test_every_part_is_marked_once(page: Path) -> None:
    marked = re.findall(r"<!-- (\w+): ", page.read_text())
    assert sorted(marked) == sorted(pages.PAGES[page])


def test_the_list_of_events_is_the_one_that_is_taken() -> None:
    taken = pages.PAGES[ENGLISH]["taken"]()
    assert set(re.findall(r"`([a-z_.]+)`", taken)) == set(events.KINDS)


def test_the_languages_say_the_same() -> None:
    """As far as that can be told: the same settings, calls, tokens and code."""
    english, spanish = (named(page) for page in (ENGLISH, SPANISH))
    only_english = set(re.findall(r"`([^`]+)`", pages.PAGES[ENGLISH]["ignored"]()))
    assert english - only_english == spanish - only_english
    assert code_of(ENGLISH) == code_of(SPANISH)


def named(page: Path) -> set[str]:
    """What stands in code marks."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return set(re.findall(r"`([^`\n]+)`", text))


@pytest.mark.django_db(transaction=True)
def test_the_registration_runs_as_it_stands(
    settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.BILLING_PROVIDERS = {
        "conekta": {
            "BACKEND": "billing.providers.conekta.ConektaProvider",
            "MODE": "test",
            "OPTIONS": {"api_key": "key_fake"},
        }
    }
    account = ConektaAccount()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        account.serve(mock)
        exec(code_of(ENGLISH), {})  # noqa: S102 - the page's own words
    (made,) = account.all("webhook")
    assert set(made["subscribed_events"]) == set(events.KINDS)
    assert capsys.readouterr().out.startswith("-----BEGIN PUBLIC KEY-----")


@both
def test_it_stays_short(page: Path) -> None:
    assert len(page.read_text().splitlines()) < 200
