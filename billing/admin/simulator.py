"""What rules would decide, asked by staff: computed as for a customer, stored and sent nowhere."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from billing.admin.panels import Panel
from billing.admin.routing import answers_panel, decision_panel
from billing.enums import EvidenceTier, TransactionType
from billing.errors import BillingError
from billing.messages import text_for
from billing.models import RoutingDecision
from billing.services import routing
from billing.services.evidence import Evidence
from billing.services.routing import Inquiry


def answer_panels(asked: Mapping[str, Any]) -> list[Panel]:
    """The answer to a valid SimulatorForm: the choice with its reasons, or why there is none."""
    inquiry = Inquiry(
        transaction_type=TransactionType(asked["transaction_type"]),
        plan=asked["plan"],
        interval=asked["interval"],
        product=asked["product"],
        currency=asked["currency"],
        payment_method=asked["payment_method"],
    )
    try:
        decision = routing.consider(inquiry, _known(asked), rule_set=asked["rule_set"])
    except BillingError as error:
        return [_refusal(error)]
    return [_choice(decision), decision_panel(decision)]


def _known(asked: Mapping[str, Any]) -> list[Evidence]:
    if not asked["country"]:
        return []
    tier = EvidenceTier.BILLING_ADDRESS
    return [Evidence(tier=tier, source="request", country=asked["country"])]


def _choice(decision: RoutingDecision) -> Panel:
    row = (
        decision.provider,
        decision.currency,
        ", ".join(decision.methods) or "-",
        decision.runner_up or "-",
    )
    headers = ("Provider", "Currency", "Methods offered", "Runner-up")
    return Panel(
        title=f"Result by version {decision.rule_set.version}", headers=headers, rows=[row]
    )


def _refusal(error: BillingError) -> Panel:
    told = text_for(error.code, error.http_status)
    text = f"Nobody takes it ({error.code}). The customer reads: {told}"
    answers = [asdict(answer) for answer in routing.answers_of(error)]
    return answers_panel("Result", text, answers)
