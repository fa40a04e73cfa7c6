"""The parts of docs/providers/conekta.md, in English and Spanish, that the code knows best.

    python -m project.tests.conekta_page

writes them anew; a test holds the pages equal.
"""

from functools import partial
from pathlib import Path

from billing.providers.conekta import events
from project.tests import event_tables

_FOLDER = Path(__file__).parents[2] / "docs" / "providers"
REFRESH = "python -m project.tests.conekta_page"
PAGES: dict[Path, event_tables.Parts] = {
    _FOLDER / "conekta.md": {
        "taken": partial(event_tables.taken, events),
        "ignored": partial(event_tables.ignored, events),
    },
    _FOLDER / "conekta.es.md": {
        "taken": partial(event_tables.taken, events, ("Sobre", "Eventos")),
    },
}


def filled(page: Path) -> str:
    return event_tables.filled(page.read_text(), PAGES[page], REFRESH)


if __name__ == "__main__":
    for each in PAGES:
        each.write_text(filled(each))
