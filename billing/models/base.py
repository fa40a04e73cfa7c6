"""What several models share: identity, timestamps, and the columns of mirrored rows."""

import uuid
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any, Generic, Self, TypeVar

from django.db import models

from billing.conf import conf
from billing.enums import Mode
from billing.money import Money

M = TypeVar("M", bound=models.Model)


def choices(enum: Any) -> list[tuple[str, str]]:
    """Django choices of a StrEnum: the value and a readable label."""
    return [(member.value, member.value.replace("_", " ").capitalize()) for member in enum]


def decimal_of(minor: int | None, currency: str) -> Decimal | None:
    """The amount in major units, or None; for properties that people read."""
    return None if minor is None else Money(minor, currency).decimal


class BaseModel(models.Model):
    """A UUID that is never parsed and two wall-clock timestamps."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class OrganizationQuerySet(models.QuerySet[M], Generic[M]):
    """Rows that belong to an organization: the only way into them is `for_organization`."""

    def for_organization(self, organization: Any) -> Self:
        return self.filter(organization=organization)

    def in_mode(self) -> Self:
        """All of them: these rows are ours, whatever mode a provider is in."""
        return self.all()


class ProviderQuerySet(OrganizationQuerySet[M]):
    """Rows that mirror a provider; those of another mode than the configured one do not exist."""

    def in_mode(self) -> Self:
        """Only rows of the mode that each alias is configured in."""
        aliases: dict[str, list[str]] = {}
        for alias, mode in conf.modes.items():
            aliases.setdefault(mode, []).append(alias)
        # Usually all are in one mode, and the condition is the simplest that an index serves.
        matches = [models.Q(provider__in=names, mode=mode) for mode, names in aliases.items()]
        return self.filter(reduce(or_, matches)) if matches else self.none()

    def for_organization(self, organization: Any) -> Self:
        return super().for_organization(organization).in_mode()


class ProviderOwned(BaseModel):
    """A row that mirrors a remote object. Only services/sync writes its provider-owned columns.

    `provider_version` is the provider's time of the state last applied, `sync_seq` counts writes
    (compare-and-set around a fetch), `provider_data` is the provider's JSON as last received.
    """

    provider = models.CharField(max_length=40)
    mode = models.CharField(max_length=10, choices=choices(Mode))
    provider_data = models.JSONField(default=dict, blank=True, editable=False)
    provider_version = models.DateTimeField(null=True, blank=True, editable=False)
    sync_seq = models.BigIntegerField(default=0, editable=False)

    class Meta:
        abstract = True
