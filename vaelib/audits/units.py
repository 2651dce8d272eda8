"""Units of what an audit measures."""

__all__ = ["unit_of"]

_NO_NATS = {
    "active_units": "dimensions",
    "c2st_auc": "AUC",
    "certified_inputs": "inputs",
    "channel_deviation": "1",
    "channel_mean": "1",
    "constant_dimensions": "dimensions",
    "copied_inputs": "inputs",
    "copies": "share",
    "excess_kurtosis": "1",
    "frechet": "share of trace(cov real)",
    "hole_mass": "probability",
    "inputs_left_out": "inputs",
    "kl_per_dimension": "nats per dimension",
    "mmd_squared": "squared kernel units",
    "neighbour_correlation": "correlation",
    "saturated": "flag",
    "scale_by_place": "correlation",
    "second_moment": "prior variances",
    "variance_law": "1",
    **dict.fromkeys(
        ("c2st_test", "energy_test", "henze_zirkler_test", "ks_test", "ksd_test"), "statistic"
    ),
    **dict.fromkeys(("likelihood_ratio_test", "mardia_test", "mmd_test"), "statistic"),
}


def unit_of(metric: str) -> str:
    """The unit of a metric.

    Args:
        metric: of :func:`vaelib.audits.audit.audit`.

    Returns:
        nats for all information quantities.
    """
    return _NO_NATS.get(metric, "nats")
