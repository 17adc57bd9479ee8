"""What is done and recorded: sources, source time functions, receivers and events."""

from wavetree.survey import event, receiver, source, stf, transducer
from wavetree.survey.event import Event, EventCollection

__all__ = ["Event", "EventCollection", "event", "receiver", "source", "stf", "transducer"]
