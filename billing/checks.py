"""What must be right before anything starts.

Django's checks do not run under gunicorn or Celery, so one function, `startup_errors`, serves the
system check and the processes' own refusal to start.
"""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.core import checks

from billing.conf import conf
from billing.errors import UnknownProvider
from billing.registry import load_backend
from billing.routing import problems
from geo.countries import is_country

_REAL_TIME = "django.utils.timezone.now"


def refuse_unsafe_configuration() -> None:
    """End the process with status 1, naming each wrong setting, when it must not start."""
    errors = startup_errors()
    if errors:
        sys.stderr.write("Refusing to start:\n" + "".join(f"- {error}\n" for error in errors))
        raise SystemExit(1)


def startup_errors() -> list[str]:
    """Return what keeps this configuration from being safe, each line naming its setting."""
    production = getattr(settings, "ENVIRONMENT", "development") == "production"
    errors = list(_environment_errors())
    for alias, entry in conf.providers.items():
        errors += _provider_errors(alias, entry, production)
    if production:
        errors += _production_errors()
    return errors


@checks.register(checks.Tags.security)
def check_configuration(**_: Any) -> list[checks.CheckMessage]:
    """The same errors as Django's system check, and a warning about slow database connections."""
    messages: list[checks.CheckMessage] = [
        checks.Error(error, id="billing.E001") for error in startup_errors()
    ]
    if settings.DATABASES["default"].get("CONN_MAX_AGE") == 0:
        messages.append(
            checks.Warning(
                "CONN_MAX_AGE is 0: a connection per request slows webhook intake many times.",
                hint="Set CONN_MAX_AGE, for example to 600.",
                id="billing.W001",
            )
        )
    return messages


def _environment_errors() -> Iterable[str]:
    environment = getattr(settings, "ENVIRONMENT", "development")
    if environment not in ("development", "staging", "production"):
        yield f"ENVIRONMENT is {environment!r}; use development, staging or production."
    aliases = set(conf.providers)
    routes = list(conf.routes)
    if environment == "development":
        return
    found = [*problems(routes), *_unknown_countries(routes)]
    yield from (f"BILLING_ROUTES: {problem}" for problem in found)
    if not found and routes[-1]["provider"] not in aliases:
        alias = str(routes[-1]["provider"])
        yield (
            f"BILLING_ROUTES ends in {alias!r}, but that provider has no keys: "
            f"set {alias.upper()}_{'API' if environment == 'production' else 'TEST'}_KEY."
        )


def _unknown_countries(routes: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """A rule for a country that is none would never match."""
    for position, rule in enumerate(routes, start=1):
        for code in rule.get("countries", ()):
            if not is_country(str(code)):
                yield f"Rule {position}: {code!r} is not a country of ISO 3166-1 (MX, DE, US)."


def _provider_errors(alias: str, entry: Mapping[str, Any], production: bool) -> Iterable[str]:
    names = entry.get("SETTINGS", {})
    options = entry.get("OPTIONS", {})
    key_name = names.get("api_key", f"BILLING_PROVIDERS[{alias!r}]")
    try:
        backend = load_backend(str(entry["BACKEND"]))
    except (ImportError, UnknownProvider) as exc:
        yield f"BILLING_PROVIDERS[{alias!r}]: {exc}"
        return
    key_mode = backend.key_mode(options)
    if production and (
        key_mode == "test"
        or (entry.get("TEST_KEY") and entry["TEST_KEY"] == options.get("api_key"))
    ):
        yield f"{key_name} is a test key; production takes live keys only."
    if not production and key_mode == "live":
        yield f"{key_name} is a live key; only production takes live keys."
    if production and entry.get("MODE") == "sandbox":
        yield f"BILLING_PROVIDERS[{alias!r}] is a sandbox backend; production takes real ones only."
    for option, problem in backend.option_problems(options).items():
        where = names.get(option, f"BILLING_PROVIDERS[{alias!r}].OPTIONS[{option!r}]")
        yield f"{where} {problem}."
    for option, name in names.items():
        if production and _is_blank(options.get(option)):
            yield f"{name} is blank; deliveries of {alias} could not be verified."


def _is_blank(value: object) -> bool:
    """Whether an option holds nothing, or only what a list of nothings is written with."""
    return not value or (isinstance(value, str) and not value.strip(" ,"))


def _production_errors() -> Iterable[str]:
    if settings.DEBUG:
        yield "DEBUG is on; set DEBUG=false in production."
    if getattr(settings, "DEFAULT_SECRET_KEY", None) == settings.SECRET_KEY:
        yield "SECRET_KEY is the default; set SECRET_KEY to a long random value."
    if conf.clock != _REAL_TIME:
        yield f"BILLING_CLOCK must be {_REAL_TIME} in production."
