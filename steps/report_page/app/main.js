// The address says what is shown: `#case-7/3` is exchange 3 of case 7, `#cases?q=retry` the list with a filter, anything else a part of the overview.
const overviewElement = document.getElementById("overview");
const caseElement = document.getElementById("case");
const listElement = document.getElementById("case-list");
let filters = filtersOf(location.hash.startsWith("#cases") ? location.hash : "");
let scrolled = 0;
let shown = null;

const drawList = () => render(html`<${CaseList} filters=${filters} set=${setFilters} />`, listElement);

const setFilters = (change) => {
  filters = { ...filters, ...change };
  history.replaceState(null, "", hashOf(filters));
  drawList();
};

const showCase = async (n, exchange) => {
  const data = await caseData(n);
  if (Number(/^#case-(\d+)/.exec(location.hash)?.[1]) !== n) return; // the address has changed meanwhile
  if (shown === null) scrolled = window.scrollY;
  const other = shown !== n;
  shown = n;
  overviewElement.hidden = true;
  caseElement.hidden = false;
  render(html`<${CaseView} key=${n} n=${n} data=${data} exchange=${exchange} order=${chosenCases(filters).map((one) => one.n)} />`, caseElement);
  if (other) {
    window.scrollTo(0, 0);
    document.getElementById("case-title").focus({ preventScroll: true });
  }
};

const showOverview = (anchor) => {
  const back = shown !== null;
  const left = shown;
  shown = null;
  caseElement.hidden = true;
  overviewElement.hidden = false;
  render(null, caseElement);
  const element = anchor ? document.getElementById(anchor) : null;
  if (back && (anchor === "cases" || !anchor)) {
    window.scrollTo(0, scrolled);
    listElement.querySelector(`a[href="#case-${left}"]`)?.focus({ preventScroll: true });
  } else if (element) {
    element.closest("details:not([open])")?.setAttribute("open", "");
    element.scrollIntoView();
    element.focus({ preventScroll: true });
  }
};

const decoded = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

const route = () => {
  const hash = location.hash;
  const one = /^#case-(\d+)(?:\/(b?\d+))?$/.exec(hash);
  if (one && CASES[Number(one[1])]) {
    showCase(Number(one[1]), one[2] ?? null);
    return;
  }
  if (hash.startsWith("#cases?")) {
    filters = filtersOf(hash);
    drawList();
  }
  showOverview(decoded(hash.slice(1).split("?")[0]));
};

const typing = (target) => target.closest?.("input, select, textarea") !== null && target.closest?.("input, select, textarea") !== undefined;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && shown !== null) location.hash = hashOf(filters);
  if (typing(event.target)) return;
  if (event.key === "/") {
    event.preventDefault();
    if (shown !== null) location.hash = hashOf(filters);
    setTimeout(() => document.getElementById("search").focus());
  }
  const step = { j: 1, k: -1 }[event.key];
  if (step) {
    const order = chosenCases(filters).map((one) => one.n);
    const next = shown === null ? order[0] : order[order.indexOf(shown) + step];
    if (next !== undefined) location.hash = `#case-${next}`;
  }
});

history.scrollRestoration = "manual";
useTheme(savedTheme());
render(html`<${ThemeButton} />`, document.getElementById("bar-tools"));
drawList();
window.addEventListener("hashchange", route);
route();
