"""From decisions to pages: sections, tables, figures."""
