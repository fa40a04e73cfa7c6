"""Products that are sold once, their prices, and where each is published. Read-only for now."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.filters import ProviderFilter
from billing.admin.panels import Panel, json_panel, money
from billing.models import Product, ProductPrice, ProviderProductPrice


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin[Product]):
    list_display = ("name", "slug", "is_active", "sort_order")
    list_filter = ("is_active",)
    ordering = ("sort_order", "name", "id")
    sortable_by = ()
    search_help_text = "Exact matches only: our id or the slug"
    exact_fields = ("slug",)
    fields = (("name", "slug"), "description", ("is_active", "sort_order"))


@admin.register(ProductPrice)
class ProductPriceAdmin(ReadOnlyAdmin[ProductPrice]):
    list_display = ("product", "amount_column", "published_at", "archived_at")
    list_select_related = ("product",)
    fields = ("product", "amount_column", "tax_behavior", "published_at", "archived_at")
    ordering = ("-id",)
    sortable_by = ()
    search_help_text = "Exact matches only: our id"

    @column("Amount")
    def amount_column(self, obj: ProductPrice) -> str:
        return money(obj.amount_minor, obj.currency)


@admin.register(ProviderProductPrice)
class ProviderProductPriceAdmin(ReadOnlyAdmin[ProviderProductPrice]):
    list_display = ("price_column", "provider", "mode", "provider_price_id", "is_active")
    list_select_related = ("price__product",)
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
    def price_column(self, obj: ProviderProductPrice) -> str:
        return f"{obj.price.product}: {obj.price}"

    def panels(self, obj: ProviderProductPrice) -> list[Panel]:
        return [json_panel("As the provider reports it", obj.provider_data)]
