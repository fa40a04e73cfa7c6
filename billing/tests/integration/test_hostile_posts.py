"""500 malformed or forged posts to the running web; what the worker makes of the signed ones."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from billing.tests.integration.harness import STRIPE_SECRET, Cobro, cobro
from billing.tests.integration.hostile import Post, posts, sandbox_door, send, stripe_door
from billing.tests.integration.stripe_api import StripeApi
from project.tests.processes import status_of

pytestmark = pytest.mark.processes
COUNT = 250
SEED = 20261122
_PREPARE = """
from billing.conf import conf
owner = Organization.objects.create(name="Target")
row = Customer.objects.create(organization=owner, provider="stripe", mode="test")
answer = [str(row.pk), conf.providers["conekta"]["OPTIONS"]["secret"]]
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cobro]:
    with (
        StripeApi().served() as url,
        cobro(
            tmp_path_factory.mktemp("cobro"), STRIPE_API_BASE=url, DEBUG="false"
        ) as running_system,
    ):
        yield running_system


def test_nothing_breaks_and_nothing_forged_stays(system: Cobro) -> None:
    reference, secret = system.orm(_PREPARE)
    doors = stripe_door(STRIPE_SECRET, reference), sandbox_door("conekta", secret)
    sent = [post for door in doors for post in posts(door, COUNT, SEED)]
    assert len(sent) == 500
    port = int(system.environment["PORT"])
    with ThreadPoolExecutor(4) as senders:
        answers = list(senders.map(lambda post: send(port, post.raw), sent))
    for post, (status, text) in zip(sent, answers, strict=True):
        check(post, status, text)
    accepted = sum(1 for status, text in answers if status == 200 and '"accepted"' in text)
    assert accepted > 50
    events = system.settled_events(accepted)
    assert len(events) == accepted
    settled = ("processed", "waiting", "ignored")
    assert [event for event in events if event["state"] not in settled] == []
    assert status_of(f"{system.url}/healthz") == 200
    assert "Internal Server Error" not in system.logs()["web"]


def check(post: Post, status: int, text: str) -> None:
    """Refused by an answer or, where it was no HTTP, by hanging up."""
    assert status == 0 or 200 <= status < 500, (post.name, status)
    if post.is_forged:
        assert status != 200, post.name
    else:
        assert status in (200, 400), (post.name, status)
    assert "Traceback" not in text
