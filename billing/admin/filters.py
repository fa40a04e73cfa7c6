"""Filters whose values are known without reading the table, each served by an index."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from billing import clock
from billing.conf import conf
from billing.enums import OperationOutcome, OutboxState
from billing.models import RuleSet

Lookups = list[tuple[str, str]]
NEWEST_VERSIONS = 20


class ProviderFilter(admin.SimpleListFilter):
    """By alias, as configured: a SELECT DISTINCT would read the whole table."""

    title = "provider"
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> Lookups:
        return [(alias, alias) for alias in conf.providers]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(provider=value) if value else queryset


class CountryFilter(admin.SimpleListFilter):
    """By the countries that rules name, and not known; the search takes every other code."""

    title = "country"
    parameter_name = "country"
    unknown = "-"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> Lookups:
        named = RuleSet.objects.order_by("-version").values_list("rules", flat=True)[
            :NEWEST_VERSIONS
        ]
        codes = {code for rules in named for rule in rules for code in rule.get("countries", ())}
        return [*((code, code) for code in sorted(codes)), (self.unknown, "Not known")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        return queryset.filter(country="" if value == self.unknown else value)


class RenewalFilter(admin.SimpleListFilter):
    """Subscriptions whose paid period ends soon, in billing time."""

    title = "period ends within"
    parameter_name = "ends_within_days"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> Lookups:
        return [("1", "1 day"), ("7", "7 days"), ("30", "30 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value not in ("1", "7", "30"):
            return queryset
        now = clock.now()
        until = now + timedelta(days=int(value))
        return queryset.filter(current_period_end__gte=now, current_period_end__lt=until)


class UnsettledFilter(admin.SimpleListFilter):
    """Writes whose outcome is not known yet."""

    title = "outcome"
    parameter_name = "outcome_is"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> Lookups:
        return [("unsettled", "Pending or unknown")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "unsettled":
            return queryset
        open_outcomes = [OperationOutcome.PENDING.value, OperationOutcome.UNKNOWN.value]
        return queryset.filter(outcome__in=open_outcomes)


class UndeliveredFilter(admin.SimpleListFilter):
    """Messages that are still to be carried out."""

    title = "state"
    parameter_name = "state_is"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> Lookups:
        return [("due", "Pending or failed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "due":
            return queryset
        return queryset.filter(state__in=[OutboxState.PENDING.value, OutboxState.FAILED.value])
