"""One file a format: readers are generators, writers are context managers. Knows formats, no models."""
