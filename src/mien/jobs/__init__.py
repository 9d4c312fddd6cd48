"""Resumable work: taking a folder, shards, processes."""
