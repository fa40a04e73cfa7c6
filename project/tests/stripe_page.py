"""The parts of docs/providers/stripe.md that the code knows best.

    python -m project.tests.stripe_page

writes them anew; a test holds the page equal.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from billing.providers.stripe import events

PAGE = Path(__file__).parents[2] / "docs" / "providers" / "stripe.md"
REFRESH = "python -m project.tests.stripe_page"
_CODE = Path(events.__file__).parent
_ACCESS = {
    **dict.fromkeys(("get", "pages", "_page"), "read"),
    **dict.fromkeys(("post", "delete", "ask"), "write"),
}
_NAMESPACES = ("billing", "billing_portal", "checkout")
_PART = re.compile(rf"(<!-- (\w+): {re.escape(REFRESH)} -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """The page with its marked parts written anew."""
    return _PART.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}{found[3]}", text)


def taken() -> str:
    kinds: dict[str, list[str]] = defaultdict(list)
    for event_type, kind in events.KINDS.items():
        kinds[kind.value].append(f"`{event_type}`")
    rows = [(kind, ", ".join(names)) for kind, names in kinds.items()]
    return _table(("About", "Events"), rows)


def ignored() -> str:
    reasons: dict[str, list[str]] = defaultdict(list)
    for event_type, reason in events.IGNORED.items():
        reasons[reason].append(event_type)
    rows = [(reason.replace("*", r"\*"), _families(names)) for reason, names in reasons.items()]
    return _table(("Why not", "Events"), rows)


def permissions() -> str:
    access: dict[str, set[str]] = {"read": set(), "write": set()}
    for path, how in _calls():
        access[how].add(path)
    access["read"] -= access["write"]
    rows = [(how, ", ".join(f"`{path}`" for path in sorted(access[how]))) for how in access]
    return _table(("Access", "To"), rows)


PARTS = {"taken": taken, "ignored": ignored, "permissions": permissions}


def _families(names: list[str]) -> str:
    """A family as one, `issuing_card.*`, where all that it has is among them."""
    shown = [_family(name) if _siblings(name) <= set(names) else name for name in names]
    return ", ".join(f"`{each}`" for each in dict.fromkeys(shown))


def _family(name: str) -> str:
    return f"{name.rpartition('.')[0]}.*" if len(_siblings(name)) > 1 else name


def _siblings(name: str) -> set[str]:
    above = f"{name.rpartition('.')[0]}."
    return {each for each in (*events.KINDS, *events.IGNORED) if each.startswith(above)}


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


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [head, ("---", "---"), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
