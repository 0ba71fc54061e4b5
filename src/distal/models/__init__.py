"""The models, in torch alone: never opens a genome, never converts a coordinate."""
