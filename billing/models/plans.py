"""What is sold: plans, their prices, and where each price is published."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from billing.conf import conf
from billing.enums import BillingInterval, TaxBehavior
from billing.models.base import BaseModel, ProviderOwned, ProviderQuerySet, choices, decimal_of


class SubscriptionPlanQuerySet(models.QuerySet["SubscriptionPlan"]):
    def on_sale(self) -> "SubscriptionPlanQuerySet":
        """Active plans in their order, with the prices that a customer may choose."""
        return self.filter(is_active=True).prefetch_related(
            models.Prefetch("prices", queryset=Price.objects.on_sale())
        )


class SubscriptionPlan(BaseModel):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    features = models.JSONField(default=list, blank=True, help_text='["SSO", "Audit logs"]')
    limits = models.JSONField(default=dict, blank=True, help_text='{"api_calls": 10000}')
    trial_days = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    is_popular = models.BooleanField(default=False)
    sort_order = models.PositiveSmallIntegerField(default=0)

    objects = SubscriptionPlanQuerySet.as_manager()

    class Meta:
        ordering = ("sort_order", "name")

    def __str__(self) -> str:
        return self.name

    @property
    def price_monthly(self) -> Decimal | None:
        """The monthly price in major units: in USD where there is one, else in MXN."""
        return self._amount(BillingInterval.MONTHLY)

    @property
    def price_yearly(self) -> Decimal | None:
        """The yearly price in major units: in USD where there is one, else in MXN."""
        return self._amount(BillingInterval.YEARLY)

    @property
    def currency_usd(self) -> str:
        """'USD' when the plan is sold in US dollars, else ''."""
        return self._currency("USD")

    @property
    def currency_mxn(self) -> str:
        """'MXN' when the plan is sold in Mexican pesos, else ''."""
        return self._currency("MXN")

    @property
    def provider_plan_ids(self) -> dict[str, str]:
        """Alias -> remote id of the monthly price there: the USD one where it has one, else MXN."""
        rows = [
            row
            for price in self._active_prices()
            if price.interval == BillingInterval.MONTHLY
            for row in price.provider_prices.all()
            if row.mode == conf.mode(row.provider) and row.provider_price_id
        ]
        rows.sort(key=lambda row: _preference(row.price.currency), reverse=True)
        return {row.provider: row.provider_price_id for row in rows}

    def _active_prices(self) -> list["Price"]:
        return [price for price in self.prices.all() if price.archived_at is None]

    def _amount(self, interval: BillingInterval) -> Decimal | None:
        candidates = [price for price in self._active_prices() if price.interval == interval]
        candidates = [price for price in candidates if price.currency in ("USD", "MXN")]
        if not candidates:
            return None
        return min(candidates, key=lambda price: _preference(price.currency)).amount

    def _currency(self, code: str) -> str:
        return code if any(price.currency == code for price in self._active_prices()) else ""


def _preference(currency: str) -> int:
    return {"USD": 0, "MXN": 1}.get(currency, 2)


class PriceQuerySet(models.QuerySet["Price"]):
    def on_sale(self) -> "PriceQuerySet":
        """Prices that new customers may choose, cheapest interval first."""
        return self.filter(archived_at=None).order_by("currency", "interval")


class FrozenAmount(BaseModel):
    """Money that something costs. Once published its amount is frozen for ever.

    `published_amount_minor` and `published_currency` are written once, at the first publication;
    the constraint holds the amount equal to them, whoever writes.
    """

    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField(help_text="Minor units: cents, centavos, yen")
    tax_behavior = models.CharField(
        max_length=12, choices=choices(TaxBehavior), default=TaxBehavior.UNSPECIFIED.value
    )
    published_amount_minor = models.BigIntegerField(null=True, blank=True, editable=False)
    published_currency = models.CharField(max_length=3, blank=True, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(published_amount_minor=None)
                | Q(published_amount_minor=F("amount_minor"), published_currency=F("currency")),
                name="billing_%(class)s_frozen",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0), name="billing_%(class)s_not_negative"
            ),
        ]

    @property
    def amount(self) -> Decimal | None:
        """The amount in major units."""
        return decimal_of(self.amount_minor, self.currency)

    @property
    def is_published(self) -> bool:
        return self.published_amount_minor is not None


class Price(FrozenAmount):
    """What a plan costs per interval and currency."""

    plan = models.ForeignKey(SubscriptionPlan, on_delete=models.PROTECT, related_name="prices")
    interval = models.CharField(max_length=10, choices=choices(BillingInterval))

    objects = PriceQuerySet.as_manager()

    class Meta(FrozenAmount.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "interval", "currency"],
                condition=Q(archived_at=None),
                name="billing_price_one_active",
            ),
            *FrozenAmount.Meta.constraints,
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.interval}"


class RemotePrice(ProviderOwned):
    """A price as one provider sells it; the subclass names whose `price` it is."""

    provider_price_id = models.CharField(max_length=255)
    provider_product_id = models.CharField(max_length=255, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["price", "provider", "mode"], name="billing_%(class)s_once"
            ),
            models.UniqueConstraint(
                fields=["provider", "mode", "provider_price_id"], name="billing_%(class)s_remote"
            ),
        ]


class ProviderPrice(RemotePrice):
    """A plan's price as one provider sells it."""

    price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="provider_prices")

    objects = ProviderQuerySet["ProviderPrice"].as_manager()

    class Meta(RemotePrice.Meta):
        pass

    def __str__(self) -> str:
        return f"{self.price} at {self.provider}"
