"""docs/capabilities.md is what the code says."""

from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command

from billing.providers.base import CAPABILITIES
from project import documented_settings

PAGE = Path(__file__).parents[2] / "docs" / "capabilities.md"
REFRESH = (
    "python manage.py billing_capabilities --settings project.documented_settings"
    " > docs/capabilities.md"
)


def printed() -> str:
    out = StringIO()
    call_command("billing_capabilities", stdout=out)
    return out.getvalue()


def test_the_page_is_what_the_code_says(settings: Any) -> None:
    settings.BILLING_PROVIDERS = documented_settings.BILLING_PROVIDERS
    assert PAGE.read_text() == printed(), f"Another list of capabilities. Refresh it: {REFRESH}"


def test_a_host_sees_its_own_aliases(settings: Any) -> None:
    whole = documented_settings.BILLING_PROVIDERS
    settings.BILLING_PROVIDERS = {"europe": whole["stripe"], "mexico": whole["conekta"]}
    lines = printed().splitlines()
    assert "| Capability | What it is | europe | mexico |" in lines
    assert "|  | The provider's name | Stripe | Conekta |" in lines
    assert "| countries | every | MX |" in lines
    marks = {line.split("|")[1].strip(): line.split("|")[3:5] for line in lines if "| `" in line}
    assert marks["`ResumesSubscriptions`"] == [" yes ", " - "]
    assert {name.strip("`") for name in marks} >= set(CAPABILITIES)
