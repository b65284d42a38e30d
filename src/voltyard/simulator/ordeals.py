"""What befalls a simulated charger: resets, power cuts, faults, and the planned misbehaviour."""

from typing import TYPE_CHECKING

from voltyard.simulator.evse import Evse, StopReason
from voltyard.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from voltyard.simulator.charger import Charger

_REARM_S = 60.0
_FLUSH_S = 30.0


async def suffer(charger: "Charger", fault: Fault) -> None:
    """One planned fault from its beginning to its end."""
    clock = charger.clock
    await clock.sleep((fault.at - clock.now()).total_seconds())
    if fault.kind is FaultKind.DROP_LINK:
        charger.uplink.drop(fault.duration_s)
    elif fault.kind is FaultKind.REBOOT:
        await _lose_power(charger, fault.duration_s)
    elif fault.kind is FaultKind.FAULT:
        await _be_faulted(charger, charger.evse(int(fault.value)), fault.duration_s)
    else:
        charger.mischief.begin(fault)
        charger.stage.update()
        await clock.sleep(fault.duration_s)
        charger.mischief.end(fault)
        charger.stage.update()


async def reboot(
    charger: "Charger", reason: StopReason, boot_reason: str, *, graceful: bool
) -> None:
    """Stop everything, restart and boot again; a graceful one tells the server first."""
    for evse in charger.evses:
        charger.end(evse, reason)
    waited_s = 0.0
    while graceful and charger.uplink.kept and charger.uplink.online and waited_s < _FLUSH_S:
        await charger.clock.sleep(1.0)
        waited_s += 1.0
    await _be_dead(charger, boot_reason, float(charger.settings.boot_s))


async def _be_dead(charger: "Charger", boot_reason: str, seconds: float) -> None:
    charger.stage.dead = True
    charger.stage.update()
    charger.uplink.restart(boot_reason, seconds)
    if not charger.plan.quirks.keeps_profiles:
        charger.profiles.forget()
        charger.trusts_profiles = False
    await charger.clock.sleep(seconds)
    charger.stage.dead = False
    charger.stage.update()
    for evse in charger.evses:
        if evse.token is not None and evse.transaction is None:
            charger.spawn(charger.seek(evse, evse.token, _REARM_S))


async def _lose_power(charger: "Charger", seconds: float) -> None:
    """A power cut: what the make forgets, it forgets without a message."""
    quirks = charger.plan.quirks
    if quirks.forgets_transaction:
        charger.stage.settle()
        for evse in charger.evses:
            evse.transaction, evse.finished = None, False
            charger.profiles.end_transaction(evse.spec.number)
        charger.uplink.kept.clear()
    elif not quirks.keeps_transaction or not quirks.keeps_profiles:
        for evse in charger.evses:
            charger.end(evse, StopReason.POWER_LOSS)
    await _be_dead(charger, "PowerUp", seconds)


async def _be_faulted(charger: "Charger", evse: Evse, seconds: float) -> None:
    charger.end(evse, StopReason.FAULT)
    evse.faulted = True
    charger.stage.update()
    await charger.clock.sleep(seconds)
    evse.faulted = False
    charger.stage.update()
    if evse.token is not None:
        charger.spawn(charger.seek(evse, evse.token, _REARM_S))
