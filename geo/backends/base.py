"""What a backend is: one way to learn the country of an address."""

from abc import ABC, abstractmethod
from typing import ClassVar

from geo.ip import Visitor


class LookupFailed(Exception):
    """The backend could not say whether it knows.

    `reason` is a word for the log, never anything that the other side sent: it may repeat the
    address. `retry_after` is how many seconds it wants to be left alone; 0 where it did not say.
    """

    def __init__(self, reason: str, retry_after: float = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Backend(ABC):
    """Subclass it, name the class in GEO_BACKENDS; it is made once per process, without arguments.

    Its methods are called by several threads at once.
    """

    name: ClassVar[str]
    """Under which its answers, its circuit and its budget are kept."""

    is_local: ClassVar[bool] = False
    """Whether it answers without network. Those are asked first, and their answers not cached."""

    @property
    def is_configured(self) -> bool:
        """Whether it has what it needs; it is left out otherwise."""
        return True

    @abstractmethod
    def country_of(self, visitor: Visitor, timeout_seconds: float) -> str:
        """Return the ISO 3166-1 alpha-2 code, or '' where it does not know.

        `visitor.ip` is a public address. It returns within `timeout_seconds`. Raises LookupFailed
        and nothing else.
        """
