"""What is said of single sign-on: why somebody was refused, who may use passwords, which device."""

from collections.abc import Mapping

from voltyard.signon.model import LocalPasswords, Why
from voltyard.web.i18n import N_

WHY: Mapping[Why, str] = {
    Why.UNREACHABLE: N_(
        "Your organisation's sign-in service cannot be reached just now. Try again in a minute."
    ),
    Why.PROVIDER_ANSWER: N_(
        "Your organisation's sign-in service gave an answer that makes no sense here. "
        "An administrator should check the connection."
    ),
    Why.PROVIDER_ERROR: N_(
        "Your organisation's sign-in service reported an error. The audit log says which."
    ),
    Why.DENIED: N_("The sign-in was cancelled, or your organisation does not allow you in here."),
    Why.EXPIRED: N_(
        "This sign-in has expired, or was begun in another window. Please begin again."
    ),
    Why.REPLAYED: N_("This sign-in has been used already. Please begin again."),
    Why.TOKEN: N_(
        "The proof of who you are did not pass the checks. "
        "If it happens again, tell an administrator: the audit log says what was wrong."
    ),
    Why.NO_EMAIL: N_("Your organisation's sign-in service did not tell your e-mail address."),
    Why.UNVERIFIED: N_(
        "Your e-mail address is not verified at your organisation's sign-in service."
    ),
    Why.DOMAIN: N_("E-mail addresses of this domain may not sign in here."),
    Why.NO_ROLE: N_("None of your groups gives you a role here. Ask an administrator."),
    Why.GROUPS_MISSING: N_(
        "You are in so many groups that your organisation's sign-in service did not name them. "
        "An administrator should send roles of the application instead."
    ),
    Why.UNKNOWN_PERSON: N_("Nobody has entered you here yet. Ask an administrator."),
    Why.DISABLED: N_("Your account here is locked. Ask an administrator."),
    Why.OTHER_PERSON: N_(
        "Your e-mail address belongs to a person here who signs in with another account. "
        "An administrator can undo that link."
    ),
    Why.ELSEWHERE: N_(
        "Your e-mail address is used in another organisation on this server. "
        "Accounts are never shared between organisations."
    ),
    Why.LAST_ADMIN: N_(
        "Your groups no longer make you an administrator here, but you are the last one. "
        "Another administrator is needed first."
    ),
    Why.SWITCHED_OFF: N_("There is no single sign-on under this name."),
    Why.BUSY: N_("Too many people are signing in just now. Try again in a minute."),
}
PASSWORDS: Mapping[LocalPasswords, str] = {
    LocalPasswords.ALLOWED: N_("Everybody who has one"),
    LocalPasswords.ADMINS: N_("Administrators only"),
    LocalPasswords.NONE: N_("Nobody"),
}
FAULTS = (
    N_("at most 20 words, without quotes"),
    N_("names like example.org"),
    N_("at most 100 groups, each with a name"),
    N_("1 to 200 characters"),
    N_("up to 1,000 characters of a line"),
    N_("1 to 168 hours"),
    N_("a group or a role for everybody is needed"),
    N_("the issuer itself, without what follows it"),
    N_("is needed again when the issuer changes"),
    N_("first an administrator must have signed in by this provider"),
    N_("This is no web address."),
    N_("A web address begins with https:// and a host."),
    N_("The address names no user and no fragment."),
    N_("The address is written without spaces."),
    N_("The connection is not complete."),
)
"""What the room says of wrong fields."""

_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def device(user_agent: str) -> str:
    """Browser and system as far as they are told; empty when neither is known."""
    found = [
        next((name for sign, name in known if sign in user_agent), "")
        for known in (_BROWSERS, _SYSTEMS)
    ]
    return " · ".join(filter(None, found))
