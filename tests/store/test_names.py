"""Results call photos and people by pseudonyms; the key lies beside the run."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from unmask.bench.core.errors import REASON_LENGTH
from unmask.bench.store.names import Names, Pseudonyms, read_names, with_names, without_names, write_names
from unmask.bench.store.results import Estimates

SAMPLES = ["Ann Lee/1.jpg", "Bob/1.jpg", "Bob/portrait of bob.png", "x", "Ann Lee/1.jpg.png"]


@pytest.fixture
def names() -> Pseudonyms:
    return Pseudonyms(SAMPLES, ["Bob", "", "Ann Lee", "Bob"])


def test_photos_and_people_are_numbered(names: Pseudonyms) -> None:
    assert [names.sample(sample) for sample in SAMPLES] == [f"photo-0000{k}" for k in range(1, 6)]
    assert names.face("Bob/1.jpg#12") == "photo-00002#12"
    assert [names.person(name) for name in ("Ann Lee", "Bob", "")] == ["person-00002", "person-00001", ""]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the output is another input: Bob/1.jpg", "the output is another input: photo-00002"),
        ("file portrait of bob.png is also that of Ann Lee/1.jpg", "file photo-00003 is also that of photo-00001"),
        ("2 output files match: out/portrait of bob.jpg", "2 output files match: photo-00003"),
        ("ValueError: cannot open /home/jdoe/secret/net.bin (5)", "ValueError: cannot open (a path) (5)"),
        ("no output file for someone_else.jpeg", "no output file for (a file)"),
        ("output is 250x200, the input is 200x250", "output is 250x200, the input is 200x250"),
        ("a copy of 'x' under two names, x times", "a copy of 'photo-00004' under two names, x times"),
        ("labels.csv: not read: sex", "labels.csv: not read: sex"),
        ("its output file 1.jpg is also that of Bob/1.jpg", "its output file (a file) is also that of photo-00002"),
        ("a portrait of bob, it says", "a portrait of bob, it says"),
        ("another input: Cid/portrait.png or x.jpg", "another input: (a file) or photo-00004"),
        ("cannot open /home/Ann Lee/models/net.bin", "cannot open (a path)"),
        ("[Errno 2] No such file: '/home/Ann M. Lee/net'", "[Errno 2] No such file: '(a path)'"),
        ('File "/home/ann lee/x y.py", line 3', 'File "(a path)", line 3'),
        ("open:/home/annlee/net.bin failed", "open:(a path) failed"),
        ("file:///home/annlee/net.bin is gone", "(a path) is gone"),
        ("~annlee/secret, then stop", "(a path), then stop"),
        (r"no C:\Users\Ann Lee\net.bin", "no (a path)"),
        (r"no \\server\Ann\net.bin", "no (a path)"),
        ("dir=/annlee", "dir=(a path)"),
        ("portrait of bob.npy has no embedding", "photo-00003 has no embedding"),
        ("BOB/PORTRAIT OF BOB.PNG", "photo-00003"),
        ("no gallery for Ann Lee or ann lee", "no gallery for person-00002 or person-00002"),
        ("the folder 'Bob' is empty", "the folder 'person-00001' is empty"),
        ("ratio /s and 5 / 6, and/or 7", "ratio (a path) and 5 / 6, and/or 7"),
        ("took 3/4 of a second; see https://example.org/a/b", "took 3/4 of a second; see https://example.org/a/b"),
    ],
)  # fmt: skip
def test_texts_lose_file_names_and_paths(names: Pseudonyms, text: str, shown: str) -> None:
    assert names.hidden(text) == shown


def test_names_are_found_in_any_form_of_their_accents() -> None:
    composed, decomposed = (unicodedata.normalize(form, "José Núñez.jpg") for form in ("NFC", "NFD"))
    for one, other in ((composed, decomposed), (decomposed, composed)):
        assert Pseudonyms([one]).hidden(f"cannot read {other}") == "cannot read photo-00001"


@pytest.mark.parametrize("cut", [2, 3, 8, 19])
def test_a_name_that_the_length_of_a_reason_cuts_is_hidden(names: Pseudonyms, cut: int) -> None:
    text = "x " * 200
    text = f"{text[: REASON_LENGTH - cut]} portrait of bob.png"[:REASON_LENGTH]
    hidden = names.hidden(text)
    assert hidden.endswith(("...", "photo-00003"))
    assert "portrait" not in hidden


def test_a_path_that_the_length_of_a_reason_cuts_is_hidden(names: Pseudonyms) -> None:
    text = f"{'x ' * 130}cannot open /home/Cid Roe/some/where"[: REASON_LENGTH - 17]
    text = f"{text} Cid Roe and a long name of a folder"[:REASON_LENGTH]
    assert "Roe" not in names.hidden(text)


def test_results_lose_names_and_get_them_back(names: Pseudonyms, tmp_path: Path) -> None:
    row = {"dataset": "d", "method": "m"}
    before = Estimates.model_validate(
        {
            "run": "r",
            "estimates": [],
            "inputs": [
                {"dataset": "d", "images": 5, "faces": 3, "unreadable": 1, "without_face": 0,
                 "notes": ["Bob/1.jpg twice"], "problems": [{"sample": "Ann Lee/1.jpg", "reason": "empty file"}]}
            ],
            "failures": [{**row, "sample": "Bob/1.jpg", "reason": "cannot read Bob/1.jpg"}],
            "findings": [{**row, "kind": "k", "count": 1, "of": 2, "text": "Bob/1.jpg is Ann Lee/1.jpg"}],
        }
    )  # fmt: skip
    hidden = without_names(before, {"d": names})
    text = hidden.model_dump_json()
    assert "Ann" not in text
    assert "Bob" not in text
    write_names(tmp_path, {"d": names})
    assert (tmp_path / "names.json").stat().st_mode & 0o777 == 0o600
    back = with_names(hidden, read_names(tmp_path))
    assert back.failures[0].sample == "Bob/1.jpg"
    assert back.inputs[0].problems[0].sample == "Ann Lee/1.jpg"
    assert read_names(tmp_path).face("d", "photo-00002#3") == "Bob/1.jpg#3"
    assert read_names(tmp_path).person("d", "person-00001") == "Bob"
    assert with_names(hidden, Names(datasets={})) == hidden
