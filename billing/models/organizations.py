"""Who pays: the organization (swappable, as AUTH_USER_MODEL is) and who may act for it."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models

from billing.enums import Role
from billing.models.base import BaseModel, choices

# The host's own model where it is swapped: no static type can name it.
AnyOrganization = Any


class Organization(BaseModel):
    """Used when BILLING_ORGANIZATION_MODEL is 'billing.Organization'; hosts may bring their own."""

    name = models.CharField(max_length=200)

    class Meta:
        swappable = "BILLING_ORGANIZATION_MODEL"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Membership(BaseModel):
    """A user's role in an organization, unless the host answers BILLING_MEMBERSHIP itself."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="billing_memberships"
    )
    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    role = models.CharField(max_length=20, choices=choices(Role), default=Role.MEMBER.value)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "organization"], name="billing_membership_once")
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role}"


def memberships(user: Any) -> Iterable[tuple[Any, str]]:
    """Return (organization pk, role) of `user`; the default of BILLING_MEMBERSHIP."""
    return list(
        Membership.objects.filter(user=user)
        .order_by("created_at")
        .values_list("organization_id", "role")
    )
