"use strict";

/* Tables: a click on a head sorts by its column, another one the other way round. */
function keyOf(row, column) {
  const cell = row.cells[column];
  if (column === 0) return cell.textContent.trim().toLowerCase();
  return cell.dataset.key === undefined ? NaN : Number(cell.dataset.key);
}

function sortBy(table, column) {
  const heads = [...table.tHead.rows[0].cells];
  const up = heads[column].getAttribute("aria-sort") !== "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", up ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [keyOf(row, column), row]);
  rows.sort(([a], [b]) => {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1);
  });
  body.append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => sortBy(table, column));
  });
}

for (const input of document.querySelectorAll(".filter input")) {
  const table = input.closest("details").querySelector("table");
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const row of table.tBodies[0].rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    }
  });
}

/* Fields: whole numbers, each less that of the time before, low bytes first, compressed. */
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

async function fieldsOf(told) {
  const bytes = new Uint8Array(await unpacked(told.packed));
  const count = bytes.length / 2;
  const cells = told.shape[0] * told.shape[1];
  const layers = {};
  told.layers.forEach((name, l) => {
    const values = new Float32Array(told.times.length * cells);
    const numbers = new Uint16Array(cells);
    for (let t = 0; t < told.times.length; t++) {
      for (let c = 0; c < cells; c++) {
        const place = (l * told.times.length + t) * cells + c;
        numbers[c] += bytes[place] + 256 * bytes[count + place];
        values[t * cells + c] = numbers[c] ? told.low + (numbers[c] - 1) * told.step : NaN;
      }
    }
    layers[name] = values;
  });
  return layers;
}

const COLOURS = {
  truth: "var(--ink)", prediction: "var(--vermillion)", band: "var(--vermillion)", other: "var(--blue)",
};
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function rounded(value, unit) {
  if (Number.isNaN(value)) return "missing";
  return `${Number(value.toPrecision(4))}${unit ? " " + unit : ""}`;
}

function ticksOf(low, high) {
  const rough = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) found.push(i * step);
  return found;
}

class Player {
  constructor(root, told) {
    this.root = root;
    this.told = told;
    this.cells = told.shape[0] * told.shape[1];
    this.canvases = [...root.querySelectorAll("canvas")];
    this.now = told.start;
    this.timer = null;
  }

  async begin() {
    const { told, root } = this;
    this.layers = await fieldsOf(told);
    this.raster = new Uint32Array(await unpacked(told.raster.cells));
    this.lat = new Float32Array(await unpacked(told.lat));
    this.lon = new Float32Array(await unpacked(told.lon));
    if (this.layers.truth) {
      this.layers.error = this.layers.prediction.map((value, i) => value - this.layers.truth[i]);
    }
    this.palettes = {};
    for (const [name, scale] of Object.entries(told.scales)) {
      if (scale) this.palettes[name] = scale.colours.map((hex) => parseInt(hex.slice(1), 16));
    }
    for (const canvas of this.canvases) this.prepare(canvas);
    this.slider = root.querySelector(".time");
    this.slider.max = told.times.length - 1;
    this.slider.addEventListener("input", () => this.show(Number(this.slider.value)));
    root.querySelector(".back").addEventListener("click", () => this.step(-1));
    root.querySelector(".next").addEventListener("click", () => this.step(1));
    this.button = root.querySelector(".play");
    this.button.addEventListener("click", () => (this.timer ? this.pause() : this.play()));
    this.speed = root.querySelector(".speed");
    this.speed.addEventListener("change", () => { if (this.timer) { this.pause(); this.play(); } });
    const member = root.querySelector(".member");
    if (member) {
      member.addEventListener("change", () => {
        root.querySelector(".of-member").dataset.layer = member.value;
        this.show(this.now);
      });
    }
    this.place = this.firstPlace();
    this.show(this.now);
    this.draw();
    window.addEventListener("resize", () => this.draw());
    root.dataset.ready = "yes";
  }

  /* The middle of the map, or the first cell with values. */
  firstPlace() {
    const values = this.layers.prediction;
    const { rows, columns } = this.told.raster;
    const middle = this.raster[Math.floor(rows / 2) * columns + Math.floor(columns / 2)] - 1;
    if (middle >= 0 && !Number.isNaN(values[middle])) return middle;
    const found = values.subarray(0, this.cells).findIndex((value) => !Number.isNaN(value));
    return Math.max(0, found);
  }

  prepare(canvas) {
    canvas.width = this.told.raster.columns;
    canvas.height = this.told.raster.rows;
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const border = canvas.clientLeft;
      const x = (event.clientX - box.left - border) / canvas.clientWidth;
      const y = (event.clientY - box.top - border) / canvas.clientHeight;
      this.pick(x, y);
    });
    canvas.addEventListener("keydown", (event) => {
      const moves = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      const [height, width] = this.told.shape;
      const row = Math.min(height - 1, Math.max(0, Math.floor(this.place / width) + move[1]));
      const column = Math.min(width - 1, Math.max(0, (this.place % width) + move[0]));
      this.choose(row * width + column);
    });
  }

  /* A place by its shares of a map's width and height from the upper left. */
  pick(x, y) {
    const { rows, columns, } = this.told.raster;
    const row = Math.min(rows - 1, Math.max(0, Math.floor(y * rows)));
    const column = Math.min(columns - 1, Math.max(0, Math.floor(x * columns)));
    const cell = this.raster[row * columns + column];
    if (cell) this.choose(cell - 1);
  }

  choose(cell) {
    this.place = cell;
    this.show(this.now);
    this.draw();
  }

  step(by) {
    this.pause();
    const count = this.told.times.length;
    this.show((this.now + by + count) % count);
  }

  play() {
    this.button.textContent = "Pause";
    this.root.querySelector(".now").setAttribute("aria-live", "off");
    this.button.setAttribute("aria-pressed", "true");
    this.timer = setInterval(
      () => this.show((this.now + 1) % this.told.times.length), 1000 / Number(this.speed.value));
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = "Play";
    this.root.querySelector(".now").setAttribute("aria-live", "polite");
    this.button.setAttribute("aria-pressed", "false");
  }

  show(time) {
    this.now = time;
    this.slider.value = time;
    const text = this.told.times[time] + (this.told.given[time] ? " (given)" : "");
    this.root.querySelector(".when").textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
    for (const canvas of this.canvases) this.paint(canvas);
    this.mark();
  }

  paint(canvas) {
    const name = canvas.dataset.layer;
    const values = this.layers[name];
    const kind = name === "error" ? "error" : "values";
    const { low, high } = this.told.scales[kind];
    const colours = this.palettes[kind];
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    const offset = this.now * this.cells;
    for (let p = 0; p < this.raster.length; p++) {
      const value = this.raster[p] ? values[offset + this.raster[p] - 1] : NaN;
      let colour = 0xd1d1d1;
      if (!Number.isNaN(value)) {
        const share = (value - low) / (high - low);
        colour = colours[Math.min(colours.length - 1, Math.max(0, Math.floor(share * colours.length)))];
      }
      image.data.set([colour >> 16, (colour >> 8) & 255, colour & 255, 255], 4 * p);
    }
    context.putImageData(image, 0, 0);
    this.overlay(context, canvas);
  }

  overlay(context, canvas) {
    const { width, height } = canvas;
    for (const [colour, thick] of [["rgba(255,255,255,.55)", 2.6], ["rgba(25,25,25,.9)", 1.1]]) {
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.beginPath();
      for (const line of this.told.coast) {
        for (let i = 0; i < line.length; i += 2) {
          const x = line[i] * width, y = line[i + 1] * height;
          if (i) context.lineTo(x, y); else context.moveTo(x, y);
        }
      }
      context.stroke();
    }
    const at = this.pixelOf(this.place);
    if (!at) return;
    for (const [colour, thick] of [["#ffffff", 5], ["#000000", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.beginPath();
      context.arc(at[0], at[1], 7, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  /* The middle of the pixels of a cell. */
  pixelOf(cell) {
    if (this.marked === cell) return this.pixel;
    let x = 0, y = 0, count = 0;
    for (let p = 0; p < this.raster.length; p++) {
      if (this.raster[p] === cell + 1) {
        x += p % this.told.raster.columns;
        y += Math.floor(p / this.told.raster.columns);
        count++;
      }
    }
    this.marked = cell;
    this.pixel = count ? [x / count + 0.5, y / count + 0.5] : null;
    return this.pixel;
  }

  seriesOf(name) {
    return this.told.times.map((_, t) => this.layers[name][t * this.cells + this.place]);
  }

  get lines() {
    const hidden = ["low", "high"];
    return this.told.layers.filter((name) => !hidden.includes(name)).map((name, i) => {
      const main = name in COLOURS;
      const member = /^(member|quantile) /.test(name);
      const colour = COLOURS[name] || COLOURS.other;
      return { name, colour, member, width: member ? 0.8 : main ? 2 : 1.5, dash: main ? "" : member ? "" : "5 3", order: i };
    });
  }

  draw() {
    const where = this.root.querySelector(".where");
    const lat = this.lat[this.place], lon = this.lon[this.place];
    const place = `${Math.abs(lat).toFixed(2)}°${lat < 0 ? "S" : "N"}, ${Math.abs(lon).toFixed(2)}°${lon < 0 ? "W" : "E"}`;
    where.textContent = `Series at ${place}`;
    const shown = this.lines.filter((line) => !line.member);
    const series = Object.fromEntries(this.told.layers.map((name) => [name, this.seriesOf(name)]));
    const values = Object.values(series).flat().filter((value) => !Number.isNaN(value));
    const box = this.root.querySelector(".series");
    box.replaceChildren();
    if (!values.length) { box.textContent = "No values at this place."; return; }
    const W = Math.max(320, box.clientWidth), H = 300, left = 56, right = 12, top = 24, bottom = 34;
    let low = Math.min(...values), high = Math.max(...values);
    const margin = 0.04 * (high - low) || 1;
    low -= margin; high += margin;
    const last = Math.max(1, this.told.times.length - 1);
    this.x = (t) => left + (W - left - right) * t / last;
    const y = (value) => top + (H - top - bottom) * (high - value) / (high - low);
    const svg = element("svg", { viewBox: `0 0 ${W} ${H}`, role: "img" });
    svg.setAttribute("aria-label", `${this.told.name} at ${place} from ${this.told.times[0]} to ${this.told.times[last] || this.told.times[0]}, ` +
      shown.map((line) => `${line.name} from ${rounded(Math.min(...series[line.name].filter((v) => !Number.isNaN(v))), "")} to ${rounded(Math.max(...series[line.name].filter((v) => !Number.isNaN(v))), this.told.unit)}`).join(", "));
    for (const tick of ticksOf(low, high)) {
      svg.append(element("line", { x1: left, x2: W - right, y1: y(tick), y2: y(tick), stroke: "var(--line)" }));
      svg.append(element("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, Number(tick.toPrecision(6))));
    }
    svg.append(element("text", { x: 4, y: 14 }, `${this.told.name}${this.told.unit ? " [" + this.told.unit + "]" : ""}`));
    const every = Math.max(1, Math.ceil(this.told.times.length / Math.max(2, Math.floor(W / 130))));
    for (let t = 0; t < this.told.times.length; t += every) {
      svg.append(element("text", { x: this.x(t), y: H - 10, "text-anchor": t ? "middle" : "start" }, this.told.times[t].replace(/^\d{4}-/, "")));
    }
    if (series.low && series.high) {
      const known = this.told.times.map((_, t) => t).filter((t) => !Number.isNaN(series.low[t]));
      const points = [...known.map((t) => [t, series.high[t]]), ...known.reverse().map((t) => [t, series.low[t]])];
      svg.append(element("polygon", { points: points.map(([t, v]) => `${this.x(t)},${y(v)}`).join(" "), fill: COLOURS.band, opacity: 0.22 }));
    }
    for (const line of [...this.lines].reverse()) {
      let path = "", pen = false;
      series[line.name].forEach((value, t) => {
        if (Number.isNaN(value)) { pen = false; return; }
        path += `${pen ? "L" : "M"}${this.x(t).toFixed(1)} ${y(value).toFixed(1)}`;
        pen = true;
      });
      svg.append(element("path", { d: path, fill: "none", stroke: line.colour, "stroke-width": line.width, "stroke-dasharray": line.dash, opacity: line.member ? 0.5 : 1 }));
    }
    this.cursor = element("line", { y1: top, y2: H - bottom, stroke: "var(--muted)", "stroke-dasharray": "2 3" });
    svg.append(this.cursor);
    svg.addEventListener("click", (event) => {
      const share = (event.clientX - svg.getBoundingClientRect().left) / svg.getBoundingClientRect().width * W;
      const t = Math.round((share - left) / (W - left - right) * last);
      this.pause();
      this.show(Math.min(this.told.times.length - 1, Math.max(0, t)));
    });
    box.append(svg);
    const legend = this.root.querySelector(".legend");
    legend.replaceChildren(...shown.map((line) => {
      const item = document.createElement("li"), stroke = document.createElement("span");
      stroke.className = "stroke";
      stroke.style.color = line.colour;
      if (line.dash) stroke.style.borderTopStyle = "dashed";
      item.append(stroke, line.name);
      return item;
    }));
    if (series.low) {
      const item = document.createElement("li");
      item.textContent = "shaded: 5 to 95 % of the members; thin: some of them";
      legend.append(item);
    }
    this.mark();
  }

  mark() {
    if (!this.cursor) return;
    const x = this.x(this.now);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
    const at = this.now * this.cells + this.place;
    this.root.querySelector(".now").textContent = `${this.told.times[this.now]}: ` +
      this.lines.filter((line) => !line.member)
        .map((line) => `${line.name} ${rounded(this.layers[line.name][at], this.told.unit)}`).join(", ");
  }
}

const players = [...document.querySelectorAll(".player")].map((root) => {
  const told = JSON.parse(document.getElementById(root.dataset.fields).textContent);
  const player = new Player(root, told);
  player.begin();
  return player;
});

/* Maps that are pictures show the same domain: a click on one chooses the place as well. */
for (const picture of document.querySelectorAll("#maps img.map, #cells img.map, #members img.map")) {
  if (!players.length) break;
  picture.style.cursor = "crosshair";
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    for (const player of players) {
      player.pick((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    }
    players[0].root.querySelector(".place").scrollIntoView({ block: "center" });
  });
}
