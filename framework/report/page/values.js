// values.js - the data of the page, and how numbers are shown.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const run = data.run;

function bytesOf(text) {
    const bytes = atob(text), list = new Uint8Array(bytes.length);
    for (let i = 0; i < bytes.length; i++)
        list[i] = bytes.charCodeAt(i);
    return list;
}

// The inverse of pack_numbers(): differences, zigzag, base 128.
function unpackNumbers(text, n) {
    const bytes = bytesOf(text), numbers = new Float64Array(n);
    for (let i = 0, at = 0, value = 0; i < n; i++) {
        let zigzag = 0, unit = 1, byte;
        do {
            byte = bytes[at++];
            zigzag += (byte & 127) * unit;
            unit *= 128;
        } while (byte > 127);
        value += zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2;
        numbers[i] = value;
    }
    return numbers;
}

function unpackTable(table) {
    const columns = {n: table.n};
    for (const name of Object.keys(table))
        if (name !== "n")
            columns[name] = unpackNumbers(table[name], table.n);
    return columns;
}

const blocks = unpackTable(data.blocks), spans = unpackTable(data.spans);

// How long the run was, in microseconds: all that is recorded lies within.
const wholeTime = (() => {
    let end = Math.max(1, run.seconds * 1e6);
    for (let i = 0; i < blocks.n; i++)
        end = Math.max(end, blocks.end_us[i], blocks.committed_us[i]);
    for (let i = 0; i < spans.n; i++)
        end = Math.max(end, spans.start_us[i] + spans.us[i]);
    return end;
})();

// --- numbers for people ---------------------------------------------------------------

// "1 rank", "2 ranks"
function several(n, what) {
    return count(n) + " " + what + (n === 1 ? "" : "s");
}

function count(n) {
    return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");
}

function digits(value, n) {
    if (value === null || !isFinite(value))
        return "-";
    const size = Math.abs(value);
    if (size !== 0 && (size >= 1e7 || size < 1e-4))
        return value.toExponential(n - 1).replace(/\.?0+e/, "e").replace("e+", "e");
    const fixed = Math.max(0, Math.min(12, n - 1 - Math.floor(Math.log10(size || 1))));
    const text = value.toFixed(fixed);
    return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function time(us) {
    if (us < 0)
        return "-";
    if (us < 1000)
        return Math.round(us) + " \u00b5s";
    if (us < 999.5e3)
        return digits(us / 1e3, 3) + " ms";
    const s = us / 1e6;
    if (s < 119.5)
        return digits(s, 3) + " s";
    if (s < 3600)
        return Math.floor(s / 60) + " min " + Math.floor(s % 60) + " s";
    return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
}

function size(bytes) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let i = 0;
    for (; bytes >= 1024 && i + 1 < units.length; i++)
        bytes /= 1024;
    return (i ? digits(bytes, 3) : bytes) + " " + units[i];
}

function percent(share) {
    if (share > 0 && share < 0.001)
        return "< 0.1 %";
    return digits(100 * share, share < 0.0995 ? 2 : 3).replace(/(\.\d)\d+$/, "$1") + " %";
}

// The unit of rates up to a number of GB/s: its name, and how many of it are 1 GB/s.
function rateUnit(most) {
    return most >= 0.01 || !(most > 0) ? ["GB/s", 1]
           : most >= 1e-5              ? ["MB/s", 1e3]
                                       : ["kB/s", 1e6];
}

function rate(gb, unit = rateUnit(gb)) {
    return digits(gb * unit[1], 3) + " " + unit[0];
}

const shape = (list) => list.length ? list.join(" \u00d7 ") : "one number";

// "time of a run" on its axis: all ticks with the same unit and number of digits.
function ticks(from, to, most) {
    const span = to - from;
    if (!(span > 0))
        return {at: [from], step: 1};
    if (span === Infinity) { // more than a number holds
        const {at, step} = ticks(from / 2, to / 2, most);
        return {at: at.map((value) => 2 * value), step: 2 * step};
    }
    let step = Math.pow(10, Math.floor(Math.log10(span / most)));
    for (const times of [1, 2, 5, 10])
        if (span / (step * times) <= most) {
            step *= times;
            break;
        }
    const at = [];
    for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++)
        at.push(i * step);
    return {at, step};
}

function stepText(value, step) {
    const fixed = Math.max(0, Math.min(12, -Math.floor(Math.log10(step) + 1e-9)));
    if (Math.abs(value) >= 1e7 || (step < 1e-6 && value !== 0))
        return digits(value, 5);
    return (Math.abs(value) < step / 2 ? 0 : value).toFixed(fixed);
}

// A CF time, "hours since 1980-01-01", as a date; null: it is none that is known.
function date(value, units, calendar) {
    const match =
        /^\s*(second|sec|s|minute|min|hour|hr|h|day|d)s?\s+since\s+(\d{1,4})-(\d{1,2})-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?/i
            .exec(units);
    if (!match || value === null)
        return null;
    if (calendar && !/^(standard|gregorian|proleptic_gregorian)$/i.test(calendar))
        return null;
    const unit = {s: 1, m: 60, h: 3600, d: 86400}[match[1][0].toLowerCase()];
    const from = new Date(0);
    from.setUTCFullYear(+match[2], match[3] - 1, +match[4]);
    from.setUTCHours(+(match[5] || 0), +(match[6] || 0), +(match[7] || 0));
    if (from.getUTCFullYear() < 1583)
        return null;
    const at = new Date(from.getTime() + value * unit * 1000);
    if (isNaN(at))
        return null;
    const text = at.toISOString();
    return text.slice(11, 16) === "00:00" ? text.slice(0, 10)
                                          : text.slice(0, 16).replace("T", " ");
}

// --- the document ---------------------------------------------------------------------

// An element with attributes and children; texts stay texts.
function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {}))
        if (name === "style")
            Object.assign(element.style, value);
        else if (name.startsWith("on"))
            element.addEventListener(name.slice(2), value);
        else
            element.setAttribute(name, value);
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
}

// A table; a column whose head begins with "#" holds numbers, with "+" long texts.
function table(heads, rows) {
    const kinds = heads.map((head) => ({"#": "num", "+": "wide"}[head[0]] || ""));
    return make(
        "div", {class: "scroll"},
        make("table", {},
             make("thead", {},
                  make("tr", {},
                       heads.map((head, i) => make("th", {class: kinds[i]},
                                                   head.replace(/^[#+]/, ""))))),
             make("tbody", {},
                  rows.map((row) => make(
                               "tr", {},
                               row.map((cell, i) => make("td", {class: kinds[i]}, cell)))))));
}

function facts(rows) {
    return make("table", {class: "facts"},
                make("tbody", {},
                     rows.filter((row) => row[1] !== null && row[1] !== "")
                         .map(([name, value]) => make("tr", {}, make("th", {}, name),
                                                      make("td", {}, value)))));
}

const tip = document.getElementById("tip");
function tipShow(event, text) {
    tip.textContent = text;
    tip.style.display = text ? "block" : "none";
    const box = tip.getBoundingClientRect();
    const left = event.clientX + 14 + box.width > innerWidth ? event.clientX - box.width - 10
                                                             : event.clientX + 14;
    const top = event.clientY + 14 + box.height > innerHeight ? event.clientY - box.height - 10
                                                              : event.clientY + 14;
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.max(4, top) + "px";
}
function tipHide() {
    tip.style.display = "none";
}

// --- canvases -------------------------------------------------------------------------

function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

function rgb(name) {
    const value = parseInt(colour(name).slice(1), 16);
    return [value >> 16, value >> 8 & 255, value & 255];
}

// As image data have it, where the lowest byte comes first.
const pixelOf = ([r, g, b]) => (255 << 24 | b << 16 | g << 8 | r) >>> 0;

// The context of a canvas that is as wide as its place, in CSS pixels.
function prepare(canvas, height) {
    const width = Math.max(200, canvas.clientWidth || 800), scale = canvasScale();
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.height = height + "px";
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    context.textBaseline = "middle";
    return {context, width, height, scale};
}

const canvasScale = () => Math.min(3, Math.max(1, devicePixelRatio || 1));

// What has to be drawn again when colours or widths change.
const drawn = [];
function redraw() {
    for (const draw of drawn)
        draw();
}
