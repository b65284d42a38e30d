"""What an alert says to a person: a title, and one sentence with its facts."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from voltyard.alerts.model import Alert
from voltyard.web.console.upkeep_words import FAILURE_WORDS
from voltyard.web.i18n import N_, translations

TITLES: Mapping[str, str] = {
    "charger_offline": N_("Charger offline"),
    "evse_faulted": N_("Outlet faulted"),
    "not_started": N_("Plugged in, but not charging"),
    "soc_not_progressing": N_("State of charge does not rise"),
    "unknown_vehicle": N_("Unknown vehicle"),
    "unknown_station": N_("A new charger waits for approval"),
    "limit_near": N_("Close to the limit"),
    "limit_exceeded": N_("Over the limit"),
    "limit_ignored": N_("Charger ignores its limit"),
    "failsafe_missing": N_("Fail-safe limit is missing"),
    "duty_at_risk": N_("Departure at risk"),
    "preconditioning_unplugged": N_("Nothing to precondition with"),
    "preconditioning_short": N_("Preconditioning lacks power"),
    "preconditioning_over_limit": N_("Preconditioning will lack power"),
    "duty_not_plugged_in": N_("Vehicle is not plugged in"),
    "session_stopped_early": N_("Charging stopped early"),
    "station_event": N_("Charger reports a problem"),
    "security_event": N_("Charger reports a security event"),
    "connection_refused": N_("Charger was refused"),
    "certificate_refused": N_("Certificate failed"),
    "certificate_waiting": N_("Certificate waits to be signed"),
    "certificate_ends": N_("Certificate ends soon"),
    "firmware_failed": N_("Firmware update failed"),
    "campaign_stopped": N_("Firmware campaign stopped"),
    "site_meter_silent": N_("Site meter silent"),
    "telematics_silent": N_("Telematics silent"),
    "departure_reminder": N_("Not ready to depart"),
    "evse_error": N_("Outlet reports an error"),
    "evse_unavailable": N_("Outlet out of service"),
    "limit_changed": N_("Limit changed"),
    "limit_overridden": N_("Limit lowered for a while"),
    "reservation_conflict": N_("Reservation in danger"),
    "notification_failed": N_("Notifications do not arrive"),
    "booking_blocked": N_("Booked place is taken"),
    "booking_overstayed": N_("Stays beyond its booking"),
    "booking_clash": N_("Booking finds its place taken"),
    "approval_waiting": N_("A change waits for a second person"),
    "approval_failed": N_("An approved change was not done"),
}
DETAILS: Mapping[str, str] = {
    "departure_reminder": N_("%(duty)s departs at %(departure)s."),
    "evse_error": N_("%(evse)s goes on working, but reports: %(error)s."),
    "evse_unavailable": N_("%(evse)s says that nobody can charge at it."),
    "limit_overridden": N_("%(node)s: no more than %(limit_kw)s kW until %(until)s, by %(by)s."),
    "limit_changed": N_("%(node)s has other limits than before."),
    "reservation_conflict": N_("A reservation at %(station)s cannot be kept: %(because)s."),
    "notification_failed": N_("What is sent to %(target)s does not arrive."),
    "telematics_silent": N_(
        "%(connection)s is not heard; vehicles are planned with what the timetable says."
    ),
    "site_meter_silent": N_("%(meter)s is not heard; its fallback counts as load."),
    "charger_offline": N_("%(station)s cannot be heard; %(reserved_kw)s kW are held back for it."),
    "evse_faulted": N_("%(evse)s reports a fault: %(error)s."),
    "not_started": N_("%(vehicle)s at %(evse)s has power available but takes none."),
    "soc_not_progressing": N_("%(vehicle)s at %(evse)s draws power, but its charge does not rise."),
    "unknown_vehicle": N_("%(vehicle)s at %(evse)s is not a known vehicle; it charges last."),
    "unknown_station": N_("%(station)s knocked for the first time."),
    "limit_near": N_("%(node)s is close to its limit of %(limit_kw)s kW."),
    "limit_exceeded": N_("%(node)s is over its limit of %(limit_kw)s kW."),
    "limit_ignored": N_("%(evse)s draws more than the %(granted_kw)s kW it was granted."),
    "failsafe_missing": N_("%(evse)s did not take its fail-safe; %(counted_kw)s kW are held back."),
    "preconditioning_unplugged": N_("%(vehicle)s should be preconditioned and is not plugged in."),
    "preconditioning_short": N_("%(vehicle)s has %(granted_kw)s of %(power_kw)s kW for it."),
    "preconditioning_over_limit": N_(
        "%(node)s lacks %(missing_kw)s kW when %(vehicle)s is to be preconditioned."
    ),
    "duty_at_risk": N_("%(duty)s will be %(shortfall_kwh)s kWh short at %(departure)s."),
    "duty_not_plugged_in": N_("%(duty)s departs at %(departure)s and is not plugged in."),
    "session_stopped_early": N_("%(duty)s stopped charging before it was ready: %(reason)s."),
    "station_event": N_("%(station)s reports %(variable)s: %(value)s. %(info)s"),
    "security_event": N_("%(station)s reports %(event)s. %(info)s"),
    "connection_refused": N_("%(station)s was not let in (%(reason)s): %(detail)s."),
    "certificate_refused": N_("%(station)s has no new certificate: %(reason)s."),
    "certificate_waiting": N_("The request of %(station)s waits for your certificate authority."),
    "certificate_ends": N_("The certificate of %(station)s ends on %(ends)s."),
    "firmware_failed": N_("%(station)s does not run %(version)s: %(told)s."),
    "campaign_stopped": N_("%(campaign)s (%(version)s) updates no further charger."),
    "booking_blocked": N_("%(vehicle)s charges at %(evse)s, booked for %(due)s from %(from_at)s."),
    "booking_overstayed": N_("%(vehicle)s charges at %(evse)s beyond its booking to %(until_at)s."),
    "approval_waiting": N_("%(subject)s, proposed by %(by)s; it expires at %(until_at)s."),
    "approval_failed": N_("%(subject)s, proposed by %(by)s: the approvals page says why."),
    "booking_clash": N_("No place for %(who)s from %(from_at)s to %(until_at)s: it is booked."),
}


REMINDERS: Mapping[str, str] = {
    "not_plugged_in": N_("%(duty)s departs at %(departure)s and is not plugged in."),
    "not_ready": N_("%(duty)s departs at %(departure)s and has %(has)s of %(needs)s."),
    "still_charging": N_("%(duty)s should have left at %(departure)s and is still charging."),
}
MINUTES = (
    N_("Departure in %(minutes)s min"),
    N_("Departure is now"),
    N_("Departure was %(minutes)s min ago"),
)
HINDRANCES: Mapping[str, str] = {
    "refused": N_("the charger refused it"),
    "offline": N_("the charger is offline"),
    "out_of_order": N_("the outlet is out of order"),
    "occupied": N_("somebody else charges there"),
}


def told(alert: Alert, locale: str, zone: ZoneInfo) -> tuple[str, str]:
    """Title and sentence in a locale, times of ``zone``; an unknown kind is made readable."""
    say = translations(locale).gettext
    title = TITLES.get(alert.kind)
    if title is None:
        return alert.kind.replace("_", " ").capitalize(), ""
    detail = say(DETAILS[alert.kind])
    facts = _Facts(alert.params, zone)
    if "failure" in alert.params:
        failure = str(alert.params["failure"])
        facts["told"] = say(FAILURE_WORDS.get(failure, failure))
    if alert.kind == "departure_reminder":
        return _reminder(alert, say, facts)
    if "why" in alert.params:
        why = str(alert.params["why"])
        facts["because"] = say(HINDRANCES.get(why, why))
    return say(title), detail % facts


def _reminder(alert: Alert, say: Callable[[str], str], facts: "_Facts") -> tuple[str, str]:
    """How long before or after the departure it was told, and what is wrong."""
    params = alert.params
    offset_min = int(params.get("offset_min", 0))
    title = say(MINUTES[(offset_min > 0) - (offset_min < 0) + 1])
    for name, key in (("has", "soc_pct"), ("needs", "target_soc_pct")):
        if params.get(key) is not None:
            facts[name] = f"{float(params[key]):.0f}\u202f%"
    told = REMINDERS.get(str(params.get("condition")), DETAILS[alert.kind])
    return title % {"minutes": abs(offset_min)}, say(told) % facts


class _Facts(dict[str, str]):
    """The alert's params as shown: kW and kWh for W and Wh, a dash for what is unknown."""

    def __init__(self, params: Mapping[str, Any], zone: ZoneInfo) -> None:
        super().__init__({key: str(value) for key, value in params.items() if value is not None})
        for key, value in params.items():
            for unit in ("wh", "w"):
                if isinstance(value, int | float) and key.endswith(f"_{unit}"):
                    self[f"{key.removesuffix(unit)}k{unit}"] = f"{value / 1000:.0f}"
        if "ends_at" in params:
            ends_at = datetime.fromisoformat(params["ends_at"])
            self["ends"] = f"{ends_at.astimezone(zone):%Y-%m-%d}"
        for key in ("from_at", "until_at"):
            if key in params:
                at = datetime.fromisoformat(params[key])
                self[key] = f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
        if "until_at" in params:
            until_at = datetime.fromisoformat(params["until_at"])
            self["until"] = f"{until_at.astimezone(zone):%H:%M}"
        if "departure_at" in params:
            departure_at = datetime.fromisoformat(params["departure_at"])
            self["departure"] = f"{departure_at.astimezone(zone):%H:%M}"

    def __missing__(self, key: str) -> str:
        return "–"
