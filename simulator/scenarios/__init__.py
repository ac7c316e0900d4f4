"""READY STORIES: one file each, with a plan, a seed and what to expect."""
