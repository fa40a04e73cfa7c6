"""BILLING_PROVIDERS from the environment: real backends where keys are, stand-ins where not."""

import base64
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from project.stand_ins import STAND_INS

_NOT_BUILT_YET = ("polar",)


def billing_providers(
    env: environ.Env, environment: str, sandbox_path: Path, site_url: str
) -> dict[str, dict[str, Any]]:
    """Return alias -> entry. Raises ImproperlyConfigured for a key that nothing can use yet."""
    providers = {}
    for alias in STAND_INS:
        key_name = f"{alias.upper()}_{'API' if environment == 'production' else 'TEST'}_KEY"
        key = env.str(key_name, default="")
        if key and alias in _NOT_BUILT_YET:
            raise ImproperlyConfigured(
                f"{key_name} is set, but the {alias.capitalize()} backend is not built yet. "
                f"Remove {key_name}; in development the sandbox stands in for it."
            )
        if key:
            providers[alias] = _BUILT[alias](env, environment, key_name, key)
        elif environment == "development":
            providers[alias] = _stand_in(alias, sandbox_path, site_url)
    return providers


def _stripe(env: environ.Env, environment: str, key_name: str, key: str) -> dict[str, Any]:
    return {
        "BACKEND": "billing.providers.stripe.StripeProvider",
        "MODE": "live" if environment == "production" else "test",
        "OPTIONS": {
            "api_key": key,
            "publishable_key": env.str("STRIPE_PUBLISHABLE_KEY", default=""),
            "webhook_secret": env.str("STRIPE_WEBHOOK_SECRET", default=""),
            "api_base": env.str("STRIPE_API_BASE", default="https://api.stripe.com"),
            "automatic_tax": env.bool("STRIPE_AUTOMATIC_TAX", default=False),
        },
        "SETTINGS": {"api_key": key_name, "webhook_secret": "STRIPE_WEBHOOK_SECRET"},
        "TEST_KEY": env.str("STRIPE_TEST_KEY", default=""),
    }


def _conekta(env: environ.Env, environment: str, key_name: str, key: str) -> dict[str, Any]:
    """Deliveries are verified in one of two modes: by public key, or by a shared secret."""
    given = {
        "webhook_public_key": env.str("CONEKTA_WEBHOOK_PUBLIC_KEY", default=""),
        "webhook_secret": env.str("CONEKTA_WEBHOOK_SECRET", default=""),
    }
    used = [name for name, value in given.items() if value] or ["webhook_public_key"]
    return {
        "BACKEND": "billing.providers.conekta.ConektaProvider",
        "MODE": "live" if environment == "production" else "test",
        "OPTIONS": {
            "api_key": key,
            "public_key": env.str("CONEKTA_PUBLIC_KEY", default=""),
            "api_base": env.str("CONEKTA_API_BASE", default="") or "https://api.conekta.io",
            **given,
        },
        "SETTINGS": {"api_key": key_name} | {name: f"CONEKTA_{name.upper()}" for name in used},
        "TEST_KEY": env.str("CONEKTA_TEST_KEY", default=""),
    }


_BUILT = {"conekta": _conekta, "stripe": _stripe}


def _stand_in(alias: str, path: Path, site_url: str) -> dict[str, Any]:
    return {
        "BACKEND": "billing.providers.sandbox.SandboxProvider",
        "MODE": "sandbox",
        "OPTIONS": {
            "path": str(path),
            "like": STAND_INS[alias],
            "secret": sandbox_secret(alias),
            "webhook_url": f"{site_url}/webhooks/{alias}",
            "public_key": f"pk_sandbox_{alias}",
        },
    }


def sandbox_secret(alias: str) -> str:
    """One of its own, as real providers have: what one signs is refused at another's door."""
    return f"whsec_{base64.b64encode(f'sandbox-only-{alias}'.encode()).decode()}"
