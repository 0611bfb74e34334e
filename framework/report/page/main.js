// main.js - the sections of the page.
"use strict";
const main = document.getElementById("main");
const TOP = 20; // rows of long lists that are shown at once

function section(name, title, ...children) {
    main.append(make("section", {id: name}, make("h2", {}, title), ...children));
}

// The rows of a long list: the first ones, and a button for the others.
function longTable(heads, rows, most) {
    const box = make("div", {}, table(heads, rows.slice(0, most)));
    if (rows.length > most) {
        const more = make("button", {onclick: () => box.replaceChildren(table(heads, rows))},
                          "Show all " + count(rows.length));
        box.append(make("p", {class: "tools"}, more));
    }
    return box;
}

// --- headline -------------------------------------------------------------------------

const STATES = {
    "done": "good",
    "complete already": "good",
    "done but for failed blocks": "warn",
    "interrupted": "warn"
};

const hosts = [...new Set(run.processes.map((process) => process.host))];
const lostRanks = run.lost_ranks || []; // not in records of earlier builds
const ofRole = (role) => run.processes.filter((process) => process.role === role);

function headline() {
    document.getElementById("status").className = STATES[run.status] || "bad";
    const began = run.began.replace("T", " ").replace(/\.\d+/, "").replace(/Z$/, " UTC");
    document.getElementById("subtitle")
        .append(
            run.kernels.map((kernel) => kernel.name).join(", then ") + " on " +
            (hosts.length > 1 ? hosts.length + " hosts" : hosts[0] || run.environment.host) +
            ", begun " + began + ", exit status " + run.exit_status);
    const totals = run.totals,
          ranks = new Set(run.processes.map((process) => process.rank)).size;
    const made = totals.bytes_written, stored = totals.bytes_stored;
    const all = sumOf(run.processes);
    const tiles = [
        [time(run.seconds * 1e6), "time"],
        [
            count(totals.blocks) +
                (totals.blocks === run.plan.blocks ? "" : " of " + count(run.plan.blocks)),
            "blocks done" + (totals.failed ? ", " + count(totals.failed) + " failed" : "")
        ],
        [rate(totals.gb_per_s), "read and made"],
        [size(totals.bytes_read), "given to kernels"],
        [
            size(made),
            "made" + (stored && stored !== made ? ", " + size(stored) + " stored" : "")
        ],
        [
            several(ranks, "rank"), several(ofRole("reader").length, "reader") + ", " +
                                        several(ofRole("writer").length, "writer")
        ],
        [
            time(totals.lock_wait_s * 1e6),
            "waited for locks, " + count(totals.locks_waited) + " of " + count(totals.locks)
        ],
        [
            all.reading ? percent(all.kernel / all.reading) : "-",
            "of the readers' time in kernels"
        ],
    ];
    main.append(
        make("div", {class: "tiles"},
             tiles.map(([value, name]) => make("div", {class: "tile"}, make("b", {}, value),
                                               make("span", {}, name)))));
}

function notices() {
    const say = (kind, text) => main.append(make("p", {class: "notice " + kind}, text));
    if (run.error)
        say("bad", run.error);
    if (run.failed_blocks.length)
        say("warn", count(run.failed_blocks.length) + " failed " +
                        (run.failed_blocks.length === 1 ? "block keeps" : "blocks keep") +
                        " fill values; they are listed below, and --resume tries them again.");
    if (run.missing_ranks.length)
        say("warn", "Of these ranks the record was not found, so they are not shown: " +
                        run.missing_ranks.join(", ") + ".");
    if (run.joined && run.joined.ranks)
        say("soft", several(run.joined.ranks, "rank") +
                        " joined the job while it ran and did " + count(run.joined.blocks) +
                        " of its blocks, which are not shown.");
    if (lostRanks.length)
        say("warn", count(lostRanks.length) +
                        (lostRanks.length === 1 ? " rank was" : " ranks were") +
                        " lost, see below; what they had done since they began is not shown.");
    if (run.dropped)
        say("warn", count(run.dropped) +
                        " blocks or spans found no room in the record and are not shown; " +
                        "totals count them.");
}

// --- where the time went --------------------------------------------------------------

const ACTIVITY_SECONDS =
    ["read", "decode", "kernel", "encode", "write", "commit", "lock", "wait", "idle"];

function sumOf(processes) {
    const sums = {total: 0, reading: 0};
    for (const name of ACTIVITY_SECONDS) {
        sums[name] = 0;
        for (const process of processes) {
            sums[name] += process.seconds[name];
            if (process.role === "reader")
                sums.reading += process.seconds[name];
        }
        sums.total += sums[name];
    }
    return sums;
}

function legend(names) {
    return make(
        "p", {class: "legend"},
        names.map((name) =>
                      make("span", {},
                           make("i", {class: name, style: {background: "var(--" + name + ")"}}),
                           MEANINGS[name])));
}

function shareBar(sums) {
    return make(
        "div", {class: "bar"}, ACTIVITY_SECONDS.filter((name) => sums[name] > 0).map((name) => {
            const share = sums[name] / sums.total;
            const part = make("i", {
                class: name,
                title: MEANINGS[name] + ": " + time(sums[name] * 1e6) + ", " + percent(share),
                style: {width: 100 * share + "%", background: "var(--" + name + ")"}
            },
                              share > .07 && name !== "idle" ? percent(share) : "");
            return part;
        }));
}

function shares() {
    const rows = [], used = new Set();
    for (const role of ["reader", "writer", "rank"]) {
        const processes = ofRole(role), sums = sumOf(processes);
        if (!processes.length || !(sums.total > 0))
            continue;
        ACTIVITY_SECONDS.filter((name) => sums[name] > 0).forEach((name) => used.add(name));
        rows.push(
            make("span", {},
                 count(processes.length) + " " + role + (processes.length > 1 ? "s" : "") + " ",
                 make("span", {class: "soft"}, time(sums.total * 1e6))),
            shareBar(sums));
    }
    if (!rows.length)
        return;
    section("shares", "Where the time went", make("div", {class: "shares"}, rows),
            legend(ACTIVITY_SECONDS.filter((name) => used.has(name))));
}

// --- over time ------------------------------------------------------------------------

function overTime() {
    if (!run.processes.length)
        return;
    const used = new Set(["idle"]);
    ["read", "decode", "kernel", "encode"].forEach((name) => {
        if (blocks[name + "_us"].some((us) => us > 0))
            used.add(name);
    });
    if (run.lock_waits.length)
        used.add("lock");
    run.activities.forEach((name, i) => {
        if (spans.activity.includes(i))
            used.add(ACTIVITIES.includes(name) ? name : "other");
    });
    const button = (text, label, act) =>
        make("button", {onclick: act, "aria-label": label, title: label}, text);
    section(
        "time", "Over time",
        make(
            "div", {class: "tools"}, button("+", "Zoom in", () => viewZoom(1 / 2)),
            button("\u2212", "Zoom out", () => viewZoom(2)),
            button("\u2190", "Earlier",
                   () => viewSet(view.from - (view.to - view.from) / 2,
                                 view.to - (view.to - view.from) / 2)),
            button("\u2192", "Later",
                   () => viewSet(view.from + (view.to - view.from) / 2,
                                 view.to + (view.to - view.from) / 2)),
            button("All", "Show the whole run", () => viewSet(0, wholeTime)),
            make(
                "span", {class: "soft"},
                "Drag to move, Shift and drag to mark a stretch, double-click or Ctrl and wheel to zoom.")),
        make(
            "p", {class: "legend"},
            SERIES.map((one) => make("span", {},
                                     make("i", {style: {background: "var(--" + one.css + ")"}}),
                                     "bytes per second " + one.text))),
        throughputCanvas(),
        make("div", {class: "keep"},
             legend([...ACTIVITIES, "idle"].filter((name) => used.has(name))), lanesCanvas()),
        make(
            "p", {class: "soft"},
            "What was done for a block is drawn one after the other, each as the sum of its parts. " +
                "A column of several blocks is divided as its time was."),
        run.replaced.length
            ? table(["Replaced", "#At", "+Why"],
                    run.replaced.map((one) => [processFull(one), time(one.at_us), one.why]))
            : null,
        lostRanks.length
            ? table(["Lost", "#At", "+Why"],
                    lostRanks.map((one) => ["rank " + one.rank + ", pid " + one.pid,
                                            time(one.at_us), one.why]))
            : null);
}

// --- locks ----------------------------------------------------------------------------

function holderText(holder) {
    if (!holder)
        return "not known";
    const who = holder.job ? "job " + holder.job : holder.session || "a session";
    return who + (holder.pid !== null ? ", pid " + holder.pid : "") +
           (holder.host ? " on " + holder.host : "");
}

function showTime(from, us) {
    viewSet(from - us, from + 2 * us);
    document.getElementById("time").scrollIntoView({block: "start"});
}

function locks() {
    const waits = run.lock_waits.slice().sort((a, b) => b.us - a.us), totals = run.totals;
    const text = count(totals.locks) + " locks were taken, for " + count(totals.locks_waited) +
                 " of them a process had to wait, " + time(totals.lock_wait_s * 1e6) +
                 " in all.";
    section(
        "locks", "Waits for locks", make("p", {}, text),
        waits.length
            ? longTable(
                  ["#Waited", "#From", "Who", "Mode", "+File", "+Held by"],
                  waits.map(
                      (wait) => [make("button", {
                                     class: "link",
                                     onclick: () => showTime(wait.start_us, wait.us)
                                 },
                                      time(wait.us)),
                                 time(wait.start_us), processFull(run.processes[wait.process]),
                                 wait.mode, wait.resource, holderText(wait.holder)]),
                  TOP)
            : null);
}

// --- blocks ---------------------------------------------------------------------------

const blockLength = (i) => Math.max(0, blocks.end_us[i] - blocks.start_us[i]);

function slowest() {
    if (!blocks.n)
        return;
    const lengths = Float64Array.from({length: blocks.n}, (_, i) => blockLength(i));
    const order = Uint32Array.from(lengths.keys()).sort((a, b) => lengths[b] - lengths[a]);
    const at = (share) =>
        time(lengths[order[Math.min(blocks.n - 1, Math.floor(blocks.n * (1 - share)))]]);
    const rows = Array.from(
        order.slice(0, 10),
        (i) => [make("button",
                     {class: "link", onclick: () => showTime(blocks.start_us[i], lengths[i])},
                     count(blocks.block[i])),
                time(lengths[i]),
                ...["read", "decode", "kernel", "encode"].map(
                    (name) => time(blocks[name + "_us"][i])),
                time(blocks.start_us[i]), processFull(run.processes[blocks.process[i]])]);
    section("slowest", "Slowest blocks",
            make("p", {},
                 "Half of the blocks took up to " + at(.5) + ", 95 of 100 up to " + at(.95) +
                     ", the slowest " + time(lengths[order[0]]) + "."),
            table(["#Block", "#Took", "#Read", "#Decode", "#Kernel", "#Encode", "#From", "Who"],
                  rows));
}

function failed() {
    if (!run.failed_blocks.length)
        return;
    section("failed", "Failed blocks",
            longTable(
                ["#Block", "#Tries", "+Where", "+Error"],
                run.failed_blocks.map(
                    (block) => [count(block.block), count(block.tries),
                                block.start
                                    .map((from, i) =>
                                             from + (block.count[i] > 1
                                                         ? " to " + (from + block.count[i] - 1)
                                                         : ""))
                                    .join(", "),
                                block.error]),
                TOP));
}

// --- data -----------------------------------------------------------------------------

function outputs() {
    if (!run.outputs.length)
        return;
    section("outputs", "Outputs",
            make("div", {class: "outputs"}, run.outputs.map((output, i) => {
                const {file, why, picture} = data.pictures[i];
                const now = picture || output;
                return make(
                    "section", {},
                    make("h3", {}, picture && picture.long_name || output.port,
                         picture && picture.units && picture.units !== "1"
                             ? " (" + picture.units + ")"
                             : ""),
                    make("p", {class: "soft mono"}, file + ":" + output.dataset),
                    make("p", {class: "soft"},
                         now.type + ", " + shape(now.shape) +
                             (now.chunks ? ", chunks " + shape(now.chunks) : ", no chunks") +
                             (now.filters ? ", filters: " + now.filters : "")),
                    why ? make("p", {class: "notice warn"}, "No picture: " + why)
                        : pictureMake(picture));
            })),
            make("p", {class: "soft"},
                 "Read from the files when this page was made, " +
                     data.made.replace("T", " ").replace("Z", " UTC") + "."));
}

function inputs() {
    if (!run.inputs.length)
        return;
    section("inputs", "Inputs",
            table(["Port", "+File", "Dataset", "Shape", "Type", "Chunks", "Filters"],
                  run.inputs.map(
                      (input) => [input.port, input.file, input.dataset, shape(input.shape),
                                  input.type, input.chunks ? shape(input.chunks) : "none",
                                  input.filters || "none"])));
}

function job() {
    section("job", "Job", facts([
                ["command", make("code", {}, run.command)], ["job file", run.job.file],
                ["changed by --set", run.job.sets.join(", ")],
                [
                    "blocks", count(run.plan.blocks) + " of " + shape(run.plan.block) +
                                  " over " + shape(run.plan.extent)
                ],
                ["memory of a rank", size(run.plan.memory_per_rank)]
            ]),
            table(["Kernel", "Kind", "+What it does", "+Where"],
                  run.kernels.map((kernel) => [kernel.name, kernel.kind, kernel.summary || "",
                                               kernel.path || ""])),
            run.job.text ? make("pre", {id: "job-text"}, run.job.text)
                         : make("p", {class: "soft"}, "There is no job file."));
}

function environment() {
    const of = run.environment;
    section(
        "environment", "Environment", facts([
            ["h5swim", run.h5swim], ["HDF5", of.hdf5], ["MPI", of.mpi], ["system", of.system],
            ["host", of.host + ": " + of.processors + " processors, " + size(of.memory_bytes)],
            ["launcher", of.launcher], ["Slurm job", of.slurm_job],
            ["lock server", of.lock_server], ["run", run.run_id]
        ]),
        make("details", {}, make("summary", {}, count(run.processes.length) + " processes"),
             table(
                 [
                     "Process", "Host", "#Pid", "#Blocks",
                     ...ACTIVITY_SECONDS.map((name) => "#" + name)
                 ],
                 run.processes.map(
                     (process) => [processFull(process), process.host, process.pid,
                                   count(process.blocks),
                                   ...ACTIVITY_SECONDS.map(
                                       (name) => time(process.seconds[name] * 1e6))]))));
}

// --- all of it ------------------------------------------------------------------------

headline();
notices();
shares();
overTime();
failed();
slowest();
locks();
outputs();
inputs();
job();
environment();
document.getElementById("footer").append("Made by h5swim " + data.made_by + ".");

drawn.push(redrawTime);
viewFromAddress();
redraw();
addEventListener("hashchange", viewFromAddress);
let widthThen = innerWidth;
addEventListener("resize", () => {
    if (innerWidth !== widthThen)
        redraw();
    widthThen = innerWidth;
});
// On paper the colours are those of the light page.
for (const query of ["print", "(prefers-color-scheme: dark)"])
    matchMedia(query).addEventListener("change", redraw);
addEventListener("beforeprint", redraw);
addEventListener("afterprint", redraw);
