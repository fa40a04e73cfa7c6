"""Settings for docs/capabilities.md: Stripe's backend, the sandbox, and the sandbox in the place of
the providers that are not built yet. Whatever keys the environment holds, the page is the same."""

from project.settings import *  # noqa: F403
from project.settings import BASE_DIR
from project.stand_ins import STAND_INS

_SANDBOX = {"BACKEND": "billing.providers.sandbox.SandboxProvider", "MODE": "sandbox"}
_OPTIONS = {"path": str(BASE_DIR / "var" / "documented.sqlite3"), "secret": "whsec_ZmFrZQ=="}

BILLING_PROVIDERS = {
    "stripe": {
        "BACKEND": "billing.providers.stripe.StripeProvider",
        "MODE": "test",
        "OPTIONS": {"api_key": "sk_test_fake"},
    },
    "sandbox": {**_SANDBOX, "OPTIONS": _OPTIONS},
    **{
        alias: {**_SANDBOX, "OPTIONS": {**_OPTIONS, "like": STAND_INS[alias]}}
        for alias in ("conekta", "polar")
    },
}
