"""The check digit of a CLABE, and that no CLABE passes for a card."""

import pytest

from billing import cards, clabe

# Published by the Banco de México and by STP as examples.
GOOD = ["032180000118359719", "002010077777777771"]


@pytest.mark.parametrize("digits", GOOD)
def test_the_check_digit(digits: str) -> None:
    assert clabe.is_clabe(digits)
    assert clabe.complete(digits[:-1]) == digits


@pytest.mark.parametrize(
    "digits", ["", "032180000118359718", "32180000118359719", "0321800001183597190"]
)
def test_what_is_no_clabe(digits: str) -> None:
    assert not clabe.is_clabe(digits)


def test_none_passes_for_a_card() -> None:
    """Those of STP begin as Discover's cards do, and Luhn's digit is right in one of ten."""
    numbers = [clabe.complete(f"646180{account:011d}") for account in range(500)]
    assert [cards.mask(number) for number in numbers] == numbers
    neighbours = [f"{number[:-1]}{(int(number[-1]) + 1) % 10}" for number in numbers]
    assert any(cards.contains_card_number(number) for number in neighbours)
