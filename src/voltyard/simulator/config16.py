"""The configuration keys of a simulated OCPP 1.6 charger (1.6 §9)."""

from collections.abc import Mapping

from voltyard.simulator.serving import MOST_PERIODS, MOST_STACK_LEVEL
from voltyard.simulator.settings import Setting
from voltyard.simulator.tokens import LIST_MAX, PER_MESSAGE

PROFILES = "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger"


def _fixed(value: str, kind: str = "integer") -> Setting:
    return Setting(value=value, kind="boolean" if kind == "boolean" else "string", writable=False)


KEYS: Mapping[str, Setting] = {
    "AllowOfflineTxForUnknownId": Setting("offline_unknown", kind="boolean"),
    "AuthorizationCacheEnabled": Setting("cache", kind="boolean"),
    "AuthorizeRemoteTxRequests": Setting("authorize_remote", kind="boolean"),
    "ClockAlignedDataInterval": Setting("aligned_s"),
    "ConnectionTimeOut": Setting("connection_timeout_s"),
    "ConnectorPhaseRotation": _fixed("Unknown"),
    "GetConfigurationMaxKeys": _fixed("50"),
    "HeartbeatInterval": Setting("heartbeat_s", least=1),
    "LocalAuthListEnabled": Setting("local_list", kind="boolean"),
    "LocalAuthListMaxLength": _fixed(str(LIST_MAX)),
    "LocalAuthorizeOffline": _fixed("true", "boolean"),
    "LocalPreAuthorize": _fixed("false", "boolean"),
    "MeterValuesAlignedData": _fixed("Energy.Active.Import.Register,Power.Active.Import"),
    "MeterValuesSampledData": Setting("measurands", kind="string"),
    "MeterValueSampleInterval": Setting("sample_s"),
    "NumberOfConnectors": _fixed(""),
    "ReserveConnectorZeroSupported": _fixed("true", "boolean"),
    "ResetRetries": _fixed("0"),
    "SendLocalListMaxLength": _fixed(str(PER_MESSAGE)),
    "StopTransactionOnEVSideDisconnect": _fixed("true", "boolean"),
    "StopTransactionOnInvalidId": Setting("stop_on_invalid", kind="boolean"),
    "StopTxnAlignedData": _fixed(""),
    "StopTxnSampledData": _fixed(""),
    "SupportedFeatureProfiles": _fixed(PROFILES),
    "TransactionMessageAttempts": Setting("attempts", least=1),
    "TransactionMessageRetryInterval": Setting("retry_s"),
    "UnlockConnectorOnEVSideDisconnect": _fixed("true", "boolean"),
    "WebSocketPingInterval": _fixed("30"),
    "ChargeProfileMaxStackLevel": _fixed(str(MOST_STACK_LEVEL)),
    "ChargingScheduleAllowedChargingRateUnit": _fixed("Current,Power"),
    "ChargingScheduleMaxPeriods": _fixed(str(MOST_PERIODS)),
    "MaxChargingProfilesInstalled": _fixed("20"),
}
