"""What host apps may listen to; billing never subscribes. Sent after commit, robustly."""

from django.dispatch import Signal

# sender: the model class; row: the instance; change: its StateChange.
state_changed = Signal()
