"""The officially assigned ISO 3166-1 alpha-2 codes, their names and currencies; no look-ups.

Names and currencies are those of Unicode's CLDR, through Babel, which is loaded when first needed.
"""

from functools import cache

_CODES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ
BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ
DE DJ DK DM DO DZ
EC EE EG EH ER ES ET
FI FJ FK FM FO FR
GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY
HK HM HN HR HT HU
ID IE IL IM IN IO IQ IR IS IT
JE JM JO JP
KE KG KH KI KM KN KP KR KW KY KZ
LA LB LC LI LK LR LS LT LU LV LY
MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ
NA NC NE NF NG NI NL NO NP NR NU NZ
OM
PA PE PF PG PH PK PL PM PN PR PS PT PW PY
QA
RE RO RS RU RW
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ
TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ
UA UG UM US UY UZ
VA VC VE VG VI VN VU
WF WS
YE YT
ZA ZM ZW
"""
COUNTRIES = frozenset(_CODES.split())
LANGUAGES = ("en", "es")


def is_country(code: str) -> bool:
    """Whether `code` is an assigned code as it stands: two upper-case letters."""
    return code in COUNTRIES


def normalize(code: str) -> str:
    """Return `code` in upper case, without surrounding blanks. Raises ValueError for no country."""
    candidate = code.strip().upper()
    if not code.isascii() or candidate not in COUNTRIES:
        raise ValueError(f"{code!r} is not an ISO 3166-1 alpha-2 country code")
    return candidate


def name_of(code: str, language: str = "en") -> str:
    """Return the country's name in English or Spanish; English for any other `language`.

    `language` is a tag such as "es" or "es-MX". Raises ValueError for no country.
    """
    from babel import Locale

    asked = language.replace("_", "-")
    locale = Locale.negotiate([asked, "en"], LANGUAGES, sep="-") or Locale("en")
    return str(locale.territories[normalize(code)])


@cache
def currency_of(code: str) -> str:
    """Return the ISO 4217 code of what is legal tender in the country today; '' for Antarctica.

    Where CLDR knows several, the country's own counts, as Panama's balboa (PAB) beside the dollar:
    ISO 4217 codes begin with the country that issues them. With several and none of its own, it is
    the one that CLDR lists first. Raises ValueError for no country.
    """
    from babel.numbers import get_territory_currencies

    country = normalize(code)
    tender: list[str] = get_territory_currencies(country)
    own = [currency for currency in tender if currency.startswith(country)]
    return next(iter(own or tender), "")
