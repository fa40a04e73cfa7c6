"""Payments, vouchers, and how an invoice is to be paid."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing import clock
from billing.api.serializers.base import (
    MoneyField,
    RowSerializer,
    StrictSerializer,
    UtcDateTimeField,
)
from billing.api.serializers.subscriptions import NextActionField, PaymentMethodField
from billing.enums import VOUCHER_METHODS, PaymentMethodType, VoucherState
from billing.models import Payment
from billing.models.base import choices

VOUCHERS = [(method.value, method.value) for method in VOUCHER_METHODS]


class VoucherField(serializers.ChoiceField):
    """A kind of voucher, as a word of PaymentMethodType."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=VOUCHERS, **kwargs)

    def to_internal_value(self, data: Any) -> PaymentMethodType:
        return PaymentMethodType(super().to_internal_value(data))


class InvoicePaySerializer(StrictSerializer):
    payment_method = PaymentMethodField(
        required=False, help_text="Without it the customer's default one"
    )
    voucher = VoucherField(required=False, help_text="Pay by hand instead: OXXO or SPEI")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) > 1:
            error = serializers.ErrorDetail(
                str(_("Send this or payment_method.")), code="exclusive"
            )
            raise serializers.ValidationError({"voucher": [error]})
        return attrs


class VoucherReissueSerializer(StrictSerializer):
    voucher = VoucherField(required=False, help_text="Without it the kind of the last one")


class PaymentSerializer(RowSerializer):
    """One attempt to move money. While it waits for the customer, `next_action` says for what."""

    amount = MoneyField()
    refunded = MoneyField()
    invoice = serializers.UUIDField(source="invoice_id", read_only=True, allow_null=True)
    payment_method = serializers.UUIDField(
        source="payment_method_id", read_only=True, allow_null=True
    )
    next_action = NextActionField(read_only=True)

    class Meta:
        model = Payment
        fields = (
            "id",
            "status",
            "amount",
            "refunded",
            "currency",
            "invoice",
            "payment_method",
            "decline_code",
            "next_action",
            "provider",
            "paid_at",
            "created_at",
        )
        read_only_fields = fields


class VoucherSerializer(serializers.Serializer[Any]):
    """The voucher of an invoice that was issued last. `next_action` is {} once it is over."""

    payment = serializers.UUIDField(read_only=True)
    method = serializers.CharField(read_only=True, help_text="oxxo or spei")
    state = serializers.ChoiceField(choices=choices(VoucherState), read_only=True)
    expires_at = UtcDateTimeField(read_only=True, allow_null=True)
    next_action = NextActionField(read_only=True)

    def to_representation(self, instance: Payment) -> dict[str, Any]:
        state = instance.voucher_state(clock.now())
        return super().to_representation(
            {
                "payment": instance.pk,
                "method": instance.voucher_method,
                "state": state,
                "expires_at": instance.voucher_expires_at,
                "next_action": instance.next_action if state is VoucherState.WAITING else {},
            }
        )
