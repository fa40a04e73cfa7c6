"""What all serializers share: strict input, money and times in one shape, the billing address."""

import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from billing.money import Money
from geo import countries

_MONEY_PATTERN = r"^-?\d+(\.\d+)?$"
_TOKEN = re.compile(r"[\x21-\x7e]+")


class UtcDateTimeField(serializers.DateTimeField):
    """Always UTC with a final Z, whatever TIME_ZONE the host project has."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("default_timezone", UTC)
        super().__init__(**kwargs)


@extend_schema_field(
    inline_serializer(
        "Money",
        {
            "amount": serializers.RegexField(
                _MONEY_PATTERN, help_text="Major units with all decimals of the currency: 29.90"
            ),
            "amount_minor": serializers.IntegerField(help_text="Minor units: cents, centavos, yen"),
            "currency": serializers.CharField(help_text="ISO 4217, upper case"),
        },
    )
)
class MoneyField(serializers.Field):  # type: ignore[type-arg]
    """Read-only money of a row: `<name>_minor` in the row's `currency`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, source="*", **kwargs)

    def to_representation(self, value: models.Model) -> dict[str, Any]:
        return money(getattr(value, f"{self.field_name}_minor"), getattr(value, "currency", ""))


def money(minor: int, currency: str) -> dict[str, Any]:
    """Return an amount as it stands on the wire."""
    amount = Money(minor, currency)
    return {"amount": f"{amount.decimal:f}", "amount_minor": minor, "currency": currency}


class StrictSerializer(serializers.Serializer[Any]):
    """Input: a field that is not ours to take is an error, so that nobody believes it was taken."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            self._refuse_unknown(data)
        return super().to_internal_value(data)

    def _refuse_unknown(self, data: Mapping[Any, Any]) -> None:
        known = {name for name, field in self.fields.items() if not field.read_only}
        unknown = sorted(str(name)[:100] for name in data if name not in known)
        if unknown:
            error = serializers.ErrorDetail(
                str(_("This field is not accepted.")), code="unknown_field"
            )
            raise serializers.ValidationError({name: [error] for name in unknown})


class RowSerializer(serializers.ModelSerializer[Any]):
    """Output: what it lists and nothing else, times in UTC."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: UtcDateTimeField,
    }


class TokenField(serializers.CharField):
    """What the provider's code in the browser made of a card: printable ASCII without spaces."""

    default_error_messages = {"token": _("This is not a token.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=255, write_only=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if not _TOKEN.fullmatch(value):
            self.fail("token")
        return value


class BillingAddressSerializer(StrictSerializer):
    """`country` is required: it decides who takes the payment."""

    line1 = serializers.CharField(max_length=200, required=False, allow_blank=True)
    line2 = serializers.CharField(max_length=200, required=False, allow_blank=True)
    city = serializers.CharField(max_length=100, required=False, allow_blank=True)
    state = serializers.CharField(max_length=100, required=False, allow_blank=True)
    postal_code = serializers.CharField(max_length=20, required=False, allow_blank=True)
    country = serializers.CharField(
        min_length=2, max_length=2, help_text="ISO 3166-1 alpha-2: MX, DE, US"
    )

    def validate_country(self, value: str) -> str:
        if not countries.is_country(value.upper()):
            raise serializers.ValidationError(
                _("This is not a country code."), code="invalid_country"
            )
        return value.upper()
