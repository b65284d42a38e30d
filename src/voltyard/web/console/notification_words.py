"""What channels, states and topics of notifications are called, and their shapes."""

from collections.abc import Mapping

from voltyard.alerts.reminders import Condition
from voltyard.notifications.model import Channel, State
from voltyard.web.i18n import N_

CHANNELS: Mapping[Channel, str] = {
    Channel.EMAIL: N_("E-mail"),
    Channel.SMS: N_("Text message"),
    Channel.WEBHOOK: N_("Webhook"),
    Channel.CHAT: N_("Chat"),
}
ADDRESSES: Mapping[Channel, str] = {
    Channel.EMAIL: N_("One address."),
    Channel.SMS: N_("A number with its country, such as +49 170 1234567."),
    Channel.WEBHOOK: N_("The address of the receiver; its secret is made here and shown once."),
    Channel.CHAT: N_("As apprise writes it, such as slack://… or ntfys://ntfy.example/topic."),
}
STATES: Mapping[State, str] = {
    State.WAITING: N_("Waits"),
    State.HELD: N_("For the digest"),
    State.SENT: N_("Sent"),
    State.BUNDLED: N_("In a digest"),
    State.FAILED: N_("Failed"),
    State.DROPPED: N_("Not needed"),
}
STATE_SHAPES: Mapping[State, str] = {
    State.WAITING: "waiting",
    State.HELD: "waiting",
    State.SENT: "ready",
    State.BUNDLED: "ready",
    State.FAILED: "faulted",
    State.DROPPED: "empty",
}
TOPICS: Mapping[str, str] = {
    "opened": N_("New"),
    "raised": N_("Louder"),
    "again": N_("Still open"),
    "resolved": N_("Resolved"),
    "event": N_("Event"),
    "digest": N_("Digest"),
    "test": N_("Test"),
}
LEASTS: Mapping[str, str] = {
    "info": N_("All alerts"),
    "warning": N_("Warnings and critical ones"),
    "critical": N_("Critical ones only"),
}
CONDITIONS: Mapping[Condition, str] = {
    Condition.NOT_PLUGGED_IN: N_("Not plugged in"),
    Condition.NOT_READY: N_("Not ready"),
    Condition.STILL_CHARGING: N_("Still charging after its departure"),
}
DAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
"""0 is Monday."""
FAULTS = (
    N_("one address such as name@example.com"),
    N_("a number with its country, such as +49 170 1234567"),
    N_("A web address begins with https:// and a host."),
    N_("from and until belong together"),
    N_("every so many minutes, or at a time of day"),
    N_("at least one target or person"),
    N_("There is a target of this name."),
    N_("There is a route of this name."),
    N_("This chat service is not known."),
    N_("This is no address of that service."),
    N_("unknown service"),
    N_("unreadable"),
    N_("none less severe than the one before"),
    N_("each later than the one before"),
    N_("These steps cannot be followed."),
    N_("at least one"),
)
"""What the room says of fields, for the catalogue."""
