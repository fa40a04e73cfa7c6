"""What time does: renewals, retries, trials and incomplete subscriptions that run out.

Covers the whole file, whatever namespace a subscription is in.
"""

import sqlite3
from datetime import timedelta

from billing.enums import EndReason, PaymentStatus, SubscriptionStatus
from billing.providers.sandbox import charging, checkouts, payments, vouchers
from billing.providers.sandbox.store import Record, Session, begin, offset_us, wall_us
from billing.providers.sandbox.subscriptions import (
    bill,
    bounce,
    charge,
    end,
    finish_payment,
    renewal_method,
)

DAY = 24 * 3600
RETRY_DAYS = (3, 5, 7)
BATCH = 200
_UNDER_WAY = (PaymentStatus.SUCCEEDED, PaymentStatus.PROCESSING)
_FALL_BEHIND = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)


def advance(path: str, by: timedelta) -> int:
    """Move billing time on from due moment to due moment; return how many moments ran.

    Each moment is a transaction of its own, and two calls at once add up.
    """
    left = by // timedelta(microseconds=1)
    if left < 0:
        raise ValueError("billing time only moves forward")
    moments: set[int] = set()
    while True:
        moment, left = _step(path, left)
        if moment is None:
            return len(moments)
        moments.add(moment)


def run_overdue(path: str) -> None:
    """Run what wall time has made due; without any, the file is only read."""
    with begin(path, immediate=False) as connection:
        row = connection.execute("SELECT min(due_at) AS due FROM objects").fetchone()
        is_due = row["due"] is not None and row["due"] * 1_000_000 <= _now(connection)
    if is_due:
        advance(path, timedelta(0))


def _now(connection: sqlite3.Connection) -> int:
    return wall_us() + offset_us(connection)


def _step(path: str, left: int) -> tuple[int | None, int]:
    with begin(path, immediate=True) as connection:
        now = _now(connection)
        row = connection.execute("SELECT min(due_at) AS due FROM objects").fetchone()
        is_due = row["due"] is not None and row["due"] * 1_000_000 <= now + left
        move = max(row["due"] * 1_000_000 - now, 0) if is_due else left
        connection.execute("UPDATE clock SET offset_us = offset_us + ?", (move,))
        if not is_due:
            return None, 0
        due = connection.execute(
            "SELECT namespace, kind, id FROM objects WHERE due_at = ? ORDER BY seq LIMIT ?",
            (row["due"], BATCH),
        ).fetchall()
        for each in due:
            session = Session(connection, each["namespace"], (now + move) // 1_000_000)
            _run(session, each["kind"], each["id"])
            session.flush()
        return int(row["due"]), left - move


def _run(session: Session, kind: str, object_id: str) -> None:
    found = session.require(kind, object_id)
    # What else ran at this moment may have settled it.
    if found.due_at is not None and found.due_at <= session.now:
        _RUNNERS[kind](session, found)


def _run_subscription(session: Session, subscription: Record) -> None:
    status = subscription.body["status"]
    if status == SubscriptionStatus.INCOMPLETE:
        reason = EndReason.PAYMENT_FAILED
        end(session, subscription, SubscriptionStatus.INCOMPLETE_EXPIRED, reason)
    elif subscription.body["cancel_at_period_end"]:
        end(session, subscription, SubscriptionStatus.CANCELED, EndReason.CUSTOMER)
    elif status == SubscriptionStatus.PAST_DUE:
        _retry(session, subscription)
    else:
        _renew(session, subscription)


def _run_payment(session: Session, payment: Record) -> None:
    is_voucher = payment.body["status"] == PaymentStatus.PENDING
    (vouchers.expire if is_voucher else _settle_debit)(session, payment)


def _settle_debit(session: Session, payment: Record) -> None:
    """The bank pays what it was asked for days ago, or it does not."""
    is_refused = bool(charging.debit_refusal(session, payment))
    invoice_id = payment.body["invoice"]
    if invoice_id is None:
        (payments.bounce if is_refused else payments.confirm)(session, payment.id)
    elif not is_refused:
        finish_payment(session, invoice_id)
    else:
        subscription = bounce(session, invoice_id)
        if subscription.body["status"] in _FALL_BEHIND:
            _fall_behind(session, subscription)


def _renew(session: Session, subscription: Record) -> None:
    plan = session.require("plan", subscription.body["price"])
    method = renewal_method(session, subscription)
    if bill(session, subscription, plan, method) not in _UNDER_WAY:
        _fall_behind(session, subscription)


def _retry(session: Session, subscription: Record) -> None:
    invoice = session.require("invoice", subscription.body["latest_invoice"])
    method = renewal_method(session, subscription)
    if charge(session, subscription, invoice, method) not in _UNDER_WAY:
        _fall_behind(session, subscription)


def _fall_behind(session: Session, subscription: Record) -> None:
    failures = subscription.hidden["failures"]
    if failures >= len(RETRY_DAYS):
        end(session, subscription, SubscriptionStatus.CANCELED, EndReason.PAYMENT_FAILED)
        return
    first = subscription.hidden["failed_at"] or session.now
    subscription.hidden.update(failures=failures + 1, failed_at=first)
    subscription.due_at = first + RETRY_DAYS[failures] * DAY
    subscription.body["status"] = SubscriptionStatus.PAST_DUE
    session.save(subscription, "subscription.updated")
    invoice = session.require("invoice", subscription.body["latest_invoice"])
    invoice.body["next_attempt_at"] = subscription.due_at
    session.save(invoice, "invoice.updated")


_RUNNERS = {
    "checkout": checkouts.expire,
    "payment": _run_payment,
    "subscription": _run_subscription,
}
