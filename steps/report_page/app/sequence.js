// The case as a sequence: requests, responses, chunks and events in the order of their times, between the lanes of those who take part.
const FEW_PIECES = 4;
const SAME_TIME = 0.002; // seconds between an event and the request or response that shows it

const keyed = (trace) => ({
  ...trace,
  exchanges: trace.exchanges.map((one) => ({ ...one, key: String(one.n) })),
  backends: (trace.backends || []).map((one) => ({ ...one, key: `b${one.n}`, backend: true })),
});

const pieceMoments = (exchange) => {
  const pieces = exchange.pieces || [];
  if (!pieces.length) return [];
  const size = (n) => pieces[n][1] - (n ? pieces[n - 1][1] : 0);
  if (pieces.length <= FEW_PIECES) return pieces.map(([at], n) => ({ at, what: "piece", exchange, text: `chunk ${n}, ${amount(size(n), "byte")}` }));
  const [first, last] = [pieces[0], pieces[pieces.length - 1]];
  return [
    { at: first[0], what: "piece", exchange, text: `chunk 0, ${amount(size(0), "byte")}` },
    { at: last[0], what: "piece", exchange, text: `${pieces.length - 1} more chunks until here, ${amount(last[1], "byte")} in all` },
  ];
};

// `GenerationRequested` as "generation requested".
const inWords = (name) => name.replace(/\B[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
const ORDER = { request: 0, event: 1, piece: 2, response: 3 };

const momentsOf = (trace) => {
  const moments = [];
  for (const exchange of [...trace.exchanges, ...trace.backends]) {
    moments.push({ at: exchange.began, what: "request", exchange, text: `${exchange.method} ${exchange.path}`, events: [] });
    moments.push(...pieceMoments(exchange).map((moment) => ({ ...moment, events: [] })));
    if (exchange.ended !== null || exchange.response || exchange.fault) {
      moments.push({ at: momentEnd(exchange), what: "response", exchange, text: outcomeOf(exchange), note: briefly(exchange), events: [] });
    }
  }
  for (const [at, rollout, role, name, n] of trace.events) {
    const distance = (one) => Math.abs((one.at || 0) - at);
    const same = moments.filter((one) => one.exchange && !one.exchange.backend && one.exchange.n === n && one.what !== "piece" && one.what !== "event");
    const near = same.sort((a, b) => distance(a) - distance(b) || ORDER[b.what] - ORDER[a.what])[0];
    if (near && distance(near) < SAME_TIME) near.events.push(inWords(name));
    else moments.push({ at, what: "event", text: inWords(name), role, exchange: trace.exchanges.find((one) => one.n === n) || null, events: [] });
  }
  return moments.map((one, n) => ({ ...one, n })).sort((a, b) => (a.at || 0) - (b.at || 0) || ORDER[a.what] - ORDER[b.what] || a.n - b.n);
};

const NoteOfFinding = ({ finding, others, select, chosenKey }) => html`<div class="note ${finding.level}">
  <p class="note-head"><a href=${`#${finding.requirement}`}>${visible(finding.requirement)}</a> <span class="level ${finding.level}">${finding.level.toUpperCase()}</span>
    ${finding.known && html` <${Chip} word="inconclusive" text="known" />`}
    ${others.map((n) => html` <button type="button" key=${n} class="small" onClick=${() => select(String(n))}>see #${n}</button>`)}</p>
  <dl class="told"><dt>expected</dt><dd>${visible(finding.expected)}</dd><dt>observed</dt><dd class="observed">${visible(finding.observed)}</dd>
    ${finding.state && html`<dt>state</dt><dd>${visible(finding.state)}</dd>`}
    ${finding.hint && html`<dt>note</dt><dd>${visible(finding.hint)}</dd>`}</dl>
</div>`;

const Arrow = ({ moment, lanes }) => {
  const [from, to] = ends(moment.exchange, lanes);
  const back = moment.what !== "request";
  const start = lanes.names.indexOf(back ? to : from);
  const end = lanes.names.indexOf(back ? from : to);
  const [left, right] = [Math.min(start, end), Math.max(start, end)];
  const bad = moment.what === "response" && isBad(moment.exchange);
  const place = { gridColumn: `${left + 1} / ${right + 2}`, "--span": right - left + 1 };
  return html`<span class="arrow ${moment.what} ${end < start ? "leftwards" : "rightwards"} ${bad ? "bad" : ""} ${kindOf(moment.exchange)}" style=${place}>
    <span class="arrow-text"><b>${visible(moment.text).slice(0, 160)}</b>${moment.note && html` <span class="quiet">${moment.note}</span>`}</span>
    ${moment.events.length > 0 && html`<span class="arrow-events">${moment.events.map(visible).join(", ")}</span>`}</span>`;
};

const EventMark = ({ moment, lanes }) => {
  const whose = /trainer|client|suite/.test(moment.role) === (lanes.us !== "rollout server") ? lanes.us : lanes.target;
  return html`<span class="event-mark" style=${{ gridColumn: `${lanes.names.indexOf(whose) + 1}` }}>${visible(moment.text)}</span>`;
};

const MomentRow = ({ moment, lanes, state, select, onKey }) => {
  const chosen = state.includes("chosen");
  const number = moment.exchange ? `#${moment.exchange.key}` : "";
  return html`<button type="button" class="moment ${moment.what} ${state}" aria-pressed=${chosen} data-moment=${moment.n} onKeyDown=${onKey}
    onClick=${() => moment.exchange && select(moment.exchange.key, moment.what === "request" ? "request" : "response", moment.at)}>
    <span class="moment-at">${seconds(moment.at).replace(" s", "")}</span>
    <span class="moment-n">${moment.what === "request" ? number : ""}</span>
    <span class="moment-lanes" style=${{ "--lanes": lanes.names.length }}>
      ${lanes.names.map((_, n) => html`<i key=${n} class="life" style=${{ gridColumn: n + 1 }}></i>`)}
      ${moment.what === "event" ? html`<${EventMark} moment=${moment} lanes=${lanes} />` : html`<${Arrow} moment=${moment} lanes=${lanes} />`}
    </span>
  </button>`;
};

const Sequence = ({ trace, moments, lanes, findings, chosen, at, select, inline }) => {
  const list = useRef(null);
  const [most, setMost] = useState(200);
  const byExchange = useMemo(() => {
    const found = new Map();
    for (const finding of findings) {
      const key = String(Math.max(-1, ...finding.exchanges));
      found.set(key, [...(found.get(key) || []), finding]);
    }
    return found;
  }, [findings]);
  const cited = useMemo(() => new Set(findings.flatMap((one) => one.exchanges.map(String))), [findings]);
  const onKey = (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    const rows = [...list.current.querySelectorAll(".moment")];
    rows[rows.indexOf(event.currentTarget) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  };
  const last = new Map(moments.map((moment) => [moment.exchange?.key, moment.n]));
  return html`<div class="sequence" ref=${list}>
    <div class="sequence-head"><span class="moment-at">time</span><span class="moment-n"></span>
      <span class="moment-lanes" style=${{ "--lanes": lanes.names.length }}>${lanes.names.map((name, n) => html`<b key=${n} class=${name === lanes.target ? "target" : ""}>${visible(name)}</b>`)}</span></div>
    ${moments.slice(0, most).map((moment) => {
      const key = moment.exchange?.key;
      const state = [(moment.at || 0) > at + 1e-9 ? "later" : "", key !== undefined && key === chosen ? "chosen" : "", cited.has(key) ? "cited" : ""].join(" ");
      const notes = last.get(key) === moment.n ? byExchange.get(key) || [] : [];
      return html`<${Fragment} key=${moment.n}>
        <${MomentRow} moment=${moment} lanes=${lanes} state=${state} select=${select} onKey=${onKey} />
        ${notes.map((finding, n) => html`<${NoteOfFinding} key=${`note${n}`} finding=${finding} select=${select} others=${finding.exchanges.filter((one) => String(one) !== key)} />`)}
        ${inline && key === chosen && last.get(key) === moment.n && inline}
      </${Fragment}>`;
    })}
    ${moments.length > most && html`<button type="button" class="small" onClick=${() => setMost(most + 500)}>${amount(moments.length - most, "more row")}</button>`}
    ${trace.left_out > 0 && html`<p class="quiet">${amount(trace.left_out, "more exchange")} of this case were not kept.</p>`}
    ${(byExchange.get("-1") || []).map((finding, n) => html`<${NoteOfFinding} key=${n} finding=${finding} select=${select} others=${[]} />`)}
  </div>`;
};
