"""Which commands a state takes."""

import pytest

from billing.enums import InvoiceStatus, SubscriptionStatus
from billing.errors import InvalidTransition
from billing.lifecycle import (
    DISPUTES_THAT_COUNT,
    TERMINAL_INVOICE,
    TERMINAL_PAYMENT,
    TERMINAL_REFUND,
    TERMINAL_SUBSCRIPTION,
    allows,
    ensure,
    ensure_invoice,
    is_terminal,
)

COMMANDS = ["cancel", "cancel_at_period_end", "resume", "change", "pause", "unpause"]
COMMANDS += ["retry_payment"]


def test_which_states_are_final() -> None:
    """An uncollectible invoice, a failed payment and a voucher that has run out can still be paid,
    and a refund that succeeded can still be sent back."""
    assert {"canceled", "incomplete_expired"} == TERMINAL_SUBSCRIPTION
    assert {"paid", "void"} == TERMINAL_INVOICE
    assert {"succeeded"} == TERMINAL_PAYMENT
    assert {"failed", "canceled"} == TERMINAL_REFUND


def test_for_which_disputes_the_bank_has_the_money() -> None:
    assert {"needs_response", "under_review", "lost"} == DISPUTES_THAT_COUNT


@pytest.mark.parametrize("status", sorted(TERMINAL_SUBSCRIPTION))
@pytest.mark.parametrize("command", COMMANDS)
def test_what_has_ended_takes_no_command(status: str, command: str) -> None:
    assert is_terminal(status)
    with pytest.raises(InvalidTransition, match=command):
        ensure(status, command)


@pytest.mark.parametrize("status", sorted(set(SubscriptionStatus) - TERMINAL_SUBSCRIPTION))
def test_whatever_lives_can_be_canceled(status: str) -> None:
    assert not is_terminal(status)
    ensure(status, "cancel")


@pytest.mark.parametrize(
    ("command", "taken_by"),
    [
        ("cancel_at_period_end", {"active", "trialing", "past_due", "paused"}),
        ("resume", {"active", "trialing", "past_due", "paused"}),
        ("change", {"active", "trialing"}),
        ("pause", {"active"}),
        ("unpause", {"paused"}),
        ("retry_payment", {"past_due", "unpaid", "incomplete"}),
    ],
)
def test_the_table(command: str, taken_by: set[str]) -> None:
    assert {status for status in SubscriptionStatus if allows(status, command)} == taken_by


def test_words_are_compared_as_text() -> None:
    assert is_terminal("canceled")
    assert not is_terminal("hibernating")


@pytest.mark.parametrize(
    ("command", "allowed"),
    [("pay", {"open"}), ("void", {"open", "uncollectible"}), ("mark_uncollectible", {"open"})],
)
def test_what_an_invoice_takes(command: str, allowed: set[str]) -> None:
    refused = set()
    for status in InvoiceStatus:
        try:
            ensure_invoice(status, command)
        except InvalidTransition:
            refused.add(status.value)
    assert refused == {status.value for status in InvoiceStatus} - allowed
