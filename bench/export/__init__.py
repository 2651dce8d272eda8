"""The results of a matrix for papers, spreadsheets and talks."""
