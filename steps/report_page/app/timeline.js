// Every exchange at its time, one lane for each kind of traffic, with a slider through time.
const STEPS = 1000;
const MOST_LANES = 40; // rows of one lane that overlap

const momentEnd = (exchange) => exchange.ended ?? exchange.began;

const durationOf = (trace) => {
  const ends_ = [...trace.exchanges, ...trace.backends].map((one) => Math.max(momentEnd(one) || 0, ...(one.pieces || []).slice(-1).map((piece) => piece[0])));
  const events = trace.events.map(([at]) => at || 0);
  return Math.max(0.001, ...ends_.slice(0, 5000), ...events.slice(0, 5000)) * 1.02;
};

// Rows so that bars of a lane which overlap do not hide one another.
const stacked = (exchanges) => {
  const free = [];
  return exchanges.map((exchange) => {
    let row = free.findIndex((until) => until <= exchange.began);
    if (row < 0) row = Math.min(free.length, MOST_LANES);
    free[row] = momentEnd(exchange);
    return { exchange, row };
  });
};

const laneGroups = (trace, lanes) => {
  const groups = new Map();
  for (const exchange of [...trace.exchanges, ...trace.backends]) {
    const [from, to] = ends(exchange, lanes);
    const kind = kindOf(exchange);
    const name = `${from} → ${to}`;
    const key = `${name} ${kind}`;
    if (!groups.has(key)) groups.set(key, { name, kind, exchanges: [] });
    groups.get(key).exchanges.push(exchange);
  }
  return [...groups.values()].map((group) => {
    const bars = stacked(group.exchanges);
    return { ...group, bars, height: 1 + Math.max(0, ...bars.map((bar) => bar.row)) };
  });
};

const percent = (part, whole) => `${Math.min(100, Math.max(0, (100 * (part || 0)) / whole))}%`;

const Bar = ({ exchange, row, whole, accused, chosen, select }) => {
  const until = momentEnd(exchange);
  const state = `${kindOf(exchange)} ${isBad(exchange) ? "bad" : ""} ${accused ? "accused" : ""} ${chosen ? "chosen" : ""}`;
  const title = `#${exchange.key} ${exchange.method} ${visible(exchange.path)} ${visible(outcomeOf(exchange))}, ${seconds(exchange.began)} to ${seconds(until)}`;
  return html`<button type="button" tabindex="-1" class="lane-bar ${state}" title=${title} onClick=${() => select(exchange.key)}
    style=${{ left: percent(exchange.began, whole), width: percent(until - exchange.began, whole), top: `${row * 14 + 3}px` }}>
    <span class="sr">${title}</span>
    ${(exchange.pieces || []).slice(0, 200).map(([at], n) => html`<i key=${n} class="tick" style=${{ left: percent(at - exchange.began, until - exchange.began || 1) }}></i>`)}
  </button>`;
};

const axisMarks = (whole) => {
  const rough = whole / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * unit).find((one) => one >= rough) || unit * 10;
  return Array.from({ length: Math.floor(whole / step) + 1 }, (_, n) => n * step);
};

const markText = (at, whole) => (whole < 1 ? `${Math.round(at * 1000)} ms` : `${Number(at.toFixed(2))} s`);

const Timeline = ({ trace, lanes, accused, chosen, at, setAt, select }) => {
  const whole = useMemo(() => durationOf(trace), [trace]);
  const groups = useMemo(() => laneGroups(trace, lanes), [trace]);
  return html`<div class="timeline">
    ${groups.map((group) => html`<div class="lane" key=${`${group.name} ${group.kind}`}>
      <span class="lane-name" title=${`${group.name}, ${group.kind}`}>${visible(group.name)} <span class="quiet">${group.kind}</span></span>
      <div class="lane-track" style=${{ height: `${group.height * 14 + 6}px` }}>
        ${group.bars.map(({ exchange, row }) => html`<${Bar} key=${exchange.key} exchange=${exchange} row=${row} whole=${whole}
          accused=${accused.has(exchange.key)} chosen=${exchange.key === chosen} select=${select} />`)}
        <i class="playhead" style=${{ left: percent(at, whole) }}></i>
      </div></div>`)}
    <div class="lane scrub"><span class="lane-name"><label>time <output>${seconds(at)}</output></label></span>
      <div class="lane-track"><input type="range" min="0" max=${STEPS} value=${Math.round((STEPS * at) / whole)} aria-label="Time in the case"
        aria-valuetext=${seconds(at)} onInput=${(event) => setAt((Number(event.target.value) * whole) / STEPS)} />
        <div class="axis" aria-hidden="true">${axisMarks(whole).map((mark) => html`<span key=${mark} style=${{ left: percent(mark, whole) }}>${markText(mark, whole)}</span>`)}</div>
      </div></div>
  </div>`;
};
