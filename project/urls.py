"""URLs of the project: the billing API, its webhooks, the admin, the API's description."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

import project.admin  # noqa: F401 - replaces Django's own screens for log-ins
from billing.health import healthz, readyz, scrape

handler400 = "billing.api.exceptions.handler400"
handler403 = "billing.api.exceptions.handler403"
handler404 = "billing.api.exceptions.handler404"
handler500 = "billing.api.exceptions.handler500"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", scrape),
    path("admin/", admin.site.urls),
    path("api/v1/billing/", include("billing.api.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("webhooks/", include("billing.webhooks.urls")),
]
