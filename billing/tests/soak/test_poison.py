"""Events that always fail: they hold nobody up, are tried eight times, and staff do them again.

Three fail because Stripe's own object is broken, in the event and when it is read; two because
what they say fits in no column. Nothing of ours is patched.
"""

import copy
import re
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from billing.tests.integration.harness import Cobro, started
from billing.tests.integration.stripe_api import StripeApi
from billing.tests.soak import long_or_short
from billing.tests.soak.sender import Sender
from billing.tests.soak.stage import INVARIANTS, Inbox, Stage, mixed, wait_until
from billing.tests.stripe_life import API_VERSION, LifeEvent, StripeLife, live

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.soak(block="poison"),
]

TRIES = 8
GOOD = 500
RETRY_BASE_SECONDS = long_or_short("0.15", "0.03")
SLOWEST = 127 * float(RETRY_BASE_SECONDS) * 1.2
WHY = ["invoice has no currency"] * 3 + ["out of range"] * 2
_STATES = """
SELECT provider_event_id, state, attempts, error_message FROM billing_webhookevent
WHERE object_id LIKE 'in_poison%' ORDER BY object_id
"""


def test_poison_holds_nobody_up_dies_after_eight_tries_and_is_replayed(
    stage: Stage, tmp_path: Path, record_property: Any
) -> None:
    victim, *others = live([("recovered", API_VERSION)] * 26, stage.references[:26])
    poison = _poison(victim)
    api = StripeApi([victim, *others])
    with (
        api.served() as api_url,
        stage.system(
            tmp_path,
            STRIPE_API_BASE=api_url,
            BILLING_RETRY_BASE_SECONDS=RETRY_BASE_SECONDS,
            BILLING_SWEEP_SECONDS="0.5",
        ) as (system, inbox),
        started(system, "web", "worker", "beat") as processes,
    ):
        with Sender(system.url, poison) as bad:
            bad.wait()
        good = mixed(others)
        assert len({event.id for event in good}) >= GOOD
        sent_at = time.monotonic()
        with Sender(system.url, good) as sender:
            sender.wait()
        wait_until(lambda: _left_of_the_good(inbox) == 0, 60)
        record_property("the good ones done after, s", round(time.monotonic() - sent_at, 1))
        wait_until(lambda: _states(inbox) == ["dead"] * 5, SLOWEST + 60)
        assert [attempts for _, _, attempts, _ in inbox.query(_STATES)] == [TRIES] * 5
        for (*_, error), why in zip(inbox.query(_STATES), WHY, strict=True):
            assert why in error
        # The worker told each try, and none that is not counted.
        assert processes["worker"].log.read_text().count("webhook.failed") == TRIES * 5
        staff = _log_in(system)
        _check_list(staff, poison)
        _repair(victim)
        api.tell([victim])
        system.orm("call_command('billing_replay_webhooks', state='dead')")
        wait_until(lambda: _states(inbox)[:3] == ["processed"] * 3, 60)
        wait_until(lambda: _states(inbox)[3:] == ["dead"] * 2, SLOWEST + 60)
        _replay_in_the_admin(staff, inbox)
        wait_until(lambda: _states(inbox)[3:] == ["dead"] * 2, SLOWEST + 60)
        assert [attempts for _, _, attempts, _ in inbox.query(_STATES)[3:]] == [TRIES] * 2
        assert processes["worker"].log.read_text().count("webhook.failed") == TRIES * (5 + 2 + 2)
        system.orm(INVARIANTS)


def _poison(life: StripeLife) -> list[LifeEvent]:
    """Five events about invoices of a customer whose own events were not sent."""
    source = life.objects["invoice", life.invoice_id]
    events = []
    for number in range(5):
        invoice = copy.deepcopy(source) | {"id": f"in_poison{number}"}
        if number < 3:
            del invoice["currency"]
        else:
            # Each fits in 64 bits; their sum does not.
            invoice["total_discount_amounts"] = [{"amount": 2**62, "discount": "di_1"}] * 2
        life.objects["invoice", invoice["id"]] = invoice
        events.append(life.event("invoice.updated", invoice))
    return events


def _repair(life: StripeLife) -> None:
    for number in range(3):
        life.objects["invoice", f"in_poison{number}"]["currency"] = "usd"


def _states(inbox: Inbox) -> list[str]:
    return [state for _, state, *_ in inbox.query(_STATES)]


def _left_of_the_good(inbox: Inbox) -> int:
    statement = """
    SELECT count(*) FROM billing_webhookevent
    WHERE object_id NOT LIKE 'in_poison%' AND state <> 'processed'
    """
    return int(inbox.query(statement)[0][0])


def _log_in(system: Cobro) -> "Staff":
    system.orm(
        "from django.contrib.auth import get_user_model\n"
        "get_user_model().objects.create_superuser('staff', password='fake-password')"
    )
    return Staff(system.url)


class Staff:
    """A person in the admin, over HTTP."""

    def __init__(self, url: str) -> None:
        self._session = requests.Session()
        self._url = f"{url}/admin"
        answer = self.post("/login/", username="staff", password="fake-password")
        assert answer.url == f"{self._url}/"

    def get(self, path: str) -> str:
        answer = self._session.get(self._url + path, timeout=20)
        assert answer.status_code == 200
        return answer.text

    def post(self, path: str, **data: Any) -> requests.Response:
        page = self.get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token
        form = {"csrfmiddlewaretoken": token[1], **data}
        answer = self._session.post(self._url + path, data=form, timeout=20)
        assert answer.status_code == 200
        return answer


LIST = "/billing/webhookevent/"


def _check_list(staff: Staff, poison: list[LifeEvent]) -> None:
    """All five are in the list of dead events; the page of one says why it died."""
    page = staff.get(f"{LIST}?state__exact=dead")
    rows = re.findall(rf'href="/admin({LIST}[0-9a-f-]+/change/)', page)
    assert len(set(rows)) == 5
    assert all(event.object["id"] in page for event in poison)
    for row in set(rows):
        assert "Traceback" in staff.get(row)


def _replay_in_the_admin(staff: Staff, inbox: Inbox) -> None:
    """One by its button, one by the list's action."""
    ids = inbox.query("SELECT id FROM billing_webhookevent WHERE state = 'dead' ORDER BY object_id")
    (first,), (second,) = ids
    assert "is due again" in staff.post(f"{LIST}{first}/replay/").text
    answer = staff.post(LIST, action="replay_events", _selected_action=str(second))
    assert "1 events are due again" in answer.text
