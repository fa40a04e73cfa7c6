"""A small host project: its own organization model and roles, billing installed as an app."""

import os
from pathlib import Path

HERE = Path(os.environ["TOY_HOST_DIR"])
SECRET_KEY = "toy-host-not-a-secret"
DEBUG = False
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "shop",
    "billing",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "host.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "host.sqlite3"}}
USE_TZ = True
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "EXCEPTION_HANDLER": "billing.api.exceptions.problem_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
BILLING_ORGANIZATION_MODEL = "shop.Company"
BILLING_MEMBERSHIP = "shop.models.roles_of"
BILLING_ROUTES = [{"provider": "sandbox"}]
BILLING_PROVIDERS = {
    "sandbox": {
        "BACKEND": "sandbox",
        "MODE": "sandbox",
        "OPTIONS": {
            "path": str(HERE / "sandbox.sqlite3"),
            "secret": "whsec_dGVzdHMtb25seQ==",
            "webhook_url": "",
        },
    }
}
