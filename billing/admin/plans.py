"""The catalogue: plans with their prices, and where each price is published."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from billing.admin.actions import confirm, publish_plans
from billing.admin.base import BillingAdmin, ReadOnlyAdmin, button, capped_count, column
from billing.admin.filters import ProviderFilter
from billing.admin.forms import PlanForm, PriceForm, PriceFormSet
from billing.admin.panels import Panel, json_panel, link, moment, money, timeline_of
from billing.conf import conf
from billing.enums import BillingInterval
from billing.models import Price, ProviderPrice, Subscription, SubscriptionPlan
from billing.registry import providers
from billing.services import plans as plan_services

if TYPE_CHECKING:
    PriceTabularInline = admin.TabularInline[Price, SubscriptionPlan]
else:
    from unfold.admin import TabularInline as PriceTabularInline

SUBSCRIBERS_LIMIT = 1_000


class PriceInline(PriceTabularInline):
    model = Price
    form = PriceForm
    formset = PriceFormSet
    extra = 0
    fields = ("interval", "currency", "amount", "tax_behavior", "published", "is_archived")
    readonly_fields = ("published",)
    ordering = ("archived_at", "currency", "interval")

    @column("Published")
    def published(self, obj: Price) -> str:
        return moment(obj.published_at) if obj.is_published else "not yet"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SubscriptionPlan)
class SubscriptionPlanAdmin(BillingAdmin[SubscriptionPlan]):
    form = PlanForm
    inlines = (PriceInline,)
    list_display = ("name", "prices_column", "is_popular", "is_active", "trial_days", "sort_order")
    list_filter = ("is_active",)
    ordering = ("sort_order", "name", "id")
    sortable_by = ("name", "sort_order")
    search_help_text = "Exact matches only: our id or the slug"
    exact_fields = ("slug",)
    actions = (publish_plans,)
    actions_detail = ("publish",)
    prepopulated_fields = {"slug": ("name",)}
    fieldsets = (
        (None, {"fields": (("name", "slug"), "description")}),
        ("What it contains", {"fields": (("features", "limits"), "trial_days")}),
        ("On sale", {"fields": (("is_active", "is_popular", "sort_order"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[SubscriptionPlan]:
        return super().get_queryset(request).prefetch_related("prices")

    @column("Prices (month / year)")
    def prices_column(self, obj: SubscriptionPlan) -> str:
        return ", ".join(_amounts(obj)) or "none"

    @button("Publish to providers", path="publish", permission="change", icon="publish")
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask first, then queue one message per price and provider."""
        question = (
            "Every active price goes to every provider that takes its currency. "
            "Published amounts are frozen for ever."
        )
        return confirm(self, request, object_id, question, "Publish", _publish)

    def panels(self, obj: SubscriptionPlan) -> list[Panel]:
        return [_publication(obj), _subscribers(obj)]


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin[Price]):
    list_display = ("plan", "interval", "amount_column", "published_at", "archived_at")
    list_select_related = ("plan",)
    fields = ("plan", "interval", "amount_column", "tax_behavior", "published_at", "archived_at")
    ordering = ("-id",)
    sortable_by = ()
    search_help_text = "Exact matches only: our id"

    @column("Amount")
    def amount_column(self, obj: Price) -> str:
        return money(obj.amount_minor, obj.currency)


@admin.register(ProviderPrice)
class ProviderPriceAdmin(ReadOnlyAdmin[ProviderPrice]):
    list_display = ("price_column", "provider", "mode", "provider_price_id", "is_active")
    list_select_related = ("price__plan",)
    list_filter = (ProviderFilter,)
    list_defer = ("provider_data",)
    ordering = ("-id",)
    sortable_by = ()
    remote_ids = ("provider_price_id",)
    search_help_text = "Exact matches only: our id or the provider's price id"
    fields = (
        "price_column",
        ("provider", "mode"),
        ("provider_price_id", "provider_product_id"),
        "is_active",
        ("created_at", "updated_at", "provider_version"),
    )

    @column("Price")
    def price_column(self, obj: ProviderPrice) -> str:
        return f"{obj.price.plan}: {obj.price}"

    def panels(self, obj: ProviderPrice) -> list[Panel]:
        return [timeline_of(obj), json_panel("As the provider reports it", obj.provider_data)]


def _amounts(plan: SubscriptionPlan) -> list[str]:
    """'29.99 / 299.00 USD' per currency, '-' where an interval is missing."""
    by_currency: dict[str, dict[str, str]] = defaultdict(dict)
    for price in plan.prices.all():
        if price.archived_at is None:
            by_currency[price.currency][price.interval] = str(price.amount)
    return [
        " / ".join(amounts.get(interval.value, "-") for interval in BillingInterval)
        + f" {currency}"
        for currency, amounts in sorted(by_currency.items(), key=_dollars_first)
    ]


def _dollars_first(item: tuple[str, object]) -> tuple[bool, str]:
    return item[0] != conf.default_currency, item[0]


def _publish(request: HttpRequest, plan: SubscriptionPlan) -> None:
    count = plan_services.push(plan)
    messages.success(request, f"Queued {count} publications of {plan.name}.")


def _publication(plan: SubscriptionPlan) -> Panel:
    """Price x provider: the id there, or why there is none."""
    aliases = providers.aliases()
    prices = plan.prices.on_sale().prefetch_related("provider_prices")
    rows = [(str(price), *_publication_cells(price, aliases)) for price in prices]
    return Panel(title="Published at", headers=("Price", *aliases), rows=rows)


def _publication_cells(price: Price, aliases: list[str]) -> list[str]:
    published = {(row.provider, row.mode): row for row in price.provider_prices.all()}
    cells = []
    for alias in aliases:
        row = published.get((alias, conf.mode(alias)))
        if row is not None and row.is_active:
            cells.append(link(row, row.provider_price_id))
        else:
            cells.append("not published" if plan_services.takes(alias, price) else "not sold there")
    return cells


def _subscribers(plan: SubscriptionPlan) -> Panel:
    live = Subscription.objects.live().filter(plan=plan)
    count = capped_count(live, SUBSCRIBERS_LIMIT)
    text = f"more than {SUBSCRIBERS_LIMIT:,}" if count > SUBSCRIBERS_LIMIT else str(count)
    return Panel(title="Live subscriptions", text=text)
