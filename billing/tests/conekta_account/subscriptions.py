"""Subscriptions, paid by card: every cycle is an order. `cycles` says what time does to them."""

from billing.tests.accounts.account import JSON
from billing.tests.conekta_account import cycles
from billing.tests.conekta_account.account import Account, Refusal
from billing.tests.conekta_account.customers import source_of

_DAY = 24 * 3600


def act(account: Account, path: list[str], params: JSON) -> JSON | list[JSON] | None:
    """The answer to the call of this path; None: not one of these paths."""
    match path:
        case ["POST", "customers", customer, "subscriptions"]:
            return _subscribe(account, account.one(customer, "customer"), params)
        case ["GET", "customers", customer, "subscriptions"]:
            account.one(customer, "customer")
            return account.all("subscription", customer_id=customer)
        case ["GET", "customers", customer, "subscriptions", found]:
            return _of(account, customer, found)
        case ["PUT", "customers", customer, "subscriptions", found]:
            return _change(account, _of(account, customer, found), params)
        case ["POST", "customers", customer, "subscriptions", found, command] if (
            command in _COMMANDS
        ):
            return _COMMANDS[command](account, _of(account, customer, found))
    return None


def _of(account: Account, customer_id: str, remote_id: str) -> JSON:
    found = account.one(remote_id, "subscription")
    if found["customer_id"] != customer_id:
        raise Refusal(404, "resource_not_found.entity")
    return found


def _subscribe(account: Account, customer: JSON, params: JSON) -> JSON:
    plan = account.one(params["plan_id"], "plan")
    card = params.get("card_id") or customer["default_payment_source_id"]
    if not card:
        raise Refusal(422, "parameter_validation.subscription.card_id.missing", "card_id")
    source_of(customer, card)
    found = account.make(
        "subscription",
        account.new_id("sub"),
        customer_id=customer["id"],
        customer_custom_reference=customer["custom_reference"],
        plan_id=plan["id"],
        card_id=card,
        status="in_trial",
        subscription_start=account.stamp,
        billing_cycle_start=None,
        billing_cycle_end=None,
        trial_start=None,
        trial_end=None,
        canceled_at=None,
        paused_at=None,
        charge_id=None,
    )
    found.pop("livemode")
    customer["subscription"] = found
    days = plan["trial_period_days"]
    end = params.get("trial_end") or (account.stamp + days * _DAY if days else None)
    if end:
        found |= {"trial_start": account.stamp, "trial_end": end}
        found |= {"billing_cycle_start": account.stamp, "billing_cycle_end": end}
    else:
        cycles.bill(account, found)
    return found


def _change(account: Account, subscription: JSON, params: JSON) -> JSON:
    """The new plan's price is asked for from the next cycle on."""
    _only(subscription, "in_trial", "active", "past_due", "paused")
    if "plan_id" in params:
        account.one(params["plan_id"], "plan")
    if "card_id" in params:
        source_of(account.one(subscription["customer_id"]), params["card_id"])
    subscription.update(params)
    return subscription


def _cancel(account: Account, subscription: JSON) -> JSON:
    _only(subscription, "in_trial", "active", "past_due", "paused")
    cycles.end(account, subscription, "user_cancelation")
    return subscription


def _pause(account: Account, subscription: JSON) -> JSON:
    _only(subscription, "in_trial", "active", "past_due")
    subscription |= {"status": "paused", "paused_at": account.stamp}
    return subscription


def _resume(account: Account, subscription: JSON) -> JSON:
    _only(subscription, "paused")
    subscription |= {"status": "active", "paused_at": None}
    return subscription


def _retry(account: Account, subscription: JSON) -> JSON:
    _only(subscription, "past_due")
    cycles.ask_again(account, subscription)
    return subscription


def _only(subscription: JSON, *statuses: str) -> None:
    if subscription["status"] not in statuses:
        raise Refusal(422, "parameter_validation.subscription.status.invalid")


_COMMANDS = {"cancel": _cancel, "pause": _pause, "resume": _resume, "retry": _retry}
