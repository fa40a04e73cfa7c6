from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/billing/", include("billing.api.urls")),
    path("webhooks/", include("billing.webhooks.urls")),
]
