"""Every URL beside the API, and who may enter. One that is not in this list fails."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from billing.tests.attacks.operations import all_rows

pytestmark = [pytest.mark.django_db, pytest.mark.soak(block="attacks")]
LOG_IN = "to the log-in"
Answer = int | str

# Pattern, an address of it, and what a stranger's GET is answered.
LIST: dict[str, tuple[str, Answer]] = {
    "": ("/", 302),  # to the admin
    "healthz": ("/healthz", 200),
    "readyz": ("/readyz", 200),
    "metrics": ("/metrics", 401),  # for who shows the token
    "api/schema": ("/api/schema", 200),
    "api/docs": ("/api/docs", 200),
    "api/v1/billing/": ("/api/v1/billing/nothing", 404),
    # For who signs; GET is nobody's.
    "webhooks/^(?P<alias>[A-Za-z0-9_-]{1,40})/?$": ("/webhooks/stripe", 405),
    "admin/": ("/admin/", LOG_IN),
    "admin/login/": ("/admin/login/", 200),
    "admin/logout/": ("/admin/logout/", 302),  # to the admin: nobody is logged in
    "admin/search/": ("/admin/search/", LOG_IN),
    "admin/password_change/": ("/admin/password_change/", LOG_IN),
    "admin/password_change/done/": ("/admin/password_change/done/", LOG_IN),
    "admin/autocomplete/": ("/admin/autocomplete/", LOG_IN),
    "admin/jsi18n/": ("/admin/jsi18n/", LOG_IN),
    "admin/r/<path:content_type_id>/<path:object_id>/": ("/admin/r/1/1/", LOG_IN),
    "admin/^(?P<app_label>billing|auth)/$": ("/admin/billing/", LOG_IN),
    "admin/(?P<url>.*)$": ("/admin/nothing", LOG_IN),
    "admin/auth/user/<id>/password/": ("/admin/auth/user/1/password/", LOG_IN),
    "admin/billing/ruleset/simulate/": ("/admin/billing/ruleset/simulate/", LOG_IN),
    "admin/billing/subscriptionplan/<path:object_id>/publish/": (
        "/admin/billing/subscriptionplan/1/publish/",
        LOG_IN,
    ),
    "admin/billing/webhookevent/<path:object_id>/replay/": (
        "/admin/billing/webhookevent/1/replay/",
        LOG_IN,
    ),
}
for button in ("try", "copy", "edit", "activate"):
    LIST[f"admin/billing/ruleset/<path:object_id>/{button}/"] = (
        f"/admin/billing/ruleset/1/{button}/",
        LOG_IN,
    )
# Whose pages in the admin are all behind the log-in.
ADMIN_MODELS = [
    "auth/group",
    "auth/user",
    "billing/billingaccount",
    "billing/customer",
    "billing/dispute",
    "billing/idempotencykey",
    "billing/invoice",
    "billing/membership",
    "billing/operation",
    "billing/organization",
    "billing/outboxmessage",
    "billing/payment",
    "billing/paymentmethod",
    "billing/price",
    "billing/product",
    "billing/productprice",
    "billing/providerprice",
    "billing/providerproductprice",
    "billing/refund",
    "billing/routingdecision",
    "billing/ruleset",
    "billing/setupsession",
    "billing/statechange",
    "billing/subscription",
    "billing/subscriptionplan",
    "billing/syncpage",
    "billing/syncrun",
    "billing/webhookevent",
]
ADMIN_PAGES = [
    "",
    "add/",
    "<path:object_id>/history/",
    "<path:object_id>/delete/",
    "<path:object_id>/change/",
    "<path:object_id>/",
]
OF_MODELS = [f"admin/{model}/{page}" for model in ADMIN_MODELS for page in ADMIN_PAGES]
LIST |= {pattern: ("/" + pattern.replace("<path:object_id>", "1"), LOG_IN) for pattern in OF_MODELS}
# Attacked over the API's own description, in test_tenancy.
_API = re.compile(r"api/v1/billing/\^")


@pytest.fixture(autouse=True)
def _serve_everything(settings: Any, sandbox: Any) -> None:
    settings.BILLING_METRICS_TOKEN = "shown-to-nobody"  # noqa: S105


def _patterns(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        whole = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield whole
        else:
            yield from _patterns(entry, whole)


def test_the_list_holds_every_url_and_no_other() -> None:
    found = {pattern for pattern in _patterns(get_resolver()) if not _API.match(pattern)}
    assert sorted(found) == sorted(LIST)


def test_a_stranger_enters_where_the_list_says_and_nowhere_else() -> None:
    assert _answers(Client()) == _expected()


def test_who_is_not_staff_is_a_stranger_to_the_admin() -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_user(username="somebody"))
    admin = {pattern: end for pattern, end in _expected().items() if end == LOG_IN}
    assert {name: end for name, end in _answers(client).items() if name in admin} == admin


def test_a_stranger_s_post_changes_nothing() -> None:
    """Though the CSRF token is right, which this client is not asked for."""
    client = Client()
    before = all_rows()
    answers = {pattern: client.post(url).status_code for pattern, (url, _) in LIST.items()}
    for pattern, status in answers.items():
        behind_log_in = LIST[pattern][1] == LOG_IN
        assert status == 302 if behind_log_in else status in (200, 302, 400, 401, 404, 405), pattern
    assert all_rows() == before


def _expected() -> dict[str, Answer]:
    return {pattern: answer for pattern, (_, answer) in LIST.items()}


def _answers(client: Client) -> dict[str, Answer]:
    return {pattern: _answer(client, url) for pattern, (url, _) in LIST.items()}


def _answer(client: Client, url: str) -> Answer:
    answer = client.get(url)
    to = answer.headers.get("Location", "")
    return LOG_IN if to.startswith("/admin/login/?next=") else answer.status_code
