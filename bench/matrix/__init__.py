"""Matrix files: their language, their components, the configurations that they mean."""
