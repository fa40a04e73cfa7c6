import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from billing.tests.providers.stripe.shared_contract import contract_checker
from billing.tests.stripe_life import LifeEvent, StripeLife, published


def long_life() -> tuple[StripeLife, list[LifeEvent]]:
    life = StripeLife(customer_reference="cus-row", subscription_reference="sub-row")
    steps = (
        life.sign_up,
        life.subscribe,
        life.fail,
        life.pay,
        life.renew,
        life.upgrade,
        life.pause,
        life.resume,
        life.refund_part,
        life.refund_rest,
        life.send_back,
        life.dispute,
        life.win,
        life.start_renewal,
        life.fail,
        life.schedule_cancel,
        life.cancel,
        life.detach,
        life.delete_customer,
    )
    return life, [event for step in steps for event in step()]


def test_every_payload_keeps_the_published_contract(tmp_path: Path) -> None:
    files = []
    for event in long_life()[1]:
        files.append(tmp_path / f"{event.id}.json")
        files[-1].write_bytes(event.body)
    command = [sys.executable, str(contract_checker()), "--webhook", "stripe", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_key_sets_are_the_published_ones() -> None:
    for event in long_life()[1]:
        kind = event.object["object"]
        assert set(event.object) == set(published(kind)) | added(event.object)


def added(source: dict[str, Any]) -> set[str]:
    """What the published examples leave out."""
    if source["object"] == "refund" and source["status"] == "failed":
        return {"failure_reason"}
    return {"amount_paid_off_stripe"} if source["object"] == "invoice" else set()


def test_ids_and_stamps_are_consistent() -> None:
    life, events = long_life()
    assert len({event.id for event in events}) == len(events)
    stamps = [event.occurred_at for event in events]
    assert stamps == sorted(stamps)
    for event in events:
        named = {event.object.get("customer"), life.customer_id}
        assert named <= {life.customer_id, None}
        assert json.loads(event.body)["created"] == event.occurred_at.timestamp()


def test_a_paid_life_in_one_second() -> None:
    life = StripeLife(pay_seconds=0)
    life.sign_up()
    stamps = {event.occurred_at for event in [*life.subscribe(), *life.pay()]}
    assert len(stamps) == 1
