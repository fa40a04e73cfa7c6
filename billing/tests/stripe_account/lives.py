"""Lives whose time is their account's."""

from datetime import datetime
from typing import Any

from billing.tests.stripe_account.account import Account
from billing.tests.stripe_life import StripeLife


class AccountLife(StripeLife):
    """What happens in it takes no time by itself; a period that begins takes the account there."""

    def __init__(self, account: Account, **values: Any) -> None:
        self._account = account
        super().__init__(started_at=account.now, **values)

    @property
    def now(self) -> datetime:
        return self._account.now

    @now.setter
    def now(self, moment: datetime) -> None:
        self._account.now = max(self._account.now, moment)

    def _pass(self, seconds: int) -> None:
        pass
