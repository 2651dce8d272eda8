"""The experiments of the calibration: each kind, with the settings that tell one from another."""

from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "EXPERIMENTS",
    "Answer",
    "AuditedEncoder",
    "Estimation",
    "Excess",
    "Experiment",
    "Level",
    "Power",
    "Statement",
]


class Experiment:
    """What is repeated; its fields are its settings.

    Attributes:
        subject: Key of ``bench.calibration.run.SUBJECTS``: the table that its rows go to.
    """

    subject: ClassVar[str]

    @property
    def name(self) -> str:
        """Tells it from all others of its subject; the random stream is named by it."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """Rows of the sample it draws, by which the costs of its subject compare."""
        return 0


@dataclass(frozen=True)
class Estimation(Experiment):
    """An estimator against its oracle.

    Attributes:
        estimator: Name of the metric, or of the function where there is none.
        setting: What it is applied to.
    """

    subject = "estimators"
    estimator: str
    setting: str

    @property
    def name(self) -> str:
        """Estimator and setting."""
        return f"{self.estimator}: {self.setting}"


@dataclass(frozen=True)
class Excess(Experiment):
    """The marginal KL of matched encoders, and its excess over the null.

    Attributes:
        dimensions: D.
        inputs: N.
        scale: Of every posterior in every dimension.
    """

    subject = "excess"
    dimensions: int
    inputs: int
    scale: float

    @property
    def name(self) -> str:
        """D, N and scale."""
        return f"{self.dimensions}|{self.inputs}|{self.scale:g}"

    @property
    def size(self) -> int:
        """N."""
        return self.inputs


@dataclass(frozen=True)
class Level(Experiment):
    """A test where its null is true.

    Attributes:
        test: Its name.
        points: n.
        dimensions: D.
        null_draws: Made anew for each part; None: the shipped ones. A test that takes no null
            draws takes no notice.
    """

    subject = "levels"
    test: str
    points: int
    dimensions: int
    null_draws: int | None

    @property
    def name(self) -> str:
        """Test, n, D and null draws."""
        null = "shipped" if self.null_draws is None else self.null_draws
        return f"{self.test}|{self.points}|{self.dimensions}|{null}"

    @property
    def size(self) -> int:
        """n."""
        return self.points


@dataclass(frozen=True)
class Power(Experiment):
    """A test under every alternative.

    Attributes:
        test: Its name.
        points: n.
        dimensions: D.
    """

    subject = "power"
    test: str
    points: int
    dimensions: int

    @property
    def name(self) -> str:
        """Test, n and D."""
        return f"{self.test}|{self.points}|{self.dimensions}"

    @property
    def size(self) -> int:
        """n."""
        return self.points


@dataclass(frozen=True)
class Statement(Experiment):
    """Something that the suite prints: how often it holds.

    Attributes:
        what: The statement.
        setting: Where it is looked at.
    """

    subject = "intervals"
    what: str
    setting: str

    @property
    def name(self) -> str:
        """Statement and setting."""
        return f"{self.what}: {self.setting}"


@dataclass(frozen=True)
class AuditedEncoder(Experiment):
    """The standard errors that ``audit()`` prints of one encoder.

    Attributes:
        dimensions: D.
        inputs: N.
        width: A matched encoder's means and scales are multiplied by it.
    """

    subject = "intervals"
    dimensions: int
    inputs: int
    width: float

    @property
    def name(self) -> str:
        """Width, D and N."""
        encoder = "matched encoder" if self.width == 1 else f"{self.width:g} times as wide"
        return f"{encoder}, D = {self.dimensions}, N = {self.inputs}"


@dataclass(frozen=True)
class Answer(Experiment):
    """The answer of an audit where the KL is known.

    Attributes:
        kind: Name of a law, or of a world.
        points: n, the z that are played.
        dimensions: D.
        kl: KL(q‖p) that the law is given, in nats; None for a world, which has its own.
    """

    subject = "answers"
    kind: str
    points: int
    dimensions: int
    kl: float | None

    @property
    def name(self) -> str:
        """Kind, n, D and KL."""
        kl = "its own" if self.kl is None else f"{self.kl:g}"
        return f"{self.kind}|{self.points}|{self.dimensions}|{kl}"


EXPERIMENTS: dict[str, type[Experiment]] = {
    kind.__name__: kind
    for kind in (Estimation, Excess, Level, Power, Statement, AuditedEncoder, Answer)
}
