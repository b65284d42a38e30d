"""A study in words: what its figures say, in the language of whoever reads. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

from voltyard.errors import Invalid
from voltyard.study.model import Outcome, Room, Shortage, Sized, Study, WhatIf, parse
from voltyard.study.past import Gap, Remark

NO_LIMIT_W = 1e8
"""A limit from here on is none."""

Say = Callable[[str], str]


def plain(text: str) -> str:
    """English is the source itself."""
    return text


@dataclass(frozen=True, slots=True)
class Fact:
    """One answer at a glance."""

    title: str
    value: str
    note: str
    good: bool = True


@dataclass(frozen=True, slots=True)
class Column:
    """Of the table of cases. ``key`` is that of the JSON."""

    title: str
    key: str
    digits: int = 0


class Wording:
    """``say`` translates; numbers are of ``locale``. Raises ``Invalid`` for one there is not."""

    def __init__(self, say: Say = plain, locale: str = "en", currency: str = "EUR") -> None:
        try:
            self._locale = Locale.parse(locale.replace("-", "_"))
        except (UnknownLocaleError, ValueError) as error:
            raise Invalid(f"there is no locale {locale!r}") from error
        self.say, self.currency, self.locale = say, currency, locale

    def number(self, value: float, digits: int = 0) -> str:
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return str(format_decimal(round(value, digits) + 0.0, pattern, locale=self._locale))

    # The table

    def columns(self) -> tuple[Column, ...]:
        say, currency = self.say, {"currency": self.currency}
        return (
            Column(say("Limit kW"), "limit_kw"),
            Column(say("Chargers"), "chargers"),
            Column(say("Stays"), "stays"),
            Column(say("Ready"), "ready"),
            Column(say("Peak kW"), "peak_kw"),
            Column(say("Energy %(currency)s") % currency, "energy_cost_eur"),
            Column(say("Demand %(currency)s") % currency, "demand_cost_eur"),
            Column(say("Cost %(currency)s") % currency, "cost_eur"),
            Column(say("Demand %(currency)s/year") % currency, "demand_eur_year"),
        )

    def case(self, name: str) -> str:
        """A case by its name: the base, or the words of a what-if read out."""
        if name == "base":
            return self.say("As it is")
        try:
            wish = parse(name)
        except Invalid:
            return name
        return self._wish(wish) or name

    def _wish(self, wish: WhatIf) -> str:
        say, number = self.say, self.number
        parts: list[str] = []
        if wish.limit_w is not None:
            parts.append(say("Grid %(kw)s kW") % {"kw": number(wish.limit_w / 1000.0)})
        if wish.limit_share is not None:
            parts.append(say("Grid at %(pct)s %%") % {"pct": number(100.0 * wish.limit_share)})
        if wish.chargers is not None:
            parts.append(say("%(n)s chargers") % {"n": number(wish.chargers)})
        if wish.charger_w is not None:
            parts.append(say("Chargers of %(kw)s kW") % {"kw": number(wish.charger_w / 1000.0)})
        if wish.more_vehicles:
            parts.append(say("%(n)s more vehicles") % {"n": number(wish.more_vehicles)})
        if wish.shunting_s is not None:
            parts.append(say("Handed on in %(min)s min") % {"min": number(wish.shunting_s / 60.0)})
        parts += self._money(wish)
        if wish.battery is not None:
            kwh, kw = wish.battery.capacity_wh / 1000.0, wish.battery.power_w / 1000.0
            text = say("Battery %(kwh)s kWh, %(kw)s kW")
            parts.append(text % {"kwh": number(kwh), "kw": number(kw)})
        if wish.pv_wp:
            parts.append(say("PV %(kwp)s kWp") % {"kwp": number(wish.pv_wp / 1000.0)})
        return ", ".join(parts)

    def _money(self, wish: WhatIf) -> list[str]:
        say, number, parts = self.say, self.number, []
        if wish.tariff is not None:
            price = number(wish.tariff.flat_eur_mwh)
            parts.append(f"{price} {self.currency}/MWh")
            if wish.tariff.night is not None:
                first, last, night = wish.tariff.night
                text = say("%(price)s from %(first)s to %(last)s h")
                parts.append(text % {"price": number(night), "first": first, "last": last})
        if wish.demand_eur_per_kw_year is not None:
            text = say("Demand %(price)s %(currency)s/kW and year")
            price = number(wish.demand_eur_per_kw_year)
            parts.append(text % {"price": price, "currency": self.currency})
        return parts

    # The answers

    def facts(self, study: Study) -> list[Fact]:
        say, number, base = self.say, self.number, study.base
        found = [
            Fact(
                say("Ready"),
                f"{number(base.ready)} / {number(base.stays)}",
                say("as it is"),
                base.ready == base.stays,
            )
        ]
        for key, sized in study.limits.items():
            note = self.case(key)
            if sized.bound is not None:
                bound = number(sized.bound / 1000.0)
                note += " · " + say("bound %(kw)s kW") % {"kw": bound}
            found.append(Fact(say("Smallest connection"), f"{self._kw(sized)}", note))
        for key, sized in study.chargers.items():
            found.append(Fact(say("Fewest chargers"), number(sized.amount), self._how(key)))
        if study.room is not None:
            text = say("on top of %(n)s, with what there is") % {"n": number(study.room.vehicles)}
            more = f"+{number(study.room.most)}"
            if study.room.fails_at is None:
                more = "≥ " + more
            found.append(Fact(say("Room for vehicles"), more, text))
        return found

    def _kw(self, sized: Sized) -> str:
        return f"{self.number(sized.amount / 1000.0)} kW"

    def _how(self, key: str) -> str:
        if key == "shunting":
            return self.say("handed on when done")
        return self.say("plugged in until departure")

    def sentences(self, study: Study) -> list[str]:
        """Each answer in a sentence."""
        found = [self._limit_sentence(key, sized) for key, sized in study.limits.items()]
        found += [self._charger_sentence(key, sized) for key, sized in study.chargers.items()]
        return found + self.advice(study)

    def _limit_sentence(self, key: str, sized: Sized) -> str:
        facts = {
            "case": self.case(key),
            "kw": self.number(sized.amount / 1000.0),
            "ready": self.number(sized.wanted),
            "stays": self.number(sized.outcome.stays),
        }
        text = self.say(
            "Smallest grid connection (%(case)s): %(kw)s kW makes %(ready)s of %(stays)s ready."
        )
        text %= facts
        if sized.bound is not None:
            bound = {"kw": self.number(sized.bound / 1000.0)}
            text += " " + self.say("Below %(kw)s kW no schedule could.") % bound
        return text

    def _charger_sentence(self, key: str, sized: Sized) -> str:
        text = self.say("Fewest chargers, %(how)s: %(n)s make %(ready)s of %(stays)s ready.")
        return text % {
            "how": self._how(key),
            "n": self.number(sized.amount),
            "ready": self.number(sized.wanted),
            "stays": self.number(sized.outcome.stays),
        }

    def advice(self, study: Study) -> list[str]:
        """When more bays are needed, or what is needed before them."""
        room, say, number = study.room, self.say, self.number
        if room is None:
            return []
        if room.fails_at is None:
            text = say(
                "No more bays are needed: what is installed serves twice as many vehicles (%(n)s)."
            )
            return [text % {"n": number(2 * room.vehicles)}]
        facts = {"most": number(room.most), "n": number(room.vehicles + room.fails_at)}
        if room.lacks is Shortage.BAYS:
            text = say(
                "What is installed serves %(most)s more; from %(n)s vehicles on more bays are"
                " needed."
            )
        else:
            text = say(
                "What is installed serves %(most)s more; from %(n)s vehicles on more power is"
                " needed, not bays."
            )
        found = [text % facts]
        if study.yearly > 0.0:
            years = ceil(room.fails_at / study.yearly)
            text = say("With %(yearly)s more a year that is reached in year %(years)s.")
            digits = 0 if study.yearly == int(study.yearly) else 1
            yearly = number(study.yearly, digits)
            found.append(text % {"yearly": yearly, "years": number(years)})
        return found

    def notes(self, remarks: Sequence[Remark]) -> list[str]:
        """What the period lacks, and what was put in its place."""
        words = self._gaps()
        return [
            words[remark.gap] % {"n": self.number(remark.count), "of": self.number(remark.of)}
            for remark in remarks
        ]

    def _gaps(self) -> Mapping[Gap, str]:
        say = self.say
        return {
            Gap.NO_SOC: say(
                "%(n)s of %(of)s sessions have no state of charge: they are taken to charge at"
                " constant power."
            ),
            Gap.NO_BATTERY: say(
                "%(n)s of %(of)s sessions are of vehicles without a battery size: a quarter more"
                " than what they took is assumed."
            ),
            Gap.NO_POWER: say(
                "%(n)s of %(of)s sessions are of vehicles without a greatest power: their"
                " outlet's is assumed."
            ),
            Gap.NO_DUTY: say(
                "%(n)s of %(of)s sessions have no duty: they need what they took, and left when"
                " the session ended."
            ),
            Gap.STILL_HERE: say(
                "%(n)s of %(of)s sessions have no end: they stay until the period's end."
            ),
            Gap.NO_OUTLET: say(
                "%(n)s of %(of)s sessions were at outlets outside the electrical tree: left out."
            ),
            Gap.TOO_SHORT: say("%(n)s of %(of)s sessions were too short to matter: left out."),
            Gap.NO_OTHER_LOAD: say("No site meter: no load beside chargers is counted."),
            Gap.OTHER_LOAD_FILLED: say(
                "%(n)s of %(of)s quarter hours have no reading of a site meter: taken from the"
                " same time of other days."
            ),
            Gap.NO_PRICES: say(
                "No prices are kept for this period: those of a winter weekday with grid fees"
                " are used."
            ),
            Gap.NO_DEMAND: say("The site's tariff has no demand charge."),
            Gap.TIMED_LIMITS: say(
                "%(n)s of %(of)s nodes have limits by time: the lowest of the period holds"
                " throughout."
            ),
        }

    def mode(self, mode: str) -> str:
        words = {
            "cost": self.say("plans for the least bill"),
            "peak": self.say("plans for the least peak"),
            "early": self.say("plans to be ready early"),
        }
        return words.get(mode, mode)

    def missed(self, found: Outcome, most: int = 12) -> str:
        names = ", ".join(found.missed[:most])
        more = len(found.missed) - most
        return f"{names} " + self.say("and %(n)s more") % {"n": more} if more > 0 else names

    # Charts

    def legend(self) -> tuple[tuple[str, str], ...]:
        """Kinds of shapes in pictures of load, and what they are."""
        return (
            ("charge", self.say("Charging")),
            ("other", self.say("Other load")),
            ("grid", self.say("Grid connection")),
            ("limit", self.say("Limit")),
            ("battery", self.say("Battery (above 0: gives)")),
            ("pv", self.say("PV")),
        )

    def bay_legend(self) -> tuple[tuple[str, str], ...]:
        return (
            ("staying", self._how("staying")),
            ("handed", self._how("shunting")),
            ("have", self.say("installed")),
        )

    def load_label(self, found: Outcome) -> str:
        text = self.say("Load: %(case)s, peak %(kw)s kW")
        return text % {"case": self.case(found.name), "kw": self.number(found.peak_w / 1000.0)}

    def bound(self) -> str:
        return self.say("bound")

    def amount(self, amount: float, *, of_power: bool) -> str:
        if of_power:
            return f"{self.number(amount)} kW"
        return self.say("%(n)s chargers") % {"n": self.number(amount)}

    def tried(self, amount: float, ready: int, *, of_power: bool) -> str:
        what = self.amount(amount, of_power=of_power)
        return f"{what}: " + self.say("%(n)s ready") % {"n": self.number(ready)}

    def ladder_label(self, least: str) -> str:
        text = self.say("Ready against what is installed: %(least)s is the least that serves")
        return text % {"least": least}

    def ladder_title(self, key: str, *, of_power: bool) -> str:
        if of_power:
            return self.say("Grid connection, kW") + f" · {self.case(key)}"
        return self.say("Chargers") + f" · {self._how(key)}"

    def installed(self, count: int) -> str:
        return self.say("%(n)s installed") % {"n": self.number(count)}

    def bays_at(self, vehicles: float, count: int) -> str:
        text = self.say("%(vehicles)s vehicles: %(n)s bays")
        return text % {"vehicles": self.number(vehicles), "n": self.number(count)}

    def bays_label(self, room: Room, installed: int) -> str:
        last = room.ladder[-1]
        return f"{self.installed(installed)}; " + self.bays_at(last.vehicles, last.bays_staying)

    def footer(self) -> str:
        return self.say(
            "Each figure is a run of the whole period by the planner and the grants that a site is"
            " controlled with, on announced arrivals and states of charge that turn out otherwise."
            " Ready is within one percent of the target. Costs are of all energy at the grid"
            " connection, other load included; demand is the period's part of a year's charge."
        )
