// lanes.js - what each process did and when: a lane for each, any number of blocks.
//
// A column of pixels stands for a stretch of time; what a process did in it is summed up
// by activity, and the column is divided accordingly.  So nothing is lost when the whole
// run is shown, and single blocks appear as one zooms in.
"use strict";
const ACTIVITIES = [
    "read", "decode", "kernel", "encode", "write", "commit", "lock", "begin", "finish", "other"
];
const MEANINGS = {
    read: "read",
    decode: "decode",
    kernel: "kernel",
    encode: "encode",
    write: "write",
    commit: "commit",
    lock: "wait for a lock",
    begin: "begin",
    finish: "finish",
    other: "other",
    wait: "wait for the writer",
    idle: "nothing to do"
};
const ROLES = ["rank", "reader", "writer"];

function processName(process) {
    return process.role === "rank"     ? "rank " + process.rank
           : process.role === "reader" ? "reader " + process.index
                                       : process.role;
}
const processFull = (process) => process.role === "rank"
                                     ? processName(process)
                                     : processName(process) + " of rank " + process.rank;

// Lanes in the order in which they are shown, each with its segments by start.
function lanesMake() {
    const lanes = run.processes.map(
        (process, number) =>
            ({process, number, start: [], end: [], activity: [], block: [], longest: 0}));
    const add = (lane, start, us, activity, block) => {
        if (!(us > 0))
            return start;
        lane.start.push(start);
        lane.end.push(start + us);
        lane.activity.push(activity);
        lane.block.push(block);
        lane.longest = Math.max(lane.longest, us);
        return start + us;
    };
    for (let i = 0; i < blocks.n; i++) {
        const lane = lanes[blocks.process[i]];
        let at = blocks.start_us[i];
        ["read_us", "decode_us", "kernel_us", "encode_us"].forEach(
            (part, activity) => { at = add(lane, at, blocks[part][i], activity, i); });
        add(lane, at, blocks.end_us[i] - at, ACTIVITIES.indexOf("other"), i);
    }
    const known = run.activities.map(
        (name) => ACTIVITIES.indexOf(ACTIVITIES.includes(name) ? name : "other"));
    for (let i = 0; i < spans.n; i++)
        add(lanes[spans.process[i]], spans.start_us[i], spans.us[i], known[spans.activity[i]],
            -1);
    // Those of writers and ranks are among the spans.
    for (const wait of run.lock_waits)
        if (lanes[wait.process].process.role === "reader")
            add(lanes[wait.process], wait.start_us, wait.us, ACTIVITIES.indexOf("lock"), -1);
    for (const lane of lanes)
        laneSort(lane);
    lanes.sort((a, b) => a.process.rank - b.process.rank ||
                         ROLES.indexOf(a.process.role) - ROLES.indexOf(b.process.role) ||
                         a.process.index - b.process.index || a.number - b.number);
    return lanes;
}

function laneSort(lane) {
    const order = Uint32Array.from(lane.start.keys());
    const start = lane.start;
    if (start.some((at, i) => i > 0 && at < start[i - 1]))
        order.sort((a, b) => start[a] - start[b]);
    for (const name of ["start", "end", "activity", "block"])
        lane[name] = Float64Array.from(order, (i) => lane[name][i]);
}

// The first segment that may reach beyond a time.
function firstAfter(lane, at) {
    let low = 0, high = lane.start.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (lane.start[middle] <= at - lane.longest)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// --- the window of time ---------------------------------------------------------------

// Lanes and throughput show the same one.
const view = {
    from: 0,
    to: wholeTime
};

function viewSet(from, to) {
    const span = Math.min(wholeTime, Math.max(20, to - from));
    view.from = Math.max(0, Math.min(wholeTime - span, from));
    view.to = view.from + span;
    if (!viewSet.waits)
        requestAnimationFrame(() => {
            viewSet.waits = false;
            redrawTime();
        });
    viewSet.waits = true;
}

const redrawTime = () => timeDrawn.forEach((draw) => draw());
const timeDrawn = [];

function viewZoom(factor, at) {
    const middle = at === undefined ? (view.from + view.to) / 2 : at;
    viewSet(middle - (middle - view.from) * factor, middle + (view.to - middle) * factor);
}

// "page.html#1.5-2" begins with what lies between 1.5 s and 2 s.
function viewFromAddress() {
    const match = /^#(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(location.hash);
    if (match && +match[2] > +match[1])
        viewSet(match[1] * 1e6, match[2] * 1e6);
}

const gutter = (width) => width < 560 ? 66 : 96;

// Dragging moves the window, with Shift it marks a stretch to be shown; the wheel zooms
// with Ctrl, as does a pinch; keys when the canvas has the focus.
function timeControls(canvas) {
    const timeAt = (event) => {
        const box = canvas.getBoundingClientRect(), left = gutter(box.width);
        return view.from +
               (event.clientX - box.left - left) / (box.width - left) * (view.to - view.from);
    };
    let drag = null;
    canvas.tabIndex = 0;
    canvas.addEventListener("pointerdown", (event) => {
        drag = {at: timeAt(event), mark: event.shiftKey};
        canvas.setPointerCapture(event.pointerId);
        canvas.classList.add("dragged");
    });
    canvas.addEventListener("pointermove", (event) => {
        if (!drag)
            return;
        if (drag.mark) {
            const ends = [drag.at, timeAt(event)].sort((a, b) => a - b);
            return tipShow(event, ends.map(time).join(" to "));
        }
        const moved = drag.at - timeAt(event);
        viewSet(view.from + moved, view.to + moved);
    });
    const end = (event) => {
        if (drag && drag.mark && event.type === "pointerup") {
            const ends = [drag.at, timeAt(event)].sort((a, b) => a - b);
            if (ends[1] > ends[0])
                viewSet(ends[0], ends[1]);
        }
        drag = null;
        tipHide();
        canvas.classList.remove("dragged");
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("dblclick", (event) => viewZoom(1 / 4, timeAt(event)));
    canvas.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && !event.metaKey)
            return;
        event.preventDefault();
        viewZoom(Math.pow(1.0035, Math.max(-200, Math.min(200, event.deltaY))), timeAt(event));
    }, {passive: false});
    canvas.addEventListener("keydown", (event) => {
        const span = view.to - view.from;
        if (event.key === "ArrowLeft")
            viewSet(view.from - span / 5, view.to - span / 5);
        else if (event.key === "ArrowRight")
            viewSet(view.from + span / 5, view.to + span / 5);
        else if (event.key === "+" || event.key === "=")
            viewZoom(1 / 2);
        else if (event.key === "-")
            viewZoom(2);
        else if (event.key === "0")
            viewSet(0, wholeTime);
        else
            return;
        event.preventDefault();
    });
    return timeAt;
}

// The axis of time: lines through the drawing, and labels at y.
function timeAxis(context, width, top, bottom, y) {
    const left = gutter(width), scale = (width - left) / (view.to - view.from);
    const span = (view.to - view.from) / 1e6;
    const unit = span > 2 ? 1e6 : span > 2e-3 ? 1e3 : 1;
    const {at, step} =
        ticks(view.from / unit, view.to / unit, Math.max(2, (width - left) / 90));
    context.fillStyle = colour("soft");
    context.strokeStyle = colour("line");
    context.textAlign = "center";
    for (const value of at) {
        const x = left + (value * unit - view.from) * scale;
        context.beginPath();
        context.moveTo(x, top);
        context.lineTo(x, bottom);
        context.stroke();
        const text = stepText(value, step) + {1e6: " s", 1e3: " ms", 1: " \u00b5s"}[unit];
        const half = context.measureText(text).width / 2;
        if (y !== null)
            context.fillText(text, Math.min(width - half, x), y);
    }
}

// --- drawing --------------------------------------------------------------------------

// What a lane did in each of n columns: sums of time by activity, in columns.
function columnsSum(lane, n) {
    const sums = ACTIVITIES.map(() => null), scale = n / (view.to - view.from);
    for (let i = firstAfter(lane, view.from); i < lane.start.length; i++) {
        if (lane.start[i] >= view.to)
            break;
        const from = Math.max(0, (lane.start[i] - view.from) * scale);
        const to = Math.min(n, (lane.end[i] - view.from) * scale);
        if (!(to > from))
            continue;
        const activity = lane.activity[i];
        const sum = sums[activity] || (sums[activity] = new Float32Array(n + 1));
        const first = Math.floor(from), last = Math.min(n - 1, Math.floor(to));
        if (first === last) {
            sum[first] += to - from;
        } else {
            sum[first] += first + 1 - from;
            for (let x = first + 1; x < last; x++)
                sum[x] += 1;
            sum[last] += to - last;
        }
    }
    return sums;
}

// The columns from the beginning of a process to its end, as far as they are known.
function lifeColumns(lane, n) {
    const {began_us, ended_us} = lane.process, scale = n / (view.to - view.from);
    const column = (us, unknown) =>
        us === null ? unknown : Math.max(0, Math.min(n, Math.round((us - view.from) * scale)));
    return [column(began_us, 0), column(ended_us, n)];
}

// The lane as pixels.  What took part in a column has a row at least.
function laneDraw(context, lane, x, y, width, height, colours) {
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer).fill(colours.paper);
    const sums = columnsSum(lane, width), [from, to] = lifeColumns(lane, width);
    for (let row = 0; row < height; row++)
        pixels.fill(colours.idle, row * width + from, row * width + to);
    for (let column = 0; column < width; column++) {
        let row = 0, share = 0;
        for (let activity = 0; activity < ACTIVITIES.length; activity++) {
            const sum = sums[activity];
            if (!sum || !sum[column])
                continue;
            share += sum[column];
            const end = Math.min(height, Math.max(row + 1, Math.round(share * height)));
            for (; row < end; row++)
                pixels[row * width + column] = colours[activity];
        }
    }
    context.putImageData(image, x, y);
}

function lanesColours() {
    const pixel = (name) => pixelOf(rgb(name));
    return Object.assign(ACTIVITIES.map(pixel), {idle: pixel("idle"), paper: pixel("paper")});
}

// Where each lane is; the more there are, the lower.
function lanesPlace(lanes) {
    const height = Math.max(3, Math.min(22, Math.floor(620 / Math.max(1, lanes.length))));
    const gap = height > 8 ? 2 : height > 4 ? 1 : 0;
    let y = 4;
    lanes.forEach((lane, i) => {
        if (i > 0 && lanes[i - 1].process.rank !== lane.process.rank)
            y += height > 8 ? 8 : 2;
        lane.y = y;
        lane.height = height - gap;
        y += height;
    });
    return y;
}

function laneLabels(context, lanes, left) {
    context.fillStyle = colour("soft");
    context.textAlign = "right";
    let below = 0;
    for (const lane of lanes) {
        const middle = lane.y + lane.height / 2;
        if (middle < below + 6 || (lane.height < 11 && lane.process.role !== "rank"))
            continue;
        context.fillText(processName(lane.process), left - 8, middle + .5);
        below = middle + 6;
    }
}

function replacedDraw(context, lanes, left, scale) {
    context.fillStyle = colour("bad");
    for (const replaced of run.replaced) {
        const lane = lanes.find(({process}) => process.rank === replaced.rank &&
                                               process.role === replaced.role &&
                                               process.index === replaced.index);
        const x = left + (replaced.at_us - view.from) * scale;
        if (!lane || x < left)
            continue;
        context.fillRect(x - 1, lane.y - 1, 2, lane.height + 2);
        context.fillRect(x - 4, lane.y - 1, 8, 3);
    }
}

// What a block is, in lines.
function blockText(i) {
    const parts = ["read", "decode", "kernel", "encode"]
                      .filter((name) => blocks[name + "_us"][i] > 0)
                      .map((name) => MEANINGS[name] + " " + time(blocks[name + "_us"][i]));
    const lines =
        ["block " + count(blocks.block[i]) + ": " +
         time(blocks.end_us[i] - blocks.start_us[i]) + " from " + time(blocks.start_us[i])];
    lines.push(parts.join(", "));
    lines.push(size(Math.max(0, blocks.bytes_in[i])) + " in, " +
               size(Math.max(0, blocks.bytes_out[i])) + " out");
    if (blocks.written_us[i] >= 0)
        lines.push("written at " + time(blocks.written_us[i]) +
                   (blocks.committed_us[i] >= 0
                        ? ", committed at " + time(blocks.committed_us[i])
                        : ""));
    if (blocks.tries[i] > 1)
        lines.push("tries: " + blocks.tries[i]);
    return lines.join("\n");
}

// What a lane did around a time, of which a pixel covers so much.
function laneText(lane, at, pixel) {
    const from = at - 1.5 * pixel, to = at + 1.5 * pixel, sums = {};
    let longest = -1, most = 0;
    for (let i = firstAfter(lane, from); i < lane.start.length && lane.start[i] < to; i++) {
        const part = Math.min(to, lane.end[i]) - Math.max(from, lane.start[i]);
        if (!(part > 0))
            continue;
        const name = ACTIVITIES[lane.activity[i]];
        sums[name] = (sums[name] || 0) + part;
        if (part > most)
            [most, longest] = [part, i];
    }
    const lines =
        [processFull(lane.process) + ", pid " + lane.process.pid + " on " + lane.process.host];
    if (longest < 0)
        return lines[0] + "\nat " + time(at) + ": nothing is recorded";
    if (lane.end[longest] - lane.start[longest] > pixel) {
        const name = MEANINGS[ACTIVITIES[lane.activity[longest]]];
        lines.push(name + ": " + time(lane.end[longest] - lane.start[longest]));
        if (lane.block[longest] >= 0)
            lines.push(blockText(lane.block[longest]));
        else
            lines.push("from " + time(lane.start[longest]));
    } else {
        lines.push("around " + time(at) + ":");
        for (const name of ACTIVITIES)
            if (sums[name])
                lines.push(MEANINGS[name] + " " + percent(sums[name] / (to - from)));
    }
    return lines.join("\n");
}

function lanesCanvas() {
    const lanes = lanesMake(), bottom = lanesPlace(lanes);
    const canvas = make("canvas", {
        class: "time",
        id: "lanes",
        role: "img",
        "aria-label": "What each of " + lanes.length + " processes did over time"
    });
    timeDrawn.push(() => {
        const {context, width, scale} = prepare(canvas, bottom + 22);
        const left = gutter(width), colours = lanesColours();
        const x = Math.round(left * scale), columns = Math.max(1, canvas.width - x);
        for (const lane of lanes)
            laneDraw(context, lane, x, Math.round(lane.y * scale), columns,
                     Math.max(1, Math.round(lane.height * scale)), colours);
        laneLabels(context, lanes, left);
        context.globalAlpha = .55;
        timeAxis(context, width, 0, bottom + 4, null);
        context.globalAlpha = 1;
        timeAxis(context, width, bottom + 2, bottom + 5, bottom + 14);
        replacedDraw(context, lanes, left, (width - left) / (view.to - view.from));
        canvas.dataset.shown = [view.from, view.to].map(Math.round).join("-");
    });
    const timeAt = timeControls(canvas);
    canvas.addEventListener("pointermove", (event) => {
        if (canvas.classList.contains("dragged"))
            return;
        const box = canvas.getBoundingClientRect(), y = event.clientY - box.top;
        const lane = lanes.find((one) => y >= one.y && y < one.y + one.height + 2);
        const pixel = (view.to - view.from) / (box.width - gutter(box.width));
        if (!lane || timeAt(event) < view.from)
            tipHide();
        else
            tipShow(event, laneText(lane, timeAt(event), pixel));
    });
    canvas.addEventListener("pointerleave", tipHide);
    return canvas;
}
