"""The harness: matrix file in, tidy rows and Markdown pages out."""
