"""Routing rules and the decisions made by them, with every rule's answer."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.panels import Panel, badge, json_panel, link
from billing.models import RoutingDecision, RuleSet


@admin.register(RuleSet)
class RuleSetAdmin(ReadOnlyAdmin[RuleSet]):
    list_display = ("version", "is_active", "note", "created")
    ordering = ("-version",)
    sortable_by = ("version",)
    search_fields = ()
    fields = (("version", "is_active"), "note", ("created_at", "updated_at"))

    def panels(self, obj: RuleSet) -> list[Panel]:
        return [json_panel("Rules, the first match wins", obj.rules)]


@admin.register(RoutingDecision)
class RoutingDecisionAdmin(ReadOnlyAdmin[RoutingDecision]):
    list_display = (
        "reason",
        "provider",
        "currency",
        "country",
        "transaction_type",
        "organization_link",
        "created",
    )
    list_select_related = ("organization",)
    list_defer = ("evidence", "rules")
    fields = (
        "reason",
        ("provider", "currency", "country"),
        ("transaction_type", "organization_link"),
        ("rule_set_link", "rule_index"),
        "created_at",
    )

    @column("Organization")
    def organization_link(self, obj: RoutingDecision) -> str:
        return link(obj.organization)

    @column("Rules")
    def rule_set_link(self, obj: RoutingDecision) -> str:
        return link(obj.rule_set)

    def panels(self, obj: RoutingDecision) -> list[Panel]:
        return [decision_panel(obj), json_panel("Evidence", obj.evidence)]


def decision_panel(decision: RoutingDecision | None) -> Panel:
    """Why this provider: each rule in order, matched or skipped and why."""
    if decision is None:
        return Panel(title="Routing decision", text="None: first seen at the provider.")
    rules = decision.rules if isinstance(decision.rules, list) else []
    rows = [(position, *_rule(rule)) for position, rule in enumerate(rules, start=1)]
    title = f"Routing decision: {decision.provider}, {decision.currency}. {decision.reason}"
    return Panel(title=title, headers=("Rule", "Provider", "Answer", "Because"), rows=rows)


def _rule(rule: Any) -> tuple[str, str, str]:
    if not isinstance(rule, Mapping):
        return "-", "-", str(rule)
    because = str(rule.get("because", "-"))
    return str(rule.get("provider", "-")), badge(str(rule.get("result", ""))), because
