"""Sampled values: measurands, units, phases, places, and the oddities of real meters."""

from datetime import UTC, datetime

import pytest

from voltyard.ocpp.metering import Sample, read_samples
from voltyard.sessions.model import MeterReading

AT = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
POWER, CURRENT, VOLTAGE = "Power.Active.Import", "Current.Import", "Voltage"


def read(*samples: Sample) -> MeterReading:
    reading = read_samples(samples, AT, lambda name, detail: None)
    assert reading is not None
    return reading


def test_a_bare_value_is_the_import_register_in_watt_hours() -> None:
    assert read(Sample("1234.5")) == MeterReading(AT, energy_wh=1234.5)


@pytest.mark.parametrize(
    ("value", "unit", "multiplier", "energy_wh"),
    [
        ("12.5", "kWh", 0, 12_500.0),
        ("12.5", "kwh", 0, 12_500.0),
        ("1", "MWh", 0, 1_000_000.0),
        (12.5, "Wh", 3, 12_500.0),
        (12.5, None, 3, 12_500.0),
        (125, "kWh", -1, 12_500.0),
        ("12,5", "kWh", 0, 12_500.0),
        (" 12.5 ", "kWh", 0, 12_500.0),
        ("1.25e4", "Wh", 0, 12_500.0),
    ],
)
def test_energy_units(
    value: str | float, unit: str | None, multiplier: int, energy_wh: float
) -> None:
    reading = read(Sample(value, unit=unit, multiplier=multiplier))
    assert reading.energy_wh == pytest.approx(energy_wh)
    assert reading.flags == ()


@pytest.mark.parametrize("value", ["", "abc", "nan", "inf", "-inf", "1e300", "12;5"])
def test_unreadable_values_are_left_out_and_flagged(value: str) -> None:
    reading = read(Sample(value), Sample("11", POWER, "kW"))
    assert reading.energy_wh is None
    assert reading.power_w == 11_000.0
    assert reading.flags == ("value_unreadable",)


def test_powers_of_phases_add_up_unless_there_is_a_total() -> None:
    phases = [Sample("3.5", POWER, "kW", phase) for phase in ("L1", "L2", "L3")]
    assert read(*phases).power_w == pytest.approx(10_500.0)
    assert read(*phases, Sample("10.6", POWER, "kW")).power_w == pytest.approx(10_600.0)
    neutral = [Sample("3500", POWER, "W", phase) for phase in ("L1-N", "L2-N", "L3-N")]
    assert read(*neutral).power_w == pytest.approx(10_500.0)


def test_energies_of_phases_add_up() -> None:
    assert read(*[Sample("10", phase=p) for p in ("L1", "L2", "L3")]).energy_wh == 30.0


def test_currents_stay_apart_and_the_neutral_does_not_count() -> None:
    reading = read(
        Sample("16", CURRENT, "A", "L1"),
        Sample("15", CURRENT, "A", "L2"),
        Sample("1", CURRENT, "A", "N"),
    )
    assert reading.current_a == (16.0, 15.0, None)
    assert read(Sample("200", CURRENT, "A")).current_a == (200.0, None, None)


def test_voltage_is_phase_to_neutral() -> None:
    neutral = [Sample(value, VOLTAGE, "V", p) for value, p in (("229", "L1"), ("231", "L2-N"))]
    assert read(*neutral).voltage_v == pytest.approx(230.0)
    lines = [Sample("400", VOLTAGE, "V", p) for p in ("L1-L2", "L2-L3", "L3-L1")]
    assert read(*lines).voltage_v == pytest.approx(230.94, abs=0.01)
    assert read(Sample("750", VOLTAGE, "V")).voltage_v == 750.0


def test_power_is_derived_where_only_current_and_voltage_are_known() -> None:
    dc = read(Sample("100", CURRENT, "A"), Sample("750", VOLTAGE, "V"))
    assert (dc.power_w, dc.flags) == (75_000.0, ("power_derived",))
    ac = read(
        *[Sample("16", CURRENT, "A", p) for p in ("L1", "L2", "L3")],
        *[Sample("230", VOLTAGE, "V", p) for p in ("L1", "L2", "L3")],
    )
    assert ac.power_w == pytest.approx(11_040.0)
    assert read(Sample("16", CURRENT, "A")).power_w is None


def test_the_outlet_is_preferred_to_the_grid_side() -> None:
    """A DC charger reports both sides; what reaches the vehicle counts."""
    inlet = Sample("110", POWER, "kW", None, "Inlet")
    outlet = Sample("100", POWER, "kW", None, "Outlet")
    for order in ((inlet, outlet), (outlet, inlet)):
        assert read(*order).power_w == 100_000.0
    assert read(inlet).power_w == 110_000.0


def test_soc_is_a_percentage_or_nothing() -> None:
    assert read(Sample("55.5", "SoC", "Percent", None, "EV")).soc_pct == 55.5
    assert read(Sample("0", "SoC")).soc_pct == 0.0
    odd = read(Sample("255", "SoC", "Percent"))
    assert (odd.soc_pct, odd.flags) == (None, ("soc_out_of_range",))


def test_a_negative_register_is_left_out_and_flagged() -> None:
    odd = read(Sample("-5"))
    assert (odd.energy_wh, odd.flags) == (None, ("energy_negative",))


def test_units_mixed_up_between_energy_and_power_are_flagged() -> None:
    """Row 9: the scale of the unit counts, its quantity is the measurand's."""
    odd = read(Sample("11", POWER, "kWh"))
    assert (odd.power_w, odd.flags) == (11_000.0, ("unit_mismatch",))
    odd = read(Sample("7", POWER, "bananas"))
    assert (odd.power_w, odd.flags) == (7.0, ("unit_mismatch",))


def test_export_is_taken_off() -> None:
    reading = read(Sample("0", POWER, "W"), Sample("5", "Power.Active.Export", "kW"))
    assert reading.power_w == -5_000.0
    assert reading.flags == ()


def test_the_register_of_what_flows_back_is_read() -> None:
    export = "Energy.Active.Export.Register"
    assert read(Sample("5", export, "kWh")).export_wh == 5_000.0
    assert read(Sample("5", unit="kWh")).export_wh is None
    assert read(Sample("-5", export, "Wh"), Sample("1", POWER, "W")).export_wh is None


def test_offered_power_is_kept() -> None:
    assert read(Sample("50", "Power.Offered", "kW")).offered_w == 50_000.0


def test_measurands_we_do_not_use_are_passed_over_and_unknown_ones_flagged() -> None:
    flags: list[str] = []
    samples = [Sample("1", "Frequency"), Sample("1", "Moon.Phase")]
    assert read_samples(samples, AT, lambda name, detail: flags.append(name)) is None
    assert flags == ["measurand_unknown"]


@pytest.mark.parametrize(
    ("context", "word"),
    [
        (None, "sample"),
        ("Sample.Periodic", "sample"),
        ("Sample.Clock", "clock"),
        ("Transaction.Begin", "begin"),
        ("Transaction.End", "end"),
        ("Trigger", "trigger"),
        ("Interruption.Begin", "interruption"),
        ("Whatever", "other"),
    ],
)
def test_context(context: str | None, word: str) -> None:
    assert read(Sample("1", context=context)).context == word


def test_the_begin_of_a_transaction_outranks_other_contexts() -> None:
    begin, plain = Sample("1", context="Transaction.Begin"), Sample("2", POWER, "W")
    assert read(begin, plain).context == read(plain, begin).context == "begin"


def test_an_absurd_multiplier_is_left_out() -> None:
    assert read(Sample(1.0, multiplier=500), Sample(1.0, POWER)).energy_wh is None


def test_an_unknown_phase_is_flagged() -> None:
    assert read(Sample("1", POWER, "W", "L4"), Sample("1")).flags == ("phase_unknown",)
