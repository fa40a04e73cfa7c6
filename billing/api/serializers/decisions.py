"""Routing decisions: what a client may ask the router, and what it reads."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing import explanations
from billing.api.serializers.base import BillingAddressSerializer, RowSerializer, StrictSerializer
from billing.api.serializers.config import ClientSerializer, client_of
from billing.api.serializers.plans import PlanReferenceSerializer
from billing.api.serializers.products import ProductField
from billing.api.serializers.subscriptions import PlanField
from billing.enums import BillingInterval, EvidenceTier, TransactionType
from billing.models import Product, RoutingDecision
from billing.models.base import choices
from billing.services import customers

_RESULTS = ("matched", "skipped", "not_reached")


class DecisionCreateSerializer(StrictSerializer):
    """What is to be paid for, and what the customer chose already."""

    transaction_type = serializers.ChoiceField(choices=choices(TransactionType))
    plan = PlanField(required=False)
    interval = serializers.ChoiceField(choices=choices(BillingInterval), required=False)
    product = ProductField(required=False)
    currency = serializers.RegexField(
        r"^[A-Za-z]{3}$", required=False, help_text="ISO 4217; without it the country's own"
    )
    payment_method = serializers.RegexField(
        r"^[a-z_]{1,40}$", required=False, help_text="card, oxxo, spei, sepa_debit, ..."
    )
    billing_address = BillingAddressSerializer(
        required=False, help_text="All of it, or only the country that the customer chose"
    )

    def validate_currency(self, value: str) -> str:
        return value.upper()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_subscription = attrs["transaction_type"] == TransactionType.SUBSCRIPTION
        foreign = ("product",) if is_subscription else ("plan", "interval")
        wrong = [name for name in foreign if name in attrs]
        if wrong:
            error = serializers.ErrorDetail(
                str(_("This does not go with the transaction type.")), code="exclusive"
            )
            raise serializers.ValidationError({name: [error] for name in wrong})
        return attrs


class EvidenceSerializer(serializers.Serializer[Any]):
    """One word about the country; the first one counts."""

    tier = serializers.ChoiceField(choices=choices(EvidenceTier))
    source = serializers.CharField(  # type: ignore[assignment] # a field's own argument
        help_text="request, payment_method, ..., or the IP service"
    )
    country = serializers.CharField(help_text="ISO 3166-1 alpha-2")
    detail = serializers.SerializerMethodField(help_text="The source in words")

    def get_detail(self, evidence: dict[str, Any]) -> str:
        return explanations.source(evidence)


class RuleAnswerSerializer(serializers.Serializer[Any]):
    """What became of one rule."""

    provider = serializers.CharField()
    result = serializers.ChoiceField(choices=_RESULTS)
    code = serializers.CharField()
    detail = serializers.SerializerMethodField(help_text="The reason in words")

    def get_detail(self, answer: dict[str, Any]) -> str:
        return explanations.because(answer)


class DecisionSerializer(RowSerializer):
    """Who takes the payment and why, with what the browser needs to go on."""

    plan = PlanReferenceSerializer(read_only=True, allow_null=True)
    interval = serializers.ChoiceField(
        source="billing_interval",
        choices=choices(BillingInterval),
        read_only=True,
        allow_blank=True,
    )
    product = serializers.SlugRelatedField[Product](
        slug_field="slug", read_only=True, allow_null=True
    )
    methods = serializers.ListField(child=serializers.CharField(), read_only=True)
    client = serializers.SerializerMethodField()
    missing_profile = serializers.SerializerMethodField(
        help_text="What the provider requires and the billing profile lacks"
    )
    explanation = serializers.SerializerMethodField(help_text="In the request's language")
    evidence = EvidenceSerializer(many=True, read_only=True)
    rules = RuleAnswerSerializer(source="answers", many=True, read_only=True)

    class Meta:
        model = RoutingDecision
        fields = (
            "id",
            "transaction_type",
            "plan",
            "interval",
            "product",
            "provider",
            "runner_up",
            "currency",
            "country",
            "methods",
            "client",
            "missing_profile",
            "explanation",
            "evidence",
            "rules",
            "created_at",
        )
        read_only_fields = fields

    @extend_schema_field(ClientSerializer(allow_null=True))
    def get_client(self, decision: RoutingDecision) -> dict[str, Any] | None:
        return client_of(decision.provider)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_missing_profile(self, decision: RoutingDecision) -> list[str]:
        return customers.missing_profile(decision.organization, decision.provider)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_explanation(self, decision: RoutingDecision) -> list[str]:
        return explanations.explain(decision)
