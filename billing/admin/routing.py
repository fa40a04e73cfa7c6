"""Routing decisions: what was chosen, from which evidence, and every rule's answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin

from billing import explanations
from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.filters import CountryFilter, ProviderFilter
from billing.admin.panels import NEWEST_ROWS, Panel, badge, json_panel, link, moment
from billing.models import RoutingDecision

HEAVY = {
    "subscription": ("provider_data", "usage_data", "metadata", "next_action"),
    "invoice": ("provider_data", "line_items"),
}


@admin.register(RoutingDecision)
class RoutingDecisionAdmin(ReadOnlyAdmin[RoutingDecision]):
    list_display = (
        "provider",
        "currency",
        "country",
        "transaction_type",
        "rule",
        "organization_link",
        "created",
    )
    list_filter = (ProviderFilter, "transaction_type", CountryFilter)
    exact_fields = ("country",)
    search_help_text = "Exact matches only: a country code, our id, an organization's id or e-mail"
    list_select_related = ("organization", "rule_set")
    list_defer = ("evidence", "context", "facts", "answers", "methods")
    fields = (
        ("provider", "currency", "methods_column"),
        ("runner_up", "country"),
        ("transaction_type", "plan", "billing_interval", "product"),
        ("organization_link", "rule_set_link"),
        "created_at",
    )

    @column("Rule")
    def rule(self, obj: RoutingDecision) -> str:
        return f"{obj.rule_index + 1} of version {obj.rule_set.version}"

    @column("Methods offered")
    def methods_column(self, obj: RoutingDecision) -> str:
        return ", ".join(obj.methods) or "-"

    @column("Organization")
    def organization_link(self, obj: RoutingDecision) -> str:
        return link(obj.organization)

    @column("Rules")
    def rule_set_link(self, obj: RoutingDecision) -> str:
        return link(obj.rule_set)

    def panels(self, obj: RoutingDecision) -> list[Panel]:
        return [
            decision_panel(obj),
            evidence_panel(obj),
            outcome_panel(obj),
            json_panel("What was known of the providers", obj.facts),
        ]


def decision_panel(decision: RoutingDecision | None) -> Panel:
    """Why this provider: the choice in sentences, then each rule with what became of it."""
    if decision is None:
        return Panel(title="Routing decision", text="None: first seen at the provider.")
    text = " ".join(explanations.explain(decision))
    return answers_panel("Routing decision", text, decision.answers)


def answers_panel(title: str, text: str, answers: Sequence[Mapping[str, Any]]) -> Panel:
    """What became of every rule, and why."""
    rows = [
        (
            position,
            answer["provider"],
            badge(answer["result"], explanations.result(answer)),
            explanations.because(answer),
        )
        for position, answer in enumerate(answers, start=1)
    ]
    headers = ("Rule", "Provider", "Answer", "Because")
    return Panel(title=title, text=text, headers=headers, rows=rows)


def evidence_panel(decision: RoutingDecision) -> Panel:
    """Where the country comes from: the first one counts, the others may speak against it."""
    rows = [
        (each["country"], explanations.source(each), badge(_weight(decision.evidence, position)))
        for position, each in enumerate(decision.evidence)
    ]
    return Panel(title="Evidence", headers=("Country", "Source", "Weight"), rows=rows)


def outcome_panel(decision: RoutingDecision) -> Panel:
    """The newest subscriptions and invoices that it led to."""
    subscriptions = decision.subscriptions.select_related("plan").defer(*HEAVY["subscription"])
    invoices = decision.invoices.defer(*HEAVY["invoice"])
    newest = [
        row
        for found in (subscriptions, invoices)
        for row in found.order_by("-created_at", "-id")[:NEWEST_ROWS]
    ]
    rows = [
        (moment(row.created_at), row._meta.verbose_name, link(row), badge(row.status))
        for row in newest
    ]
    headers = ("Created", "Object", "Name", "Status")
    return Panel(title="What came of it", headers=headers, rows=rows)


def _weight(evidence: Sequence[Mapping[str, Any]], position: int) -> str:
    if position == 0:
        return "counts"
    return "agrees" if evidence[position]["country"] == evidence[0]["country"] else "contradicts"
