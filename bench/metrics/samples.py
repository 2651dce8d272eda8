"""Of generated images."""

from bench.metrics.metric import Metric, Table

__all__ = ["SAMPLES"]

SAMPLES = [
    Metric(
        "frechet",
        "share of trace(cov real)",
        "lower",
        0.02,
        "Fréchet",
        "Fréchet distance of feature Gaussians, bias corrected, over the trace of the real "
        "covariance. Margin: the least variation between feature nets.",
        "Dowson & Landau 1982; Heusel et al. 2017; Chong & Forsyth 2020",
        matched=0.0,
        table=Table.SAMPLES,
    ),
    Metric(
        "frechet_pca",
        "share of trace(cov real)",
        "lower",
        0.02,
        "Fréchet (PCA)",
        "The same distance between principal components of the pixels: a second opinion that "
        "needs no labels and no training. Margin: as for the Fréchet distance.",
        "Dowson & Landau 1982",
        matched=0.0,
        table=Table.SAMPLES,
    ),
    Metric(
        "image_mmd",
        "squared kernel units",
        "lower",
        0.005,
        "image MMD²",
        "Unbiased squared MMD of image features, bandwidth frozen on real data; may be negative.",
        "Gretton et al. 2012; Bińkowski et al. 2018",
        matched=0.0,
        table=Table.SAMPLES,
    ),
    Metric(
        "coverage",
        "probability",
        "higher",
        0.02,
        "coverage",
        "Share of real images whose k-nearest-neighbour ball holds a generated one.",
        "Naeem et al. 2020",
        table=Table.SAMPLES,
    ),
    Metric(
        "density",
        "1",
        "real",
        0.05,
        "density",
        "Mean number of real k-nearest-neighbour balls around a generated image, over k; blurred "
        "images pass the real value.",
        "Naeem et al. 2020",
        table=Table.SAMPLES,
    ),
    Metric(
        "precision",
        "probability",
        "real",
        0.02,
        "precision",
        "Share of generated images inside the estimated support of the real ones; smooth images "
        "pass the real value.",
        "Kynkäänniemi et al. 2019",
        table=Table.SAMPLES,
    ),
    Metric(
        "recall",
        "probability",
        "higher",
        0.02,
        "recall",
        "Share of real images inside the estimated support of the generated ones.",
        "Kynkäänniemi et al. 2019",
        table=Table.SAMPLES,
    ),
    Metric(
        "image_auc",
        "AUC",
        "lower",
        0.02,
        "image AUC",
        "Held-out AUC of a classifier that tells generated from real features: .5 at best.",
        "Lopez-Paz & Oquab 2017",
        matched=0.5,
        table=Table.SAMPLES,
    ),
    Metric(
        "authenticity",
        "probability",
        "real",
        0.02,
        "authenticity",
        "Share of generated images that are no closer to their nearest training image than that "
        "image's own nearest neighbour: low where the model memorises, high where it draws noise.",
        "Alaa et al. 2022",
        table=Table.SAMPLES,
    ),
]
