"""report_pages.py FOLDER - pages of h5swim report in a browser; see test_report.sh, which
has made them: run.html and run.json, hostile.html, many.html.

With SWIM_PAGES=DIR in the environment pictures of the pages are left there, to be looked at.
"""
import json
import os
import re
import sys

from browser import Browser

folder = os.path.abspath(sys.argv[1])
shots = os.environ.get("SWIM_PAGES")
with open(f"{folder}/run.json", encoding="utf-8") as file:
    run = json.load(file)


def page(b, name, shot=None, **how):
    b.open(f"file://{folder}/{name}", **how)
    if shots and shot:
        b.screenshot(f"{shots}/{shot}.png")


def has(text, *parts):
    for part in parts:
        assert part in text, f"no \"{part}\" in: {text}"


def pixels(b, canvas, colour):
    """How many of a canvas have a colour of the page, by its name."""
    return b.js("(() => { const canvas = document.getElementById('%s'), [r, g, b] = rgb('%s');"
                "const copy = make('canvas', {width: canvas.width, height: canvas.height});"
                "const context = copy.getContext('2d', {willReadFrequently: true});"
                "context.drawImage(canvas, 0, 0);"
                "const data = context.getImageData(0, 0, canvas.width, canvas.height).data;"
                "let n = 0; for (let i = 0; i < data.length; i += 4)"
                "n += data[i] === r && data[i + 1] === g && data[i + 2] === b; return n; })()" % (canvas, colour))


def shown(b):
    return [int(us) for us in b.js("document.getElementById('lanes').dataset.shown").split("-")]


def figures(b):
    page(b, "run.html", "light")
    assert b.js("document.getElementById('status').className") == "warn"
    assert b.text("status") == "done but for failed blocks"
    has(b.text("subtitle"), "wind_speed on node1", "exit status 3")
    text = b.text()
    has(text, "400 blocks done, 2 failed", "400 MiB given to kernels", "200 MiB made, 100 MiB stored",
        "2 ranks 6 readers, 2 writers", "%.3g GB/s read and made" % run["totals"]["gb_per_s"],
        "2 failed blocks keep fill values", "1,234 blocks or spans",
        "the record was not found, so they are not shown: 5.")
    has(b.text("shares"), "6 readers", "2 writers", "2 ranks")
    has(b.text("failed"), "203 3 203, 0 to 72, 0 to 143 the kernel was killed by signal 11")
    blocks = run["blocks"]
    slowest = min(range(400), key=lambda i: blocks["start_us"][i] - blocks["end_us"][i])
    has(b.text("slowest"), "From Who %d " % slowest)
    has(b.text("locks"), "job other_job, pid 77 on node9", "/data/speed.nc", "UPDATE")
    has(b.text("time"), "reader 1 of rank 0", "killed by signal 11")
    has(b.text("job"), "wind speed from two wind components", "Speed of the wind from its two components")
    has(b.text("environment"), "1.10.8", "Linux 6.1.0", "10 processes")


def over_time(b):
    """All of it at first; zooming, moving, and what is told of a block."""
    whole = shown(b)
    assert whole == [0, round(max(run["seconds"] * 1e6, *run["blocks"]["committed_us"]))], whole
    peak = float(b.js("document.getElementById('throughput').dataset.peak"))
    assert peak > run["totals"]["gb_per_s"] / 2, peak
    b.js("document.getElementById('lanes').scrollIntoView()")
    box = b.js("(() => { const box = document.getElementById('lanes').getBoundingClientRect();"
               "return [box.left, box.top, box.width]; })()")
    x, y = box[0] + box[2] / 2, box[1] + 30
    b.mouse("mouseWheel", x, y, deltaX=0, deltaY=-200, modifiers=2)
    b.settle()
    zoomed = shown(b)
    assert zoomed[1] - zoomed[0] < .7 * whole[1], zoomed
    b.mouse("mousePressed", x, y, button="left", clickCount=1)
    b.mouse("mouseMoved", x - 100, y, button="left")
    b.mouse("mouseReleased", x - 100, y, button="left", clickCount=1)
    b.settle()
    moved = shown(b)
    assert moved[0] > zoomed[0] and abs(moved[1] - moved[0] - zoomed[1] + zoomed[0]) < 3, moved
    # With Shift a stretch is marked.
    b.mouse("mousePressed", x, y, button="left", clickCount=1, modifiers=8)
    b.mouse("mouseMoved", x + 100, y, button="left", modifiers=8)
    assert " to " in b.text("tip") and shown(b) == moved
    b.mouse("mouseReleased", x + 100, y, button="left", clickCount=1, modifiers=8)
    b.settle()
    assert abs((shown(b)[1] - shown(b)[0]) / (moved[1] - moved[0]) - 100 / (box[2] - 96)) < .02, shown(b)
    b.js("document.getElementById('lanes').dispatchEvent(new KeyboardEvent('keydown', {key: '0'}))")
    b.settle()
    assert shown(b) == whole
    b.mouse("mouseWheel", x, y, deltaX=0, deltaY=100)
    assert shown(b) == whole
    blocks = run["blocks"]
    i = next(i for i in range(400) if blocks["process"][i] == 1 and blocks["start_us"][i] > whole[1] / 2)
    page(b, "run.html#%f-%f" % (blocks["start_us"][i] / 1e6, blocks["end_us"][i] / 1e6), "zoom")
    b.js("document.getElementById('lanes').scrollIntoView()")
    b.mouse("mouseMoved", x, box[1] + 36)
    has(b.text("tip"), "reader 0 of rank 0, pid 4001", "kernel: ", "block %d: " % i, "1 MiB in, 512 KiB out")
    b.js("document.querySelector('#slowest button').click()")
    b.settle()
    i = min(range(400), key=lambda i: blocks["start_us"][i] - blocks["end_us"][i])
    assert shown(b)[0] < blocks["start_us"][i] < blocks["end_us"][i] < shown(b)[1]


def pictures(b):
    page(b, "run.html")
    outputs = b.text("outputs")
    has(outputs, "air temperature <b>& (degC)", "time 2001-02-01 (2 of 3)", "3.2 % missing", "-1 to 1, mean",
        "42", "It has no rows.", "No picture: ", "the file is not there any more", "chunks 1 × 16 × 36")
    assert b.js("document.querySelectorAll('#outputs canvas').length") == 5
    # A cell that is missing, the warmest, the coldest.
    seen = b.js("(() => { const cells = data.pictures[0].picture, levels = bytesOf(cells.cells);"
                "return [levels[15 * cells.nx + 40], levels[32 * cells.nx + 18], levels[54], cells.low, cells.high]; })()")
    assert seen[0] == 0 and seen[1] > 250 and seen[2] < 10, seen
    assert -1 < seen[3] < 1.5 and 28 < seen[4] <= 30.01, seen
    has(outputs, "-1.7e308 to 3e307, mean -3.5e307", "-1.7e308 to 1.7e308")
    seen = b.js("(() => { const far = data.pictures[6].picture, levels = [...bytesOf(far.cells)];"
                "return [levels, palette(far)(levels[2]).join(), ticks(far.low, far.high, 4).at]; })()")
    assert seen == [[1, 255, 217, 217], "156,216,59", [-1e308, 0]], seen


def latin(b):
    """All outputs are there where the folder's name is not UTF-8."""
    page(b, "latin.html")
    has(b.text("outputs"), "d\\xe9/plane.h5:/T", "air temperature", "the file is not there any more")
    assert b.js("document.querySelectorAll('#outputs section').length") == 9
    assert b.js("document.querySelectorAll('#outputs canvas').length") == 1
    has(b.text("job"), "wind speed from two wind components")


def looks(b):
    page(b, "run.html", colours="light")
    assert b.js("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    kernel, lanes = b.js("colour('kernel')"), pixels(b, "lanes", "kernel")
    assert lanes > 20000 and pixels(b, "lanes", "write") > 500, lanes
    page(b, "run.html", "dark", colours="dark")
    assert b.js("getComputedStyle(document.documentElement).backgroundColor") == "rgb(20, 24, 29)"
    assert b.js("colour('kernel')") != kernel and pixels(b, "lanes", "kernel") > 20000
    # On paper the colours are light again, also in the drawings.
    pdf = b.pdf()
    assert pdf.startswith(b"%PDF") and 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 9
    if shots:
        with open(f"{shots}/page.pdf", "wb") as out:
            out.write(pdf)
    b.ask("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    b.settle()
    assert b.js("colour('kernel')") == kernel and pixels(b, "lanes", "kernel") > 20000
    # Nobody can press anything there.
    controls = "[...document.querySelectorAll('button, summary')].filter((one) => one.offsetParent)"
    plain = ".every((one) => one.className === 'link' && getComputedStyle(one).textDecorationLine === 'none' &&" \
            "getComputedStyle(one).color === getComputedStyle(one.parentNode).color)"
    assert b.js(controls + ".length") > 5 and b.js(controls + plain)
    b.ask("Emulation.setEmulatedMedia", media="")
    page(b, "run.html", "narrow", width=360, height=700)
    assert b.js("document.documentElement.scrollWidth") <= 360, b.js("document.documentElement.scrollWidth")


def hostile(b):
    page(b, "hostile.html")
    assert b.js("document.title").startswith("</script>") and b.js("typeof broken") == "undefined"
    assert b.js("document.scripts.length") == 2 and b.js("document.images.length") == 0
    bad = "</script><script>broken = 1</script><!--<script><img src=x onerror=alert(1)>&amp;"
    assert b.text("status") == bad and b.text("job-text") == bad
    for name in ("failed", "locks", "environment", "inputs", "time"):
        has(b.text(name), bad)


def many(b):
    page(b, "many.html#10-10.5", "many")
    has(b.text(), "100,000 blocks done")
    has(b.text("shares"), "32 readers")
    assert shown(b) == [10000000, 10500000]


browser = Browser(f"{folder}/browser")
try:
    for check in (figures, over_time, pictures, latin, looks, hostile, many):
        try:
            check(browser)
            assert not browser.said, browser.said
        except AssertionError:
            print(f"FAILED: {check.__name__}", file=sys.stderr)
            raise
        print("ok in a browser:", check.__name__)
finally:
    browser.close()
