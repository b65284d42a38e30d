"""Words of access rules."""

from collections.abc import Mapping

from voltyard.access.model import Whom
from voltyard.web.i18n import N_

WHOM_WORDS: Mapping[Whom, str] = {
    Whom.EVERYONE: N_("Everyone"),
    Whom.FLEET: N_("Every token on record"),
    Whom.OWN: N_("Our own tokens"),
    Whom.OPERATORS: N_("Fleet operators"),
    Whom.GROUPS: N_("Tokens of groups"),
    Whom.TOKENS: N_("These tokens"),
    Whom.GUESTS: N_("Guests"),
}
DAY_WORDS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
