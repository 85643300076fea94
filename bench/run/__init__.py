"""plan -> prepare -> anonymize -> score -> reduce, each stage resumable."""
