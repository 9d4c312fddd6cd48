"""Resumable work: claiming a folder, shards, and the processes and machines that work on them."""
