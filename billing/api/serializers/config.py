"""What a browser needs to know before anybody logs in; nothing secret."""

from typing import Any

from rest_framework import serializers

from billing.conf import conf
from billing.enums import Mode
from billing.models.base import choices
from billing.providers.base import PaymentProvider
from billing.registry import providers


class ClientSerializer(serializers.Serializer[Any]):
    """How to tokenise for one provider: the adapter's name and its public values."""

    adapter = serializers.CharField()
    public = serializers.DictField(child=serializers.CharField())


class ProviderSerializer(serializers.Serializer[Any]):
    """A provider of this site. Empty `currencies`: every one."""

    alias = serializers.CharField()
    name = serializers.CharField()
    mode = serializers.ChoiceField(choices=choices(Mode))
    client = ClientSerializer()
    methods = serializers.ListField(child=serializers.CharField())
    currencies = serializers.ListField(child=serializers.CharField())
    capabilities = serializers.ListField(child=serializers.CharField())
    required_profile = serializers.ListField(child=serializers.CharField())


class VisitorSerializer(serializers.Serializer[Any]):
    """What a subscription of this visitor would be paid with, by the address of the request alone.

    `provider` is blank and `methods` empty where nobody could take it.
    """

    country = serializers.CharField(allow_blank=True, help_text="ISO 3166-1; '' when unknown")
    currency = serializers.CharField(help_text="ISO 4217")
    provider = serializers.CharField(allow_blank=True)
    methods = serializers.ListField(child=serializers.CharField())
    explanation = serializers.ListField(child=serializers.CharField())


class ConfigSerializer(serializers.Serializer[Any]):
    default_currency = serializers.CharField(help_text="ISO 4217")
    providers = ProviderSerializer(many=True)
    visitor = VisitorSerializer()


def client_of(alias: str) -> dict[str, Any] | None:
    """Return the `ClientSerializer` data of `alias`, None when it is not configured any more."""
    if alias not in providers.aliases():
        return None
    config = providers.get(alias, PaymentProvider).client_config()
    return {"adapter": config.adapter, "public": dict(config.public)}


def provider_of(alias: str) -> dict[str, Any]:
    """Return the `ProviderSerializer` data of a configured `alias`."""
    provider = providers.get(alias, PaymentProvider)
    features = provider.features
    return {
        "alias": alias,
        "name": provider.provider_name,
        "mode": conf.mode(alias),
        "client": client_of(alias),
        "methods": list(features.methods),
        "currencies": sorted(features.currencies),
        "capabilities": sorted(each.__name__ for each in provider.capabilities),
        "required_profile": list(features.required_profile),
    }
