"""Payment methods: a token goes in, what may be shown comes out."""

from rest_framework import serializers

from billing.api.serializers.base import (
    BillingAddressSerializer,
    RowSerializer,
    StrictSerializer,
    TokenField,
)
from billing.models import PaymentMethod


class PaymentMethodCreateSerializer(StrictSerializer):
    token = TokenField()
    provider = serializers.RegexField(
        r"^[a-z0-9_-]{1,40}$",
        required=False,
        help_text="Whose token it is; without it the provider that a subscription would use",
    )
    billing_address = BillingAddressSerializer(required=False)
    is_default = serializers.BooleanField(default=False)


class PaymentMethodSerializer(RowSerializer):
    billing_address = serializers.DictField(child=serializers.CharField(), read_only=True)
    is_default = serializers.BooleanField(read_only=True)

    class Meta:
        model = PaymentMethod
        fields = (
            "id",
            "type",
            "brand",
            "last4",
            "exp_month",
            "exp_year",
            "billing_address",
            "is_default",
            "provider",
            "created_at",
        )
        read_only_fields = fields
