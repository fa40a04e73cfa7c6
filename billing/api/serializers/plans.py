"""Plans and prices, as anybody may read them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.api.serializers.base import RowSerializer, money
from billing.conf import conf
from billing.enums import BillingInterval
from billing.models import Price, SubscriptionPlan
from billing.models.base import choices
from geo import countries


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
    """The context narrows `prices`: to a `currency` and `interval` that are asked for, or to the
    `local_currency`, else the default one, where the plan has a price in it."""

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
        prices = [
            price
            for price in plan.prices.all()
            if all(getattr(price, name) == value for name, value in wanted.items())
        ]
        return [PriceSerializer(price).data for price in self._localized(prices)]

    def _localized(self, prices: list[Price]) -> list[Price]:
        local = self.context.get("local_currency", "")
        for currency in (local, conf.default_currency) if local else ():
            found = [price for price in prices if price.currency == currency]
            if found:
                return found
        return prices


class PlanQuerySerializer(serializers.Serializer[Any]):
    """Which prices of a plan to show."""

    currency = serializers.RegexField(r"^[A-Za-z]{3}$", required=False, help_text="ISO 4217")
    interval = serializers.ChoiceField(choices=choices(BillingInterval), required=False)
    country = serializers.RegexField(
        r"^[A-Za-z]{2}$",
        required=False,
        help_text=(
            "ISO 3166-1 alpha-2. Prices in its currency where there are any, never converted; "
            "without it the country that the request comes from."
        ),
    )

    def validate_currency(self, value: str) -> str:
        return value.upper()

    def validate_country(self, value: str) -> str:
        try:
            return countries.normalize(value)
        except ValueError:
            raise serializers.ValidationError(
                _("This is not a country code."), code="invalid_country"
            ) from None
