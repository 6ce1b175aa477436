// The tokens of each turn, read from the responses to generation requests, and where a prompt departs from what the turn before left.
const numbers = (value) => (Array.isArray(value) && value.length && value.every((one) => typeof one === "number") ? value : null);

const merged = (events) => {
  const whole = { token_ids: [], logprobs: [], texts: [], prompt: null, seen: false };
  for (const data of events) {
    const value = parsed(data)?.value;
    if (value === null || typeof value !== "object") continue;
    const turn = fromValue(value);
    if (!turn) continue;
    whole.seen = true;
    whole.prompt ??= turn.prompt;
    whole.token_ids.push(...turn.ids);
    whole.logprobs.push(...turn.logprobs);
    whole.texts.push(...turn.texts);
  }
  return whole.seen ? { prompt: whole.prompt, ids: whole.token_ids, logprobs: whole.logprobs, texts: whole.texts } : null;
};

const contentOf = (logprobs) => (Array.isArray(logprobs?.content) ? logprobs.content.filter((one) => one && typeof one === "object") : []);

const fromValue = (value) => {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return null;
  const choice = Array.isArray(value.choices) && value.choices[0] && typeof value.choices[0] === "object" ? value.choices[0] : {};
  const told = contentOf(choice.logprobs);
  const ids = numbers(value.token_ids) || numbers(choice.token_ids) || [];
  const prompt = numbers(value.prompt_token_ids) || numbers(choice.prompt_token_ids);
  if (!ids.length && !prompt && !told.length) return null;
  return {
    prompt, ids,
    logprobs: numbers(value.logprobs) || told.map((one) => one.logprob),
    texts: told.map((one) => (typeof one.token === "string" ? one.token : null)),
  };
};

const turnOf = (exchange) => {
  const body = exchange.response?.body || "";
  if (!body.includes("token")) return null;
  const value = parsed(body)?.value;
  const turn = value === undefined ? merged(streamEvents(body) || []) : fromValue(value);
  if (!turn) return null;
  const mask = numbers(parsed(exchange.body)?.value?.response_mask);
  return { ...turn, n: exchange.n, exchange, mask };
};

// Where two lists part: the first position that differs, or -1.
const departure = (left, right) => {
  const length = Math.min(left.length, right.length);
  for (let n = 0; n < length; n += 1) if (left[n] !== right[n]) return n;
  return -1;
};

// Turns with what each prompt should begin with: the prompt and the sample of the turn before, of the same conversation.
const turnsOf = (trace) => {
  const last = new Map();
  return trace.exchanges.map(turnOf).filter(Boolean).map((turn, number) => {
    const whose = turn.exchange.to_target ? "" : turn.exchange.part;
    const before = turn.exchange.to_target ? null : last.get(whose) || null;
    last.set(whose, turn);
    if (!before || !before.prompt || !turn.prompt) return { ...turn, number, carried: null, departs: -1, sampledFrom: -1, inserted: null };
    const carried = [...before.prompt, ...before.ids];
    const departs = departure(carried, turn.prompt);
    const short = departs < 0 && turn.prompt.length < carried.length;
    const inserted = departs < 0 && !short ? turn.prompt.slice(carried.length) : null;
    return { ...turn, number, carried, departs: short ? turn.prompt.length : departs, sampledFrom: before.prompt.length, inserted };
  });
};
