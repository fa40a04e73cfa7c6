"""Plans; their ids may be chosen by whoever makes them, once."""

from billing.tests.accounts.account import JSON
from billing.tests.conekta_account.account import Account, Refusal

_CHANGES = ("amount", "currency", "expiry_count", "name")


def act(account: Account, path: list[str], params: JSON) -> JSON | list[JSON] | None:
    """The answer to the call of this path; None: not one of these paths."""
    match path:
        case ["POST", "plans"]:
            return _make(account, params)
        case ["GET", "plans"]:
            return account.all("plan")
        case ["GET", "plans", plan]:
            return account.one(plan, "plan")
        case ["PUT", "plans", plan]:
            found = account.one(plan, "plan")
            found.update({name: params[name] for name in _CHANGES if name in params})
            return found
        case ["DELETE", "plans", plan]:
            found = account.one(plan, "plan")
            found["deleted"] = True
            return found
    return None


def _make(account: Account, params: JSON) -> JSON:
    plan_id = params.get("id") or account.new_id("plan")
    if plan_id in account.objects:
        raise Refusal(422, "parameter_validation.plan.id.already_exists", "id")
    usual = {"currency": "MXN", "expiry_count": None, "trial_period_days": None}
    usual |= {"max_retries": 3, "retry_delay_hours": 48}
    params.pop("id", None)
    return account.make("plan", plan_id, **usual | params)
