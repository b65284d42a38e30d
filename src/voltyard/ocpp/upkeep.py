"""Words of firmware updates and log uploads, alike in every OCPP version, in domain words."""

from voltyard.chargers.commands import CommandStatus
from voltyard.diagnostics.model import Told as LogTold
from voltyard.firmware.model import Told as FirmwareTold

UPDATE_WORDS = {
    "Accepted": CommandStatus.ACCEPTED,
    "AcceptedCanceled": CommandStatus.ACCEPTED,
    "Rejected": CommandStatus.REJECTED,
    "InvalidCertificate": CommandStatus.REJECTED,
    "RevokedCertificate": CommandStatus.REJECTED,
}
LOG_WORDS = {
    "Accepted": CommandStatus.ACCEPTED,
    "AcceptedCanceled": CommandStatus.ACCEPTED,
    "Rejected": CommandStatus.REJECTED,
}

_FIRMWARE = {
    "Idle": FirmwareTold.IDLE,
    "DownloadScheduled": FirmwareTold.DOWNLOAD_SCHEDULED,
    "Downloading": FirmwareTold.DOWNLOADING,
    "DownloadPaused": FirmwareTold.DOWNLOAD_PAUSED,
    "Downloaded": FirmwareTold.DOWNLOADED,
    "DownloadFailed": FirmwareTold.DOWNLOAD_FAILED,
    "SignatureVerified": FirmwareTold.SIGNATURE_VERIFIED,
    "InvalidSignature": FirmwareTold.INVALID_SIGNATURE,
    "InstallScheduled": FirmwareTold.INSTALL_SCHEDULED,
    "Installing": FirmwareTold.INSTALLING,
    "InstallRebooting": FirmwareTold.INSTALL_REBOOTING,
    "InstallVerificationFailed": FirmwareTold.INSTALL_VERIFICATION_FAILED,
    "InstallationFailed": FirmwareTold.INSTALLATION_FAILED,
    "Installed": FirmwareTold.INSTALLED,
}
_LOG = {
    "Idle": LogTold.IDLE,
    "Uploading": LogTold.UPLOADING,
    "Uploaded": LogTold.UPLOADED,
    "UploadFailed": LogTold.UPLOAD_FAILED,
    "UploadFailure": LogTold.UPLOAD_FAILED,
    "BadMessage": LogTold.BAD_MESSAGE,
    "NotSupportedOperation": LogTold.NOT_SUPPORTED,
    "PermissionDenied": LogTold.PERMISSION_DENIED,
    "AcceptedCanceled": LogTold.CANCELLED,
}


def firmware_told(word: str) -> str:
    """The domain's word; a word of no standard as it is."""
    return _FIRMWARE.get(word, word)


def log_told(word: str) -> str:
    """The domain's word; a word of no standard as it is."""
    return _LOG.get(word, word)
