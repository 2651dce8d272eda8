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
    names = list(dict.fromkeys(growth.axis for growth in growths))
    with mpl.rc_context(STYLE | {"legend.fontsize": 7, "legend.handlelength": 1.4}):
        figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
        panels = figure.subplots(2, len(names), sharex="col", sharey="row", squeeze=False)
        for column, name in zip(panels.T, names, strict=True):
            same = [growth for growth in growths if growth.axis == name]
            for growth, look in zip(same, LOOKS[: len(same)], strict=True):
                held = [max(value, LEAST) for value in growth.megabytes]
                _line(column[0], growth, growth.seconds, growth.time_exponent, look)
                _line(column[1], growth, held, growth.memory_exponent, look)
            sizes = sorted({size for growth in same for size in growth.sizes})
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


def _line(panel, growth, values, exponent, look):
    label = f"{growth.name}: {exponent:.2f}"
    panel.errorbar(growth.sizes, values, label=label, ms=4, lw=1.4, **look)


def _short(size):
    for unit, letter in ((1_000_000, "M"), (1000, "k")):
        if size >= unit:
            return f"{size / unit:.3g}{letter}"
    return str(size)
