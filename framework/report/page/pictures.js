// pictures.js - what is in the outputs: a picture, a line or a number.
"use strict";
// Ten points of viridis (Smith and van der Walt, CC0), and a scale of blue and red for
// values on both sides of zero; between them it is interpolated.
const VIRIDIS = [
    "440154", "482878", "3e4a89", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b",
    "fde725"
];
const BLUE_RED =
    ["2166ac", "4393c3", "92c5de", "d1e5f0", "f7f7f7", "fddbc7", "f4a582", "d6604d", "b2182b"];

function colourAt(scale, share) {
    const at = Math.max(0, Math.min(1, share)) * (scale.length - 1),
          i = Math.min(scale.length - 2, Math.floor(at));
    const part = (hex, n) => parseInt(hex.slice(2 * n, 2 * n + 2), 16);
    return [0, 1, 2].map(
        (n) => Math.round(part(scale[i], n) +
                          (at - i) * (part(scale[i + 1], n) - part(scale[i], n))));
}

// 0 at low to 1 at high, and back.  The range may be more than a number holds, its half is
// not.
const shareOf = (value, low, high) => (value / 2 - low / 2) / (high / 2 - low / 2 || 1);
function valueAt(share, low, high) {
    const half = (high / 2 - low / 2) * share;
    return low + half + half;
}

// The colours of a picture, by the byte of a cell: 0 is missing.
function palette(picture) {
    const both =
        picture.low < 0 && picture.high > 0 &&
        Math.min(-picture.low, picture.high) > .25 * Math.max(-picture.low, picture.high);
    const scale = both ? BLUE_RED : VIRIDIS, far = Math.max(-picture.low, picture.high);
    const share = (value) =>
        both ? (value / far + 1) / 2 : shareOf(value, picture.low, picture.high);
    return (level) => colourAt(scale, share(valueOf(picture, level)));
}

const valueOf = (picture, level) => valueAt((level - 1) / 254, picture.low, picture.high);

const axisTitle = (axis) =>
    (axis.name || "index") +
    (axis.units && !/since/.test(axis.units) ? " (" + axis.units + ")" : "");

// A place along an axis, in words.
function placeText(axis, value) {
    if (value === null || value === undefined)
        return "-";
    return date(value, axis.units, axis.calendar) || digits(value, 5);
}

// Ticks of an axis as [share of its length, text].  Coordinates get round numbers where
// they only grow or only fall, else what they are; an axis without them has its indices.
function axisTicks(axis, most) {
    const values = axis.values, n = values ? values.length : 0;
    if (!values) {
        const {at, step} = ticks(0, Math.max(1, axis.length - 1), most);
        return at.filter(Number.isInteger)
            .map((index) => [(index + .5) / axis.length, stepText(index, Math.max(1, step))]);
    }
    const up = n > 1 && values[n - 1] > values[0] ? 1 : -1;
    const steady =
        n > 1 && values.every((value, i) => value !== null &&
                                            (i === 0 || (value - values[i - 1]) * up > 0));
    if (!steady || date(values[0], axis.units, axis.calendar)) {
        const list = [];
        const shown = Math.max(1, Math.min(n, Math.floor(most * .75)));
        for (let i = 0; i < shown; i++) {
            const at = Math.floor((i + .5) * n / shown);
            list.push([(at + .5) / n, placeText(axis, values[at])]);
        }
        return list;
    }
    const {at, step} =
        ticks(Math.min(values[0], values[n - 1]), Math.max(values[0], values[n - 1]), most);
    return at.map((value) => {
        let i = 0;
        while (i < n - 2 && (values[i + 1] - value) * up < 0)
            i++;
        return [
            (i + .5 + (value - values[i]) / (values[i + 1] - values[i])) / n,
            stepText(value, step)
        ];
    });
}

// Latitudes and heights grow upwards; rows without coordinates go down, as in a table.
const isUpward = (axis) => axis.values !== null && axis.values.length > 1 &&
                           axis.values[axis.values.length - 1] > axis.values[0];

// What the labels of a y axis need on its left.
function labelsRoom(canvas, axis) {
    const {context} = prepare(canvas, 100);
    return 30 + Math.max(0, ...axisTicks(axis, 5).map(([, text]) =>
                                                          context.measureText(text).width));
}

function frame(context, left, top, width, height) {
    context.strokeStyle = colour("soft");
    context.lineWidth = 1;
    context.strokeRect(left - .5, top - .5, width + 1, height + 1);
}

function xAxis(context, axis, left, width, y) {
    context.textAlign = "center";
    context.fillStyle = colour("soft");
    for (const [share, text] of axisTicks(axis, Math.max(2, width / 75))) {
        const half = context.measureText(text).width / 2, x = left + share * width;
        context.fillRect(x - .5, y, 1, 4);
        context.fillText(text, Math.max(half, Math.min(left + width + 12 - half, x)), y + 12);
    }
    context.fillText(axisTitle(axis), left + width / 2, y + 29);
}

function title(context, text, x, middle) {
    context.save();
    context.translate(x, middle);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(text, 0, 0);
    context.restore();
}

function yAxis(context, axis, left, top, height) {
    context.textAlign = "right";
    context.fillStyle = colour("soft");
    for (const [share, text] of axisTicks(axis, Math.max(3, height / 32))) {
        const y = top + (isUpward(axis) ? 1 - share : share) * height;
        context.fillRect(left - 4, y - .5, 4, 1);
        context.fillText(text, left - 7, y);
    }
    title(context, axisTitle(axis), 8, top + height / 2);
}

function colourBar(context, picture, colours, left, top, height) {
    for (let y = 0; y < height; y++) {
        context.fillStyle = "rgb(" + colours(255 - Math.floor(y / height * 255)).join() + ")";
        context.fillRect(left, top + y, 14, 1.5);
    }
    frame(context, left, top, 14, height);
    context.fillStyle = colour("soft");
    context.textAlign = "left";
    if (!(picture.high > picture.low))
        return context.fillText(digits(picture.low, 4), left + 19, top + height / 2);
    const {at, step} = ticks(picture.low, picture.high, Math.max(2, height / 45));
    for (const value of at) {
        const y = top + (1 - shareOf(value, picture.low, picture.high)) * height;
        context.fillRect(left + 14, y - .5, 3, 1);
        context.fillText(stepText(value, step), left + 19, y);
    }
}

// The cells as a small canvas, which is then drawn at the size that is wanted.
function cellsCanvas(picture, cells, colours) {
    const {nx, ny} = picture, up = isUpward(picture.axes[0]);
    const image = new ImageData(nx, ny), pixels = new Uint32Array(image.data.buffer);
    const table =
        Array.from({length: 256}, (_, level) => pixelOf(level ? colours(level) : rgb("line")));
    for (let y = 0; y < ny; y++)
        for (let x = 0; x < nx; x++)
            pixels[y * nx + x] = table[cells[(up ? ny - 1 - y : y) * nx + x]];
    const small = make("canvas", {width: nx, height: ny});
    small.getContext("2d").putImageData(image, 0, 0);
    return small;
}

function pictureCanvas(picture) {
    const [yOf, xOf] = picture.axes;
    const canvas = make("canvas", {role: "img", "aria-label": "Picture of " + picture.name});
    const cells = bytesOf(picture.cells);
    let place = null;
    drawn.push(() => {
        const wide = canvas.clientWidth || 600, left = labelsRoom(canvas, yOf), top = 6;
        const room = wide - left - 74;
        const height = Math.round(
            Math.max(90, Math.min(420, room * Math.max(.12, yOf.length / xOf.length))));
        const {context} = prepare(canvas, height + top + 44);
        const width = Math.max(
            60,
            Math.min(room, Math.round(height * Math.max(1, 1.25 * xOf.length / yOf.length))));
        const colours = palette(picture), made = cellsCanvas(picture, cells, colours);
        context.imageSmoothingEnabled = picture.nx > width;
        context.drawImage(made, left, top, width, height);
        frame(context, left, top, width, height);
        xAxis(context, xOf, left, width, top + height);
        yAxis(context, yOf, left, top, height);
        colourBar(context, picture, colours, left + width + 14, top, height);
        place = {left, top, width, height};
    });
    canvas.addEventListener("pointermove", (event) => {
        const box = canvas.getBoundingClientRect();
        const x =
            Math.floor((event.clientX - box.left - place.left) / place.width * picture.nx);
        let y = Math.floor((event.clientY - box.top - place.top) / place.height * picture.ny);
        if (x < 0 || y < 0 || x >= picture.nx || y >= picture.ny)
            return tipHide();
        if (isUpward(yOf))
            y = picture.ny - 1 - y;
        const level = cells[y * picture.nx + x];
        const where = (axis, i, n) => (axis.name || "index") + " " +
                                      (axis.values ? placeText(axis, axis.values[i])
                                                   : Math.floor((i + .5) * axis.length / n));
        tipShow(event,
                (level ? "about " + digits(valueOf(picture, level), 3) + " " + picture.units
                       : "missing") +
                    "\n" + where(yOf, y, picture.ny) + ", " + where(xOf, x, picture.nx));
    });
    canvas.addEventListener("pointerleave", tipHide);
    return canvas;
}

function lineCanvas(picture) {
    const canvas = make("canvas", {role: "img", "aria-label": "Graph of " + picture.name});
    const axis = picture.axes[0], n = picture.means.length;
    drawn.push(() => {
        const {context, width: wide} = prepare(canvas, 244);
        const left = 62, top = 8, width = wide - left - 14, height = 192;
        const low = picture.min;
        const y = (value) => top + (1 - shareOf(value, low, picture.max)) * (height - 8) + 4;
        const x = (i) => left + (i + .5) / n * width;
        context.fillStyle = context.strokeStyle = colour("in");
        context.globalAlpha = .3;
        for (let i = 0; i < n; i++)
            if (picture.means[i] !== null)
                context.fillRect(left + i / n * width, y(picture.highest[i]),
                                 Math.max(1, width / n),
                                 y(picture.lowest[i]) - y(picture.highest[i]));
        context.globalAlpha = 1;
        context.lineWidth = 1.5;
        context.beginPath();
        picture.means.forEach((value, i) => {
            if (value === null)
                return;
            if (i > 0 && picture.means[i - 1] !== null)
                context.lineTo(x(i), y(value));
            else
                context.moveTo(x(i), y(value));
            if (n <= 60)
                context.fillRect(x(i) - 2, y(value) - 2, 4, 4);
        });
        context.stroke();
        frame(context, left, top, width, height);
        xAxis(context, axis, left, width, top + height);
        context.fillStyle = colour("soft");
        context.textAlign = "right";
        const scale = ticks(low, picture.max, 5);
        for (const value of scale.at)
            context.fillText(stepText(value, scale.step), left - 7, y(value));
        if (picture.units)
            title(context, picture.units, 8, top + height / 2);
    });
    return canvas;
}

// Where the plane lies along the other axes, and what was seen of it.
function pictureText(picture) {
    const places = picture.place.map(
        (axis) => (axis.name || "index") + " " +
                  (axis.value === null ? "" : placeText(axis, axis.value) + " ") + "(" +
                  count(axis.index + 1) + " of " + count(axis.length) + ")");
    const unit = picture.units ? " " + picture.units : "";
    const values =
        picture.min === null
            ? "no values: all are missing"
            : digits(picture.min, 4) + " to " + digits(picture.max, 4) + unit + ", mean " +
                  digits(picture.mean, 4) +
                  (picture.missing > 0 ? ", " + percent(picture.missing) + " missing" : "");
    return (places.length ? "Shown: " + places.join(", ") + ". " : "") + "Values: " + values +
           ".";
}

function pictureMake(picture) {
    if (picture.value !== undefined)
        return make("p", {class: "tile"},
                    make("b", {}, digits(picture.value, 7) + " " + picture.units));
    if (!picture.axes)
        return make("p", {class: "notice"}, "It has no rows.");
    return [
        picture.means ? lineCanvas(picture) : pictureCanvas(picture),
        make("p", {class: "soft"}, pictureText(picture))
    ];
}
