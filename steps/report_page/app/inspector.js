// One exchange in full: headers, bodies, curl.
const Headers = ({ headers }) => {
  if (!headers.length) return html`<p class="quiet">no headers</p>`;
  return html`<table class="headers"><tbody>${headers.map(([name, value], n) =>
    html`<tr key=${n}><th scope="row">${visible(name)}</th><td>${visible(value)}</td></tr>`)}</tbody></table>`;
};

const TABS = ["request", "response", "curl"];

const Inspector = ({ exchange, lanes, findings, tab, setTab, close }) => {
  if (!exchange) return html`<aside class="inspector empty"><p class="quiet">Choose a row to see its headers and bodies.</p></aside>`;
  const [from, to] = ends(exchange, lanes);
  const accused = findings.filter((one) => one.exchanges.includes(exchange.n) && !exchange.backend);
  const paths = (side) => accused.flatMap((one) => (Object.hasOwn(one.accused, exchange.n) ? one.accused[exchange.n][side] : []));
  const took = exchange.ended === null ? "did not end" : `${seconds(exchange.began)} to ${seconds(exchange.ended)}`;
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length];
    setTab(next);
    event.currentTarget.querySelector(`[data-tab=${next}]`).focus();
  };
  const side = tab === "response" ? exchange.response : exchange;
  return html`<aside class="inspector" aria-label="Exchange ${exchange.key}">
    <header><h3>#${exchange.key} ${visible(exchange.method)} <span class="path">${visible(exchange.path)}</span></h3>
      <p class="quiet">${visible(from)} → ${visible(to)}, ${took}${exchange.part && exchange.part !== "-" && !exchange.backend ? `, ${visible(exchange.part)}` : ""}
        ${close && html` <button type="button" class="small" onClick=${close}>Close</button>`}</p>
      ${exchange.fault && html`<p class="fault">${visible(exchange.fault)}</p>`}</header>
    <div class="tabs" role="tablist" onKeyDown=${move}>${TABS.map((name) => html`<button type="button" role="tab" key=${name} data-tab=${name} aria-selected=${name === tab}
      tabindex=${name === tab ? 0 : -1} onClick=${() => setTab(name)}>${name}${name === "response" ? ` ${exchange.response ? exchange.response.status : "none"}` : ""}</button>`)}</div>
    <div role="tabpanel" key=${exchange.key + tab}>
    ${tab === "curl" ? html`<div class="body-tools"><${CopyButton} text=${curlOf(exchange)} /></div><pre class="raw">${visible(curlOf(exchange))}</pre>`
      : !side ? html`<p class="fault">${visible(exchange.fault || "no response")}</p>`
      : html`<details class="headers-of"><summary>${amount(side.headers.length, "header")}</summary><${Headers} headers=${side.headers} /></details>
        <${Body} text=${side.body} paths=${paths(tab)} />`}
    </div></aside>`;
};
