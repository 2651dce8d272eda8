"""What people call the parts of a posterior."""

__all__ = [
    "ALIASES",
    "DRAWS",
    "INPUTS",
    "LAWS",
    "LOGSTDS",
    "LOGVARS",
    "MEANS",
    "POINTS",
    "SCALES",
    "SECONDS",
    "SPREADS",
    "VARIANCES",
]

MEANS = (
    *("mean", "mu", "loc", "embedding", "qz_m", "q_m", "z_mean", "z_mu", "z_loc"),
    *("mean_z", "mu_z", "means"),
)
LOGVARS = (
    *("logvar", "log_var", "log_variance", "log_covariance", "z_log_var", "z_logvar"),
    *("logvar_z", "log_var_z", "log_sigma2", "logsigma2"),
)
LOGSTDS = ("logstd", "log_std", "log_scale", "logscale", "log_stddev", "z_log_std")
SCALES = ("scale", "std", "stddev", "sigma", "z_std", "z_scale", "z_sigma", "stds")
VARIANCES = ("var", "variance", "qz_v", "q_v", "z_var")

SPREADS = {"logvar": LOGVARS, "logstd": LOGSTDS, "scale": SCALES, "variance": VARIANCES}
"""What tells the spread, by its kind, in the order in which they are looked for."""

DRAWS = ("z", "latents", "latent", "z_sample")
POINTS = ("embedding", *DRAWS)
"""What is z itself where no spread stands beside it."""

LAWS = ("latent_dist", "qz", "q_z", "qz_x", "q_z_x", "posterior", "z_dist", "z_posterior")
"""What a distribution of z is called among other distributions."""

INPUTS = (
    *("data", "x", "X", "image", "images", "pixel_values", "input", "inputs"),
    *("features", "input_ids"),
)
"""What a batch that is a dictionary calls what goes into the encoder."""

SECONDS = ("auto", "scale", "logvar", "logstd", "variance", "z")
ALIASES = {"std": "scale", "var": "variance"}
