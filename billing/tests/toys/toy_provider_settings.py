"""Settings of a project that installed a provider from outside: one entry, by entry point."""

from project.settings import *  # noqa: F403

ALLOWED_HOSTS = ["testserver"]
BILLING_PROVIDERS = {
    "toy": {"BACKEND": "toypay", "MODE": "test", "OPTIONS": {"secret": "toy-secret-for-tests"}}
}
BILLING_ROUTES = [{"provider": "toy"}]
BILLING_CLOCK = "django.utils.timezone.now"
