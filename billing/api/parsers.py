"""Reading bodies exactly as the card number check read them: JSON in UTF-8, and nothing else."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser


class StrictJSONParser(BaseParser):
    """JSON in UTF-8 whatever charset the client claims; no NaN, no nesting beyond all measure."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return json.loads(stream.read().decode("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError) as exc:
            raise ParseError from exc


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
