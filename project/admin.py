"""The admin of this project around billing's screens: log-ins in the same theme, and the sidebar.

API tokens are not listed: who can read one can act as its owner.
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.urls import reverse
from rest_framework.authtoken.models import TokenProxy
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

_SIDEBAR = {
    "Catalogue": [
        "subscriptionplan",
        "price",
        "providerprice",
        "product",
        "productprice",
        "providerproductprice",
    ],
    "Customers": [
        "organization",
        "membership",
        "billingaccount",
        "customer",
        "paymentmethod",
    ],
    "Money": ["subscription", "invoice", "payment", "refund", "dispute"],
    "Webhooks": ["webhookevent", "statechange"],
    "Behind the scenes": [
        "operation",
        "outboxmessage",
        "syncrun",
        "syncpage",
        "setupsession",
        "idempotencykey",
        "ruleset",
        "routingdecision",
    ],
}
_ICONS = {
    "subscriptionplan": "sell",
    "price": "attach_money",
    "providerprice": "storefront",
    "product": "inventory_2",
    "productprice": "request_quote",
    "providerproductprice": "store",
    "organization": "apartment",
    "membership": "badge",
    "billingaccount": "contact_page",
    "customer": "group",
    "paymentmethod": "credit_card",
    "subscription": "autorenew",
    "invoice": "receipt_long",
    "payment": "payments",
    "refund": "undo",
    "dispute": "gavel",
    "webhookevent": "webhook",
    "statechange": "history",
    "operation": "swap_horiz",
    "outboxmessage": "outbox",
    "syncrun": "sync",
    "syncpage": "list_alt",
    "setupsession": "add_card",
    "idempotencykey": "key",
    "ruleset": "rule",
    "routingdecision": "alt_route",
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar: billing's models by subject, those that the user may see."""
    groups: list[dict[str, Any]] = [
        {"title": title, "separator": True, "items": _items(request, names)}
        for title, names in _SIDEBAR.items()
    ]
    if request.user.has_perm("auth.view_user"):
        link = reverse("admin:auth_user_changelist")
        item = {"title": "Users", "icon": "person", "link": link}
        groups.append({"title": "Log-ins", "separator": True, "items": [item]})
    return [group for group in groups if group["items"]]


def _items(request: HttpRequest, names: list[str]) -> list[dict[str, Any]]:
    registered = {
        model._meta.model_name: model
        for model in admin.site._registry
        if model._meta.app_label == "billing"
    }
    return [
        {
            "title": str(registered[name]._meta.verbose_name_plural).capitalize(),
            "icon": _ICONS[name],
            "link": reverse(f"admin:billing_{name}_changelist"),
        }
        for name in names
        if name in registered and request.user.has_perm(f"billing.view_{name}")
    ]


admin.site.index_template = "admin/billing/index.html"
for model in (User, Group, TokenProxy):
    admin.site.unregister(model)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass
