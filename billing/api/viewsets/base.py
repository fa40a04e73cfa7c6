"""What all viewsets share: one organization, strict JSON, problem documents."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import exceptions, viewsets
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from billing.api.exceptions import problem_handler
from billing.api.pagination import NEWEST_FIRST, KeysetPagination
from billing.api.parsers import StrictJSONParser
from billing.api.permissions import BelongsToOrganization, Tenant
from billing.api.throttling import CallerThrottle
from geo.ip import Visitor, visitor_of

M = TypeVar("M", bound=Model)


class BillingViewSet(viewsets.GenericViewSet[M]):
    """JSON in, JSON out, whatever the host project's REST settings say."""

    parser_classes = (StrictJSONParser,)
    renderer_classes = (JSONRenderer,)
    throttle_classes = (CallerThrottle,)
    pagination_class = KeysetPagination
    metadata_class = None

    @property
    def visitor(self) -> Visitor:
        """Where the request comes from, as far as that can be believed."""
        return visitor_of(self.request._request)

    def get_exception_handler(self) -> Callable[..., Any]:
        return problem_handler

    def get_authenticate_header(self, request: Request) -> str:
        """The first authenticator that has a challenge: sessions have none, and 401 needs one."""
        headers = (item.authenticate_header(request) for item in self.get_authenticators())
        return next((header for header in headers if header), "")


class OrganizationViewSet(BillingViewSet[M]):
    """Rows of the caller's organization, which the permission resolves into `tenant`."""

    permission_classes: tuple[type[BasePermission], ...] = (BelongsToOrganization,)
    filter_backends = (DjangoFilterBackend,)
    lookup_field = "pk"
    lookup_url_kwarg = "id"
    ordering: tuple[str, ...] = NEWEST_FIRST
    tenant: Tenant

    def rows(self) -> Any:
        """Return the manager's queryset; a subclass names its model's."""
        raise exceptions.MethodNotAllowed(self.request.method or "")

    def get_queryset(self) -> QuerySet[M]:
        if getattr(self, "swagger_fake_view", False):
            empty: QuerySet[M] = self.rows().none()
            return empty
        rows: QuerySet[M] = self.rows().for_organization(self.tenant.organization)
        return rows

    def owner_among(self, organizations: list[Any]) -> Any:
        """Return which of `organizations` owns the object that the path names, or None."""
        try:
            return (
                self.rows()
                .in_mode()
                .filter(pk=self.kwargs["id"], organization__in=organizations)
                .values_list("organization_id", flat=True)
                .first()
            )
        except (ValidationError, ValueError):
            return None

    def read(self, serializer_class: type[Serializer[Any]]) -> dict[str, Any]:
        """Return the body as `serializer_class` validates it."""
        serializer = serializer_class(
            data=self.request.data, context={"organization": self.tenant.organization}
        )
        serializer.is_valid(raise_exception=True)
        values: dict[str, Any] = serializer.validated_data
        return values

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a query parameter that is `true` or `false` and nothing else."""
        text = self.request.query_params.get(name)
        if text is None:
            return default
        if text not in ("true", "false"):
            raise exceptions.ValidationError({name: [_("Send true or false.")]})
        return text == "true"
