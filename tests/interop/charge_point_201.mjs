// A charging station of OCPP 2.0.1 on the npm package ocpp-rpc in strict mode: the same tale as
// charge_point.mjs. `node charge_point_201.mjs URL IDENTITY PASSWORD TOKEN`.
import { setTimeout as pause } from "node:timers/promises";
import { RPCClient } from "ocpp-rpc";

const [url, identity, password, idToken] = process.argv.slice(2);
const HARDWARE_W = 22000;
const TRANSACTION = "rpc-1";
const tell = (event, facts = {}) => console.log(JSON.stringify({ event, ...facts }));

const client = new RPCClient({
  endpoint: url,
  identity,
  password,
  protocols: ["ocpp2.0.1"],
  strictMode: true,
});
let limitW = HARDWARE_W;
let stop = false;

client.handle("SetChargingProfile", ({ params }) => {
  const { chargingProfilePurpose, chargingSchedule } = params.chargingProfile;
  const [schedule] = chargingSchedule;
  const [period] = schedule.chargingSchedulePeriod;
  const factor = schedule.chargingRateUnit === "W" ? 1 : 230 * (period.numberPhases ?? 3);
  if (chargingProfilePurpose === "TxProfile") limitW = Math.min(HARDWARE_W, period.limit * factor);
  tell("profile", { purpose: chargingProfilePurpose });
  return { status: "Accepted" };
});
client.handle("ClearChargingProfile", () => ({ status: "Unknown" }));
const each = (data, word) =>
  data.map(({ component, variable }) => ({ attributeStatus: word, component, variable }));
client.handle("GetVariables", ({ params }) => ({
  getVariableResult: each(params.getVariableData, "UnknownVariable"),
}));
client.handle("SetVariables", ({ params }) => ({
  setVariableResult: each(params.setVariableData, "Accepted"),
}));
client.handle("GetBaseReport", () => ({ status: "NotSupported" }));
client.handle("TriggerMessage", () => ({ status: "NotImplemented" }));
client.handle("RequestStopTransaction", () => {
  stop = true;
  return { status: "Accepted" };
});
client.on("strictValidationFailure", (failure) => tell("schema", { error: String(failure.error) }));

const now = () => new Date().toISOString();
const status = (connectorStatus) =>
  client.call("StatusNotification", {
    timestamp: now(),
    connectorStatus,
    evseId: 1,
    connectorId: 1,
  });

let energyWh = 0;
let powerW = 0;
let seqNo = 0;
const event = (eventType, triggerReason, chargingState, more = {}) =>
  client.call("TransactionEvent", {
    eventType,
    timestamp: now(),
    triggerReason,
    seqNo: seqNo++,
    transactionInfo: { transactionId: TRANSACTION, chargingState },
    evse: { id: 1, connectorId: 1 },
    meterValue: [
      {
        timestamp: now(),
        sampledValue: [
          { value: energyWh, measurand: "Energy.Active.Import.Register" },
          { value: powerW, measurand: "Power.Active.Import", unitOfMeasure: { unit: "W" } },
        ],
      },
    ],
    ...more,
  });

await client.connect();
let boot;
do {
  boot = await client.call("BootNotification", {
    reason: "PowerUp",
    chargingStation: { vendorName: "npm", model: "ocpp-rpc" },
  });
  if (boot.status !== "Accepted") await pause(250);
} while (boot.status !== "Accepted");
tell("booted", { interval_s: boot.interval });
await status("Available");

const card = { idToken: { idToken, type: "ISO14443" } };
const { idTokenInfo } = await client.call("Authorize", card);
tell("authorised", { status: idTokenInfo.status });
await status("Occupied");
await event("Started", "Authorized", "Charging", card);
tell("started", { transaction: TRANSACTION });

let countedMs = Date.now();
while (!stop) {
  energyWh += (powerW * (Date.now() - countedMs)) / 3.6e6;
  countedMs = Date.now();
  powerW = limitW;
  await event("Updated", "MeterValuePeriodic", "Charging");
  tell("power", { power_w: powerW, energy_wh: energyWh });
  await pause(250);
}
powerW = 0;
await event("Ended", "RemoteStop", "Idle");
await status("Available");
tell("stopped", { energy_wh: energyWh });
await client.close();
