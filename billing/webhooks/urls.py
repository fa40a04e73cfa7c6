"""Paths of the webhooks, to be included under /webhooks/. A redirect would lose the body."""

from django.urls import re_path

from billing.webhooks.views import receive

urlpatterns = [re_path(r"^(?P<alias>[A-Za-z0-9_-]{1,40})/?$", receive, name="billing-webhook")]
