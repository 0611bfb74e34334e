// throughput.js - bytes per second over time, above the lanes.
"use strict";
const SERIES = [
    {name: "read", css: "in", text: "given to kernels"},
    {name: "written", css: "out", text: "made by kernels"},
];

// Bytes that flow evenly from one time to another, into n bins of the window.
function binsAdd(bins, n, from, to, bytes) {
    const scale = n / (view.to - view.from);
    const first = (from - view.from) * scale,
          last = Math.max(first + 1e-3, (to - view.from) * scale);
    const each = bytes / (last - first);
    for (let i = Math.max(0, Math.floor(first)); i < Math.min(n, Math.ceil(last)); i++)
        bins[i] += each * (Math.min(i + 1, last) - Math.max(i, first));
}

// GB/s in n bins: what is read flows while a block is worked at; what is made, while it
// is written, or once it is done where it was not.
function throughput(n) {
    const read = new Float64Array(n), made = new Float64Array(n);
    for (let i = 0; i < blocks.n; i++) {
        const end = blocks.end_us[i], written = blocks.written_us[i];
        const last = written >= end ? written : end;
        if (last < view.from || blocks.start_us[i] > view.to)
            continue;
        binsAdd(read, n, blocks.start_us[i], end, Math.max(0, blocks.bytes_in[i]));
        binsAdd(made, n, end, last, Math.max(0, blocks.bytes_out[i]));
    }
    const bin = (view.to - view.from) / n * 1e3; // GB/s: bytes per ns
    return [read, made].map((bins) => bins.map((bytes) => bytes / bin));
}

function seriesDraw(context, values, css, left, width, y, fill) {
    const step = width / values.length;
    context.beginPath();
    values.forEach((value, i) => {
        context.lineTo(left + i * step, y(value));
        context.lineTo(left + (i + 1) * step, y(value));
    });
    context.strokeStyle = colour(css);
    context.lineWidth = 1.5;
    context.stroke();
    if (!fill)
        return;
    context.lineTo(left + width, y(0));
    context.lineTo(left, y(0));
    context.globalAlpha = .22;
    context.fillStyle = colour(css);
    context.fill();
    context.globalAlpha = 1;
}

function throughputCanvas() {
    const canvas = make(
        "canvas",
        {class: "time", id: "throughput", role: "img", "aria-label": "Throughput over time"});
    const height = 132, top = 8, bottom = height - 6;
    let shown = null;
    timeDrawn.push(() => {
        const {context, width} = prepare(canvas, height);
        const left = gutter(width), n = Math.max(8, Math.floor((width - left) / 4));
        const values = throughput(n);
        const most = Math.max(1e-9, ...values.map((list) => Math.max(...list)));
        const unit = rateUnit(most), scale = ticks(0, most * unit[1] * 1.05, 4),
              y = (value) => bottom - value / (most * 1.05) * (bottom - top);
        timeAxis(context, width, top, bottom, null);
        context.textAlign = "right";
        context.fillStyle = colour("soft");
        for (const value of scale.at) {
            const at = y(value / unit[1]);
            context.fillText(value ? stepText(value, scale.step) : "0 " + unit[0], left - 8,
                             Math.min(bottom - 4, at));
            context.beginPath();
            context.moveTo(left, at);
            context.lineTo(width, at);
            context.stroke();
        }
        values.forEach((list, i) => seriesDraw(context, list, SERIES[i].css, left, width - left,
                                               y, i === 0));
        shown = {values, n};
        canvas.dataset.peak = most.toPrecision(4);
    });
    const timeAt = timeControls(canvas);
    canvas.addEventListener("pointermove", (event) => {
        if (canvas.classList.contains("dragged"))
            return;
        const at = timeAt(event),
              i = Math.floor((at - view.from) / (view.to - view.from) * shown.n);
        if (i < 0 || i >= shown.n)
            return tipHide();
        tipShow(
            event,
            "around " + time(at) + "\n" +
                SERIES.map((one, s) => one.text + ": " + rate(shown.values[s][i])).join("\n"));
    });
    canvas.addEventListener("pointerleave", tipHide);
    return canvas;
}
