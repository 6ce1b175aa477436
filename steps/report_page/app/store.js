"use strict";
// The data of the page: the index at once, a case when it is opened.
const { html, render, Fragment, useState, useEffect, useMemo, useRef, useCallback } = preactHtm;

const readJson = (id) => {
  const element = document.getElementById(id);
  return element === null ? null : JSON.parse(element.textContent);
};

const INDEX = readJson("index");
const CASES = INDEX.cases.map(([n, name, at, dialect, verdict, seconds, reason, causes, about, known, weaker]) => ({
  n, name, at, dialect, verdict, seconds, reason, causes, about, known, weaker,
  broken: [...new Set(causes.map((number) => INDEX.causes[number].requirement))],
}));

// A requirement as [level, sentence, why]; a name from a report may be any text, `constructor` as well.
const requirementOf = (id) => (Object.hasOwn(INDEX.requirements, id) ? INDEX.requirements[id] : ["", "", ""]);

const opened = new Map();
const MOST_OPENED = 8;

const unpacked = async (text) => {
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
};

// The data of a case, or null where the page has none.
const caseData = (n) => {
  if (!opened.has(n)) {
    if (opened.size >= MOST_OPENED) opened.delete(opened.keys().next().value);
    const element = document.getElementById(`data-${n}`);
    opened.set(n, element === null ? Promise.resolve(null) : unpacked(element.textContent));
  }
  return opened.get(n);
};

let tokenTexts = null;
const tokenText = (id) => {
  tokenTexts ??= readJson("tokens") || {};
  return Object.hasOwn(tokenTexts, id) ? tokenTexts[id] : null;
};

// The word under which a case is counted, here, in the overview and on the terminal (`shown_word` in overview.py).
const RANK = { fail: 0, error: 1, warn: 2, inconclusive: 3, known: 4, pass: 5, skip: 6 };
const shownVerdict = (one) => (one.known ? "known" : one.weaker && one.verdict === "pass" ? "warn" : one.verdict);
