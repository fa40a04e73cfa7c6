"""Cards and secrets thrown at every door of the running system are afterwards found nowhere."""

import base64
import contextlib
import json
import os
import pickle
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import requests

from billing.tests.attacks.scan import scan, secrets_of
from billing.tests.integration.harness import STRIPE_SECRET, Cobro, broker, cobro, database
from billing.tests.integration.hostile import Door, request, sandbox_door, send, stripe_door
from billing.tests.integration.stripe_api import StripeApi
from billing.tests.test_cards import BRANDS, DISGUISES

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.soak(block="attacks"),
]
API = "/api/v1/billing"
NUMBER = BRANDS["visa"]
CARDS = [*BRANDS.values(), *DISGUISES]
PLANTED = "whsec_planted"
THROWN = [PLANTED, NUMBER, "4242-4242\u00a04242 4242", "\u200b".join(NUMBER)]
METRICS_TOKEN = "metrics-token-of-the-attack"
SECRET_KEY = "a-long-random-text-that-is-plainly-made-up-for-this-test"
_PREPARE = """
from django.contrib.auth import get_user_model
from rest_framework.authtoken.models import Token
from billing.conf import conf
ALIASES = ("conekta", "polar")
owner = Organization.objects.create(name="Target")
BillingAccount.objects.create(organization=owner, name="Target", email="a@example.test",
    phone="+525512345678", country="MX", address={"country": "MX", "line1": "1 Main Street"})
user = get_user_model().objects.create_user(username="owner", password="not-a-secret")
Membership.objects.create(user=user, organization=owner, role="owner")
row = Customer.objects.create(organization=owner, provider="stripe", mode="test")
answer = {
    "reference": str(row.pk),
    "token": Token.objects.create(user=user).key,
    "secrets": {alias: conf.providers[alias]["OPTIONS"]["secret"] for alias in ALIASES},
}
"""


class TalkativeApi(StripeApi):
    """Every object that it is asked for carries card numbers."""

    def answer(self, url: str) -> Any:
        status, headers, _ = super().answer(url)
        remote_id = url.rpartition("/")[2].partition("?")[0]
        told = {"id": remote_id, "object": "customer", "name": f"Ada {NUMBER}", "email": NUMBER}
        told |= {"description": "4242\n4242\n4242\n4242", "created": 1_790_000_000}
        return (
            200,
            headers,
            json.dumps(told | {"metadata": {NUMBER: int(NUMBER)}, "shipping": None}),
        )


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cobro]:
    values = {"SECRET_KEY": SECRET_KEY, "METRICS_TOKEN": METRICS_TOKEN, "LOG_LEVEL": "INFO"}
    with (
        TalkativeApi().served() as url,
        cobro(tmp_path_factory.mktemp("cobro"), STRIPE_API_BASE=url, **values) as running,
    ):
        yield running


def test_nothing_stays_of_what_was_thrown(system: Cobro) -> None:
    given = system.orm(_PREPARE)
    secrets = secrets_of(system.environment) | set(given["secrets"].values())
    assert {SECRET_KEY, STRIPE_SECRET, METRICS_TOKEN, *given["secrets"].values()} <= secrets
    doors = [stripe_door(STRIPE_SECRET, given["reference"])]
    doors += [sandbox_door(alias, secret) for alias, secret in given["secrets"].items()]
    throw_at_api(system, given["token"], sorted(secrets))
    accepted = sum(throw_at_door(system, door, sorted(secrets)) for door in doors)
    assert accepted > len(CARDS) * len(doors)
    assert scan_of(system, secrets) == []  # while messages may still be on their way
    events = system.settled_events(accepted)
    assert {event["state"] for event in events} <= {"processed", "waiting", "ignored"}
    assert [event for event in events if event["state"] == "processed"]
    assert scan_of(system, secrets) == []
    names = system.orm("answer = list(Customer.objects.values_list('provider_data', flat=True))")
    assert any("************4242" in json.dumps(each) for each in names)


def scan_of(system: Cobro, secrets: set[str]) -> list[str]:
    return scan(
        database_url=system.environment["DATABASE_URL"],
        log_folder=system.folder,
        redis_url=system.environment["REDIS_URL"],
        secrets=secrets,
    )


def throw_at_api(system: Cobro, token: str, secrets: list[str]) -> None:
    """As a logged-in owner and as nobody: in the body, its keys, a header, the query, the path."""
    body = {"plan": "startup", "interval": "monthly", "payment_method_token": "tok_visa"}
    for credentials in ({"Authorization": f"Token {token}"}, {}):
        for thrown in [*CARDS, *secrets]:
            key = {"Idempotency-Key": uuid.uuid4().hex}
            header = {"X-Anything": base64.b64encode(thrown.encode()).decode()}
            if thrown.isascii() and thrown.isprintable():
                header = {"X-Anything": thrown, "User-Agent": thrown, "Referer": thrown}
            posts: list[dict[str, Any]] = [
                {"json": body | {"payment_method_token": thrown}, "headers": key},
                {"json": body | {"metadata": {thrown: [thrown]}}, "headers": key},
                {"data": thrown.encode(), "headers": {"Content-Type": "text/plain"}},
                {"json": body | {"plan": "none"}, "headers": key | header},
                {"json": body | {"plan": "none"}, "headers": key, "params": {"q": thrown}},
            ]
            for post in posts:
                headers = credentials | post.pop("headers")
                url = f"{system.url}{API}/subscriptions"
                answer = requests.post(url, headers=headers, timeout=20, **post)
                assert answer.status_code < 500, answer.text
                assert thrown not in answer.text
        for number in BRANDS.values():
            for path in (f"{API}/subscriptions/{number}", f"/nothing/{number}", f"/{number}/"):
                assert requests.get(system.url + path, timeout=20).status_code == 400
            login = {"username": number, "password": number}
            assert requests.post(f"{system.url}/admin/login/", login, timeout=20).status_code >= 400


def throw_at_door(system: Cobro, door: Door, secrets: list[str]) -> int:
    """Unsigned with everything, signed with cards everywhere; returns how many were accepted."""
    accepted = 0
    for number, thrown in enumerate([*CARDS, *secrets]):
        event = door.event(f"thrown{number}")
        event["data"]["object"] |= {"name": thrown, "description": f"x {thrown}", "extra": [thrown]}
        event["data"]["object"]["metadata"] = {"note": thrown, thrown: 1} | event["data"][
            "object"
        ].get("metadata", {})
        body = json.dumps(event).encode()
        [*others, (name, _)] = door.sign(body)
        forged = [*others, (name, thrown.encode("utf-8").replace(b"\n", b" "))]
        assert send(system.port, request(door, forged, body))[0] == 400
        if thrown in secrets:
            continue
        agent = [("User-Agent", thrown.encode().replace(b"\n", b" "))]
        for unpinned in (False, True):
            if unpinned:
                event |= {"id": f"{event['id']}b", "api_version": "2020-08-27"}
            body = json.dumps(event, ensure_ascii=unpinned).encode()
            status, text = send(system.port, request(door, door.sign(body) + agent, body))
            assert status == 200, (thrown, text)
            accepted += 1
    for field in ("id", "type"):
        body = json.dumps(door.event("x") | {field: f"evt_{NUMBER}"}).encode()
        assert send(system.port, request(door, door.sign(body), body))[0] == 400
    return accepted


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("scan")
    with database(folder) as database_url, broker() as own:
        yield {"database_url": database_url, "log_folder": folder, "redis_url": own["REDIS_URL"]}


class TestTheScanner:
    """It finds what is planted, in each kind of place."""

    @pytest.fixture(scope="class")
    def places(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
        folder = tmp_path_factory.mktemp("scan")
        with database(folder) as database_url, broker() as own:
            yield {
                "database_url": database_url,
                "log_folder": folder,
                "redis_url": own["REDIS_URL"],
            }

    @pytest.mark.parametrize("thrown", THROWN)
    def test_a_new_table(self, places: dict[str, Any], thrown: str) -> None:
        columns = (
            "plain text, short varchar(300), document jsonb, bytes bytea, harmless timestamptz"
        )
        values = (thrown, f"x {thrown}", json.dumps({"a": [{thrown: 1}]}), thrown.encode())
        server = places["database_url"].replace("postgres://", "postgresql://")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS new_table")
            connection.execute(f"CREATE TABLE new_table ({columns})")
            connection.execute("INSERT INTO new_table VALUES (%s, %s, %s, %s, now())", values)
            found = scan(database_url=places["database_url"], secrets=[PLANTED])
            connection.execute("DROP TABLE new_table")
        names = [place.split(":")[0].rpartition(".")[2] for place in found]
        assert names == ["plain", "short", "document", "bytes"]
        assert thrown not in str(found)

    @pytest.mark.parametrize("thrown", THROWN[:2])
    def test_a_log(self, places: dict[str, Any], thrown: str) -> None:
        log = places["log_folder"] / "web.log"
        for line in (f"plain {thrown} line", json.dumps({"event": "x", "note": thrown})):
            log.write_text(f"harmless\n{line}\n")
            assert len(scan(**places, secrets=[PLANTED])) == 1
        log.unlink()
        assert scan(**places, secrets=[PLANTED]) == []

    @pytest.mark.parametrize("thrown", THROWN[:2])
    def test_redis(self, places: dict[str, Any], thrown: str) -> None:
        task = {"body": base64.b64encode(json.dumps([[thrown], {}]).encode()).decode()}
        with contextlib.closing(redis.Redis.from_url(places["redis_url"])) as client:
            client.set(f"key {thrown}", "")
            client.set("cached", pickle.dumps({"a": thrown}))
            client.lpush("celery", json.dumps(task))
            client.sadd("members", thrown)
            client.hset("unacked", "tag", json.dumps([task, "", ""]))
            client.zadd("index", {thrown: 1})
            found = scan(**places, secrets=[PLANTED])
            client.delete(f"key {thrown}", "cached", "celery", "members", "unacked", "index")
        assert len(found) == 6, found

    def test_numbers_and_neighbours(self, places: dict[str, Any]) -> None:
        log = places["log_folder"] / "web.log"
        log.write_text('{"a": [4242, 4242, 4242, 4242], "ms": 4.242424242424242}')
        assert scan(**places) == []
        log.write_text(f'{{"a": {NUMBER}}}')
        assert len(scan(**places)) == 1
        log.unlink()


def test_the_secrets_of_an_environment() -> None:
    environment = {"STRIPE_WEBHOOK_SECRET": "whsec_a, whsec_b", "SECRET_KEY": "abcdefgh"}
    environment |= {"STRIPE_PUBLISHABLE_KEY": "pk_test_fake", "PATH": os.environ["PATH"]}
    assert secrets_of(environment) == {"whsec_a", "whsec_b", "abcdefgh"}


def test_the_folder_is_read(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "worker.log").write_text(NUMBER)
    found = scan(database_url="sqlite:///:memory:", log_folder=tmp_path)
    assert found == ["worker.log: a card number"]
