"""The Conekta account: what it answers, how it breaks, and what it tells."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from billing.tests.accounts.faults import Fault
from billing.tests.accounts.server import CALL_TAKES, served
from billing.tests.conekta_account import ConektaAccount, cards, checkouts, cycles, orders, refunds
from billing.tests.conekta_account.journal import Journal
from billing.tests.conekta_account.signing import signed
from billing.tests.contract.checks import Contract
from billing.tests.providers.conekta.asking import OWNER, Asker, order
from billing.tests.providers.stripe.shared_contract import contract_module

STARTED = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
VISA, DECLINED = "tok_test_visa_4242", "tok_test_card_declined"
CASH, SPEI = {"type": "cash"}, {"type": "spei"}


@pytest.fixture
def account() -> Iterator[ConektaAccount]:
    """Every answer of a test is one of Conekta's."""
    account = ConektaAccount(now=STARTED, step=CALL_TAKES)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        account.serve(mock)
        yield account
    contract = Contract()
    assert [line for each in account.calls for line in contract.violations(each)] == []


@pytest.fixture
def asker(account: ConektaAccount) -> Asker:
    return Asker()


def told(journal: Journal, customer: dict[str, Any] | None = None) -> list[str]:
    return [each["type"] for each in journal.take(customer and customer["id"])]


def test_a_repeated_post_makes_a_second_object(account: ConektaAccount, asker: Asker) -> None:
    customer = asker.customer(VISA)
    for _ in range(2):
        asker.customer()
        asker.subscription(customer)
        asker.order(CASH)
    counts = Counter(each["object"] for each in account.objects.values())
    assert (counts["customer"], counts["subscription"], counts["order"]) == (3, 2, 4)


def test_a_customer_is_found_changed_and_deleted(asker: Asker) -> None:
    made = asker.customer()
    found = asker.ask("GET", "customers?search=tacos@example.test")
    assert [each["id"] for each in found["data"]] == [made["id"]]
    changed = asker.ask("PUT", f"customers/{made['id']}", {"custom_reference": "ours"})
    assert (changed["custom_reference"], changed["name"]) == ("ours", "Tacos")
    assert asker.ask("DELETE", f"customers/{made['id']}")["deleted"] is True
    assert asker.refused("GET", f"customers/{made['id']}")[0] == 404


def test_cards_come_and_go(asker: Asker) -> None:
    customer = asker.customer("tok_once")
    path = f"customers/{customer['id']}/payment_sources"
    assert asker.refused("POST", path, {"type": "card", "token_id": "tok_once"})[0] == 422
    second = asker.ask("POST", path, {"type": "card", "token_id": VISA})
    first, _ = asker.ask("GET", path)["data"][::-1]
    assert customer["default_payment_source_id"] == first["id"]
    asker.ask("PUT", f"customers/{customer['id']}", {"default_payment_source_id": second["id"]})
    asker.ask("DELETE", f"{path}/{first['id']}")
    (left,) = asker.ask("GET", path)["data"]
    assert (left["id"], left["default"], left["exp_year"]) == (second["id"], True, "30")


def test_lists_are_paged(asker: Asker) -> None:
    made = [asker.customer()["id"] for _ in range(5)]
    url, pages = "customers?limit=2", []
    while url:
        page = asker.ask("GET", url)
        pages.append([each["id"] for each in page["data"]])
        url = str(page.get("next_page_url", "")).removeprefix("https://api.conekta.io/")
    assert pages == [made[:2:-1], made[2:0:-1], made[:1]]
    assert asker.refused("GET", "customers?limit=2&next=cus_none")[0] == 422


def test_a_plan_is_made_once_under_its_own_id(asker: Asker) -> None:
    plan = asker.plan(id="ours")
    assert asker.ask("GET", "plans/ours") == plan
    again = {name: plan[name] for name in ("id", "name", "amount", "interval", "frequency")}
    assert asker.refused("POST", "plans", again)[0] == 422
    assert asker.ask("PUT", "plans/ours", {"name": "Other"})["name"] == "Other"
    asker.ask("DELETE", "plans/ours")
    assert asker.ask("GET", "plans")["data"] == []


def test_a_subscription_is_paid_cycle_by_cycle(account: ConektaAccount, asker: Asker) -> None:
    customer, journal = asker.customer(VISA), Journal(account)
    sold = asker.subscription(customer)
    assert sold["status"] == "active"
    cycles.renew(account, sold["id"])
    path = f"customers/{customer['id']}/subscriptions/{sold['id']}"
    renewed = asker.ask("GET", path)
    assert renewed["billing_cycle_start"] == sold["billing_cycle_end"]
    assert [each["payment_status"] for each in asker.ask("GET", "orders")["data"]] == ["paid"] * 2
    payment = ["order.created", "order.paid", "charge.created", "charge.paid"]
    sale = ["subscription.created", "subscription.paid", *payment]
    assert told(journal, customer) == [*sale, "subscription.paid", *payment]


def test_a_first_payment_that_is_refused(account: ConektaAccount, asker: Asker) -> None:
    customer = asker.customer(DECLINED)
    sold = asker.subscription(customer)
    assert (sold["status"], sold["billing_cycle_start"]) == ("past_due", None)
    cards.accept(account, customer["default_payment_source_id"])
    path = f"customers/{customer['id']}/subscriptions/{sold['id']}"
    assert asker.ask("POST", f"{path}/retry")["status"] == "active"
    assert asker.refused("POST", f"{path}/retry")[0] == 422


def test_a_renewal_that_is_refused(account: ConektaAccount, asker: Asker) -> None:
    customer = asker.customer(VISA)
    sold = asker.subscription(customer)
    cards.refuse(account, sold["card_id"])
    journal = Journal(account)
    cycles.renew(account, sold["id"])
    found = asker.ask("GET", f"customers/{customer['id']}/subscriptions")["data"]
    assert [each["status"] for each in found] == ["past_due"]
    assert found[0]["billing_cycle_start"] == sold["billing_cycle_start"]
    cycles.retry(account, sold["id"])
    cycles.give_up(account, sold["id"])
    assert told(journal) == [
        "subscription.payment_failed",
        *("order.created", "order.declined", "charge.created", "charge.declined"),
        "subscription.payment_failed",
        *("charge.created", "charge.declined"),
        "subscription.canceled",
    ]


def test_a_trial_is_paid_at_its_end(account: ConektaAccount, asker: Asker) -> None:
    customer = asker.customer(VISA)
    end = int((STARTED + timedelta(days=14)).timestamp())
    sold = asker.subscription(customer, trial_end=end)
    assert (sold["status"], sold["trial_end"]) == ("in_trial", end)
    cycles.renew(account, sold["id"])
    assert account.objects[sold["id"]]["status"] == "active"
    assert account.objects[sold["id"]]["billing_cycle_start"] == end


def test_commands_on_a_subscription(account: ConektaAccount, asker: Asker) -> None:
    customer, journal = asker.customer(VISA), Journal(account)
    path = f"customers/{customer['id']}/subscriptions/{asker.subscription(customer)['id']}"
    other = asker.plan(name="Business")["id"]
    journal.take()
    states = [
        asker.ask("PUT", path, {"plan_id": other})["plan_id"],
        *(asker.ask("POST", f"{path}/{each}")["status"] for each in ("pause", "resume", "cancel")),
    ]
    assert states == [other, "paused", "active", "canceled"]
    assert asker.refused("POST", f"{path}/resume")[0] == 422
    words = ("updated", "paused", "resumed", "canceled")
    assert told(journal) == [f"subscription.{each}" for each in words]
    assert asker.ask("POST", f"{path[path.index('subscriptions') :]}/customer_portal")["portal_url"]


def test_a_card_pays_at_once_or_not(account: ConektaAccount, asker: Asker) -> None:
    customer = asker.customer(VISA)
    source = customer["default_payment_source_id"]
    method = {"type": "card", "payment_source_id": source, "monthly_installments": 3}
    paid = asker.order(method, customer)
    assert (paid["payment_status"], paid["is_refundable"]) == ("paid", True)
    assert paid["charges"]["data"][0]["monthly_installments"] == 3
    cards.refuse(account, source, "processing.bank.insufficient_funds")
    status, code = asker.refused("POST", "orders", order(method, customer))
    assert (status, code) == (402, "conekta.errors.processing.bank.insufficient_funds")
    assert asker.ask("GET", "orders?limit=1")["data"][0]["payment_status"] == "declined"
    method["monthly_installments"] = 6  # 549 pesos are too few for six months
    assert asker.refused("POST", "orders", order(method, customer))[0] == 422


@pytest.mark.parametrize(("method", "number"), [(CASH, "reference"), (SPEI, "clabe")])
def test_a_voucher_is_paid_later(
    account: ConektaAccount, asker: Asker, method: dict[str, str], number: str
) -> None:
    journal = Journal(account)
    made = asker.order(method)
    (charge,) = made["charges"]["data"]
    assert (made["payment_status"], charge["status"]) == ("pending_payment", "pending_payment")
    assert charge["payment_method"][number].isdigit()
    assert told(journal) == ["order.created", "order.pending_payment", "charge.created"]
    orders.pay(account, made["id"])
    assert asker.ask("GET", f"orders/{made['id']}")["payment_status"] == "paid"
    assert told(journal) == ["order.paid", "charge.paid"]


def test_a_voucher_expires_and_is_paid_late(account: ConektaAccount, asker: Asker) -> None:
    journal = Journal(account)
    until = int((STARTED + timedelta(days=3)).timestamp())
    made = asker.order(CASH | {"expires_at": until})
    journal.take()
    orders.expire(account, made["id"])
    assert account.now == STARTED + timedelta(days=3)
    assert told(journal) == ["order.expired", "charge.expired"]
    orders.pay(account, made["id"])
    assert told(journal) == ["order.paid", "charge.paid"]


def test_a_second_voucher_is_paid_too(account: ConektaAccount, asker: Asker) -> None:
    made = asker.order(CASH)
    asker.ask("POST", f"orders/{made['id']}/charges", {"payment_method": SPEI})
    orders.pay(account, made["id"], 0)
    orders.pay(account, made["id"], 1)
    found = asker.ask("GET", f"orders/{made['id']}")
    assert [each["status"] for each in found["charges"]["data"]] == ["paid", "paid"]
    again = {"payment_method": CASH}
    assert asker.refused("POST", f"orders/{made['id']}/charges", again)[0] == 428


def test_an_order_is_canceled_once(asker: Asker) -> None:
    made = asker.order(CASH)
    assert asker.ask("POST", f"orders/{made['id']}/cancel")["payment_status"] == "canceled"
    assert asker.refused("POST", f"orders/{made['id']}/cancel")[0] == 428


def test_orders_and_charges_are_found(asker: Asker) -> None:
    ours = asker.order(None, metadata={"cobro_reference": "ours"})
    charge = {"payment_method": CASH, "reference_id": "ours"}
    made = asker.ask("POST", f"orders/{ours['id']}/charges", charge)
    asker.order(CASH)
    assert [each["id"] for each in asker.ask("GET", "orders?search=ours")["data"]] == [ours["id"]]
    (found,) = asker.ask("GET", f"charges?search={made['id']}")["data"]
    assert (found["id"], found["order_id"]) == (made["id"], ours["id"])


def test_money_goes_back_in_parts(account: ConektaAccount, asker: Asker) -> None:
    made, journal = asker.order(CASH), Journal(account)
    orders.pay(account, made["id"])
    journal.take()
    part = {"amount": 10000, "reason": "requested_by_client"}
    found = asker.ask("POST", f"orders/{made['id']}/refunds", part)
    assert (found["payment_status"], found["amount_refunded"]) == ("partially_refunded", 10000)
    refunds.refund_in_panel(account, made["id"], 44900)
    amounts = [
        each["amount"]
        for each in account.objects[made["id"]]["charges"]["data"][0]["refunds"]["data"]
    ]
    assert amounts == [-10000, -44900]
    assert asker.refused("POST", f"orders/{made['id']}/refunds", part)[0] == 422
    assert told(journal) == [
        *("order.partially_refunded", "charge.refunded"),
        *("order.refunded", "charge.refunded"),
    ]


def test_a_bank_takes_the_money_back(account: ConektaAccount, asker: Asker) -> None:
    made, journal = asker.order({"type": "card", "token_id": VISA}), Journal(account)
    orders.charge_back(account, made["id"])
    assert told(journal) == ["order.charged_back"]


def test_a_hosted_page(account: ConektaAccount, asker: Asker) -> None:
    page = {"type": "HostedPayment", "allowed_payment_methods": ["cash", "card"]}
    first, second = (asker.order(None, checkout=page) for _ in range(2))
    assert first["checkout"]["url"].startswith("https://")
    asker.ask("POST", f"orders/{first['id']}/charges", {"payment_method": CASH})
    orders.pay(account, first["id"])
    checkouts.expire(account, second["checkout"]["id"])
    found = [asker.ask("GET", f"orders/{each['id']}") for each in (first, second)]
    assert [each["checkout"]["status"] for each in found] == ["finalized", "Expired"]


def test_webhooks_and_their_keys(asker: Asker) -> None:
    hook = {"url": "https://example.test/hooks", "subscribed_events": ["order.paid"]}
    made = asker.ask("POST", "webhooks", hook)
    asker.ask("POST", "webhooks", hook | {"url": "https://example.test/others"})
    (found,) = asker.ask("GET", f"webhooks?url={hook['url']}")["data"]
    assert found == made
    change = {"subscribed_events": [], "active": False}
    assert asker.ask("PUT", f"webhooks/{made['id']}", change)["active"] is False
    key = asker.ask("POST", "webhook_keys", {"active": True})
    assert asker.ask("GET", "webhook_keys")["data"] == [key]
    assert key["public_key"].startswith("-----BEGIN PUBLIC KEY-----")


def test_events_are_listed_signed_and_sent_again(account: ConektaAccount, asker: Asker) -> None:
    journal = Journal(account)
    key = asker.ask("POST", "webhook_keys", {"active": True})
    hook = asker.ask("POST", "webhooks", {"url": "https://example.test/hooks"})
    made = asker.order(CASH)
    orders.pay(account, made["id"])
    events = journal.take()
    assert asker.ask("GET", "events?limit=2")["data"] == events[:-3:-1]
    assert asker.ask("GET", f"events/{events[0]['id']}") == events[0]
    asker.ask("POST", f"events/{events[0]['id']}/resend", {"webhooks_ids": [hook["id"]]})
    assert account.resent == [events[0]]
    checker = contract_module().Checker()
    assert [checker.check_webhook("conekta", each) for each in events] == [[]] * len(events)
    body = json.dumps(events[0]).encode()
    public = serialization.load_pem_public_key(key["public_key"].encode())
    assert isinstance(public, rsa.RSAPublicKey)
    digest = base64.b64decode(signed()(body)["DIGEST"], validate=True)
    public.verify(digest, body, padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.BREAK, Fault.FAIL, Fault.HALF, Fault.RESET])
def test_an_answer_is_lost_after_its_effect(tmp_path: Path, fault: Fault) -> None:
    account, calls = ConektaAccount(), tmp_path / "calls.jsonl"
    account.break_next(fault, "POST", "customers")
    with served(account, calls=calls) as url:
        asker = Asker(url)
        if fault in (Fault.BREAK, Fault.FAIL):
            assert asker.send("POST", "customers", OWNER).status_code == 500
        else:
            with pytest.raises(requests.RequestException):
                Asker(url, timeout=0.5).customer()
        asker.customer()
    assert len(account.all("customer")) == 2
    contract = Contract()
    lines = [json.loads(line) for line in calls.read_text().splitlines()]
    assert [contract.violations(each) for each in lines] == [[]] * len(lines)


def test_a_deaf_server_does_nothing(account: ConektaAccount, asker: Asker) -> None:
    account.break_next(Fault.DEAF, "*", "*")
    with pytest.raises(requests.ReadTimeout):
        asker.customer()
    account.refuse_next("POST", "customers", 429)
    assert asker.send("POST", "customers", OWNER).headers["Retry-After"] == "1"
    assert account.objects == {}
