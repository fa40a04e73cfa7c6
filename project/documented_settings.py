"""Settings for docs/capabilities.md: the backends of Stripe and Conekta, the sandbox, and the
sandbox in the place of the provider that is not built yet. Whatever keys the environment holds, the
page is the same."""

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
    "conekta": {
        "BACKEND": "billing.providers.conekta.ConektaProvider",
        "MODE": "test",
        "OPTIONS": {"api_key": "key_fake"},
    },
    "polar": {**_SANDBOX, "OPTIONS": {**_OPTIONS, "like": STAND_INS["polar"]}},
}
