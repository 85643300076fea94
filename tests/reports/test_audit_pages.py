"""What the pages say of attackers who know the methods: a ranking a question, a page an attacker, no doubted number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.reports.audits import DOUBT, EVIL, QUARTER, SIZES, add_audit
from tests.reports.pages import Element, check_headings_and_names, check_links, check_names_are_text, read_pages
from tests.reports.synthetic import HOSTILE, make_run
from unmask.bench.store.attack_rows import GalleryPoint
from unmask.bench.store.run_folder import RunFolder
from unmask.reports.audit import of_100
from unmask.reports.build import build_report
from unmask.reports.charts.curves import Curve, cmc_plot, det_plot, gallery_plot, missed_at
from unmask.reports.numbers import format_value

FEW = "Few people allow few claims"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = add_audit(make_run(tmp_path_factory.mktemp("run")))
    return build_report([folder], tmp_path_factory.mktemp("out") / "report").parent


@pytest.fixture(scope="module")
def pages(report: Path) -> dict[str, Element]:
    return read_pages(report)


def captioned(page: Element, words: str) -> Element:
    return next(table for table in page.all("table") if words in table.all("caption")[0].text)


def cells(table: Element, name: str) -> list[str]:
    """The texts of the first row whose head starts with ``name``."""
    rows = (row for row in table.all("tr") if row.all("th") and row.all("th")[0].text.startswith(name))
    return [cell.text for cell in next(rows).all("td")]


def test_the_pages_hold_together(report: Path, pages: dict[str, Element]) -> None:
    check_headings_and_names(pages)
    check_links(report, pages)
    check_names_are_text(report, pages)


def test_residual_risk_leads_the_front_page_and_orders_it(pages: dict[str, Element]) -> None:
    (board,) = pages["index.html"].all("table", class_="board")
    heads = [th.text for th in board.all("tr", class_="heads")[0].all("th")]
    assert heads[2].startswith("Residual risk")
    assert heads[3].startswith("Named first")
    names = [row.attributes["data-name"] for row in board.all("tbody", class_="contestants")[0].all("tr")]
    # Those that destroy most faces come last.
    assert names == ["pixelate-blocks8", "blur-sigma0.15", "blur-sigma0.05", "blackout"]
    row = next(row for row in board.all("tr") if row.attributes.get("data-name") == "blur-sigma0.15")
    assert row.all("td")[1].all("span", class_="v")[0].text == "0.439"
    assert "first five 44.0 %" in row.all("td")[2].text
    apart = board.all("tbody", class_="apart")[0]
    assert {row.attributes.get("data-name") for row in apart.all("tr")} - {None} == {HOSTILE, "pixelate-blocks16"}
    assert "the method cannot be run" in apart.text
    theirs = next(row for row in apart.all("tr") if row.attributes.get("data-name") == HOSTILE)
    assert theirs.all("td")[1].all("span", class_="v")[0].text == "0.051"
    assert "rank" not in theirs.all("td")[2].text


def test_the_sentence_for_people_stands_on_the_front_page(pages: dict[str, Element]) -> None:
    text = pages["index.html"].text
    assert (
        "Of 100 people, an attacker who knows the method and has another photo of everybody names, out of 400 "
        "(without anonymization 98; by guessing 0.25):"
    ) in text
    assert "43 (95 % interval 38–48)" in text
    assert "An attacker who does not know the method and has another photo of everybody names 5 of 100" in text
    assert FEW not in text


def test_naming_linking_and_attributes_have_a_table_each(pages: dict[str, Element]) -> None:
    page = pages["audit.html"]
    naming = captioned(page, "Residual risk by the strongest")
    assert [th.text for th in naming.all("th", scope="row")][1:] == [
        "blackout", "pixelate-blocks8", "blur-sigma0.15", "blur-sigma0.05",
    ]  # fmt: skip
    row = cells(naming, "blur-sigma0.15")
    assert row[0] == "3"
    assert row[1] == "0.439"
    assert row[3] == "0.389–0.489"
    assert row[4].startswith("43.0 %")
    assert row[5].startswith("44.0 %")
    assert EVIL in row[6]
    linking = captioned(page, "pairs of released faces")
    assert "Residual" not in linking.text
    assert cells(linking, "chance")[0] == "0.500"
    heads = [th.text for th in linking.all("th", scope="col")]
    assert [bool(re.search("strongest recogniser$|one draw$|place and size$", head)) for head in heads] == [
        False, True, True, True,
    ]  # fmt: skip
    assert cells(linking, "blackout")[1].startswith("0.800")
    assert "dlib" in cells(linking, "blackout")[1]
    # Everybody can be asked this, those who cannot be run too.
    assert cells(linking, HOSTILE)[0].startswith("0.517")
    assert "0.593–0.693" in cells(linking, "blur-sigma0.15")[0]
    attributes = captioned(page, "gender, age group and skin tone")
    assert cells(attributes, "blackout")[0].startswith("0.700")
    assert "faceres" in cells(attributes, "blackout")[0]


def test_other_questions_are_asked_of_the_attack_that_names_most(pages: dict[str, Element]) -> None:
    table = captioned(pages["audit.html"], "Verification, open search, linkability")
    verified, disclosed = cells(table, "blur-sigma0.15")
    assert verified.startswith("14.3 %")
    assert disclosed == "2.31 (tag C), 4.97 at most"
    # By the ignorant attacker that was not asked.
    assert all(text.startswith("not measured") for text in cells(table, HOSTILE))


def test_methods_that_cannot_be_run_are_never_ranked_among_the_others(pages: dict[str, Element]) -> None:
    page = pages["audit.html"]
    apart = captioned(page, "not ranked among the others")
    assert [th.text.split(" ")[0] for th in apart.all("th", scope="row")] == [
        HOSTILE.split(" ")[0],
        "pixelate-blocks16",
    ]
    assert "Rank" not in [th.text for th in apart.all("th", scope="col")]
    assert "no attack on it may be believed" in apart.text
    assert cells(apart, "pixelate-blocks16")[0] == "not measured"


def test_a_doubted_attack_prints_its_reason_and_none_of_its_numbers(report: Path, pages: dict[str, Element]) -> None:
    hidden = format_value(QUARTER, "share")
    for name, page in pages.items():
        assert hidden not in page.text, name
    ridge = captioned(pages["attackers/ridge.html"], "What it reached")
    row = cells(ridge, "blur-sigma0.15")
    assert row[1] == f"not trustworthy {DOUBT}"
    assert row[4:] == ["70.0 %", "–", "–", "–"]
    assert DOUBT.replace("<", "&lt;").replace(">", "&gt;") in (report / "attackers" / "ridge.html").read_text("utf-8")
    assert "0 of 6 attacks; 5 not trustworthy and 1 not possible" in pages["attackers/ridge.html"].text


def test_an_attacker_has_a_page_that_tells_how_it_was_trained(pages: dict[str, Element]) -> None:
    (name,) = [n for n in pages if n.startswith("attackers/") and "evil" in n]
    page = pages[name]
    assert "89 people, 300 photos" in page.text
    assert "the released faces, restored first" in page.text
    row = cells(captioned(page, "What it reached"), "blur-sigma0.15")
    assert row[1].startswith("≥ 43.0 %")
    assert row[2:7] == ["0.2 %", "98.0 %", "70.0 %", "10.8 %", "21.5 %"]
    assert row[7] == "mean 28.7 % 21.5–43.0, of 3"
    assert row[8:] == ["19.5 dB", "24.2 dB"]
    assert "nobody: it learns nothing" in pages["attackers/parrot.html"].text
    links = {a.attributes["href"] for a in pages["audit.html"].all("a")}
    assert {"attackers/ridge.html", "attackers/parrot.html", name} <= links
    assert "../attackers/ridge.html" in {a.attributes["href"] for a in pages["methods/blackout.html"].all("a")}


def test_what_lies_outside_the_face_explains_and_is_not_ranked(pages: dict[str, Element]) -> None:
    page = pages["audit.html"]
    assert cells(captioned(page, "without the face"), "blackout")[1] == "99.0 %"
    assert "explains what others reach, and is not ranked" in pages["attackers/around.html"].text
    assert "around" not in captioned(page, "Residual risk by the strongest").text
    assert "names 10 of 100" in pages["methods/blackout.html"].text


def test_of_groups_only_a_difference_that_is_shown_is_claimed(pages: dict[str, Element]) -> None:
    page = pages["audit.html"]
    gaps = captioned(page, "Of several groups one is always named most")
    assert cells(gaps, "blur-sigma0.15")[1].startswith("female 44.3 % (38.0–48.0)")
    assert cells(gaps, "blackout")[1] == "no difference shown"
    claims = [li.text for li in page.all("li") if "protects" in li.text]
    assert len(claims) == 1
    assert claims[0].startswith("blur-sigma0.15 protects female least")
    assert "shown in 1 of 5 tests" in page.text


def test_galleries_are_drawn_as_far_as_measured_and_modelled_and_no_farther(pages: dict[str, Element]) -> None:
    table = captioned(pages["audit.html"], "blur-sigma0.15, ")
    rows = [th.text for th in table.all("th", scope="row")]
    assert rows == ["10 people", "100 people", "400 people", "1,000 people"]
    assert cells(table, "1,000")[0] == "–"
    assert cells(table, "1,000")[1:] == ["43.0 %", "38.0–48.0", "0.1 %"]
    text = pages["audit.html"].text
    assert "by up to 2.1 points" in text
    assert "It ends at 1,000 people" in text
    reached = [GalleryPoint(size=s, measured=0.5, modelled=0.5, low=0.4, high=0.6) for s in SIZES[:3]]
    beyond = [*reached, GalleryPoint(size=10**6, measured=None, modelled=None, low=None, high=None)]
    drawn = [gallery_plot(rows, name="g", title="t") for rows in (reached, beyond)]
    assert drawn[0] == drawn[1]


def test_the_faces_that_are_named_stand_by_their_ids(pages: dict[str, Element]) -> None:
    table = captioned(pages["methods/blur-sigma0.15.html"], "names first, the ones that most attackers name")
    assert "The first 50 of 58 faces" in table.all("caption")[0].text
    rows = [(row.all("th")[0].text, row.all("td")[1].text) for row in table.all("tbody")[0].all("tr")]
    assert len(rows) == 50
    # Of five attackers one is doubted and one looks outside the face.
    assert [times for _, times in rows[:3]] == ["2 of 3 attackers", "2 of 3 attackers", "1 of 3 attackers"]
    assert [face.split("/")[-1] for face, _ in rows[:3]] == ["0003.jpg#0", "0005.jpg#0", "0002.jpg#0"]


def test_few_people_allow_few_claims_wherever_an_audit_prints_a_number(tmp_path: Path) -> None:
    folder = add_audit(make_run(tmp_path / "run"), people=99)
    build_report([folder], tmp_path / "report")
    pages = read_pages(tmp_path / "report")
    own = [name for name in pages if re.match(r"attackers/|methods/(?!index)", name)]
    numbers = ("numbers-demo.html", "metrics/residual_risk.html")
    for name in ("index.html", "audit.html", *numbers, *own):
        assert FEW in pages[name].text, name


def test_shares_are_told_of_a_hundred_without_making_all_of_almost_all() -> None:
    values = {0.0: "0", 0.0025: "0.25", 0.0037: "0.37", 0.0996: "10", 0.434: "43", 0.9951: "more than 99", 1.0: "100"}
    assert {share: of_100(share) for share in values} == values


def test_curves_can_be_told_apart_without_colour_and_read_as_text() -> None:
    curves = [Curve(f"m{k}", [1, 2, 3], [0.1, 0.2, 0.3 + k / 100]) for k in range(7)]
    drawn = cmc_plot(curves, Curve("guessing", [1, 2, 3], [0.01, 0.02, 0.03]), name="c", title="T")
    assert "m3: 10.0 % at rank 1, 33.0 % at rank 3" in drawn
    dashes = [re.search(r"stroke-dasharray: ([\d., ]+)", line) for line in re.findall(r"<path[^>]*>", drawn)]
    assert len({dash[1] for dash in dashes if dash}) >= 5
    assert det_plot([Curve("a", [1.0, 0.01, 0.0], [0.0, 0.4, 1.0])], name="d", title="T").count("a: 40.0 %") == 1


def test_a_miss_rate_is_read_at_a_point_that_keeps_to_the_false_match_rate() -> None:
    assert missed_at([1.0, 0.02, 0.005], [0.0, 0.3, 0.6], 0.01) == 0.6
    assert missed_at([1.0], [0.0], 0.01) == 1.0


def test_exports_say_who_is_not_ranked_and_that_people_are_few(tmp_path: Path) -> None:
    folder = add_audit(make_run(tmp_path / "run"), people=99)
    build_report([folder], tmp_path / "report")
    markdown = (tmp_path / "report" / "leaderboard.md").read_text("utf-8")
    assert "few people allow few claims: attackers search 99" in markdown
    assert "Not ranked among the others" in markdown
    assert "pixelate-blocks16" in markdown.split("Not ranked among the others")[1]
    assert "pixelate-blocks16" in (tmp_path / "report" / "leaderboard.tex").read_text("utf-8").split("Not ranked")[1]


def test_methods_that_are_not_ranked_are_not_drawn_against_the_others(report: Path) -> None:
    page = (report / "index.html").read_text("utf-8")
    assert re.search(r"Not drawn, because [^:]*: [^<]*pixelate-blocks16", page)
    front = re.search(r"Pareto front: ([^<]*)\.</desc>", page)
    assert front
    assert "script" not in front[1]


def test_an_attacker_who_could_not_be_tried_is_not_said_to_learn_nothing(tmp_path: Path) -> None:
    folder = add_audit(make_run(tmp_path / "run"))
    attacks = [
        row.model_copy(update={"problem": "too few people", "doubts": [], "named": None, "trained": None, "shares": {}})
        if row.attacker == "ridge"
        else row
        for row in folder.estimates.attacks
    ]
    folder.write_estimates(folder.estimates.model_copy(update={"attacks": attacks}))
    build_report([RunFolder.open(folder.path)], tmp_path / "report")
    text = read_pages(tmp_path / "report")["attackers/ridge.html"].text
    assert "nobody: it could not be tried" in text
    assert "too few people" in text
