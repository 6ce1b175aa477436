// A body as JSON that folds, opened around the members that a finding is about.
const LONG_TEXT = 400;
const LONG_BODY = 20000;
const MOST_CHILDREN = 200;
const FLAT = 16; // of plain values, which stay in one line

const isPlain = (value) => value === null || typeof value !== "object";
const within = (paths, step) => paths.filter((path) => path.length && String(path[0]) === String(step)).map((path) => path.slice(1));
const typeOf = (value) => (value === null ? "null" : Array.isArray(value) ? "list" : typeof value);

const Plain = ({ value }) => {
  const [whole, setWhole] = useState(false);
  const text = typeof value === "string" ? visible(JSON.stringify(value)) : String(value);
  const cut = text.length > LONG_TEXT && !whole;
  return html`<span class="json-${typeOf(value)}">${cut ? text.slice(0, LONG_TEXT) : text}</span>${
    cut && html` <button type="button" class="small" onClick=${() => setWhole(true)}>all ${text.length.toLocaleString("en")} characters</button>`}`;
};

const folded = (value) => {
  if (!Array.isArray(value)) return `{ ${visible(Object.keys(value).slice(0, 4).join(", ")).slice(0, 60)}${Object.keys(value).length > 4 ? ", ..." : ""} }`;
  return value.every((one) => typeof one === "number") ? `[ ${value.slice(0, 6).join(", ")}${value.length > 6 ? ", ..." : ""} ]` : "[ ... ]";
};

const sizeOf = (value) => (Array.isArray(value) ? amount(value.length, "item") : amount(Object.keys(value).length, "member"));

const JsonNode = ({ name, value, paths, depth }) => {
  const accused = paths.some((path) => path.length === 0);
  const leads = paths.some((path) => path.length > 0);
  const [open, setOpen] = useState(leads || (accused && depth < 8) || depth === 0);
  const [most, setMost] = useState(MOST_CHILDREN);
  const label = name === null ? null : html`<span class="json-name">${visible(name)}</span>: `;
  if (isPlain(value)) return html`<div class="json-line ${accused ? "accused" : ""}">${label}<${Plain} value=${value} /></div>`;
  const flat = Array.isArray(value) && value.length <= FLAT && value.every((one) => isPlain(one) && String(one).length < 12);
  if (flat) return html`<div class="json-line ${accused ? "accused" : ""}">${label}${visible(JSON.stringify(value))}</div>`;
  const entries = Object.entries(value);
  return html`<div class="json-node ${accused ? "accused" : ""}">
    <button type="button" class="json-fold" aria-expanded=${open} onClick=${() => setOpen(!open)}
      ><span aria-hidden="true" class="json-mark">${open ? "▾" : "▸"}</span>${label}<span class="json-size">${
        open ? sizeOf(value) : `${folded(value)} ${sizeOf(value)}`}</span></button>
    ${open && html`<div class="json-inner">
      ${entries.slice(0, most).map(([key, member]) =>
        html`<${JsonNode} key=${key} name=${key} value=${member} paths=${within(paths, key)} depth=${depth + 1} />`)}
      ${entries.length > most && html`<button type="button" class="small" onClick=${() => setMost(most + 1000)}>${amount(entries.length - most, "more item")}</button>`}
    </div>`}
  </div>`;
};

const RawText = ({ text }) => {
  const [most, setMost] = useState(LONG_BODY);
  return html`<pre class="raw">${visible(text.slice(0, most))}</pre>${
    text.length > most && html`<button type="button" class="small" onClick=${() => setMost(text.length)}>all ${text.length.toLocaleString("en")} characters</button>`}`;
};

const StreamBody = ({ events, pieces }) => html`<ol class="events" start="0">${events.slice(0, 400).map((data, n) => {
  const read = parsed(data);
  return html`<li key=${n}>${read && !isPlain(read.value)
    ? html`<${JsonNode} name=${null} value=${read.value} paths=${[]} depth=${1} />` : html`<span class="json-string">${visible(data)}</span>`}</li>`;
})}</ol>${events.length > 400 && html`<p class="quiet">and ${events.length - 400} more events, which the plain text shows</p>`}`;

const Body = ({ text, paths }) => {
  const [raw, setRaw] = useState(false);
  const read = useMemo(() => parsed(text), [text]);
  const events = useMemo(() => (read ? null : streamEvents(text)), [text]);
  if (!text) return html`<p class="quiet">no body</p>`;
  const tree = (read && !isPlain(read.value)) || events;
  return html`<div class="body">
    <div class="body-tools">
      ${tree && html`<button type="button" class="small" aria-pressed=${raw} onClick=${() => setRaw(!raw)}>${raw ? "Folded" : "Plain text"}</button>`}
      <${CopyButton} text=${text} />
    </div>
    ${raw || !tree ? html`<${RawText} text=${text} />`
      : events ? html`<${StreamBody} events=${events} />`
      : html`<div class="json"><${JsonNode} name=${null} value=${read.value} paths=${paths} depth=${0} /></div>`}
  </div>`;
};
