// Texts from a report, made visible. Nothing here makes HTML of them.
// Control characters, and those that turn the direction of what follows.
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const visible = (text) =>
  String(text).replace(INVISIBLE, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);

const seconds = (value) => {
  if (typeof value !== "number" || !Number.isFinite(value)) return "";
  return value < 10 ? `${value.toFixed(3)} s` : `${value.toFixed(1)} s`;
};

const amount = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

const parsed = (text) => {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
};

// The events of a stream: the text of each `data`.
const EVENT_END = /\r\n\r\n|\n\n|\r\r/;
const streamEvents = (text) => {
  if (!/^\s*(data|event|id|retry)?:/.test(text)) return null;
  return text
    .split(EVENT_END)
    .filter((block) => block.trim())
    .map((block) =>
      block.split(/\r\n|\n|\r/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).replace(/^ /, "")).join("\n") || block);
};

// A sentence of the catalogue, in which code stands between backticks.
const Prose = ({ text }) => text.split("`").map((part, n, parts) => (n % 2 && n + 1 < parts.length ? html`<code key=${n}>${visible(part)}</code>` : visible(part)));

const Chip = ({ word, text }) => html`<span class="chip ${word}">${text || word}</span>`;

const copyText = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
};

const CopyButton = ({ text, name = "Copy" }) => {
  const [done, setDone] = useState(false);
  const copy = async () => {
    setDone(await copyText(text));
    setTimeout(() => setDone(false), 1500);
  };
  return html`<button type="button" class="small" onClick=${copy}>${done ? "Copied" : name}</button>`;
};
