"""What every test run needs before collection."""

import pytest

pytest.register_assert_rewrite("billing.testing")
pytest_plugins = ["billing.tests.contract.plugin"]

_NEEDS = ("django_db", "postgres", "processes")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database-only",
        action="store_true",
        help="leave out what touches neither database nor processes: no service changes it",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--database-only"):
        return
    config.hook.pytest_deselected(items=[item for item in items if not _needs_database(item)])
    items[:] = [item for item in items if _needs_database(item)]


def _needs_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return "db" in fixtures or any(item.get_closest_marker(name) for name in _NEEDS)
