"""The API describes itself completely, and its pages need no network."""

import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from billing.api.urls import urlpatterns

pytestmark = pytest.mark.django_db


@pytest.fixture
def schema() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


def test_it_is_valid_and_without_warnings(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", file=str(tmp_path / "schema.yml"))


def test_every_path_is_listed_without_final_slash(schema: Any) -> None:
    assert not [path for path in schema["paths"] if path.endswith("/")]
    ours = [path for path in schema["paths"] if path.startswith("/api/v1/billing/")]
    assert len(ours) == len(urlpatterns) - 1  # the last one answers for paths that are unknown


def test_every_operation_tells_its_headers_and_problems(schema: Any) -> None:
    for path, operations in schema["paths"].items():
        if not path.startswith("/api/v1/billing/"):
            continue
        for verb, operation in operations.items():
            names = {item["name"] for item in operation.get("parameters", [])}
            is_public = "/plans" in path or path.endswith("/config")
            assert ("X-Organization" in names) is not is_public, path
            assert ("Idempotency-Key" in names) is (verb != "get"), path
            for status, answer in operation["responses"].items():
                is_problem = "application/problem+json" in answer.get("content", {})
                assert is_problem is (int(status) >= 400), (path, status)
            assert operation["summary"]


def test_nothing_of_the_providers_is_described(schema: Any) -> None:
    names = {
        name
        for component in schema["components"]["schemas"].values()
        for name in component.get("properties", {})
    }
    assert not {name for name in names if name.startswith("provider_") or name == "raw"}


def test_the_pages_need_no_network() -> None:
    page = Client().get("/api/docs")
    assert page.status_code == 200
    assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"', page.content.decode())
    assert Client().get("/api/schema").status_code == 200
