"""Texts that no page knows beforehand: errors, a charger's own words, what people typed."""

import pytest

from voltyard.web.ui import environment

SAID = "{{ _(said) }}"


@pytest.mark.parametrize(
    "text", ["lacks 5 %", "100 %!", "limit=9%x", "50%d", "%(name)s", "no percent"]
)
@pytest.mark.parametrize("locale", ["en", "de"])
def test_a_percent_sign_in_an_error_is_shown(text: str, locale: str) -> None:
    assert environment(locale).from_string(SAID).render(said=text) == text


def test_an_error_with_a_percent_sign_has_its_german() -> None:
    html = environment("de").from_string(SAID).render(said="must be 0 to 100 %")
    assert html == "muss 0 bis 100 % sein"


def test_what_somebody_else_said_is_text_and_no_markup() -> None:
    html = environment("en").from_string(SAID).render(said='<img src="x">&')
    assert html == "&lt;img src=&#34;x&#34;&gt;&amp;"


def test_words_of_the_pages_stay_as_they_are() -> None:
    env = environment("de")
    found = env.from_string("{{ _('Delete %(name)s?', name=name) }}").render(name="<b>")
    assert found == "&lt;b&gt; löschen?"
    assert env.from_string("{{ _('Pairs in %%') }}").render() == "Pairs in %"
    assert env.from_string("""{{ _("A driver's card") }}""").render() == "A driver's card"
