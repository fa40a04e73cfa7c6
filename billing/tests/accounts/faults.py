"""What may happen to a call on its way, as both doors of an account carry it out."""

import enum


class Fault(enum.Enum):
    DEAF = "no effect and no answer"
    HANG = "the effect and no answer"
    BREAK = "the effect and a 500 of something in between"
    FAIL = "the effect and the provider's own 500, which repetitions with its key get too"
    HALF = "the effect and half an answer"
    RESET = "the effect and a connection that is reset"

    @property
    def has_effect(self) -> bool:
        return self is not Fault.DEAF
