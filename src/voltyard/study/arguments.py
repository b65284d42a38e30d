"""What ``voltyard study`` may be told; loads nothing, so other commands stay quick."""

import argparse
from datetime import datetime
from pathlib import Path

_MODES = ("cost", "peak", "early")


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("source", help="demo, site:NAME, a scenario (.json), duties (.csv)")
    parser.add_argument("--what-if", action="append", metavar="TEXT", help="such as limit=2500")
    parser.add_argument("--no-size", action="store_true", help="only what-ifs, no smallest site")
    parser.add_argument("--quick", action="store_true", help="coarser: hourly plans, 5 %%")
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--html", type=Path, help="where the report goes")
    parser.add_argument("--locale", default="en", help="numbers of the report, such as de or en")
    parser.add_argument("--mode", choices=_MODES, default="cost")
    parser.add_argument("--yearly", type=float, default=0.0, help="vehicles expected more a year")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", dest="from_at", type=datetime.fromisoformat)
    parser.add_argument("--until", dest="until_at", type=datetime.fromisoformat)
    base = parser.add_argument_group("the base")
    base.add_argument("--limit-kw", type=float, help="grid limit")
    base.add_argument("--chargers", type=int)
    base.add_argument("--charger-kw", type=float)
    base.add_argument("--price", type=float, help="EUR/MWh at all hours; else a winter's shape")
    base.add_argument("--demand", type=float, help="EUR a kW and year; else 120")
    base.add_argument("--export", type=float, help="EUR/MWh for what is fed in; else 60")
    base.add_argument("--shunting-min", type=float, help="minutes to change vehicles; else 10")
    base.add_argument("--buses", type=int, default=80, help="of the demo depot")
    base.add_argument("--depot", help="grid connector of a SpiceEV scenario")
    base.add_argument("--other-kw", type=float, default=0.0, help="load beside chargers of a file")
    csv = parser.add_argument_group("duties (.csv)")
    csv.add_argument("--vehicles", type=Path, help="the vehicles' file")
    csv.add_argument("--zone", default="Europe/Berlin", help="of times without offset")
    csv.add_argument("--as-it-was", action="store_true", help="no errors in arrival and charge")
