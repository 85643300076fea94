"""One folder with good photos and every kind of bad input: the run completes and each bad one is a counted row."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.support.cli import BLACKOUT, unmask, unmask_here
from tests.support.naming import named_results
from unmask.bench.core.types import Image

pytestmark = pytest.mark.weights


@pytest.fixture
def folder(tmp_path: Path, astronaut: Image) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    small = Pillow.fromarray(astronaut).resize((256, 256))
    small.save(photos / "good.jpg", quality=95)
    data = (photos / "good.jpg").read_bytes()
    # Usable, though unusual: each must be scored like the good one.
    small.convert("L").save(photos / "grey.png")
    small.convert("RGBA").save(photos / "rgba.png")
    small.convert("CMYK").save(photos / "cmyk.jpg", quality=95)
    small.save(photos / "UPPER CASE é \" ' <b>name<b> & co.PNG")
    small.save(photos / "-leading dash.png")
    grey16 = np.asarray(small.convert("L"), np.uint16) * 257
    Pillow.fromarray(grey16).save(photos / "sixteen bit.png")
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turned a quarter: upright only if the orientation is applied
    small.transpose(Pillow.Transpose.ROTATE_90).save(photos / "exif rotated.jpg", exif=exif, quality=95)
    crowd = Pillow.new("RGB", (512, 256))
    crowd.paste(small, (0, 0))
    crowd.paste(small, (256, 0))
    crowd.save(photos / "two faces.png")
    # Unusable: each must be a row with its reason.
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "truncated.jpg").write_bytes(data[: len(data) // 2])
    (photos / "text.png").write_text("this is not an image")
    (photos / "huge.png").write_bytes(png_header(60_000, 60_000))
    Pillow.new("RGB", (4, 4)).save(photos / "tiny.png")
    # Readable, but nobody is in it.
    Pillow.new("RGB", (200, 200), (90, 120, 60)).save(photos / "no face.png")
    return photos


def png_header(width: int, height: int) -> bytes:
    """The start of a PNG that claims to be enormous."""
    import struct
    import zlib

    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + b"\x00" * 64


def test_every_bad_input_is_a_counted_row(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = unmask_here(
        *("run", "--dataset", f"folder:{folder}", "--method", BLACKOUT, "--metric", "outcome,pixel_quality"),
        *("--instrument", "yunet", "--instrument", "pixels", "--out", str(out)),
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("unreadable: ")]
    assert line.count("; ") == 3
    assert len(re.findall(r"(?:empty|truncated|text|huge|tiny)\.(?:jpg|png): \w", line)) == 3
    assert line.endswith("; and 2 more: see the report")
    results = named_results(out)
    given = results["inputs"][0]
    assert given["images"] == 15
    reasons = {problem["sample"]: problem["reason"] for problem in given["problems"]}
    assert set(reasons) == {"empty.jpg", "truncated.jpg", "text.png", "huge.png", "tiny.png", "no face.png"}
    assert given["unreadable"] == 5
    assert given["without_face"] == 1
    assert all(reasons.values())
    assert "empty" in reasons["empty.jpg"]
    assert "face" in reasons["no face.png"]
    # Nine usable photos, ten faces: the grey, 16-bit, turned and oddly named ones count like the good one.
    assert given["faces"] == 10
    shares = [
        row
        for row in results["estimates"]
        if row["metric"].startswith("outcome_") and row["group"] == "all" and row["method"] == "blackout"
    ]
    assert sum(row["value"] for row in shares) == pytest.approx(1.0)
    assert {row["n"] for row in shares} == {10}
    page = (out / "report" / "index.html").read_text("utf-8")
    assert "<b>name" not in page


def test_photos_without_a_face_measure_nothing_and_say_so(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Pillow.new("RGB", (120, 120), (90, 120, 60)).save(tmp_path / "photos" / "wall.png")
    done = unmask_here(
        *("run", "--dataset", f"folder:{tmp_path / 'photos'}", "--method", BLACKOUT, "--metric", "outcome"),
        *("--instrument", "yunet", "--no-report", "--out", str(tmp_path / "run")),
    )
    assert done.returncode == 3, done.stderr
    assert "nothing measured: no face was found in any image that can be read" in done.stdout


def test_what_was_passed_over_is_said_in_the_terminal_the_results_and_the_page(
    tmp_path: Path, astronaut: Image
) -> None:
    photos, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    for folder in (photos, elsewhere):
        folder.mkdir()
    small = Pillow.fromarray(astronaut).resize((256, 256))
    small.save(photos / "phone.avif", quality=90)
    small.save(photos / "one.png")
    small.save(photos / "two.png")
    small.save(elsewhere / "1.png")
    (photos / "linked").symlink_to(elsewhere)
    (photos / "raw.nef").write_bytes(b"II*\0")
    (photos / "clip.vob").write_bytes(b"x")
    exif = Pillow.Exif()
    exif[0x0112] = 6
    turned = small.transpose(Pillow.Transpose.ROTATE_90)
    turned.save(photos / "turned.jpg", exif=exif, quality=95, icc_profile=b"no profile")
    panorama = Pillow.new("RGB", (20_000, 600), (90, 120, 60))
    panorama.paste(small.resize((128, 128)), (9_000, 200))
    panorama.save(photos / "panorama.png")
    # The face is not at the picture's corner; in the turned photo x and y are of the upright picture.
    lines = ("file,identity,sex,x,y", "one.png,Ann,f,1,1", "two.png,Bob,f,115,60", "turned.jpg,Cid,f,115,60")
    (photos / "labels.csv").write_text("\n".join(lines))
    out = tmp_path / "run"
    command = ("run", "--dataset", f"folder:{photos}", "--method", BLACKOUT, "--metric", "outcome")
    done = unmask_here(*command, "--instrument", "yunet", "--out", str(out))
    assert done.returncode == 0, done.stderr
    (row,) = named_results(out)["inputs"]
    # The small face in the panorama is found in a tile.
    assert (row["images"], row["faces"], row["unreadable"]) == (7, 5, 2)
    reasons = {problem["sample"]: problem["reason"] for problem in row["problems"]}
    assert "not followed" in reasons["linked"]
    assert "raw file" in reasons["raw.nef"]
    assert "panorama.png" not in reasons
    said = [
        "1 file was passed over, which cannot be read as images: 1 .vob",
        "1 linked folder was not followed",
        "labels.csv: not read: sex",
        "1 photo under two names",
        "1 picture with a damaged colour profile",
        "1 label with x and y in no face",
    ]
    page = (out / "report" / "data.html").read_text("utf-8")
    for text in said:
        assert any(text in note for note in row["notes"]), row["notes"]
        assert f"note: {text}" in done.stdout
        assert text in page
    assert "Every input could be used" not in page
    shown = unmask_here("data", "show", f"folder:{photos}")
    assert "1 .vob" in shown.stdout
    # What is said is no part of the plan: a file more beside the photos is the same run.
    (photos / "notes.txt").write_text("x")
    again = unmask_here(*command, "--instrument", "yunet", "--out", str(out), "--no-report")
    assert again.returncode == 0, again.stderr


def test_somebody_elses_outputs(folder: Path, tmp_path: Path, astronaut: Image) -> None:
    """Missing, resized and broken outputs are failures of the method, and all its faces count."""
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    black = Pillow.new("RGB", (256, 256))
    black.save(outputs / "good.png")
    Pillow.new("RGB", (100, 100)).save(outputs / "grey.png")
    (outputs / "rgba.png").write_bytes(b"")
    out = tmp_path / "run"
    done = unmask_here(
        *("run", "--dataset", f"folder:{folder}", "--method", f"theirs=outputs:dir={outputs}", "--metric", "outcome"),
        *("--out", str(out), "--no-report"),
    )
    assert done.returncode == 0, done.stderr
    results = named_results(out)
    values = {
        row["metric"]: row["value"]
        for row in results["estimates"]
        if row["method"] == "theirs" and row["group"] == "all"
    }
    assert values["outcome_destroyed"] == pytest.approx(0.1)
    assert values["outcome_error"] == pytest.approx(0.9)
    reasons = {row["sample"]: row["reason"] for row in results["failures"]}
    assert "100x100" in reasons["grey.png"]
    assert reasons["cmyk.jpg"]


def test_an_output_that_two_inputs_would_share_is_an_error_for_both(tmp_path: Path, astronaut: Image) -> None:
    """Whatever shard, process or ``--limit`` the two are in."""
    small = Pillow.fromarray(astronaut).resize((256, 256))
    for name in ("ann/1.png", "bob/1.png", "bob/2.png"):
        target = tmp_path / "photos" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        small.save(target)
    flat = tmp_path / "outputs"
    flat.mkdir()
    for name in ("1.png", "2.png"):
        Pillow.new("RGB", (256, 256)).save(flat / name)
    arguments = (
        *("run", "--dataset", f"folder:{tmp_path / 'photos'}", "--method", f"theirs=outputs:dir={flat}"),
        *("--metric", "outcome", "--no-report", "--shard-size", "1"),
    )
    # With one photo left none has a usable output, which the exit code says.
    for limit, errors, code in ((3, {"ann/1.png", "bob/1.png"}, 0), (1, {"bob/1.png"}, 3)):
        out = tmp_path / f"run-{limit}"
        done = unmask_here(*arguments, "--limit", str(limit), "--out", str(out))
        assert done.returncode == code, done.stderr
        failures = named_results(out)["failures"]
        assert {row["sample"] for row in failures} == errors
        assert all(re.fullmatch("its output file .+ is also that of .+", row["reason"]) for row in failures)
        assert unmask_here("score", str(out)).returncode == code


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("run", "--method", "blurr"), 2, "did you mean blur"),
        (("run", "--method", "blur", "--method", "blur"), 2, "write a label before one SPEC: mylabel=SPEC"),
        (("run", "--method", "blur:sigm=1"), 2, "no parameter 'sigm'"),
        (("run", "--method", "blur:sigma=-1"), 2, "sigma"),
        (("run", "--dataset", "folder:/nowhere/at/all"), 1, "/nowhere/at/all"),
        (("run", "--dataset", "imagenet"), 2, "unknown data set"),
        (("run", "--dataset", "tests"), 2, "write folder:tests"),
        (("run", "--dataset", "folder:tests", "--out", "tests/run"), 2, "lies inside the folder of folder:tests"),
        (("video", "--dataset", "clips:tests", "--out", "tests/run"), 2, "lies inside the folder of clips:tests"),
        (("run", "--metric", "psnrr"), 2, "did you mean psnr"),
        (("run", "--instrument", "arcface100"), 2, "unknown instrument"),
        (("run", "nothing.toml"), 2, "nothing.toml"),
        (("run", "--metric", "ssim", "--instrument", "sface"), 2, "metric ssim needs pixels"),
        (("run", "--device", "tpu"), 1, "cannot use device 'tpu'; write cpu, cuda or cuda:1"),
        (("run", "--device", "cuda:99"), 1, "use --device cpu"),
        (("run", "--calibrate-on", "nowhere"), 2, "unknown data set 'nowhere'"),
        (("run", "--calibrate-on", "demo:split=quick"), 1, "were used to calibrate"),
        (("run", "--limit", "0"), 2, "Invalid value for '--limit'"),
        (("run", "--limit", "many"), 2, "Invalid value for '--limit'"),
        (("run", "--workers", "0"), 2, "Invalid value for '--workers'"),
        (("run", "--colour", "red"), 2, "No such option: --colour"),
        (("run", "--method", "blur:sigma=nan"), 2, "sigma=nan"),
        (("calibrate", "--instrument", "yunet"), 2, "yunet is no recogniser"),
        (("calibrate", "--limit", "0"), 2, "--limit"),
        (("paint",), 2, "No such command 'paint'"),
        (("report",), 2, "Missing argument"),
        (("score", "/nowhere"), 1, "not a run folder"),
        (("report", "/nowhere"), 1, "not a run folder"),
    ],
)
def test_user_errors_end_in_one_line(arguments: tuple[str, ...], code: int, says: str, tmp_path: Path) -> None:
    extra = ("--out", str(tmp_path / "run")) if arguments[0] == "run" and "--out" not in arguments else ()
    # A few as a user does: what is said at exit is seen there alone.
    done = (unmask if "folder:/nowhere/at/all" in arguments or "paint" in arguments else unmask_here)(
        *arguments, *extra
    )
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
