// The list of all cases: searched, filtered, the failed ones first.
const FIRST_ROWS = 60; // what comes after the list stays within reach
const MORE_ROWS = 300;
const VERDICTS = ["fail", "error", "warn", "inconclusive", "known", "pass", "skip"];

const haystacks = new Map();
const haystack = (one) => {
  if (!haystacks.has(one.n)) {
    haystacks.set(one.n, [one.name, one.at, one.dialect, one.verdict, one.reason, ...one.broken, ...one.about].join("\n").toLowerCase());
  }
  return haystacks.get(one.n);
};

const EMPTY = { verdict: "", dialect: "", cause: "", requirement: "", q: "", sort: "failed" };
const filtersOf = (hash) => {
  const given = new URLSearchParams(hash.split("?")[1] || "");
  return Object.fromEntries(Object.entries(EMPTY).map(([name, value]) => [name, given.get(name) ?? value]));
};

const hashOf = (filters) => {
  const set = Object.entries(filters).filter(([name, value]) => value !== EMPTY[name]);
  return set.length ? `#cases?${new URLSearchParams(set)}` : "#cases";
};

const matches = (one, filters, words, skip) =>
  (skip === "verdict" || !filters.verdict || shownVerdict(one) === filters.verdict) &&
  (skip === "dialect" || !filters.dialect || one.dialect === filters.dialect) &&
  (skip === "cause" || !filters.cause || one.causes.includes(Number(filters.cause))) &&
  (!filters.requirement || one.broken.includes(filters.requirement) || one.about.includes(filters.requirement)) &&
  words.every((word) => haystack(one).includes(word));

const SORTS = {
  failed: (a, b) => RANK[shownVerdict(a)] - RANK[shownVerdict(b)] || a.n - b.n,
  slowest: (a, b) => b.seconds - a.seconds,
  file: (a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.n - b.n),
};

const chosenCases = (filters) => {
  const words = filters.q.toLowerCase().split(/\s+/).filter(Boolean);
  return CASES.filter((one) => matches(one, filters, words)).sort(SORTS[filters.sort] || SORTS.failed);
};

const tally = (filters, name, key) => {
  const words = filters.q.toLowerCase().split(/\s+/).filter(Boolean);
  const counts = new Map();
  for (const one of CASES) if (matches(one, filters, words, name)) counts.set(key(one), (counts.get(key(one)) || 0) + 1);
  return counts;
};

const Facet = ({ name, value, counts, names, set }) => html`<span class="facet" role="group" aria-label=${name}>
  ${names.filter((one) => counts.get(one) || one === value).map((one) => html`<button type="button" key=${one} class="facet-value" aria-pressed=${one === value}
    onClick=${() => set({ [name]: one === value ? "" : one })}>${name === "verdict" ? html`<${Chip} word=${one} text=${one === "warn" ? "warnings" : one} />` : visible(one)} ${counts.get(one) || 0}</button>`)}</span>`;

const CauseChoice = ({ value, set }) => html`<label class="choice"><span class="sr">Cause</span><select value=${value} onChange=${(event) => set({ cause: event.target.value })}>
  <option value="">any cause</option>
  ${INDEX.causes.map((cause, n) => ({ cause, n })).sort((a, b) => b.cause.count - a.cause.count).slice(0, 300).map(({ cause, n }) =>
    html`<option key=${n} value=${String(n)}>${cause.count}× ${visible(cause.requirement)}: ${visible(cause.observed).slice(0, 70)}</option>`)}</select></label>`;

const Row = ({ one }) => html`<li class="row"><a href=${`#case-${one.n}`}>
  <span class="row-verdict"><${Chip} word=${shownVerdict(one)} /></span>
  <span class="row-name">${visible(one.name)}${one.reason && one.verdict !== "fail" ? html`<span class="row-reason">${visible(one.reason)}</span>` : null}</span>
  <span class="row-broken">${one.broken.slice(0, 3).map((id) => html`<span key=${id}>${visible(id)}</span> `)}${one.broken.length > 3 ? ` +${one.broken.length - 3}` : ""}</span>
  <span class="row-dialect">${visible(one.dialect)}</span>
  <span class="row-at">${visible(one.at)}</span>
  <span class="row-seconds">${one.seconds.toFixed(2)} s</span></a></li>`;

const CaseList = ({ filters, set }) => {
  const [most, setMost] = useState(FIRST_ROWS);
  const found = useMemo(() => chosenCases(filters), [filters]);
  const dialects = useMemo(() => [...new Set(CASES.map((one) => one.dialect))].sort(), []);
  useEffect(() => setMost(FIRST_ROWS), [filters]);
  const filtered = hashOf(filters) !== "#cases";
  return html`<div class="filters">
      <input id="search" type="search" placeholder="Search ( / )" aria-label="Search cases" value=${filters.q} onInput=${(event) => set({ q: event.target.value })} />
      <${Facet} name="verdict" value=${filters.verdict} counts=${tally(filters, "verdict", shownVerdict)} names=${VERDICTS} set=${set} />
      ${dialects.length > 1 && html`<${Facet} name="dialect" value=${filters.dialect} counts=${tally(filters, "dialect", (one) => one.dialect)} names=${dialects} set=${set} />`}
      ${INDEX.causes.length > 1 && html`<${CauseChoice} value=${filters.cause} set=${set} />`}
      <label class="choice"><span class="sr">Order</span><select value=${filters.sort} onChange=${(event) => set({ sort: event.target.value })}>
        <option value="failed">failed first</option><option value="slowest">slowest first</option><option value="file">by file</option></select></label>
      ${filters.requirement && html`<button type="button" class="facet-value" aria-pressed="true" onClick=${() => set({ requirement: "" })}>${visible(filters.requirement)} ✕</button>`}
      ${filtered && html`<button type="button" class="small" onClick=${() => set({ ...EMPTY })}>Clear</button>`}
    </div>
    <p class="found-count" role="status">${found.length === CASES.length ? amount(found.length, "case") : `${found.length.toLocaleString("en")} of ${amount(CASES.length, "case")}`}</p>
    <ul class="rows">${found.slice(0, most).map((one) => html`<${Row} key=${one.n} one=${one} />`)}</ul>
    ${found.length > most && html`<p class="more-rows"><button type="button" class="small" onClick=${() => setMost(most + MORE_ROWS)}>${amount(Math.min(MORE_ROWS, found.length - most), "more case")}</button>
      <span class="quiet">${most} of ${found.length} are shown</span></p>`}
    ${found.length === 0 && html`<p class="quiet">No case matches.</p>`}`;
};
