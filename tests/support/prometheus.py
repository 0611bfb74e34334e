"""prometheus.py FILE STATEMENTS - reads the text format of Prometheus (version 0.0.4) as
strictly as the collectors of node_exporter do, and runs the statements with m, the samples:
m["name", ("label", "value"), ...], labels by name."""
import math
import re
import sys

LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def labels_of(text):
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at)
        assert found, f"labels: {text}"
        name, value, _ = found.groups()
        assert name not in labels, f"twice: {name}"
        labels[name] = re.sub(r'\\.', lambda e: ESCAPES[e.group()], value)
        at = found.end()
    return labels


def read(text):
    assert text.endswith("\n"), "the last line has no end"
    samples, helps, types, done, family = {}, set(), set(), set(), None
    for line in text[:-1].split("\n"):
        comment = re.fullmatch(r"# (HELP|TYPE) ([a-z_][a-z0-9_]*) (.+)", line)
        if comment:
            kind, name, rest = comment.groups()
            assert name not in (helps if kind == "HELP" else types), f"twice: {line}"
            assert name not in done, f"torn: {name}"
            (helps if kind == "HELP" else types).add(name)
            assert kind == "HELP" or rest == "gauge", line
            if family != name:
                done.add(family)
            family = name
            continue
        sample = re.fullmatch(r"([a-z_][a-z0-9_]*)(?:\{(.+)\})? (\S+)", line)
        assert sample, f"no sample: {line}"
        name, labels, value = sample.groups()
        assert name == family and name in helps and name in types, f"not of a family: {line}"
        assert math.isfinite(float(value)), line
        key = (name, *sorted(labels_of(labels or "").items()))
        assert key not in samples, f"twice: {line}"
        samples[key] = float(value)
    return samples


m = read(open(sys.argv[1], encoding="utf-8", newline="").read())
exec(sys.argv[2])
