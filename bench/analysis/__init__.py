"""From rows to decisions: replicates, comparisons, claims, the gate."""
