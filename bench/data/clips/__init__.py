"""Data sets of clips: open one, find its files and what is known of the people in them."""

from bench.data.clips.clip_set import ClipSet
from bench.data.clips.files import clip_files
from bench.data.clips.opening import open_clips

__all__ = ["ClipSet", "clip_files", "open_clips"]
