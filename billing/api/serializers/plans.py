"""Plans and prices, as anybody may read them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.api.serializers.base import RowSerializer, money
from billing.enums import BillingInterval
from billing.models import Price, SubscriptionPlan
from billing.models.base import choices


class PriceSerializer(RowSerializer):
    """Money with the interval that it buys."""

    amount = serializers.SerializerMethodField()
    amount_minor = serializers.IntegerField(read_only=True)

    class Meta:
        model = Price
        fields = ("id", "interval", "amount", "amount_minor", "currency")
        read_only_fields = fields

    def get_amount(self, price: Price) -> str:
        return str(money(price.amount_minor, price.currency)["amount"])


class PlanReferenceSerializer(RowSerializer):
    class Meta:
        model = SubscriptionPlan
        fields = ("id", "slug", "name")
        read_only_fields = fields


class PlanSerializer(RowSerializer):
    """`prices` can be narrowed by the context's `currency` and `interval`."""

    prices = serializers.SerializerMethodField()
    features = serializers.ListField(child=serializers.CharField(), read_only=True)
    limits = serializers.DictField(read_only=True)

    class Meta:
        model = SubscriptionPlan
        fields = (
            "id",
            "slug",
            "name",
            "description",
            "features",
            "limits",
            "trial_days",
            "is_popular",
            "sort_order",
            "prices",
        )
        read_only_fields = fields

    @extend_schema_field(PriceSerializer(many=True))
    def get_prices(self, plan: SubscriptionPlan) -> list[dict[str, Any]]:
        wanted = self.context.get("prices", {})
        return [
            PriceSerializer(price).data
            for price in plan.prices.all()
            if all(getattr(price, name) == value for name, value in wanted.items())
        ]


class PlanQuerySerializer(serializers.Serializer[Any]):
    """Which prices of a plan to show."""

    currency = serializers.RegexField(r"^[A-Za-z]{3}$", required=False, help_text="ISO 4217")
    interval = serializers.ChoiceField(choices=choices(BillingInterval), required=False)

    def validate_currency(self, value: str) -> str:
        return value.upper()
