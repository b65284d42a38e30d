"""Words for what vehicles ask for, and for why an order to discharge rests."""

from voltyard.energy.discharging import Hindrance
from voltyard.sessions.model import Urgency
from voltyard.web.i18n import N_

WHY: dict[str, str] = {
    Hindrance.CHARGER: N_("The charger cannot discharge, or V2X is switched off there."),
    Hindrance.VEHICLE: N_("The vehicle does not offer to be discharged."),
    Hindrance.NEGOTIATING: N_("The vehicle was told that it may; it has not asked for it yet."),
    Hindrance.UNHEARD: N_("The charger is away, or its fail-safe limit is not confirmed."),
    Hindrance.DISOBEDIENT: N_("The charger does not keep its limits."),
    Hindrance.REFUSED: N_("The charger refused it; it is tried again in a few minutes."),
    Hindrance.SOC_UNKNOWN: N_("Nobody tells how full the battery is."),
    Hindrance.BATTERY_UNKNOWN: N_("Nobody knows the size of the battery."),
    Hindrance.FLOOR: N_("The battery is down to the least that was allowed, or close to it."),
    Hindrance.READINESS: N_("The vehicle would not be sure to be ready, or the site is short."),
}
URGENT: dict[int, str] = {
    Urgency.DRIVER: N_("Asked for at the charger"),
    Urgency.PERSON: N_("Before all others"),
}
