"""The rules of each contract: name -> what it asks, and how to mend what breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Rules = Mapping[str, tuple[str, str]]

METHOD: Final[Rules] = {
    "loads": (
        "it can be imported, constructed and loaded",
        "mend what the message names; the constructor takes keyword parameters, load(files, device) gets ready",
    ),
    "card": (
        "its card is complete and has every parameter",
        "fill the MethodCard: name, version, description, licence and source, and params with each parameter of the "
        "constructor; make these keyword-only (a * in front of them)",
    ),
    "process": (
        "its process survives",
        "find what ends the process: os._exit, a crash in compiled code, or memory that runs out",
    ),
    "time": (
        "it answers in time",
        "end what waits for ever (input, network, locks); what is only slow needs a longer --time-limit",
    ),
    "answers": (
        "each ordinary photo has an image for an answer",
        "return an image; a MethodFailure is for photos that it cannot do at all",
    ),
    "count": (
        "it returns a list with one image for each sample, in order",
        "return [edit(sample.image) for sample in batch]",
    ),
    "shape": (
        "an image has its input's height and width, and three channels",
        "resize back to the input's size; drop alpha (image[..., :3]), make three channels of grey ones",
    ),
    "dtype": (
        "images are NumPy arrays of uint8",
        "np.clip(image, 0, 255).round().astype(np.uint8); values of 0..1 times 255 first; of a tensor .cpu().numpy()",
    ),
    "value-range": (
        "values use 0..255",
        "multiply by 255 (values of -1..1: (image + 1) * 127.5) before np.clip(image, 0, 255).round().astype(np.uint8)",
    ),
    "channels": (
        "images are RGB, as their inputs are",
        "images come as RGB, not as OpenCV's BGR: convert on the way in and back on the way out "
        "(np.ascontiguousarray(image[..., ::-1])), or nowhere",
    ),
    "changes-faces": (
        "it changes the faces of ordinary photos",
        "look whether its detector gets the image as it expects it (RGB or BGR, 0..255 or 0..1) and whether the edited "
        "image is what is returned",
    ),
    "many-faces": (
        "it does all faces of a photo",
        "edit every face that is found, not the first or the largest alone",
    ),
    "no-face": (
        "a photo without a face has an image for an answer",
        "return a copy of the photo where no face is found",
    ),
    "any-size": (
        "tiny and odd photos have an image or a MethodFailure with a reason",
        "return a copy of photos that are too small to work on, or a MethodFailure that says why",
    ),
    "batch-of-one": (
        "a batch may be a single photo",
        "look for squeeze() and for what expects several photos",
    ),
    "batch": (
        "a photo's image does not depend on what else is in the batch",
        "compute nothing over the batch (means, padding, batch statistics: model.eval()); where photos of a batch "
        "differ in size, work on each alone",
    ),
    "order": (
        "a photo's image does not depend on its place in the batch",
        "draw from sample_rng(seed, sample.draw) for each sample, not by its place in the batch",
    ),
    "determinism": (
        "the same photos with the same seed give the same images, in another process too",
        "draw chance from sample_rng(seed, sample.draw) alone, not from np.random, random, torch's global generator or "
        "the clock, and keep nothing from one call to the next",
    ),
    "draw": (
        "chance goes by sample.draw, not by sample.id",
        "write sample_rng(seed, sample.draw)",
    ),
    "clips": (
        "a photo's image does not depend on the frames of a clip before it",
        "what is kept of earlier frames belongs to their sample.sequence; photos have none ('')",
    ),
    "inputs": (
        "the images it is handed stay as they are",
        "work on sample.image.copy()",
    ),
    "memory": (
        "memory does not grow from call to call",
        "keep no images in lists or caches without bounds; call networks under torch.inference_mode()",
    ),
    "quiet": (
        "it prints nothing while it works",
        "remove print() and progress bars; filter warnings (what it prints goes to the log of the run, up to 1 MB)",
    ),
}  # fmt: skip

ATTACKER: Final[Rules] = {
    "loads": ("it can be imported, constructed and loaded", "mend what the message names"),
    "process": ("its process survives", "find what ends the process: os._exit, a crash in compiled code, memory"),
    "time": ("it answers in time", "end what waits for ever"),
    "card": ("its card is complete", "fill the AttackerCard: name, version, title, knows, how and source"),
    "state": (
        "what it learns is arrays by name, which can be stored",
        "return {name: NumPy array} of fit, numbers alone; {} where there is nothing to learn",
    ),
    "determinism": (
        "the same people and seed give the same fit",
        "draw from np.random.default_rng(seed) alone",
    ),
    "rows": (
        "it neither drops a reading nor invents one",
        "return a row for each row, under the same names; NaN where it was NaN, and nowhere else; of length 1 "
        "(L2-normalised); as long for originals as for released faces",
    ),
    "alone": (
        "a face is read as it is, whoever else is there",
        "compute means and the like in fit, not in read",
    ),
    "too-little": (
        "where there is too little to learn from it says so",
        "raise UnavailableError in fit where background has too few people, and in read without a state",
    ),
    "inputs": ("what it is handed stays as it is", "work on copies; the arrays are read-only"),
}

METRIC: Final[Rules] = {
    "loads": ("it can be imported and constructed", "mend what the message names; the constructor takes no parameter"),
    "process": ("its process survives", "find what ends the process"),
    "time": ("it answers in time", "end what waits for ever"),
    "card": (
        "its cards are complete",
        "fill each MetricCard: name, version, title, question, how and source, bounds in order; names differ",
    ),
    "asks": (
        "it can be asked of every kind of evidence",
        "yield nothing where what it needs is not there, never an exception",
    ),
    "answers": (
        "it yields UnitValues, SetStatistics or Findings of its own cards, each once",
        "give each item the name of one of the cards; one item an instrument and region",
    ),
    "shapes": (
        "values line up with the faces or images",
        "yield float64 values of shape (N,), N = evidence.count(unit); eligible and scored are bool of shape (N,)",
    ),
    "bounds": (
        "values lie within the card's bounds, or are NaN",
        "NaN means not measured; infinite values and values outside of bounds are refused: mend them, or the bounds",
    ),
    "nan": (
        "a statistic is a number or NaN for any weights, and leaves them as they are",
        "compute gets weights (N,), all of them may be 0; return float('nan') where nothing is left",
    ),
    "determinism": ("asking twice gives the same", "draw from np.random.default_rng(evidence.settings.seed) alone"),
    "inputs": ("the evidence stays as it is", "work on copies of its arrays"),
}

INSTRUMENT: Final[Rules] = {
    "loads": ("it can be imported and opened", "mend what the message names"),
    "process": ("its process survives", "find what ends the process"),
    "time": ("it answers in time", "end what waits for ever"),
    "card": (
        "its card is complete and its files are pinned",
        "fill the InstrumentCard: name, version, role, description, licence, source and limits; files have a sha256",
    ),
    "answers": ("it answers for ordinary faces", "mend the exception that is named"),
    "shapes": (
        "columns are float32 with one row for each item, none for none",
        "return {column: float32 array (N, ...)}, the same columns for an empty list; see the roles in protocols.py",
    ),
    "nan": (
        "a face that cannot be read is a row of NaN, one that can is none",
        "never raise and never guess for a box without an area or landmarks that are NaN: return NaN in that row",
    ),
    "norm": ("a recogniser's embeddings have length 1", "divide each row by its length"),
    "batch": (
        "neither order nor batch matters beyond rounding",
        "compute nothing over the batch: model.eval(), no means over rows",
    ),
    "inputs": ("images and landmarks stay as they are", "work on copies"),
}
