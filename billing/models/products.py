"""What is sold once: products, their prices, and where each price is published."""

from django.db import models
from django.db.models import Q

from billing.models.base import BaseModel, ProviderQuerySet
from billing.models.plans import FrozenAmount, RemotePrice


class Product(BaseModel):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    is_active = models.BooleanField(default=True)
    sort_order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("sort_order", "name")

    def __str__(self) -> str:
        return self.name


class ProductPrice(FrozenAmount):
    """What a product costs in one currency."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="prices")

    class Meta(FrozenAmount.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["product", "currency"],
                condition=Q(archived_at=None),
                name="billing_productprice_one_active",
            ),
            *FrozenAmount.Meta.constraints,
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class ProviderProductPrice(RemotePrice):
    """A product's price as one provider sells it."""

    price = models.ForeignKey(
        ProductPrice, on_delete=models.PROTECT, related_name="provider_prices"
    )

    objects = ProviderQuerySet["ProviderProductPrice"].as_manager()

    class Meta(RemotePrice.Meta):
        pass

    def __str__(self) -> str:
        return f"{self.price} at {self.provider}"
