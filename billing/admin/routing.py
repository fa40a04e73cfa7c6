"""Routing decisions: what was chosen, from which evidence, and every rule's answer."""

from django.contrib import admin

from billing import explanations
from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.panels import Panel, badge, json_panel, link
from billing.models import RoutingDecision


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
    list_filter = ("transaction_type",)
    list_select_related = ("organization", "rule_set")
    list_defer = ("evidence", "context", "facts", "answers", "methods")
    fields = (
        ("provider", "runner_up", "currency", "country"),
        ("transaction_type", "plan", "billing_interval", "product"),
        ("organization_link", "rule_set_link"),
        "created_at",
    )

    @column("Rule")
    def rule(self, obj: RoutingDecision) -> str:
        return f"{obj.rule_index + 1} of version {obj.rule_set.version}"

    @column("Organization")
    def organization_link(self, obj: RoutingDecision) -> str:
        return link(obj.organization)

    @column("Rules")
    def rule_set_link(self, obj: RoutingDecision) -> str:
        return link(obj.rule_set)

    def panels(self, obj: RoutingDecision) -> list[Panel]:
        return [decision_panel(obj), evidence_panel(obj), json_panel("Facts", obj.facts)]


def decision_panel(decision: RoutingDecision | None) -> Panel:
    """Why this provider: the choice in sentences, then each rule with what became of it."""
    if decision is None:
        return Panel(title="Routing decision", text="None: first seen at the provider.")
    rows = [
        (
            position,
            answer["provider"],
            badge(explanations.result(answer)),
            explanations.because(answer),
        )
        for position, answer in enumerate(decision.answers, start=1)
    ]
    return Panel(
        title="Routing decision",
        text=" ".join(explanations.explain(decision)),
        headers=("Rule", "Provider", "Answer", "Because"),
        rows=rows,
    )


def evidence_panel(decision: RoutingDecision) -> Panel:
    """Where the country comes from: the first one counts, the others may speak against it."""
    rows = [
        (each["country"], explanations.source(each), badge("counts" if first else "noted"))
        for first, each in ((each is decision.evidence[0], each) for each in decision.evidence)
    ]
    return Panel(title="Evidence", headers=("Country", "Source", ""), rows=rows)
