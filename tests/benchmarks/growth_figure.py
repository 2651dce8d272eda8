"""Time and memory as each size grows, on logarithmic axes."""

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.report.figures.style import STYLE, WIDTH
from tests.benchmarks.findings import LEAST

LOOKS = (  # Okabe & Ito
    {"c": "#0072B2", "fmt": "o-"},
    {"c": "#D55E00", "fmt": "s--"},
    {"c": "#009E73", "fmt": "^:"},
)


def growth_figure(growths):
    """One column for each size that grows: seconds above, megabytes below."""
    names = list(dict.fromkeys(one.axis for one in growths))
    with mpl.rc_context(STYLE | {"legend.fontsize": 7, "legend.handlelength": 1.4}):
        figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
        panels = figure.subplots(2, len(names), sharex="col", sharey="row", squeeze=False)
        for column, name in zip(panels.T, names, strict=True):
            same = [one for one in growths if one.axis == name]
            for one, look in zip(same, LOOKS[: len(same)], strict=True):
                held = [max(value, LEAST) for value in one.megabytes]
                _line(column[0], one, one.seconds, one.time_exponent, look)
                _line(column[1], one, held, one.memory_exponent, look)
            sizes = sorted({size for one in same for size in one.sizes})
            ticks = [sizes[0], sizes[len(sizes) // 2], sizes[-1]]
            for panel in column:
                panel.set(xscale="log", yscale="log")
                panel.set_xticks(ticks, [_short(size) for size in ticks])
                panel.minorticks_off()
                panel.grid(visible=True)
                panel.legend(loc="upper left", borderaxespad=0, handletextpad=0.4)
            column[0].set_title(name)
        panels[0, 0].set_ylabel("seconds")
        panels[1, 0].set_ylabel("MB beyond the inputs")
        for row in panels:  # room for the legends
            low, high = row[0].get_ylim()
            row[0].set_ylim(low, high * (high / low) ** 0.4)
    return figure


def _line(panel, one, values, exponent, look):
    label = f"{one.name}: {exponent:.2f}"
    panel.errorbar(one.sizes, values, label=label, ms=4, lw=1.4, **look)


def _short(size):
    for unit, letter in ((1_000_000, "M"), (1000, "k")):
        if size >= unit:
            return f"{size / unit:.3g}{letter}"
    return str(size)
