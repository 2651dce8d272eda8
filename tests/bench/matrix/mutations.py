"""Matrix files with mistakes of every kind."""

from hypothesis import strategies as st

from tests.bench.matrix.examples import EXAMPLE, TOY

LITERALS = st.sampled_from(
    ["3", "-1", "0", "1e400", "nan", "true", '""', '"x"', "[]", "[[]]", "{}", "[1, 'a', {}]"]
    + ['{ name = "gaussian" }', f'"{TOY}"', "1979-05-27", "0x" + "f" * 5000]
    + ['"\\u2028"', "'''a\nb'''", "[2, 4]", "[[200], 3]", '{ "latent_dim" = [2, 4] }', "0.5", "~"]
)
KEYS_OF = st.sampled_from(
    ["name", "seeds", "grid", "zip", "latent_dim", "prior", "prior.name", '"prior.name"', "base"]
    + ["encoder.hidden", '"encoder.hidden"', "''", "matrix", "study", "[[study]]", "expect", "x"]
)


@st.composite
def mutated(draw) -> str:
    lines = EXAMPLE.splitlines()
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        key, equals, value = lines[place].partition("=")
        match draw(st.sampled_from("delete double swap value key text cut".split())):
            case "delete":
                del lines[place]
            case "double":
                lines.insert(draw(st.integers(0, len(lines))), lines[place])
            case "swap":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(place))
            case "value" if equals:
                lines[place] = f"{key}= {draw(LITERALS)}"
            case "key" if equals:
                lines[place] = f"{draw(KEYS_OF)} ={value}"
            case "text":
                lines[place] += draw(st.text(max_size=10))
            case _:
                lines[place] = lines[place][: draw(st.integers(0, len(lines[place])))]
        lines = lines or [""]
    return "\n".join(lines)
