"""Words and shapes of security: profiles, certificates, what a station is looked for by."""

from collections.abc import Mapping

from voltyard.pki.model import AnchorUse, CertificateState, Issuer, Profile
from voltyard.pki.overview import Concern
from voltyard.pki.rounds import Step
from voltyard.web.i18n import N_

PROFILE_WORDS: Mapping[Profile, str] = {
    Profile.NONE: N_("nothing"),
    Profile.BASIC: N_("password, in the clear"),
    Profile.TLS_BASIC: N_("TLS and password"),
    Profile.TLS_CERTIFICATE: N_("TLS and certificate"),
}
PROFILE_SHAPES: Mapping[Profile, str] = {
    Profile.NONE: "faulted",
    Profile.BASIC: "at_risk",
    Profile.TLS_BASIC: "ready",
    Profile.TLS_CERTIFICATE: "ready",
}
PROFILE_STATES: Mapping[Profile, str] = {
    Profile.NONE: "faulted",
    Profile.BASIC: "offline",
    Profile.TLS_BASIC: "ready",
    Profile.TLS_CERTIFICATE: "ready",
}
"""Colours, by the states that have one."""
STATE_WORDS: Mapping[CertificateState, str] = {
    CertificateState.REFUSED: N_("Request refused"),
    CertificateState.WAITING: N_("Waits to be signed"),
    CertificateState.ISSUED: N_("Signed, on its way"),
    CertificateState.INSTALLED: N_("Installed"),
    CertificateState.IN_USE: N_("In use"),
    CertificateState.REJECTED: N_("Not taken by the charger"),
    CertificateState.REPLACED: N_("Replaced"),
    CertificateState.REVOKED: N_("Revoked"),
}
STATE_SHAPES: Mapping[CertificateState, str] = {
    CertificateState.REFUSED: "faulted",
    CertificateState.WAITING: "waiting",
    CertificateState.ISSUED: "waiting",
    CertificateState.INSTALLED: "ready",
    CertificateState.IN_USE: "ready",
    CertificateState.REJECTED: "faulted",
    CertificateState.REPLACED: "free",
    CertificateState.REVOKED: "blocked",
}
ON_ITS_WAY = frozenset({CertificateState.WAITING, CertificateState.ISSUED})
CONCERN_WORDS: Mapping[Concern, str] = {
    Concern.BEHIND: N_("Below the profile asked for"),
    Concern.ENDS: N_("Certificate ends within 30 days"),
    Concern.NO_CERTIFICATE: N_("Without a certificate"),
    Concern.FAILED: N_("Last request failed"),
    Concern.EVENTS: N_("Open security events"),
    Concern.CLEAR: N_("Without TLS"),
}
STEP_WORDS: Mapping[Step, str] = {
    Step.CERTIFICATE: N_("Renew certificates"),
    Step.ROOT: N_("Install roots"),
    Step.PROFILE: N_("Raise the security profile"),
    Step.PASSWORD: N_("New passwords"),
    Step.REVOKE: N_("Revoke certificates"),
}
ROOT_WORDS: Mapping[str, str] = {
    "csms_root": N_("Root of this server"),
    "manufacturer_root": N_("Root of the manufacturer"),
    "v2g_root": N_("V2G root"),
    "mo_root": N_("Root of mobility operators"),
    "v2g_chain": N_("V2G certificate"),
    "oem_root": N_("Root of the vehicle maker"),
}
SOURCE_WORDS: Mapping[str, str] = {
    "charger": N_("The charger"),
    "voltyard": N_("This server"),
}
ISSUER_WORDS: Mapping[Issuer, str] = {
    Issuer.BUILT_IN: N_("Built in"),
    Issuer.EXTERNAL: N_("An authority of your own"),
}
ANCHOR_WORDS: Mapping[AnchorUse, str] = {
    AnchorUse.OPERATOR: N_("Signs our chargers' certificates"),
    AnchorUse.MANUFACTURER: N_("Vouches for new chargers"),
}
TOLD: tuple[str, ...] = (
    N_("the charger is not connected"),
    N_("the charger did not answer in time"),
    N_("the connection was lost before the answer"),
    N_("a security profile is only raised"),
    N_("chargers cannot reach this server by TLS: see the settings"),
    N_("every slot of the charger is in use: name one"),
    N_("it is the last root the charger knows this server by"),
    N_("this certificate cannot be revoked"),
    N_("this charger has no certificate yet: renew it first"),
    N_("this charger has no password here"),
    N_("this charger is known by no password"),
    N_("this is another station's name"),
    N_("this is trusted already"),
    N_("this request does not wait for a certificate"),
    N_("this station has shown no certificate"),
    N_("chargers still use certificates of it: renew those first"),
    N_("no certificate here is for the key of this request"),
    N_("no certificate in PEM form was found"),
    N_("the list cannot be read"),
    N_("the list is signed by nobody that is trusted here"),
    N_("enough is under way"),
)
"""What the rooms below say when they refuse, for the catalogue."""
