"""Subscriptions: what a client may ask for, and what it reads."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from billing.api.serializers.base import (
    BillingAddressSerializer,
    RowSerializer,
    StrictSerializer,
    TokenField,
    UtcDateTimeField,
    money,
)
from billing.api.serializers.plans import PlanReferenceSerializer, PriceSerializer
from billing.enums import BillingInterval, EndReason, IncompleteReason
from billing.models import (
    PaymentMethod,
    RoutingDecision,
    StateChange,
    Subscription,
    SubscriptionPlan,
)
from billing.models.base import choices

MAX_QUANTITY = 10_000
_INTERVALS = choices(BillingInterval)


class PlanField(serializers.CharField):
    """A plan on sale, by slug or id."""

    default_error_messages = {"does_not_exist": _("There is no such plan.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, help_text="Slug or id of a plan", **kwargs)

    def run_validation(self, data: Any = empty) -> Any:
        text = super().run_validation(data)
        named = Q(slug=text)
        if (identity := _uuid(text)) is not None:
            named |= Q(pk=identity)
        plan = SubscriptionPlan.objects.filter(named, is_active=True).first()
        if plan is None:
            self.fail("does_not_exist")
        return plan


class PaymentMethodField(serializers.UUIDField):
    """A payment method that the organization in the context can be charged with."""

    default_error_messages = {"does_not_exist": _("There is no such payment method.")}

    def to_internal_value(self, data: Any) -> Any:
        identity = super().to_internal_value(data)
        method = (
            PaymentMethod.objects.for_organization(self.context["organization"])
            .attached()
            .select_related("customer")
            .filter(pk=identity)
            .first()
        )
        if method is None:
            self.fail("does_not_exist")
        return method


class DecisionField(serializers.UUIDField):
    """A routing decision of the organization in the context."""

    default_error_messages = {"does_not_exist": _("There is no such routing decision.")}

    def to_internal_value(self, data: Any) -> Any:
        identity = super().to_internal_value(data)
        decision = (
            RoutingDecision.objects.for_organization(self.context["organization"])
            .filter(pk=identity)
            .first()
        )
        if decision is None:
            self.fail("does_not_exist")
        return decision


class MetadataField(serializers.DictField):
    """Up to 50 texts of the client's own, each up to 500 characters, keys up to 40."""

    default_error_messages = {
        "too_many": _("At most 50 entries."),
        "bad_key": _("Keys are 1 to 40 printable characters."),
    }

    def __init__(self, **kwargs: Any) -> None:
        child = serializers.CharField(max_length=500, allow_blank=True, trim_whitespace=False)
        super().__init__(child=child, **kwargs)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        value = super().to_internal_value(data)
        if len(value) > 50:
            self.fail("too_many")
        if not all(1 <= len(key) <= 40 and key.isprintable() for key in value):
            self.fail("bad_key")
        return dict(value)


class SubscriptionCreateSerializer(StrictSerializer):
    plan = PlanField()
    interval = serializers.ChoiceField(choices=_INTERVALS)
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY, default=1)
    currency = serializers.RegexField(
        r"^[A-Za-z]{3}$", required=False, help_text="ISO 4217; the route's own without it"
    )
    payment_method = PaymentMethodField(required=False)
    payment_method_token = TokenField(required=False)
    billing_address = BillingAddressSerializer(required=False)
    decision = DecisionField(
        required=False, help_text="Id of the routing decision that the customer was shown"
    )

    def validate_currency(self, value: str) -> str:
        return value.upper()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "payment_method" in attrs and "payment_method_token" in attrs:
            error = serializers.ErrorDetail(
                str(_("Send this or payment_method.")), code="exclusive"
            )
            raise serializers.ValidationError({"payment_method_token": [error]})
        return attrs


class SubscriptionChangeSerializer(StrictSerializer):
    """Only what is sent changes."""

    plan = PlanField(required=False)
    interval = serializers.ChoiceField(choices=_INTERVALS, required=False)
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY, required=False)
    payment_method = PaymentMethodField(required=False)
    cancel_at_period_end = serializers.BooleanField(required=False)
    metadata = MetadataField(required=False)


@extend_schema_field(
    {
        "type": "object",
        "description": "`type` and beside it what that needs: a URL, a voucher. Empty: nothing.",
        "properties": {"type": {"type": "string"}},
        "additionalProperties": {"type": "string"},
        "readOnly": True,
    }
)
class NextActionField(serializers.JSONField):
    """What the customer must do now, in texts: of a voucher the amount too, its end in UTC."""

    def to_representation(self, value: Any) -> Any:
        shown = dict(value)
        if "amount_minor" in shown and "currency" in shown:
            shown["amount"] = money(int(shown["amount_minor"]), shown["currency"])["amount"]
        if "expires_at" in shown:
            shown["expires_at"] = UtcDateTimeField().to_representation(
                datetime.fromisoformat(shown["expires_at"])
            )
        return shown


class SubscriptionSerializer(RowSerializer):
    plan = PlanReferenceSerializer(read_only=True, allow_null=True)
    price = PriceSerializer(read_only=True, allow_null=True)
    incomplete_reason = serializers.ChoiceField(
        choices=choices(IncompleteReason), read_only=True, allow_blank=True
    )
    end_reason = serializers.ChoiceField(
        choices=choices(EndReason), read_only=True, allow_blank=True
    )
    next_action = NextActionField(read_only=True)
    payment_method = serializers.PrimaryKeyRelatedField[PaymentMethod](
        read_only=True, pk_field=serializers.UUIDField()
    )
    decision = serializers.UUIDField(source="decision_id", read_only=True, allow_null=True)
    usage_data = serializers.DictField(read_only=True)
    metadata = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Subscription
        fields = (
            "id",
            "plan",
            "price",
            "billing_interval",
            "quantity",
            "status",
            "incomplete_reason",
            "next_action",
            "provider",
            "current_period_start",
            "current_period_end",
            "trial_start",
            "trial_end",
            "cancel_at_period_end",
            "cancel_at",
            "canceled_at",
            "ended_at",
            "end_reason",
            "payment_method",
            "decision",
            "usage_data",
            "metadata",
            "created_at",
        )
        read_only_fields = fields


class StateChangeSerializer(RowSerializer):
    """One step of a subscription's life; `time` is the provider's. `from` is '' at the start."""

    time = UtcDateTimeField(source="occurred_at", read_only=True)

    class Meta:
        model = StateChange
        fields = ("id", "time", "cause", "code")
        read_only_fields = fields

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        fields["from"] = serializers.CharField(source="from_state", read_only=True)
        fields["to"] = serializers.CharField(source="to_state", read_only=True)
        return fields


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
