"""A run over clips: plan -> prepare -> anonymize -> score -> reduce, one clip a job."""
