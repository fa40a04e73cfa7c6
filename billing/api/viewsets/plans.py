"""Plans on sale. Anybody may read them."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.schema import describe
from billing.api.serializers.plans import PlanQuerySerializer, PlanSerializer
from billing.api.viewsets.base import BillingViewSet
from billing.models import SubscriptionPlan


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
        return {**super().get_serializer_context(), "prices": query.validated_data}

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
