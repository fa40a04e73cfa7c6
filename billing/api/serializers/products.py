"""Products as a client names them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import empty

from billing.models import Product


class ProductField(serializers.SlugField):
    """A product on sale, by slug."""

    default_error_messages = {"does_not_exist": _("There is no such product.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=50, help_text="Slug of a product", **kwargs)

    def run_validation(self, data: Any = empty) -> Any:
        product = Product.objects.filter(slug=super().run_validation(data), is_active=True).first()
        if product is None:
            self.fail("does_not_exist")
        return product
