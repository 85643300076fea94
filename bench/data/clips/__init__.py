"""Data sets of clips: open one, find its files and what is known of the people in them."""

from unmask.bench.data.clips.clip_set import ClipSet
from unmask.bench.data.clips.files import clip_files
from unmask.bench.data.clips.opening import open_clips

__all__ = ["ClipSet", "clip_files", "open_clips"]
