"""The admin's sidebar."""

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import RequestFactory
from django.urls import reverse

from project.admin import navigation


def test_every_screen_of_billing_is_in_the_sidebar() -> None:
    request = RequestFactory().get("/admin/")
    request.user = get_user_model()(is_superuser=True, is_staff=True)
    shown = [item["link"] for group in navigation(request) for item in group["items"]]
    registered = [
        reverse(f"admin:billing_{model._meta.model_name}_changelist")
        for model in admin.site._registry
        if model._meta.app_label == "billing"
    ]
    assert sorted(set(registered) - set(shown)) == []
    assert len(shown) == len(set(shown))
