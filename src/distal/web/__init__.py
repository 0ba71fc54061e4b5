"""A genome browser's server: predictions as one looks, and a REST interface; knows HTTP, no model."""
