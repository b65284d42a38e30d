"""The command line: serve, demo, simulate, nights, migrate, user, config, study, bench and more."""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from voltyard import __version__, logs
from voltyard.config import Settings, load
from voltyard.errors import Invalid, VoltyardError

Run = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 done, 1 failed with a message, 2 wrong usage, 3 a promise was broken."""
    arguments = _parser().parse_args(argv)
    logs.setup("WARNING")
    run: Run = arguments.run
    try:
        return run(arguments)
    except VoltyardError as error:
        print(f"voltyard: {error.message}", file=sys.stderr)
        for name, reason in error.fields.items():
            if reason not in error.message:
                print(f"  {name}: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="voltyard", description="Charging management for electric fleets."
    )
    parser.add_argument("--version", action="version", version=f"voltyard {__version__}")
    parser.add_argument("--config", type=Path, help="settings file (TOML)")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_server(commands)
    _add_demo(commands)
    _add_simulate(commands)
    _add_nights(commands)
    _add_people(commands)
    _add_study(commands)
    _add_bench(commands)
    return parser


def _add_server(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    serve = commands.add_parser("serve", help="run the server: chargers, planner, API, console")
    serve.add_argument("--http-port", type=int)
    serve.add_argument("--ocpp-port", type=int)
    serve.add_argument("--data-dir", type=Path)
    serve.set_defaults(run=_serve)
    migrate = commands.add_parser("migrate", help="bring the database to this version")
    migrate.add_argument("--data-dir", type=Path)
    migrate.set_defaults(run=_migrate)
    commands.add_parser("config", help="print the settings in force").set_defaults(run=_config)


def _add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    demo = commands.add_parser("demo", help="a depot's winter night on real sockets, sped up")
    demo.add_argument("--speed", type=float, default=60.0, help="1 to 120 times real time")
    demo.add_argument("--vehicles", type=int, default=80)
    demo.add_argument("--limit-kw", type=float, default=None, help="grid limit")
    demo.add_argument("--seed", type=int, default=1)
    demo.add_argument("--faults", default="none", help="name of a fault set")
    demo.add_argument("--http-port", type=int, default=8180)
    demo.add_argument("--ocpp-port", type=int, default=8181)
    demo.add_argument("--data-dir", type=Path, default=Path(".voltyard/demo"))
    demo.add_argument("--exit", action="store_true", help="stop after the summary")
    demo.set_defaults(run=_demo)


def _add_simulate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    simulate = commands.add_parser("simulate", help="a depot in virtual time")
    simulate.add_argument("scenario", help="demo, shared, or a SpiceEV scenario file")
    simulate.add_argument("--seed", type=int, default=1)
    simulate.add_argument("--faults", default="none")
    simulate.add_argument("--vehicles", type=int, help="80 of the demo, 12 of the shared depot")
    simulate.add_argument("--days", type=int, default=7, help="of the shared depot")
    simulate.add_argument("--limit-kw", type=float, default=None, help="another grid limit")
    simulate.add_argument("--until", type=datetime.fromisoformat, default=None)
    simulate.add_argument("--json", action="store_true", dest="as_json")
    simulate.add_argument("--keep", type=Path, help="a new folder for the night's database")
    simulate.set_defaults(run=_simulate)


def _add_nights(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    nights = commands.add_parser("nights", help="many seeded nights with faults; every promise")
    nights.add_argument("--seeds", default="0-199", help="first-last, or a single seed")
    nights.add_argument("--faults", default="mixed")
    nights.add_argument("--vehicles", type=int, default=24)
    nights.add_argument("--workers", type=int, default=2)
    nights.add_argument("--keep", type=Path, help="with one seed: a new folder for its database")
    nights.add_argument(
        "--random-depots",
        action="store_true",
        help="depots drawn at random, one a seed, against promise 1 (exit status 1 on a breach)",
    )
    nights.add_argument("--resume", type=Path, help="with --random-depots: keep seeds done there")
    nights.set_defaults(run=_nights)


def _add_people(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    link = commands.add_parser("setup-link", help="print a new one-time set-up link")
    link.add_argument("--data-dir", type=Path)
    link.set_defaults(run=_setup_link)
    user = commands.add_parser("user", help="make a user or set a password")
    user.add_argument("action", choices=["create", "password"])
    user.add_argument("email")
    user.add_argument("--organisation", help="slug of the organisation")
    user.add_argument("--name", default="")
    user.add_argument("--role", default="viewer")
    user.add_argument("--data-dir", type=Path)
    user.set_defaults(run=_user)


def _add_study(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from voltyard.study import arguments

    study = commands.add_parser("study", help="a period against what-ifs; the smallest site")
    arguments.add(study)
    study.set_defaults(run=_study)


def _add_bench(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    bench = commands.add_parser("bench", help="measure against named peers, in the same run")
    what = ["all", "plan", "storage", "ocpp", "energy", "control", "latency"]
    bench.add_argument("what", nargs="?", choices=what, default="all")
    bench.add_argument("--json", action="store_true", dest="as_json")
    ocpp = bench.add_argument_group("bench ocpp")
    ocpp.add_argument("--connections", type=int, default=1_000, help="chargers that send")
    ocpp.add_argument("--idle", type=int, default=10_000, help="chargers of the storm, then idle")
    ocpp.add_argument("--rounds", type=int, default=5, help="rounds of which the median counts")
    ocpp.add_argument("--seconds", type=float, default=4.0, help="of one round")
    ocpp.add_argument("--only", help="names of subjects, with commas between")
    control = bench.add_argument_group("bench control, bench latency")
    control.add_argument("--chargers", type=int, default=1_000, help="connected and charging")
    control.add_argument("--cuts", type=int, default=5, help="how often the limit is lowered")
    control.add_argument("--orders", type=int, help="commands by REST: 300, of latency 600")
    control.add_argument("--replans", type=int, default=5, help="plans asked for")
    control.add_argument("--rate", type=float, default=100.0, help="readings a second, of all")
    energy = bench.add_argument_group("bench energy")
    energy.add_argument("--cases", help="names, with commas between; without: the usual ones")
    energy.add_argument("--sizes", help="vehicles of the single plans, with commas between")
    energy.add_argument("--seed", type=int, default=1)
    energy.add_argument("--spice", type=Path, help="a SpiceEV scenario: its depots are cases, too")
    energy.add_argument("--acn", type=Path, help="a month of acnportal's events: a case, too")
    bench.add_argument("--data-dir", type=Path, default=Path(".voltyard/bench"))
    bench.set_defaults(run=_bench)


def _serve(arguments: argparse.Namespace) -> int:
    ports = {"http_port": arguments.http_port, "ocpp_port": arguments.ocpp_port}
    settings = _settings(arguments, data_dir=arguments.data_dir, **ports)
    logs.setup(settings.log_level, as_json=settings.log_json)
    from voltyard import serving

    return serving.serve(settings)


def _migrate(arguments: argparse.Namespace) -> int:
    from voltyard import serving

    revision = serving.migrate_only(_settings(arguments, data_dir=arguments.data_dir))
    print(f"database is at revision {revision}")
    return 0


def _config(arguments: argparse.Namespace) -> int:
    for name, value in _settings(arguments).shown().items():
        print(f"{name} = {value}")
    return 0


def _setup_link(arguments: argparse.Namespace) -> int:
    from voltyard.serving import people

    print(people.new_setup_link(_settings(arguments, data_dir=arguments.data_dir)))
    return 0


def _user(arguments: argparse.Namespace) -> int:
    from voltyard.serving import people

    return people.manage_user(_settings(arguments, data_dir=arguments.data_dir), arguments)


def _demo(arguments: argparse.Namespace) -> int:
    from voltyard.serving import demo

    return demo.demo(arguments)


def _simulate(arguments: argparse.Namespace) -> int:
    from voltyard import app
    from voltyard.simulator import runner

    return runner.main(arguments, app.build_host)


def _nights(arguments: argparse.Namespace) -> int:
    from voltyard.simulator import nights

    return nights.main(arguments, "voltyard.app:build_host")


def _study(arguments: argparse.Namespace) -> int:
    from voltyard.study import command

    kind, _, name = arguments.source.partition(":")
    if kind != "site":
        return command.main(arguments)
    from voltyard.serving.pasts import past_of

    if arguments.from_at is None or arguments.until_at is None:
        raise Invalid("a site's past needs --from and --until")
    settings = _settings(arguments)
    past = past_of(settings, name, arguments.from_at, arguments.until_at)
    return command.main(arguments, past)


def _bench(arguments: argparse.Namespace) -> int:
    from voltyard.bench import command

    return command.main(arguments)


def _settings(arguments: argparse.Namespace, **overrides: Any) -> Settings:
    return load(file=arguments.config, **overrides)


if __name__ == "__main__":
    sys.exit(main())
