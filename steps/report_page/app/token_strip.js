// Token strips: id, text, logprob and mask of each token in one column, and a prompt beside what it should have carried on.
const AROUND = 8;
const MOST_CELLS = 600;

const cellText = (id, text) => {
  const known = text ?? tokenText(id);
  if (known === null) return "";
  return visible(known).replaceAll("\n", "↵").replaceAll("\t", "⇥").replaceAll(" ", "·") || "∅";
};

const Cell = ({ id, text, logprob, mask, state, title }) => html`<span class="cell ${state}" title=${title}>
  <span class="cell-text">${cellText(id, text)}</span>
  <span class="cell-id">${id ?? ""}</span>
  ${logprob !== undefined && html`<span class="cell-logprob">${typeof logprob === "number" ? logprob.toFixed(4) : "–"}</span>`}
  ${mask !== undefined && html`<span class="cell-mask">${mask}</span>`}
</span>`;

const Sampled = ({ turn }) => {
  const length = Math.max(turn.ids.length, turn.logprobs.length, turn.texts.length);
  const uneven = turn.ids.length && turn.logprobs.length && turn.ids.length !== turn.logprobs.length;
  return html`<p class="strip-title"><b>sampled</b> ${amount(turn.ids.length, "id")}, ${amount(turn.logprobs.length, "logprob")}
    ${uneven && html` <span class="chip fail">not one for each</span>`}</p>
  <div class="strip">${Array.from({ length: Math.min(length, MOST_CELLS) }, (_, n) => {
    const missing = n >= turn.ids.length || (turn.logprobs.length > 0 && n >= turn.logprobs.length);
    const logprob = n < turn.logprobs.length ? turn.logprobs[n] : null;
    const state = missing ? "missing" : typeof logprob === "number" && logprob > 0 ? "differs" : "sampled";
    return html`<${Cell} key=${n} id=${turn.ids[n]} text=${turn.texts[n]} logprob=${logprob} mask=${1} state=${state} title="token ${n} of the sample" />`;
  })}</div>${length > MOST_CELLS && html`<p class="quiet">and ${length - MOST_CELLS} more</p>`}`;
};

const Prompt = ({ turn }) => {
  const [open, setOpen] = useState(false);
  const inherited = turn.carried ? turn.carried.length : 0;
  const origin = (n) => (turn.carried && n >= turn.sampledFrom && n < inherited ? "inherited" : "given");
  return html`<p class="strip-title"><b>prompt</b> ${amount(turn.prompt.length, "id")}
    ${turn.carried && turn.departs < 0 && html` <span class="quiet">begins with all ${inherited} of the turn before</span>`}
    <button type="button" class="small" aria-expanded=${open} onClick=${() => setOpen(!open)}>${open ? "Fold" : "Show"}</button></p>
  ${open && html`<div class="strip">${turn.prompt.slice(0, MOST_CELLS).map((id, n) => html`<${Cell} key=${n} id=${id} mask=${origin(n) === "inherited" ? 1 : 0}
    state=${turn.departs >= 0 && n >= turn.departs ? "differs" : origin(n)} title="token ${n} of the prompt" />`)}</div>
    ${turn.prompt.length > MOST_CELLS && html`<p class="quiet">and ${turn.prompt.length - MOST_CELLS} more</p>`}`}`;
};

// What the prompt added after the last sampled token, each with the value of the mask that the server sent for it.
const Inserted = ({ turn }) => {
  const [ids, mask] = [turn.inserted, turn.mask];
  const length = Math.max(ids.length, mask.length);
  return html`<p class="strip-title"><b>inserted</b> ${amount(ids.length, "id")}, ${amount(mask.length, "value")} of the response_mask
    ${unevenMask(turn) && html` <span class="chip fail">not one for each</span>`}</p>
  <div class="strip">${Array.from({ length: Math.min(length, MOST_CELLS) }, (_, n) => html`<${Cell} key=${n} id=${ids[n]} mask=${mask[n] ?? "none"}
    state=${n >= ids.length || n >= mask.length ? "missing" : mask[n] === 0 ? "given" : "differs"} title="token ${n} after what was sampled" />`)}</div>
  ${length > MOST_CELLS && html`<p class="quiet">and ${length - MOST_CELLS} more</p>`}`;
};

const unevenMask = (turn) => turn.mask !== null && turn.inserted !== null && turn.mask.length !== turn.inserted.length;

const Departure = ({ turn }) => {
  const from = Math.max(0, turn.departs - AROUND);
  const to = turn.departs + 2 * AROUND;
  const row = (ids, other) => ids.slice(from, to).map((id, n) => html`<${Cell} key=${n} id=${id}
    state=${from + n < turn.departs ? "given" : other[from + n] === id ? "given" : "differs"} title="token ${from + n}" />`);
  return html`<p class="strip-title"><span class="chip fail">departs</span> at token ${turn.departs}: ${
    turn.departs < turn.sampledFrom ? "what the turn before was prompted with was rendered otherwise" : "what the turn before sampled was rendered otherwise"}</p>
  <div class="aligned"><span class="aligned-name">turn before</span><div class="strip">${row(turn.carried, turn.prompt)}</div>
  <span class="aligned-name">this prompt</span><div class="strip">${row(turn.prompt, turn.carried)}${
    turn.prompt.length <= turn.departs && html`<span class="cell missing"><span class="cell-text">ends</span></span>`}</div></div>`;
};

const Turn = ({ turn, select }) => html`<article class="turn">
  <h4>Turn ${turn.number + 1} <a href="#" onClick=${(event) => { event.preventDefault(); select(turn.n); }}>#${turn.n}</a>
    ${turn.exchange.part && turn.exchange.part !== "-" && html` <span class="quiet">${visible(turn.exchange.part)}</span>`}</h4>
  ${turn.prompt && html`<${Prompt} turn=${turn} />`}
  ${turn.departs >= 0 && html`<${Departure} turn=${turn} />`}
  ${turn.mask && turn.inserted && html`<${Inserted} turn=${turn} />`}
  ${turn.mask && !turn.inserted && html`<p class="strip-title"><b>response_mask</b> ${amount(turn.mask.length, "value")}, ${turn.mask.filter((one) => one === 1).length} of them 1
    <code class="mask">${turn.mask.slice(0, 400).join("")}</code></p>`}
  ${(turn.ids.length > 0 || turn.logprobs.length > 0) && html`<${Sampled} turn=${turn} />`}
</article>`;

const TokenStrips = ({ trace, select }) => {
  const turns = useMemo(() => turnsOf(trace), [trace]);
  const departing = turns.filter((turn) => turn.departs >= 0).length;
  const uneven = turns.filter(unevenMask).length;
  const [open, setOpen] = useState(departing + uneven > 0);
  const [most, setMost] = useState(12);
  if (!turns.length) return null;
  return html`<section class="tokens"><h3><button type="button" class="fold-title" aria-expanded=${open} onClick=${() => setOpen(!open)}
    ><span aria-hidden="true">${open ? "▾" : "▸"}</span> Tokens <span class="quiet">${amount(turns.length, "turn")}${
      departing ? `, ${departing} with a prompt that departs from the turn before` : ""}${
      uneven ? `, ${uneven} with a mask that has not one value for each inserted token` : ""}</span></button></h3>
    ${open && html`<p class="quiet legend">Each column: text, id, logprob, mask. The mask is 1 for what was sampled, and 0 for what the prompt added.</p>`}
    ${open && turns.slice(0, most).map((turn) => html`<${Turn} key=${turn.n} turn=${turn} select=${select} />`)}
    ${open && turns.length > most && html`<button type="button" class="small" onClick=${() => setMost(most + 50)}>${amount(turns.length - most, "more turn")}</button>`}
  </section>`;
};
