"""The parts of docs/providers/stripe.md that the code knows best.

    python -m project.tests.stripe_page

writes them anew; a test holds the page equal.
"""

import ast
from collections.abc import Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path

from billing.providers.stripe import events
from project.tests import event_tables

PAGE = Path(__file__).parents[2] / "docs" / "providers" / "stripe.md"
REFRESH = "python -m project.tests.stripe_page"
_CODE = Path(events.__file__).parent
_ACCESS = {
    **dict.fromkeys(("get", "pages", "_page"), "read"),
    **dict.fromkeys(("post", "delete", "ask"), "write"),
}
_NAMESPACES = ("billing", "billing_portal", "checkout")


def filled(text: str) -> str:
    return event_tables.filled(text, PARTS, REFRESH)


def permissions() -> str:
    access: dict[str, set[str]] = {"read": set(), "write": set()}
    for path, how in _calls():
        access[how].add(path)
    access["read"] -= access["write"]
    rows = [(how, ", ".join(f"`{path}`" for path in sorted(access[how]))) for how in access]
    return event_tables.table(("Access", "To"), rows)


PARTS: event_tables.Parts = {
    "taken": partial(event_tables.taken, events),
    "ignored": partial(event_tables.ignored, events),
    "permissions": permissions,
}


def _calls() -> Iterator[tuple[str, str]]:
    """Each resource that the backend asks for, and whether it reads or writes there."""
    for file in sorted(_CODE.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                path = _resource(node.args)
                if path and _is_ours(node.func):
                    yield path, _ACCESS[node.func.attr]


def _is_ours(function: ast.Attribute) -> bool:
    on = function.value
    is_client = ast.unparse(on) in ("self._client", "client")
    return function.attr in _ACCESS and (is_client or function.attr == "_page")


def _resource(args: list[ast.expr]) -> str:
    """("customers", id) is customers, ("checkout", "sessions", id) is checkout/sessions."""
    values = (each.value if isinstance(each, ast.Constant) else None for each in args)
    words = list(takewhile(lambda value: isinstance(value, str), values))
    return "/".join(words[: 2 if words[:1] and words[0] in _NAMESPACES else 1])


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
