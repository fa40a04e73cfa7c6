"""Who asks, and for which organization: resolved once per request, before anything else is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from rest_framework.exceptions import NotFound
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from billing.api.exceptions import NoOrganization, OrganizationRequired
from billing.conf import conf
from billing.enums import Role
from billing.models import AnyOrganization

if TYPE_CHECKING:
    from billing.api.viewsets.base import OrganizationViewSet

ORGANIZATION_HEADER = "X-Organization"
_WRITERS = frozenset({Role.OWNER.value, Role.BILLING_ADMIN.value})
_ROLES = frozenset(role.value for role in Role)


@dataclass(frozen=True, slots=True)
class Tenant:
    """The organization that this request is about, and what the caller is there."""

    organization: AnyOrganization
    role: str

    @property
    def may_write(self) -> bool:
        return self.role in _WRITERS


class BelongsToOrganization(BasePermission):
    """Sets the view's `tenant`; members read, owners and billing admins write as well.

    The organization is the one that X-Organization names among the caller's memberships, else the
    only one, else for a path that names an object the membership that owns it.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if not (user and user.is_authenticated and user.is_active):
            return False
        target = cast("OrganizationViewSet[Any]", view)
        roles = {pk: str(role) for pk, role in conf.membership(user) if str(role) in _ROLES}
        if not roles:
            raise NoOrganization
        pk = _chosen(request, target, roles)
        target.tenant = Tenant(_organization(pk), roles[pk])
        return request.method in SAFE_METHODS or target.tenant.may_write


class MayWrite(BelongsToOrganization):
    """For owners and billing admins, reads as well."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        is_member = super().has_permission(request, view)
        return is_member and cast("OrganizationViewSet[Any]", view).tenant.may_write


def _chosen(request: Request, view: "OrganizationViewSet[Any]", roles: Mapping[Any, str]) -> Any:
    named = request.headers.get(ORGANIZATION_HEADER)
    if named is not None:
        return next((pk for pk in roles if str(pk) == named.strip().lower()), None)
    if len(roles) == 1:
        return next(iter(roles))
    if view.lookup_url_kwarg in view.kwargs:
        return view.owner_among(list(roles))
    raise OrganizationRequired


def _organization(pk: Any) -> AnyOrganization:
    organization: AnyOrganization | None = None
    if pk is not None:
        model = apps.get_model(conf.organization_model)
        organization = model._default_manager.filter(pk=pk).first()
    if organization is None:
        raise NotFound
    return organization
