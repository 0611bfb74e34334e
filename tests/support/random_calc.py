"""random_calc.py H5SWIM SEED COUNT

Random expressions for h5swim calc, computed by numpy, too: results have the type that
numpy would compute in, are missing in the same places, and are the same bits where all
operations round exactly; elsewhere they are a few representable numbers apart, at most.
Works in the current folder.  Prints what was seen; exit status 0: all as it must be.
"""
import random
import re
import subprocess
import sys

import h5py
import numpy as np

SHAPE = (7, 30, 25)
ULPS = 5  # numpy's own vector functions are within 4 of the true value
# Of floats, one as it is and one with a missing value of its own; integers; packed.
FLOATS = {"u": "f4", "V2": "f4", "x": "f8"}
INTEGERS = {"i": "i2", "k": "u1", "L": "i8"}


def make_inputs():
    """Writes in.h5; returns the values as float64 with NaN for what is missing."""
    rng = np.random.default_rng(5)
    values = {}
    with h5py.File("in.h5", "w") as f:
        for name, kind in FLOATS.items():
            data = (rng.normal(size=SHAPE) * 5).astype(kind)
            data[rng.random(SHAPE) < 0.02] = np.nan
            data[rng.random(SHAPE) < 0.02] = -999
            f.create_dataset(name, data=data, chunks=(2, 30, 25))
            if name != "u":
                f[name].attrs["_FillValue"] = np.array(-999, kind)
                data = np.where(data == -999, np.nan, data)
            values[name] = data.astype("f8")
        for name, kind in INTEGERS.items():
            data = rng.integers(0 if kind == "u1" else -100, 120, SHAPE).astype(kind)
            f.create_dataset(name, data=data, chunks=(7, 10, 25))
            values[name] = data.astype("f8")
            if kind != "u1":
                f[name].attrs["_FillValue"] = np.array(7, kind)
                values[name][data == 7] = np.nan
    return values


class Writer:
    """Expressions as pairs of texts: for h5swim calc, and for Python."""

    def __init__(self, rng, names):
        self.rng, self.names = rng, names

    def name(self):
        name = self.rng.choice(self.names)
        return name, name

    def constant(self):
        text = self.rng.choice(["2", "0.1", "3.75", "1e2", "-0.3", "pi", "(1/3)", "e*2"])
        return text, text

    def leaf(self):
        return self.name() if self.rng.random() < 0.75 else self.constant()

    def apart(self, depth):
        """A divisor: not near zero, whose sign would be seen."""
        c, p = self.number(depth - 1)
        return f"(abs({c}) + 0.5)", f"(abs({p}) + 0.5)"

    def number(self, depth):
        """All operations in it round exactly."""
        if depth <= 0:
            return self.leaf()
        kind = self.rng.choice(["binary", "binary", "binary", "one", "two", "where", "divide",
                                "power", "mod", "clip", "count", "holes"])
        a = self.number(depth - 1)
        if kind == "one":
            f, g = self.rng.choice([("abs", "abs"), ("-", "-"), ("floor", "floor"),
                                    ("ceil", "ceil"), ("rint", "rint"), ("round", "rint"),
                                    ("trunc", "trunc"), ("sign", "sign")])
            return f"{f}({a[0]})", f"{g}({a[1]})"
        if kind == "power":
            return f"({a[0]})**2", f"({a[1]})**2"
        if kind == "count":
            c = self.condition(depth - 1)
            return f"(+({c[0]}))", f"num({c[1]})"
        b = self.number(depth - 1)
        if kind == "two":
            f = self.rng.choice(["minimum", "maximum", "fmin", "fmax"])
            return f"{f}({a[0]}, {b[0]})", f"{f}({a[1]}, {b[1]})"
        if kind == "where":
            c = self.condition(depth - 1)
            return f"where({c[0]}, {a[0]}, {b[0]})", f"pick({c[1]}, {a[1]}, {b[1]})"
        if kind == "divide":
            b = self.apart(depth)
            return f"({a[0]}) / {b[0]}", f"({a[1]}) / {b[1]}"
        if kind == "mod":
            b = self.apart(depth)
            f = self.rng.choice(["%", "mod", "fmod"])
            if f == "%":
                return f"(({a[0]}) % {b[0]})", f"(({a[1]}) % {b[1]})"
            return f"{f}({a[0]}, {b[0]})", f"{f}({a[1]}, {b[1]})"
        if kind == "clip":
            return f"clip({a[0]}, -2, 30.5)", f"minimum(maximum({a[1]}, -2), 30.5)"
        if kind == "holes":
            return f"nan_to_num({a[0]}, {b[0]})", f"pick(isnan({a[1]}), {b[1]}, {a[1]})"
        op = self.rng.choice(["+", "-", "*"])
        return f"({a[0]}) {op} {b[0]}" if b[0][0] != "-" else f"({a[0]}) {op} ({b[0]})", \
            f"({a[1]}) {op} {b[1]}" if b[0][0] != "-" else f"({a[1]}) {op} ({b[1]})"

    def condition(self, depth):
        if depth > 1 and self.rng.random() < 0.4:
            a, b = self.condition(depth - 1), self.condition(depth - 1)
            if self.rng.random() < 0.5:
                op, word = self.rng.choice([("&", "&"), ("|", "|"), ("and", "&"), ("or", "|")])
                return f"(({a[0]}) {op} ({b[0]}))", f"(({a[1]}) {word} ({b[1]}))"
            return f"(~({a[0]}))", f"(~({a[1]}))"
        if self.rng.random() < 0.2:
            f = self.rng.choice(["isnan", "isfinite"])
            a = self.number(depth - 1)
            return f"{f}({a[0]})", f"flag({f}({a[1]}))"
        op = self.rng.choice(["<", "<=", ">", ">=", "==", "!="])
        a, b = self.number(depth - 1), self.number(depth - 1)
        return f"(({a[0]}) {op} ({b[0]}))", f"flag(({a[1]}) {op} ({b[1]}))"

    def rounded(self, depth):
        """At the top functions that do not round exactly, of arguments that do."""
        one = self.rng.choice(["exp", "expm1", "log", "log2", "log10", "log1p", "sin", "cos",
                               "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
                               "sqrt", "arctan2", "hypot", "**", "deg2rad", "rad2deg"])
        a = self.number(depth)
        if one == "**":
            return f"(abs({a[0]}) + 0.1)**1.7", f"(abs({a[1]}) + 0.1)**1.7"
        if one == "arctan2":
            a, b = self.name(), self.name()
            return f"atan2({a[0]}, {b[0]})", f"arctan2({a[1]}, {b[1]})"
        if one == "hypot":
            b = self.number(depth)
            return f"hypot({a[0]}, {b[0]})", f"hypot({a[1]}, {b[1]})"
        return f"{one}({a[0]})", f"{one}({a[1]})"


def names_in(text, values):
    return sorted(set(re.findall(r"[A-Za-z_]\w*", text)) & set(values))


def compute(text, values, real):
    """In real, as an array; conditions as bool."""
    space = {name: getattr(np, name) for name in (
        "exp expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh sqrt "
        "arctan2 hypot abs floor ceil rint trunc sign minimum maximum fmin fmax mod fmod clip "
        "isnan isfinite deg2rad rad2deg pi e").split()}
    full = lambda a, kind: np.broadcast_to(np.asarray(a, kind), SHAPE)
    space.update({
        "num": lambda c: full(c, real),
        "flag": lambda c: full(c, bool),
        "pick": lambda c, a, b: np.where(c, full(a, real), full(b, real)),
    })
    space.update({name: v.astype(real) for name, v in values.items()})
    with np.errstate(all="ignore"):
        result = eval(text, space)  # made above
    return full(result, bool if np.asarray(result).dtype == bool else real)


def ordered(values, real):
    """Floats as integers in which neighbours differ by 1, as far as int64 goes."""
    bits = np.ascontiguousarray(values).view("i4" if real == "f4" else "i8").astype("i8")
    low = np.int64(0x7FFFFFFF if real == "f4" else 0x7FFFFFFFFFFFFFFF)
    return np.where(bits < 0, -(bits & low), bits)


def read(dataset):
    with h5py.File("out.h5", "r") as f:
        d = f[dataset]
        data = d[()]
        if data.dtype.kind == "f":
            data = np.where(data == np.asarray(d.attrs["_FillValue"]).ravel()[0], np.nan, data)
        return data, d.attrs["long_name"]


def check(number, texts, writer, values, exact, command):
    used = names_in(texts[1], values)
    writer.rng.shuffle(used)
    real = "f4" if all(FLOATS.get(n) == "f4" for n in used) else "f8"
    wanted = compute(texts[1], {n: values[n] for n in used}, real)
    inputs = [f"{n}=in.h5:/{n}" for n in used]
    subprocess.run([command, "calc", texts[0], *inputs, "out=out.h5:/r", "--overwrite",
                    "--quiet"], check=True)
    got, name = read("r")
    where = f"{number}: {texts[0]} over {', '.join(used)}"
    name = name.decode() if isinstance(name, bytes) else name
    if name != texts[0]:
        sys.exit(f"{where}: long_name {name}")
    if wanted.dtype == bool:
        if got.dtype != np.uint8 or not np.array_equal(got, wanted.astype("u1")):
            sys.exit(f"{where}: {np.count_nonzero(got != wanted)} of {got.size} differ, {got.dtype}")
        return real, 0, "condition"
    if got.dtype != np.dtype(real):
        sys.exit(f"{where}: stored as {got.dtype}, not {real}")
    if not np.array_equal(np.isnan(got), np.isnan(wanted)):
        sys.exit(f"{where}: missing in other places")
    there = ~np.isnan(wanted)
    got, wanted = got[there], wanted[there]
    if exact and not np.array_equal(got, wanted):
        sys.exit(f"{where}: {np.count_nonzero(got != wanted)} of {got.size} differ")
    both = np.isfinite(got) & np.isfinite(wanted)
    if not np.array_equal(got[~both], wanted[~both]):
        sys.exit(f"{where}: infinite in other places")
    apart = np.abs(ordered(got[both], real) - ordered(wanted[both], real)).max(initial=0)
    if apart > ULPS:
        sys.exit(f"{where}: {apart} representable numbers apart")
    return real, int(apart), "exact" if exact else "rounded"


def main():
    command, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    values = make_inputs()
    seen, most = {}, 0
    for number in range(count):
        rng = random.Random(seed * 1000 + number)
        names = list(FLOATS)[:2] if number % 2 else list(FLOATS) + list(INTEGERS)
        writer = Writer(rng, names)
        texts = None, ""
        while not names_in(texts[1], values):
            depth = rng.choice([2, 3, 4])
            exact = number % 3 != 0
            if number % 5 == 4:
                texts = writer.condition(depth)
            else:
                texts = writer.number(depth) if exact else writer.rounded(depth - 1)
        real, apart, kind = check(number, texts, writer, values, exact, command)
        seen[real, kind] = seen.get((real, kind), 0) + 1
        most = max(most, apart)
    print(f"{count} expressions, seed {seed}: at most {most} ulp apart;",
          ", ".join(f"{n} {kind} of {real}" for (real, kind), n in sorted(seen.items())))


main()
