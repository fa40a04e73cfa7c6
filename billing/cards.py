"""Finding card numbers in text, so that none gets past the door. Plain Python: no Django here.

A card number is 13 to 19 digits of a known brand with a valid check digit, in any script's digits,
with or without separators, plain or URL-encoded. Identifiers (UUIDs, long hexadecimal), times
(ISO 8601) and CLABEs are not: customers pay into the latter, and one in ten would pass for a card.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import accumulate
from typing import Any
from urllib.parse import unquote

from billing.clabe import is_clabe

_BRANDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12,15}"  # Discover
    r"|3(?:0[0-59]|[689]\d)\d{11,16}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|(?:62\d\d|81(?:[0-6]\d|7[01]))\d{12,15}"  # UnionPay
    r"|(?:506(?:199|[234]\d\d)|286900|502275)\d{10}"  # Carnet, Mexico
)
_LENGTHS = {  # by first digit, longest first
    "2": (16,),
    "3": (19, 18, 17, 16, 15, 14),
    "4": (19, 16, 13),
    "5": (16,),
    "6": (19, 18, 17, 16),
    "8": (19, 18, 17, 16),
}
_SHORTEST = 13
_RUN = re.compile(r"\d(?: {0,4}\d){12,}")
_GROUP = re.compile(r"\d+")
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_DATE = r"(?:19|20)\d\d-[01]\d-[0-3]\d"
_TIME = r"[0-2]\d:[0-5]\d:[0-6]\d(?:\.\d{1,6})?(?:Z|[+-][01]\d:?[0-5]\d)?"
_IDENTIFIER = re.compile(
    rf"(?<![0-9A-Za-z])(?:{_UUID}|[0-9a-fA-F]{{24,}}|{_DATE}[T ]{_TIME})(?![0-9A-Za-z])", re.ASCII
)
_JSON_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")

# Categories of Unicode: spaces, controls, invisible marks, combining marks, dashes, underscores.
_SEPARATOR_CATEGORIES = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Mn", "Me", "Pd", "Pc"})
_SEPARATORS = frozenset(".,/\\:;|*'+~\u00b7\u2022\u2027\u30fb\u2044\u2215\u2212\uff0e\uff0f\uff0c")
_DECODINGS = 3
_MASK = "*"
_KEPT_DIGITS = 4


class _Alphabet(dict[int, str]):
    """str.translate table: digits of any script become ASCII, separators spaces, the rest 'x'."""

    def __missing__(self, code: int) -> str:
        symbol = _symbol(chr(code))
        if len(self) < 10_000:  # a stranger's text must not grow this without end
            self[code] = symbol
        return symbol


def contains_card_number(text: str) -> bool:
    """Tell whether `text` holds what looks like a card number, as it stands or decoded."""
    if len(text) < _SHORTEST:
        return False
    return any(next(_spans(reading), None) is not None for reading in _readings(text))


def mask(text: str) -> str:
    """Return `text` with the digits of card numbers as `*`, the last four kept.

    Text that hides a number behind URL or JSON escapes comes back decoded.
    """
    if len(text) < _SHORTEST:
        return text
    for reading in _readings(text):
        spans = list(_spans(reading))
        if spans:
            return mask(_masked(reading, spans))
    return text


def mask_number(value: float) -> float | str:
    """Return `value`, or text with its digits masked when it reads as a card number.

    A float with decimals is never one: a duration's would pass for it.
    """
    if isinstance(value, float) and not value.is_integer():
        return value
    text = str(value) if isinstance(value, int) else f"{value:.0f}"
    masked = mask(text)
    return value if masked == text else masked


def mask_value(value: Any) -> Any:
    """Return JSON data with card numbers masked in its keys, texts and numbers."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(str(key)): mask_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_value(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return mask_number(value)


def _readings(text: str) -> Iterator[str]:
    yield text
    for _ in range(_DECODINGS):
        decoded = _JSON_ESCAPE.sub(lambda match: chr(int(match[1], 16)), unquote(text))
        if decoded == text:
            return
        yield decoded
        text = decoded


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where card numbers stand in `text`; spans do not overlap."""
    if len(text) < _SHORTEST:
        return
    symbols = text.translate(_ALPHABET)
    # In ASCII an identifier is whole groups of digits: without it there is no number but those that
    # were there with it.
    is_suspect = next(_numbers(symbols), None) if text.isascii() else _RUN.search(symbols)
    if is_suspect:
        yield from _numbers(_without_identifiers(text, symbols))


def _numbers(symbols: str) -> Iterator[tuple[int, int]]:
    for run in _RUN.finditer(symbols):
        yield from _spans_of_run(run[0], run.start())


def _without_identifiers(text: str, symbols: str) -> str:
    parts, end = [], 0
    for match in _IDENTIFIER.finditer(text):
        if match[0].replace("-", "").isdecimal():  # no letter: a number, whatever its dashes
            continue
        parts += [symbols[end : match.start()], "x" * len(match[0])]
        end = match.end()
    return "".join([*parts, symbols[end:]])


def _spans_of_run(run: str, offset: int) -> Iterator[tuple[int, int]]:
    """Try each stretch of whole groups: "4242 4242 4242 4242 12/30 123" holds its card number."""
    groups = [(match.start(), match.end()) for match in _GROUP.finditer(run)]
    digits = run.replace(" ", "")
    starts, ends, position = {}, {}, 0
    for start, end in groups:
        starts[position] = start
        position += end - start
        ends[position] = end
    sums = _luhn_sums(digits)
    taken = 0
    for first, start in starts.items():
        if first < taken:
            continue
        for length in _LENGTHS.get(digits[first], ()):
            last = first + length
            if last in ends and _is_card(digits, first, last, sums):
                yield offset + start, offset + ends[last]
                taken = last
                break


def _is_card(digits: str, first: int, last: int, sums: tuple[list[int], list[int]]) -> bool:
    running = sums[(last - 1) % 2]
    if (running[last] - running[first]) % 10 or is_clabe(digits[first:last]):
        return False
    return _BRANDS.fullmatch(digits, first, last) is not None


def _luhn_sums(digits: str) -> tuple[list[int], list[int]]:
    """Running Luhn sums, with even and with odd positions undoubled: any window costs O(1)."""
    values = [int(digit) for digit in digits]
    doubled = [value * 2 - 9 if value > 4 else value * 2 for value in values]
    by_parity = []
    for parity in (0, 1):
        terms = (
            value if index % 2 == parity else twice
            for index, (value, twice) in enumerate(zip(values, doubled, strict=True))
        )
        by_parity.append(list(accumulate(terms, initial=0)))
    return by_parity[0], by_parity[1]


def _masked(text: str, spans: list[tuple[int, int]]) -> str:
    characters = list(text)
    for start, end in spans:
        places = [i for i in range(start, end) if text[i].translate(_ALPHABET).isdecimal()]
        for place in places[:-_KEPT_DIGITS]:
            characters[place] = _MASK
    return "".join(characters)


def _symbol(character: str) -> str:
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    if character in _SEPARATORS or unicodedata.category(character) in _SEPARATOR_CATEGORIES:
        return " "
    return "x"


_ALPHABET = _Alphabet()
