"""Setup sessions: which methods go in, what the browser needs comes out."""

from typing import Any

from rest_framework import serializers

from billing.api.serializers.base import StrictSerializer, UtcDateTimeField
from billing.api.serializers.subscriptions import NextActionField
from billing.enums import MandateStatus, PaymentMethodType, SetupStatus
from billing.models.base import choices
from billing.services.setup_sessions import SetupState


class SetupSessionCreateSerializer(StrictSerializer):
    methods = serializers.ListField(
        child=serializers.ChoiceField(choices=choices(PaymentMethodType)),
        default=list,
        max_length=len(PaymentMethodType),
        help_text="What the customer may add; without it all that the provider offers",
    )
    provider = serializers.RegexField(
        r"^[a-z0-9_-]{1,40}$",
        required=False,
        help_text="Where; without it the provider that a subscription would use",
    )


class SetupSessionSerializer(serializers.Serializer[Any]):
    """For its owner only: with the client secret whoever has it adds a payment method."""

    id = serializers.UUIDField(read_only=True)
    provider = serializers.CharField(read_only=True)
    status = serializers.ChoiceField(
        choices=choices(SetupStatus), read_only=True, allow_null=True, help_text="null: unknown"
    )
    client_secret = serializers.CharField(read_only=True)
    next_action = NextActionField(read_only=True)
    payment_method = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="Set once the method is attached"
    )
    mandate_status = serializers.ChoiceField(
        choices=choices(MandateStatus),
        read_only=True,
        allow_null=True,
        help_text="Of a bank account: the customer's leave to debit it",
    )
    decline_code = serializers.CharField(read_only=True, help_text="Why the last try was refused")
    created_at = UtcDateTimeField(read_only=True)

    def to_representation(self, instance: SetupState) -> dict[str, Any]:
        data, action = instance.data, instance.data.next_action
        return super().to_representation(
            {
                "id": instance.session.pk,
                "provider": instance.session.provider,
                "status": data.status,
                "client_secret": data.client_secret,
                "next_action": {"type": action.type.value, **action.details} if action else {},
                "payment_method": instance.payment_method.pk if instance.payment_method else None,
                "mandate_status": data.mandate_status,
                "decline_code": data.decline_code,
                "created_at": instance.session.created_at,
            }
        )
