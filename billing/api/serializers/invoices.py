"""Invoices, as the provider made them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.api.serializers.base import MoneyField, RowSerializer, money
from billing.models import Invoice


class LineItemSerializer(serializers.Serializer[Any]):
    description = serializers.CharField()
    quantity = serializers.IntegerField()
    amount = serializers.CharField(help_text="Major units with all decimals of the currency: 29.90")
    amount_minor = serializers.IntegerField(help_text="Minor units: cents, centavos, yen")
    currency = serializers.CharField(help_text="ISO 4217, upper case")


class InvoiceSerializer(RowSerializer):
    subtotal = MoneyField()
    discount = MoneyField()
    tax = MoneyField()
    total = MoneyField()
    amount_due = MoneyField()
    amount_paid = MoneyField()
    refunded = MoneyField()
    subscription = serializers.UUIDField(source="subscription_id", read_only=True, allow_null=True)
    decision = serializers.UUIDField(source="decision_id", read_only=True, allow_null=True)
    payment_method = serializers.UUIDField(
        source="payment_method_id", read_only=True, allow_null=True
    )
    invoice_pdf_url = serializers.CharField(read_only=True, help_text="'' where there is none")
    hosted_invoice_url = serializers.CharField(read_only=True, help_text="'' where there is none")
    line_items = serializers.SerializerMethodField()

    class Meta:
        model = Invoice
        fields = (
            "id",
            "number",
            "status",
            "payment_state",
            "subtotal",
            "discount",
            "tax",
            "total",
            "amount_due",
            "amount_paid",
            "refunded",
            "currency",
            "subscription",
            "decision",
            "payment_method",
            "provider",
            "period_start",
            "period_end",
            "due_date",
            "paid_at",
            "next_attempt_at",
            "invoice_pdf_url",
            "hosted_invoice_url",
            "line_items",
            "created_at",
        )
        read_only_fields = fields

    @extend_schema_field(LineItemSerializer(many=True))
    def get_line_items(self, invoice: Invoice) -> list[dict[str, Any]]:
        return [
            {
                "description": str(line.get("description", "")),
                "quantity": line.get("quantity", 1),
                **money(int(line.get("amount_minor", 0)), invoice.currency),
            }
            for line in invoice.line_items
        ]
