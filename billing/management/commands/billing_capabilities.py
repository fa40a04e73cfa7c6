"""Print what each configured provider can do, as Markdown."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from django.core.management.base import BaseCommand

from billing.providers.base import CAPABILITIES, Capability, PaymentProvider
from billing.providers.types import Features, MethodLimit
from billing.registry import providers

_HEAD = """\
# What each provider can do

Printed by `manage.py billing_capabilities`, which does the same for your own settings. A column is
an alias of BILLING_PROVIDERS. To ask a provider for what it lacks is one clear error,
`capability_missing`, before anything is sent. "(sandbox)" marks the sandbox in a provider's
place, with that provider's limits; only a sandbox has `Simulates`.

"""
_EVERY = ("currencies", "countries")  # empty means every one


class Command(BaseCommand):
    help = "Print what each provider in BILLING_PROVIDERS can do, as Markdown. Asks nobody."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        found = {each: providers.get(each, PaymentProvider) for each in providers.aliases()}
        self.stdout.write(_HEAD, ending="")
        self.stdout.write(
            _table(["Capability", "What it is", *found], _capabilities(found)), ending=""
        )
        self.stdout.write("\n## Finer facts\n\n", ending="")
        self.stdout.write(_table(["Fact", *found], _facts(found)), ending="")


def _capabilities(found: dict[str, PaymentProvider]) -> Iterable[list[str]]:
    yield ["", "The provider's name", *(each.provider_name for each in found.values())]
    for name, capability in CAPABILITIES.items():
        marks = ["yes" if capability in each.capabilities else "-" for each in found.values()]
        yield [f"`{name}`", _sentence(capability), *marks]


def _sentence(capability: type[Capability]) -> str:
    """The first paragraph of its own docstring; without one, its methods."""
    text = vars(capability).get("__doc__") or ""
    first = " ".join(text.strip().partition("\n\n")[0].split())
    own = (f"`{name}`" for name in vars(capability) if not name.startswith("_"))
    return first or ", ".join(own)


def _facts(found: dict[str, PaymentProvider]) -> Iterable[list[str]]:
    for each in fields(Features):
        values = (getattr(provider.features, each.name) for provider in found.values())
        yield [each.name.replace("_", " "), *(_shown(each.name, value) for value in values)]


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "-"
    if isinstance(value, Mapping):
        return "; ".join(f"{method}: {_limit(value[method])}" for method in value) or "-"
    words = sorted(value) if isinstance(value, frozenset) else value
    return ", ".join(map(str, words)) or ("every" if name in _EVERY else "-")


def _limit(limit: MethodLimit) -> str:
    return ", ".join([*sorted(limit.currencies), *sorted(limit.countries)])


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
