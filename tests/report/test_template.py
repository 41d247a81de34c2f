"""Templates: what is filled in is escaped, in its order, and complete."""

import jinja2
import pytest

from wildsr.report.template import filled


def test_texts_are_escaped_and_mappings_keep_their_order(tmp_path):
    (tmp_path / "page.html").write_text("<p>{{ text }}</p>{{ data | tojson }}")
    text = filled(tmp_path / "page.html", text="<b>&", data={"z": 1, "a": 2})
    assert text == '<p>&lt;b&gt;&amp;</p>{"z": 1, "a": 2}'


def test_a_value_that_is_missing_is_an_error(tmp_path):
    (tmp_path / "page.html").write_text("{{ one }}{{ other }}")
    with pytest.raises(jinja2.UndefinedError, match="other"):
        filled(tmp_path / "page.html", one=1)


def test_what_is_included_is_found_in_further_folders(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "style.css").write_text("p {}")
    (tmp_path / "page.html").write_text(
        "  {% if true %}\n{% include 'style.css' %}\n  {% endif %}\n"
    )
    assert filled(tmp_path / "page.html", tmp_path / "shared") == "p {}"
