"""The project's paths, and beside them the bare views that are their limits."""

from django.urls import path

from project.bench import limits
from project.urls import handler400, handler403, handler404, handler500, urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("bench/intake", limits.intake_view),
    path("bench/invoices", limits.invoices_view),
    *urlpatterns,
]
