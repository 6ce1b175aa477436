// What an exchange is in words, who takes part in it, and how it is sent again.
const PEERS = {
  rollout: ["trainer", "rollout server"],
  trainer: ["rollout server", "trainer"],
  chat: ["client", "inference server"],
  router: ["client", "router"],
};

const backendOf = (exchange) => `backend ${exchange.part || ""}`.trim();

const lanesOf = (trace) => {
  const [us, target] = PEERS[INDEX.profile] || ["suite", "target"];
  const backends = [...new Set(trace.backends.map(backendOf))].sort();
  return { us, target, names: [us, target, ...backends] };
};

const ends = (exchange, lanes) => {
  if (exchange.to_target) return [lanes.us, lanes.target];
  return [lanes.target, exchange.backend ? backendOf(exchange) : lanes.us];
};

const kindOf = (exchange) => {
  const path = exchange.path.split("?")[0];
  if (exchange.backend) return "forwarded";
  if (exchange.to_target) return exchange.method === "GET" ? "query" : "request";
  return /completions$|generate$/.test(path) ? "generation" : "callback";
};

const outcomeOf = (exchange) => {
  const status = exchange.response ? String(exchange.response.status) : "";
  return [status, exchange.fault].filter(Boolean).join(", ") || "no response";
};

const isBad = (exchange) => !exchange.response || exchange.fault || exchange.response.status >= 400;

// One line about a response: what a reader looks for first.
const briefly = (exchange) => {
  const body = exchange.response ? exchange.response.body : "";
  if (!body) return "";
  const events = streamEvents(body);
  if (events) return amount(events.length, "event");
  const value = parsed(body)?.value;
  if (value === null || typeof value !== "object") return "";
  const choice = Array.isArray(value.choices) ? value.choices[0] : null;
  const ids = Array.isArray(value.token_ids) ? value.token_ids : Array.isArray(choice?.token_ids) ? choice.token_ids : null;
  return [value.status, choice?.finish_reason ?? value.finish_reason, ids && amount(ids.length, "token"), value.error?.message ?? value.detail]
    .filter((part) => typeof part === "string" && part).map((part) => visible(part).slice(0, 80)).join(" · ");
};

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;
const SKIPPED_HEADERS = new Set(["content-length", "host", "connection", "transfer-encoding", "accept-encoding"]);
const CUT = / \.\.\. \(\d+ bytes\)$/;

const baseOf = (exchange) => {
  if (exchange.to_target) return /^https?:/.test(INDEX.target) ? INDEX.target.replace(/\/$/, "") : "http://127.0.0.1:9000";
  const host = exchange.headers.find(([name]) => name === "host");
  return host ? `http://${host[1]}` : "http://127.0.0.1:9001";
};

const curlOf = (exchange) => {
  const lines = [`curl -i -X ${quoted(exchange.method)} ${quoted(baseOf(exchange) + exchange.path)}`];
  for (const [name, value] of exchange.headers) {
    if (!SKIPPED_HEADERS.has(name.toLowerCase())) lines.push(`  -H ${quoted(`${name}: ${value}`)}`);
  }
  if (exchange.body) lines.push(`  --data-raw ${quoted(exchange.body)}`);
  const note = CUT.test(exchange.body) ? "# The report has only the beginning of this body.\n" : "";
  return note + lines.join(" \\\n");
};
