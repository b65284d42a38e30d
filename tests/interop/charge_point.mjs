// A charge point of OCPP 1.6 on the npm package ocpp-rpc in strict mode: each message of either
// side is checked against the OCPP schemas. `node charge_point.mjs URL IDENTITY PASSWORD TOKEN`
// boots, authorises, charges under the TxProfile it is sent until RemoteStopTransaction, and tells
// what it does on standard output, one JSON object a line.
import { setTimeout as pause } from "node:timers/promises";
import { RPCClient } from "ocpp-rpc";

const [url, identity, password, idTag] = process.argv.slice(2);
const HARDWARE_W = 22000;
const tell = (event, facts = {}) => console.log(JSON.stringify({ event, ...facts }));

const client = new RPCClient({
  endpoint: url,
  identity,
  password,
  protocols: ["ocpp1.6"],
  strictMode: true,
});
let limitW = HARDWARE_W;
let stop = false;

client.handle("SetChargingProfile", ({ params }) => {
  const { chargingProfilePurpose, chargingSchedule } = params.csChargingProfiles;
  const [period] = chargingSchedule.chargingSchedulePeriod;
  const factor = chargingSchedule.chargingRateUnit === "W" ? 1 : 230 * (period.numberPhases ?? 3);
  if (chargingProfilePurpose === "TxProfile") limitW = Math.min(HARDWARE_W, period.limit * factor);
  tell("profile", { purpose: chargingProfilePurpose });
  return { status: "Accepted" };
});
client.handle("ClearChargingProfile", () => ({ status: "Unknown" }));
client.handle("GetConfiguration", ({ params }) => ({ unknownKey: params.key ?? [] }));
client.handle("ChangeConfiguration", () => ({ status: "NotSupported" }));
client.handle("TriggerMessage", () => ({ status: "NotImplemented" }));
client.handle("RemoteStopTransaction", () => {
  stop = true;
  return { status: "Accepted" };
});
client.on("strictValidationFailure", (failure) => tell("schema", { error: String(failure.error) }));

const now = () => new Date().toISOString();
const status = (word) =>
  client.call("StatusNotification", { connectorId: 1, errorCode: "NoError", status: word });

await client.connect();
let boot;
do {
  boot = await client.call("BootNotification", {
    chargePointVendor: "npm",
    chargePointModel: "ocpp-rpc",
  });
  if (boot.status !== "Accepted") await pause(250);
} while (boot.status !== "Accepted");
tell("booted", { interval_s: boot.interval });
await status("Available");

const { idTagInfo } = await client.call("Authorize", { idTag });
tell("authorised", { status: idTagInfo.status });
await status("Preparing");
const { transactionId } = await client.call("StartTransaction", {
  connectorId: 1,
  idTag,
  meterStart: 0,
  timestamp: now(),
});
tell("started", { transaction: transactionId });
await status("Charging");

let energyWh = 0;
let powerW = 0;
let countedMs = Date.now();
while (!stop) {
  energyWh += (powerW * (Date.now() - countedMs)) / 3.6e6;
  countedMs = Date.now();
  powerW = limitW;
  const sampledValue = [
    { value: energyWh.toFixed(0), measurand: "Energy.Active.Import.Register", unit: "Wh" },
    { value: powerW.toFixed(1), measurand: "Power.Active.Import", unit: "W" },
  ];
  await client.call("MeterValues", {
    connectorId: 1,
    transactionId,
    meterValue: [{ timestamp: now(), sampledValue }],
  });
  tell("power", { power_w: powerW, energy_wh: energyWh });
  await pause(250);
}
await client.call("StopTransaction", {
  transactionId,
  meterStop: Math.round(energyWh),
  timestamp: now(),
});
await status("Available");
tell("stopped", { energy_wh: energyWh });
await client.close();
