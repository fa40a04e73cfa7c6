"""Forms of the catalogue: people type 29.99, one feature per line, and `api_calls: 10000`."""

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from billing import clock
from billing.models import Price, SubscriptionPlan
from billing.money import Money

if TYPE_CHECKING:
    PriceModelForm = forms.ModelForm[Price]
    PlanModelForm = forms.ModelForm[SubscriptionPlan]
    PriceModelFormSet = forms.BaseInlineFormSet[Price, SubscriptionPlan, PriceModelForm]
else:
    from unfold.forms import PaginationInlineFormSet as PriceModelFormSet

    PriceModelForm = PlanModelForm = forms.ModelForm

LARGEST_AMOUNT = Decimal(10) ** 13
UNLIMITED = "unlimited"


class MoneyField(forms.DecimalField):
    """An amount in major units. `minor_units` turns it into what is stored, once the currency is
    known: too many digits for that currency are a form error, never rounded.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", Decimal(0))
        kwargs.setdefault("max_value", LARGEST_AMOUNT)
        kwargs.setdefault(
            "widget",
            UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "style": "min-width: 7rem"}),
        )
        super().__init__(**kwargs)

    @staticmethod
    def minor_units(amount: Decimal, currency: str) -> int:
        """Return integer minor units of `currency`; raise ValidationError when they do not fit."""
        try:
            return Money.from_decimal(amount, currency).minor
        except ValueError as exc:
            raise ValidationError(str(exc), code="digits") from exc


class CurrencyField(forms.CharField):
    """Three letters, stored in capitals (ISO 4217)."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault(
            "widget",
            UnfoldAdminTextInputWidget(attrs={"placeholder": "USD", "style": "min-width: 5rem"}),
        )
        super().__init__(min_length=3, max_length=3, **kwargs)

    def clean(self, value: Any) -> str:
        code = str(super().clean(value)).upper()
        if not code:
            return ""
        try:
            Money(0, code)
        except ValueError as exc:
            raise ValidationError("Three letters, as in USD.", code="currency") from exc
        return code


class LinesField(forms.CharField):
    """A list of texts, one per line."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", UnfoldAdminTextareaWidget(attrs={"rows": 6}))
        super().__init__(required=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        lines = (line.strip() for line in str(value or "").splitlines())
        return [line for line in lines if line]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class LimitsField(forms.CharField):
    """A mapping, one `key: number` per line; `unlimited` stands for null."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", UnfoldAdminTextareaWidget(attrs={"rows": 6}))
        super().__init__(required=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{key}: {_limit_text(limit)}" for key, limit in value.items())

    def to_python(self, value: Any) -> Any:
        limits: dict[str, Any] = {}
        for line in str(value or "").splitlines():
            if not line.strip():
                continue
            key, limit = _limit(line)
            if key in limits:
                raise ValidationError(f"{key} is given twice.", code="twice")
            limits[key] = limit
        return limits

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool((initial or {}) != self.to_python(data))
        except ValidationError:
            return True


class PlanForm(PlanModelForm):
    features = LinesField(help_text="One per line, as customers read it.")
    limits = LimitsField(help_text="One per line: <code>api_calls: 10000</code>, or unlimited.")

    class Meta:
        model = SubscriptionPlan
        fields = (
            "slug",
            "name",
            "description",
            "features",
            "limits",
            "trial_days",
            "is_active",
            "is_popular",
            "sort_order",
        )
        widgets = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 3})}


class PriceForm(PriceModelForm):
    """A new price may be anything; a saved one keeps interval and currency; a published one keeps
    its amount too, and can only be archived: customers were promised it.
    """

    currency = CurrencyField()
    amount = MoneyField()
    is_archived = forms.BooleanField(required=False, label="Archived", widget=UnfoldBooleanWidget())

    class Meta:
        model = Price
        fields = ("interval", "currency", "tax_behavior")
        widgets = {
            "interval": UnfoldAdminSelectWidget(attrs={"style": "min-width: 8rem"}),
            "tax_behavior": UnfoldAdminSelectWidget(attrs={"style": "min-width: 9rem"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        price = self.instance
        if price._state.adding:
            return
        self.initial["amount"] = price.amount
        self.initial["is_archived"] = price.archived_at is not None
        for name in self._frozen(price):
            self.fields[name].disabled = True

    @staticmethod
    def _frozen(price: Price) -> list[str]:
        frozen = ["interval", "currency"]
        if price.is_published or price.archived_at:
            frozen += ["amount", "tax_behavior"]
        if price.archived_at:
            frozen.append("is_archived")
        return frozen

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        amount, currency = cleaned.get("amount"), cleaned.get("currency")
        if isinstance(amount, Decimal) and currency:
            try:
                self.instance.amount_minor = MoneyField.minor_units(amount, currency)
            except ValidationError as exc:
                self.add_error("amount", exc)
        return cleaned

    def save(self, commit: bool = True) -> Price:
        if self.cleaned_data.get("is_archived") and self.instance.archived_at is None:
            self.instance.archived_at = clock.now()
        return super().save(commit)


class PriceFormSet(PriceModelFormSet):
    """Refuses two prices on sale for one interval and currency, also within one submission."""

    def clean(self) -> None:
        super().clean()
        on_sale: set[tuple[str, str]] = set()
        for form in self.forms:
            cleaned = getattr(form, "cleaned_data", None)
            if not cleaned or cleaned.get("is_archived"):
                continue
            key = (cleaned.get("interval", ""), cleaned.get("currency", ""))
            if all(key) and key in on_sale:
                form.add_error("amount", "Archive the other price of this interval and currency.")
            on_sale.add(key)


def _limit(line: str) -> tuple[str, Any]:
    key, separator, text = line.partition(":")
    key, text = key.strip(), text.strip()
    if not (separator and key and text):
        raise ValidationError(f"{line.strip()!r} is not “key: number”.", code="line")
    if text == UNLIMITED:
        return key, None
    try:
        return key, json.loads(text, parse_constant=_refuse)
    except ValueError as exc:
        raise ValidationError(f"{text!r} is not a number.", code="number") from exc


def _refuse(name: str) -> None:
    raise ValueError(name)


def _limit_text(limit: Any) -> str:
    return UNLIMITED if limit is None else json.dumps(limit, ensure_ascii=False)
