"""Plans on sale. Anybody may read them."""

from typing import Any

from django.db.models import QuerySet
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.schema import describe
from billing.api.serializers.plans import PlanQuerySerializer, PlanSerializer
from billing.api.viewsets.base import BillingViewSet
from billing.models import SubscriptionPlan
from geo.countries import currency_of
from geo.lookup import lookup


@method_decorator(conditional_page, name="dispatch")
class PlanViewSet(ListModelMixin, RetrieveModelMixin, BillingViewSet[SubscriptionPlan]):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = PlanSerializer
    lookup_field = "slug"
    ordering = ("sort_order", "name", "id")

    def get_queryset(self) -> QuerySet[SubscriptionPlan]:
        return SubscriptionPlan.objects.on_sale()

    def get_serializer_context(self) -> dict[str, Any]:
        query = PlanQuerySerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        wanted = dict(query.validated_data)
        country = wanted.pop("country", None)
        local = "" if "currency" in wanted else self._local_currency(country)
        return {**super().get_serializer_context(), "prices": wanted, "local_currency": local}

    def _local_currency(self, country: str | None) -> str:
        country = country or lookup(self.visitor).country
        return currency_of(country) if country else ""

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        """Without `country` and `currency` prices depend on the visitor's address."""
        response = super().finalize_response(*args, **kwargs)
        if not {"country", "currency"} & set(self.request.query_params):
            patch_cache_control(response, private=True)
        return response

    @describe(
        "List the plans on sale",
        response=PlanSerializer(many=True),
        parameters=[PlanQuerySerializer],
        is_public=True,
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @describe(
        "Read one plan",
        response=PlanSerializer,
        parameters=[PlanQuerySerializer],
        is_public=True,
    )
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)
