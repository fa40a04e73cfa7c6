import pytest

from billing.providers.options import secrets_of


class TestSecretsOf:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("whsec_a", ("whsec_a",)),
            ("whsec_a, whsec_b", ("whsec_a", "whsec_b")),
            (["whsec_a", " ", ""], ("whsec_a",)),
            (("whsec_a",), ("whsec_a",)),
            ("", ()),
            ("  ", ()),
            (None, ()),
            (5, ()),
        ],
    )
    def test_text_lists_and_blanks(self, value: object, expected: tuple[str, ...]) -> None:
        assert secrets_of(value) == expected
