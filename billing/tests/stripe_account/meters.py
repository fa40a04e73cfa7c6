"""Meters and what they have counted; `used` tells it."""

from decimal import Decimal

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, Refusal, page

_OLDEST_SECONDS = 35 * 86400
_NEWEST_SECONDS = 300


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["POST", "billing", "meters"]:
            return _make(account, params)
        case ["GET", "billing", "meters"]:
            return page(_active(account), "/v1/billing/meters")
        case ["POST", "billing", "meter_events"]:
            return _count(account, params)
    return None


def used(account: Account, event_name: str, customer_id: str) -> Decimal:
    """The sum that a meter has for a customer."""
    events = account.all("billing.meter_event")
    return sum(
        (
            Decimal(each["payload"]["value"])
            for each in events
            if each["event_name"] == event_name
            and each["payload"]["stripe_customer_id"] == customer_id
        ),
        Decimal(0),
    )


def _active(account: Account) -> list[JSON]:
    return [each for each in account.all("billing.meter") if each["status"] == "active"]


def _make(account: Account, params: JSON) -> JSON:
    if any(each["event_name"] == params["event_name"] for each in _active(account)):
        raise Refusal(400, param="event_name")
    made = account.make("billing.meter", "mtr", **params)
    made.pop("metadata")
    return made


def _count(account: Account, params: JSON) -> JSON:
    """Stripe tells an identifier that it knows by the error's text only."""
    if not any(each["event_name"] == params["event_name"] for each in _active(account)):
        raise Refusal(400, param="event_name")
    age = int(account.now.timestamp()) - int(params["timestamp"])
    if not -_NEWEST_SECONDS <= age <= _OLDEST_SECONDS:
        raise Refusal(400, param="timestamp")
    known = {each["identifier"] for each in account.all("billing.meter_event")}
    if params["identifier"] in known:
        message = f"An event already exists with identifier {params['identifier']}."
        raise Refusal(400, message=message)
    made = account.make("billing.meter_event", "mev", **params)
    made |= {"timestamp": int(params["timestamp"])}
    return {name: value for name, value in made.items() if name not in ("id", "metadata")}
