// One case: what was found, who sent what when, and each exchange in full.
const NARROW = matchMedia("(max-width: 1099px)");

const useNarrow = () => {
  const [narrow, setNarrow] = useState(NARROW.matches);
  useEffect(() => {
    const changed = () => setNarrow(NARROW.matches);
    NARROW.addEventListener("change", changed);
    return () => NARROW.removeEventListener("change", changed);
  }, []);
  return narrow;
};

const firstAccused = (findings) => {
  const found = findings.flatMap((one) => one.exchanges);
  return found.length ? String(Math.max(...findings[0].exchanges.length ? findings[0].exchanges : found)) : null;
};

// One run of a case. Two of them stand side by side where the same case was played twice.
const Played = ({ data, name, narrow, wanted, n }) => {
  const trace = useMemo(() => keyed(data.trace), [data]);
  const lanes = useMemo(() => lanesOf(trace), [trace]);
  const moments = useMemo(() => momentsOf(trace), [trace]);
  const whole = useMemo(() => durationOf(trace), [trace]);
  const [chosen, setChosen] = useState(wanted ?? firstAccused(data.findings) ?? (narrow ? null : trace.exchanges[0]?.key ?? null));
  const [tab, setTab] = useState("request");
  const [at, setAt] = useState(whole);
  const accused = useMemo(() => new Set(data.findings.flatMap((one) => one.exchanges.map(String))), [data]);
  const all = useMemo(() => new Map([...trace.exchanges, ...trace.backends].map((one) => [one.key, one])), [trace]);

  useEffect(() => {
    const finding = data.findings.find((one) => one.exchanges.map(String).includes(chosen));
    const paths = finding && Object.hasOwn(finding.accused, chosen) ? finding.accused[chosen] : null;
    if (paths) setTab(paths.response.length && !paths.request.length ? "response" : "request");
  }, []);

  const select = useCallback((key, side) => {
    setChosen(key);
    if (side) setTab(side);
    if (n !== null) history.replaceState(null, "", `#case-${n}/${key}`);
  }, [n]);

  const scrub = (time) => {
    setAt(time);
    const past = moments.filter((moment) => (moment.at || 0) <= time && moment.exchange);
    const now = past[past.length - 1];
    if (now) {
      setChosen(now.exchange.key);
      setTab(now.what === "request" ? "request" : "response");
    }
  };
  const step = (by) => {
    const times = [...new Set(moments.map((moment) => moment.at || 0))];
    const here = times.filter((time) => time <= at + 1e-9).length - 1;
    scrub(times[Math.min(times.length - 1, Math.max(0, here + by))] ?? 0);
  };
  const inspector = html`<${Inspector} exchange=${all.get(chosen)} lanes=${lanes} findings=${data.findings} tab=${tab} setTab=${setTab}
    close=${narrow ? () => setChosen(null) : null} />`;
  if (!trace.exchanges.length) return html`<div class="played">${name && html`<h3>${name} <${Chip} word=${data.verdict} /></h3>`}<p class="quiet">This case has no exchanges: it was not played.</p></div>`;
  return html`<div class="played">
    ${name && html`<h3 class="played-name">${visible(name)} <${Chip} word=${data.verdict} />${data.reason && html` <span class="quiet">${visible(data.reason)}</span>`}</h3>`}
    ${!data.whole && html`<p class="quiet">This report keeps only the exchanges that a finding names.</p>`}
    <div class="time-tools"><button type="button" class="small" onClick=${() => step(-1)}>◂ earlier</button>
      <button type="button" class="small" onClick=${() => step(1)}>later ▸</button>
      <button type="button" class="small" onClick=${() => setAt(whole)}>all</button></div>
    <${Timeline} trace=${trace} lanes=${lanes} accused=${accused} chosen=${chosen} at=${at} setAt=${scrub} select=${select} />
    <div class="panes ${narrow ? "narrow" : ""}">
      <${Sequence} trace=${trace} moments=${moments} lanes=${lanes} findings=${data.findings} chosen=${chosen} at=${at} select=${select} inline=${narrow ? inspector : null} />
      ${!narrow && inspector}
    </div>
    <${TokenStrips} trace=${trace} select=${select} />
  </div>`;
};

const Judged = ({ requirements }) => html`<details class="judged"><summary>${amount(requirements.length, "requirement")} judged in this case</summary>
  <ul class="ids">${requirements.map(([id, level, verdict]) => html`<li key=${id}><span class="dot ${verdict === "pass" ? "kept" : verdict === "inconclusive" ? "undecided" : "broken"}" title=${verdict}></span>
    <a class=${level} href=${`#cases?requirement=${encodeURIComponent(id)}`} title=${requirementOf(id)[1]}>${visible(id)}</a><span class="sr"> ${verdict}</span></li>`)}</ul></details>`;

const Found = ({ findings, select }) => {
  const ids = [...new Set(findings.map((one) => one.requirement))];
  return html`<ul class="found">${ids.map((id) => {
    const [level, sentence, why] = requirementOf(id);
    return html`<li key=${id}><a href=${`#${id}`}><b>${visible(id)}</b></a> <span class="level ${level}">${level.toUpperCase()}</span> <${Prose} text=${sentence} />
      ${why && html`<span class="why-short"><${Prose} text=${why} /></span>`}</li>`;
  })}</ul>`;
};

const CaseView = ({ n, data, exchange, order }) => {
  const one = CASES[n];
  const narrow = useNarrow();
  const [which, setWhich] = useState("both");
  const place = order.indexOf(n);
  const [before, after] = [order[place - 1], order[place + 1]];
  const rerun = data?.findings.find((finding) => finding.rerun)?.rerun;
  const two = data?.beside && INDEX.beside;
  return html`<div class="case-view" data-case=${n}>
    <nav class="case-nav" aria-label="Cases"><a href="#cases">All cases</a><span class="case-place">${place >= 0 ? `${place + 1} of ${order.length}` : ""}</span>
      ${before !== undefined ? html`<a href=${`#case-${before}`} title="k">previous</a>` : html`<span class="quiet">previous</span>`}
      ${after !== undefined ? html`<a href=${`#case-${after}`} title="j">next</a>` : html`<span class="quiet">next</span>`}</nav>
    <h1 id="case-title" tabindex="-1"><${Chip} word=${shownVerdict(one)} /> ${visible(one.name)}</h1>
    <p class="case-facts"><span>${visible(one.dialect)}</span><span class="mono">${visible(one.at)}</span><span>${seconds(one.seconds)}</span></p>
    ${one.reason && html`<p class="reason">${visible(one.reason)}</p>`}
    ${!data && html`<p class="quiet">The details of this case are in the report only: the page would be too large for a browser.</p>`}
    ${data && data.findings.length > 0 && html`<${Found} findings=${data.findings} />`}
    ${rerun && html`<p class="rerun"><code>${visible(rerun)}</code> <${CopyButton} text=${rerun} /></p>`}
    ${two && html`<div class="tabs" role="group" aria-label="Runs">${["both", ...INDEX.beside].map((name) =>
      html`<button type="button" key=${name} aria-pressed=${which === name} onClick=${() => setWhich(name)}>${visible(name)}</button>`)}</div>`}
    ${data && !two && html`<${Played} key=${n} n=${n} data=${data} narrow=${narrow} wanted=${exchange} />`}
    ${two && html`<div class="two ${which === "both" ? "" : "one"}">
      ${which !== INDEX.beside[1] && html`<${Played} key=${`${n}a`} n=${n} data=${data} name=${INDEX.beside[0]} narrow=${narrow || which === "both"} wanted=${exchange} />`}
      ${which !== INDEX.beside[0] && html`<${Played} key=${`${n}b`} n=${null} data=${data.beside} name=${INDEX.beside[1]} narrow=${narrow || which === "both"} />`}</div>`}
    ${data && html`<${Judged} requirements=${data.requirements} />`}
  </div>`;
};
