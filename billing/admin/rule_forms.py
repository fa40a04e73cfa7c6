"""How staff write routing rules and ask what they would decide: one row per rule, nothing by hand.

Every condition is chosen from a list; what a stored rule names already stays among the choices.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from billing.enums import BillingInterval, PaymentMethodType, TransactionType
from billing.models import Product, RuleSet, SubscriptionPlan
from billing.models.base import choices
from billing.providers.base import PaymentProvider
from billing.registry import providers
from billing.routing import CONDITIONS, Rule, problems_by_rule
from geo.countries import COUNTRIES, currency_of, name_of

if TYPE_CHECKING:
    RuleBaseFormSet = forms.BaseFormSet["RuleForm"]
else:
    RuleBaseFormSet = forms.BaseFormSet

Choices = list[tuple[str, str]]
GAP = 10  # between the numbers of two rules, so that another fits in


def _searched() -> UnfoldAdminSelect2Widget:
    """A list that is too long to look through: typing narrows it."""
    return UnfoldAdminSelect2Widget(attrs={"style": "width: 100%"})


class SeveralField(forms.MultipleChoiceField):
    """Any number of `choices`; none means that the rule does not ask."""

    def __init__(self, **kwargs: Any) -> None:
        widget = UnfoldAdminSelect2MultipleWidget(
            attrs={"style": "width: 100%", "data-placeholder": "Any"}
        )
        super().__init__(required=False, widget=widget, **kwargs)


class SeenForm(forms.Form):
    """When what staff saw had last been changed, so that nobody decides over another's change."""

    seen_at = forms.DateTimeField(widget=forms.HiddenInput())


class DraftForm(SeenForm):
    """What a draft has beside its rules."""

    note = forms.CharField(
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Why the rules change, for whoever reads this in a year.",
    )


class RuleForm(forms.Form):
    """One rule. `named` are all rules of the set, whose words stay among the choices."""

    provider = forms.ChoiceField(widget=UnfoldAdminSelectWidget())
    countries = SeveralField(choices=lambda: country_choices())
    transaction_types = SeveralField(choices=choices(TransactionType), label="What is bought")
    currencies = SeveralField(label="Currency asked for")
    payment_methods = SeveralField(label="Payment method asked for")
    currency = forms.ChoiceField(
        required=False,
        label="Suggested currency",
        widget=_searched(),
    )

    def __init__(self, *args: Any, named: Sequence[Rule], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        currencies = currency_choices(_words(named, "currencies") | _words(named, "currency"))
        self._offer("provider", [("", "Choose"), *provider_choices(_words(named, "provider"))])
        self._offer("currencies", currencies)
        self._offer("currency", [("", "None"), *currencies])
        self._offer("payment_methods", method_choices(_words(named, "payment_methods")))

    def rule(self) -> dict[str, Any]:
        """The rule as it is stored, once the form is valid."""
        names = (*CONDITIONS, "provider", "currency")
        return {name: self.cleaned_data[name] for name in names if self.cleaned_data[name]}

    def _offer(self, name: str, offered: Choices) -> None:
        field: Any = self.fields[name]
        field.choices = offered


class BaseRuleFormSet(RuleBaseFormSet):
    """The rules in the order of their numbers; what is wrong with one is told at it."""

    deletion_widget = UnfoldBooleanWidget
    ordering_widget = UnfoldAdminIntegerFieldWidget

    def add_fields(self, form: Any, index: int | None) -> None:
        """Number the rules with gaps; the empty row goes before the last, which takes the rest."""
        super().add_fields(form, index)
        known = self.initial_form_count()
        is_known = index is not None and index < known
        number = form.fields["ORDER"]
        number.initial = GAP * (index + 1) if is_known and index is not None else GAP * known - 5
        number.label = "Number"
        if is_known:
            form.fields["DELETE"].label = "Delete this rule"

    def kept(self) -> list[Any]:
        """The forms that make the rules, in their order."""
        filled = [form for form in self.forms if form.cleaned_data]
        kept = [form for form in filled if not form.cleaned_data.get("DELETE")]
        return sorted(kept, key=_number)

    def rules(self) -> list[dict[str, Any]]:
        """The rules as they are stored, once all forms are valid."""
        return [form.rule() for form in self.kept()]

    def clean(self) -> None:
        if any(self.errors):
            return
        kept = self.kept()
        if not kept:
            raise forms.ValidationError("There are no rules.", code="none")
        for position, found in problems_by_rule(self.rules()).items():
            for problem in found:
                kept[position - 1].add_error(None, problem[0].upper() + problem[1:])


RuleFormSet = forms.formset_factory(
    RuleForm,
    formset=BaseRuleFormSet,
    extra=1,
    can_order=True,
    can_delete=True,
    can_delete_extra=False,
)


class SimulatorForm(forms.Form):
    """What a purchase would be about. Nothing is stored: the answers stand in the address."""

    rule_set = forms.ModelChoiceField(
        RuleSet.objects.defer("rules"), label="Rules", widget=UnfoldAdminSelectWidget()
    )
    country = forms.ChoiceField(
        required=False,
        choices=lambda: [("", "Not known"), *country_choices()],
        widget=_searched(),
    )
    transaction_type = forms.ChoiceField(
        choices=choices(TransactionType), label="What is bought", widget=UnfoldAdminSelectWidget()
    )
    currency = forms.ChoiceField(
        required=False,
        choices=lambda: [("", "Not asked for"), *currency_choices()],
        widget=_searched(),
    )
    payment_method = forms.ChoiceField(
        required=False,
        choices=lambda: [("", "Not asked for"), *method_choices()],
        widget=UnfoldAdminSelectWidget(),
    )
    plan = forms.ModelChoiceField(
        SubscriptionPlan.objects.all(),
        required=False,
        empty_label="Any plan",
        widget=UnfoldAdminSelectWidget(),
    )
    interval = forms.ChoiceField(
        required=False,
        choices=[("", "Any interval"), *choices(BillingInterval)],
        widget=UnfoldAdminSelectWidget(),
    )
    product = forms.ModelChoiceField(
        Product.objects.all(),
        required=False,
        empty_label="Any product",
        widget=UnfoldAdminSelectWidget(),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        is_subscription = cleaned.get("transaction_type") == TransactionType.SUBSCRIPTION
        for name in ("product",) if is_subscription else ("plan", "interval"):
            if cleaned.get(name):
                self.add_error(name, _("This does not go with the transaction type."))
        return cleaned


def provider_choices(named: Iterable[str] = ()) -> Choices:
    """The configured aliases, then those that are only named."""
    configured = providers.aliases()
    others = sorted(set(named) - set(configured))
    return [
        *((alias, alias) for alias in configured),
        *((alias, f"{alias} (not set up)") for alias in others),
    ]


def country_choices() -> Choices:
    """Every country of ISO 3166-1 by its name in the active language."""
    language = get_language() or "en"
    named = ((code, name_of(code, language)) for code in COUNTRIES)
    return [(code, f"{name} ({code})") for code, name in sorted(named, key=lambda each: each[1])]


def currency_choices(named: Iterable[str] = ()) -> Choices:
    """Every currency that is some country's own, and those that are named."""
    known = {currency_of(code) for code in COUNTRIES} | set(named)
    return [(code, code) for code in sorted(known - {""})]


def method_choices(named: Iterable[str] = ()) -> Choices:
    """The payment methods that we or a configured provider know, and those that are named."""
    known = {method.value for method in PaymentMethodType} | set(named)
    for alias in providers.aliases():
        known |= set(providers.get(alias, PaymentProvider).features.methods)
    return [(name, name.replace("_", " ")) for name in sorted(known)]


def _words(rules: Sequence[Rule], name: str) -> set[str]:
    """What the rules say under `name`, a list or one word."""
    said = [rule[name] for rule in rules if rule.get(name)]
    return {word for each in said for word in ([each] if isinstance(each, str) else each)}


def _number(form: Any) -> float:
    number = form.cleaned_data["ORDER"]
    return float("inf") if number is None else float(number)
