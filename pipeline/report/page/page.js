"use strict";
/* The table of report.html: unpacked from the page itself, filtered, sorted, paged. Texts of files become text nodes
   only, never markup. The view stands behind the # of the address, so that it can be shared. */
(() => {
  const ON_A_PAGE = 100;
  const PRINTED = 500;
  const IN_TABLE = 120; // characters of a value; an opened line has all
  const NONE = -1;
  const EMPTY = "(empty)";
  // The same signs as in shown.py: what is not seen, or changes how its neighbours are seen. A blank is none.
  const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}]|(?! )\p{Zs}/u;
  const TEXT_COLUMNS = ["state", "code", "column", "value", "became", "message", "hint", "route", "graph_code",
    "request_id", "client_request_id", "object_id"];
  const CHOICES = ["severity", "code", "column", "route", "source", "state"];
  const HEADS = [["source", "File or sheet"], ["row", "Row"], ["severity", "Severity"], ["code", "Code"],
    ["column", "Column"], ["value", "Value as read"], ["message", "Message"], ["route", "Route"],
    ["state", "State"]];

  const byId = (id) => document.getElementById(id);
  const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

  /* Returns an element with these attributes and children; a string becomes a text node. */
  function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  const sign = (text) => make("span", { class: "sign" }, text);

  /* Returns the text in pieces, its invisible signs by their numbers. */
  function pieces(text) {
    const parts = [];
    let plain = "";
    for (const each of text) {
      if (!INVISIBLE.test(each)) {
        plain += each;
        continue;
      }
      parts.push(plain, sign(`U+${each.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`));
      plain = "";
    }
    return [...parts, plain].filter((each) => each !== "");
  }

  /* Returns the text isolated from the direction of writing around it; blanks at its ends are shown too. */
  function shown(text, name = "bdi", attributes = {}) {
    const [, before, inner, after] = text.match(/^( *)(.*?)( *)$/su);
    const spaces = (blanks) => Array.from(blanks, () => sign("space"));
    const isolated = make("bdi", {}, ...spaces(before), ...pieces(inner), ...spaces(after));
    return name === "bdi" ? isolated : make(name, attributes, isolated);
  }

  const unlessEmpty = (text) => text ? shown(text) : "";

  /* ---- the theme, before the page is painted ---- */

  const THEME = "certstate-theme";
  const root = document.documentElement;

  function kept() {
    try { return localStorage.getItem(THEME); } catch { return null; } // no storage, as in a sandboxed preview
  }

  function setTheme(theme) {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  }

  root.classList.add("has-script");
  setTheme(kept());

  function wireTheme() {
    const choice = byId("theme");
    choice.value = root.dataset.theme || "auto";
    choice.addEventListener("change", () => {
      setTheme(choice.value);
      try { localStorage.setItem(THEME, choice.value); } catch { /* it holds for this page only */ }
    });
  }

  /* ---- copying ---- */

  async function copyText(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch { // not allowed here, as from a file in some browsers
      const area = make("textarea", { class: "unseen", "aria-hidden": "true", tabindex: "-1" });
      const before = document.activeElement;
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      before?.focus();
      return done;
    }
  }

  async function onCopy(button) {
    const done = await copyText(button.dataset.copy);
    byId("said").textContent = done ? "Copied." : "Copying is not allowed here; select the text.";
    button.textContent = done ? "Copied" : "Not allowed";
    setTimeout(() => {
      button.textContent = "Copy";
      byId("said").textContent = "";
    }, 2000);
  }

  const copyButton = (text, what) =>
    make("button", { type: "button", class: "copy", "data-copy": text, "aria-label": `Copy ${what}` }, "Copy");

  /* ---- the lines ---- */

  let packed = null; // what rows.py wrote, its columns as typed arrays
  let chosen = []; // numbers of the lines that the filters let through, in the order shown
  let view = {};

  async function unpack(element) {
    const signs = atob(element.textContent);
    const bytes = new Uint8Array(signs.length);
    for (let i = 0; i < signs.length; i++) bytes[i] = signs.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const read = JSON.parse(await new Response(stream).text());
    for (const [name, numbers] of Object.entries(read.columns)) read.columns[name] = Int32Array.from(numbers);
    return read;
  }

  const textOf = (name, line) => {
    const number = packed.columns[name][line];
    return number === NONE ? "" : packed.texts[number];
  };
  const routeOf = (collection) => packed.routes[collection] || collection;
  const sourceOf = (line) => packed.sources[packed.columns.source[line]];
  const severityOf = (line) => packed.severities[packed.columns.severity[line]];
  const placeOf = (line) => packed.columns.row[line] === NONE ? "whole file" : `row ${packed.columns.row[line]}`;
  const isChange = (line) => packed.columns.became[line] !== NONE;

  /* What a choice, or the order, goes by. */
  const keyOf = (name, line) =>
    name === "severity" ? severityOf(line) : name === "source" ? sourceOf(line).name : textOf(name, line);

  function fillChoices() {
    for (const name of CHOICES) {
      const counts = new Map();
      for (let line = 0; line < packed.lines; line++) {
        const key = keyOf(name, line);
        if (key) counts.set(key, (counts.get(key) || 0) + 1);
      }
      const keys = [...counts.keys()];
      if (name !== "severity") keys.sort(new Intl.Collator("en").compare);
      const choice = byId(`filter-${name}`);
      choice.replaceChildren(make("option", { value: "" }, "all"));
      for (const key of keys) {
        const text = name === "route" ? routeOf(key) : key;
        // An option holds text alone, so its invisible signs become their numbers here.
        const label = shown(text.length > 80 ? `${text.slice(0, 80)}...` : text).textContent;
        choice.append(make("option", { value: key }, `${label} (${counts.get(key).toLocaleString("en")})`));
      }
      // A choice of one is none; the view may still name another value, which then finds nothing.
      choice.closest("p").hidden = keys.length < 2;
    }
  }

  /* ---- search ---- */

  const folded = { texts: null, cell_texts: null, sources: null };

  function hitsIn(name, word) {
    folded[name] ??= (name === "sources" ? packed.sources.map((each) => each.name) : packed[name])
      .map((each) => each.toLowerCase());
    return Uint8Array.from(folded[name], (each) => each.includes(word) ? 1 : 0);
  }

  /* Returns a function that says of a line whether the word is in one of its texts or in a cell of its row. */
  function finder(word) {
    const texts = hitsIn("texts", word);
    const cellTexts = hitsIn("cell_texts", word);
    const sources = hitsIn("sources", word);
    const rows = packed.cells.map((cells) => cells.some((number) => cellTexts[number]));
    const columns = TEXT_COLUMNS.map((name) => packed.columns[name]);
    const { source, row, status, cells } = packed.columns;
    const number = /^\d+$/.test(word) ? Number(word) : NaN;
    return (line) => columns.some((column) => column[line] !== NONE && texts[column[line]] === 1)
      || (cells[line] !== NONE && rows[cells[line]]) || sources[source[line]] === 1
      || row[line] === number || status[line] === number;
  }

  /* ---- order ---- */

  const ranks = {};

  /* Returns for each line its place in the ascending order of the column, equal for equals. */
  function ranksOf(name) {
    if (ranks[name]) return ranks[name];
    if (name === "row" || name === "severity") return (ranks[name] = packed.columns[name]);
    const keys = Array.from({ length: packed.lines }, (_, line) => keyOf(name, line));
    const compare = new Intl.Collator("en").compare;
    const rank = new Map([...new Set(keys)].sort(compare).map((key, place) => [key, place]));
    return (ranks[name] = Int32Array.from(keys, (key) => rank.get(key)));
  }

  function choose() {
    const tests = (view.q || "").toLowerCase().split(/\s+/).filter(Boolean).map(finder);
    for (const name of CHOICES) {
      if (view[name]) tests.push((line) => keyOf(name, line) === view[name]);
    }
    const lines = [];
    for (let line = 0; line < packed.lines; line++) {
      if (tests.every((test) => test(line))) lines.push(line);
    }
    const name = (view.sort || "").replace(/^-/, "");
    if (HEADS.some(([head]) => head === name)) {
      const rank = ranksOf(name);
      const way = view.sort.startsWith("-") ? -1 : 1;
      lines.sort((a, b) => way * (rank[a] - rank[b]));
    }
    chosen = lines;
  }

  /* ---- the view and the address ---- */

  function viewInAddress() {
    const text = location.hash.slice(1);
    return text.includes("=") ? Object.fromEntries(new URLSearchParams(text)) : null;
  }

  function show(next, { isTold = true } = {}) {
    const isSaid = ([name, value]) => value && !(name === "page" && value === "1");
    view = Object.fromEntries(Object.entries(next).filter(isSaid));
    if (isTold) {
      const text = new URLSearchParams(view).toString();
      history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
    }
    for (const name of ["q", ...CHOICES]) {
      const field = byId(`filter-${name}`);
      if (field !== document.activeElement || name !== "q") field.value = view[name] || "";
    }
    choose();
    render();
  }

  const lastPage = () => Math.max(1, Math.ceil(chosen.length / ON_A_PAGE));
  const pageNumber = () => Math.min(Math.max(1, parseInt(view.page, 10) || 1), lastPage());

  /* ---- the table ---- */

  function render() {
    const first = (pageNumber() - 1) * ON_A_PAGE;
    renderHead();
    renderLines(chosen.slice(first, first + ON_A_PAGE));
    const all = counted(packed.lines, "line");
    byId("count").textContent = chosen.length === packed.lines ? `${all}.`
      : chosen.length ? `${chosen.length.toLocaleString("en")} of ${all}.`
        : `None of ${all}. ${byId("cap") ? `More stand in ${byId("filters").dataset.rest}.` : "“Show all” takes the filters away."}`;
    byId("page-number").textContent = `Page ${pageNumber().toLocaleString("en")} of ${lastPage().toLocaleString("en")}`;
    byId("pages").hidden = lastPage() === 1;
    for (const [id, isEnd] of [["first", 1], ["previous", 1], ["next", lastPage()], ["last", lastPage()]]) {
      // Not `disabled`: that would take the focus away from who has just pressed it.
      byId(`page-${id}`).setAttribute("aria-disabled", String(pageNumber() === isEnd));
    }
  }

  /* What would be the same in each line is no column. */
  const heads = () => HEADS.filter(([name]) => !(name === "source" && packed.sources.length === 1)
    && !(name === "route" && Object.keys(packed.routes).length === 0));

  function renderHead({ isPrinted = false } = {}) {
    const row = make("tr", { role: "row" });
    for (const [name, label] of heads()) {
      const direction = view.sort === name ? "ascending" : view.sort === `-${name}` ? "descending" : "none";
      const arrow = { ascending: "▲", descending: "▼", none: "" }[direction];
      row.append(make("th", { scope: "col", role: "columnheader", "aria-sort": direction, class: `of-${name}` },
        // Paper has no buttons, and a browser repeats none of them on the next page.
        isPrinted ? label : make("button", { type: "button", "data-sort": name }, label, make("span", { "aria-hidden": "true" }, arrow))));
    }
    const head = byId("lines").tHead;
    const focused = document.activeElement?.dataset?.sort;
    head.replaceChildren(row);
    if (focused) head.querySelector(`[data-sort="${focused}"]`)?.focus();
  }

  const renderLines = (lines) => byId("lines").tBodies[0].replaceChildren(...lines.map(lineRow));

  function lineRow(line) {
    const severity = severityOf(line);
    const tag = make("span", { class: `tag ${severity}` }, severity);
    const opener = make("button", { type: "button", class: "open", "aria-expanded": "false", "data-open": line },
      placeOf(line));
    const value = cut(textOf("value", line));
    const contents = {
      source: fileName(sourceOf(line).name), row: opener, severity: tag, code: shown(textOf("code", line)),
      column: columnName(textOf("column", line)), value: value ? shown(value, "span", { class: "value" }) : "",
      message: isChange(line) ? change(line) : unlessEmpty(textOf("message", line)),
      route: unlessEmpty(routeOf(textOf("route", line))), state: unlessEmpty(textOf("state", line)),
    };
    return make("tr", { role: "row", "data-line": line, "data-code": textOf("code", line), class: severity },
      ...heads().map(([name]) => make("td", { role: "cell", class: `of-${name}` }, contents[name])));
  }

  /* Returns the column's name, to be broken where a word begins: certificate, Expiration, Date, Time. */
  function columnName(name) {
    return name && broken(name.split(/(?<=[a-z])(?=[A-Z])/));
  }

  /* Returns the file's name, to be broken after a slash. */
  const fileName = (name) => broken(name.split(/(?<=[/\\])/));

  const broken = (parts) => make("bdi", {}, ...parts.flatMap((each) => [...pieces(each), make("wbr")]).slice(0, -1));

  /* Returns the text as long as the table has room for it. */
  function cut(text) {
    const signs = Array.from(text);
    return signs.length > IN_TABLE ? `${signs.slice(0, IN_TABLE).join("")}...` : text;
  }

  /* Returns a sentence of ours with what stands between backticks as code. */
  function prose(text) {
    const split = text.split("`");
    const parts = split.length % 2 ? split : [text]; // one backtick has no other
    return make("span", {}, ...parts.map((part, place) => make(place % 2 ? "code" : "span", {}, ...pieces(part))));
  }

  function change(line) {
    const [was, is] = [textOf("value", line), textOf("became", line)];
    return make("span", { class: "change" }, shown(was || EMPTY, "span", { class: "value was" }),
      make("span", { class: "arrow" }, " -> "), shown(is, "span", { class: "value is" }));
  }

  function toggle(button) {
    const line = Number(button.dataset.open);
    const isOpen = button.getAttribute("aria-expanded") === "true";
    const row = button.closest("tr");
    button.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) {
      byId(`detail-${line}`).remove();
      button.removeAttribute("aria-controls");
      return;
    }
    const cell = make("td", { role: "cell", colspan: heads().length }, ...details(line));
    row.after(make("tr", { role: "row", class: "detail", id: `detail-${line}` }, cell));
    button.setAttribute("aria-controls", `detail-${line}`);
  }

  function details(line) {
    const list = make("dl", { class: "facts" });
    const add = (label, content, copied = "") => {
      if (!content) return;
      const told = make("dd", {}, typeof content === "string" ? shown(content) : content);
      if (copied) told.append(" ", copyButton(copied, label));
      list.append(make("div", {}, make("dt", {}, label), told));
    };
    const status = packed.columns.status[line];
    const attempts = packed.columns.attempts[line];
    add(isChange(line) ? "Was -> is" : "Message", isChange(line) ? change(line) : textOf("message", line));
    const value = textOf("value", line);
    add("Value as read", cut(value) === value ? "" : value);
    add("What to do", severityOf(line) === "info" ? "" : prose(textOf("hint", line)));
    add("File or sheet", sourceOf(line).name);
    add("Route", textOf("route", line));
    add("HTTP status", status === NONE ? "" : String(status));
    add("Graph code", textOf("graph_code", line));
    add("Attempts", attempts ? String(attempts) : "");
    for (const [name, label] of [["request_id", "request-id"], ["client_request_id", "client-request-id"],
      ["object_id", "Object id"]]) add(label, textOf(name, line), textOf(name, line));
    return [list, ...rowAsRead(line)];
  }

  function rowAsRead(line) {
    const number = packed.columns.cells[line];
    if (number === NONE) {
      const isFile = packed.columns.row[line] === NONE;
      return isFile ? [] : [make("p", { class: "told" }, "The cells of this row are not in this page.")];
    }
    const header = sourceOf(line).header;
    const column = textOf("column", line);
    const body = make("tbody");
    packed.cells[number].forEach((text, place) => {
      const isMeant = column !== "" && header[place] === column;
      const name = make("th", { scope: "row" }, shown(header[place] ?? "(no header)"));
      if (isMeant) name.append(" ", make("span", { class: `tag ${severityOf(line)}` }, "this cell"));
      const cell = shown(packed.cell_texts[text]);
      body.append(make("tr", isMeant ? { class: "meant" } : {}, name,
        make("td", {}, isMeant ? make("mark", {}, packed.cell_texts[text] ? cell : EMPTY) : cell)));
    });
    return [make("table", { class: "cells" }, make("caption", {}, `${placeOf(line)}, as read`), body)];
  }

  /* ---- print: what the filters let through, up to PRINTED lines; all causes open ---- */

  let openedForPrint = [];

  function beforePrint() {
    openedForPrint = [...openedForPrint, ...document.querySelectorAll("#repairs:not([open])")];
    for (const each of openedForPrint) each.open = true;
    if (!packed) return;
    renderHead({ isPrinted: true });
    renderLines(chosen.slice(0, PRINTED));
    byId("printed").textContent = chosen.length > PRINTED
      ? `Printed are the first ${PRINTED} of ${counted(chosen.length, "line")}; the rest stands in ${byId("filters").dataset.rest}.`
      : "";
  }

  function afterPrint() {
    for (const each of openedForPrint) each.open = false;
    openedForPrint = [];
    if (packed) render();
  }

  /* ---- what the reader does ---- */

  function wireTable() {
    let waiting = 0;
    const fromFields = () => {
      const fields = Object.fromEntries(new FormData(byId("filters")));
      show({ ...fields, sort: view.sort });
    };
    byId("filters").addEventListener("input", (event) => {
      clearTimeout(waiting);
      waiting = setTimeout(fromFields, event.target.name === "q" ? 150 : 0);
    });
    byId("filters").addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(waiting);
      fromFields();
    });
    byId("filters").addEventListener("reset", (event) => {
      event.preventDefault();
      clearTimeout(waiting);
      byId("filter-q").value = "";
      show({ sort: view.sort });
    });
    byId("pages").addEventListener("click", (event) => {
      const way = event.target.dataset?.page;
      if (!way || event.target.getAttribute("aria-disabled") === "true") return;
      const page = { first: 1, previous: pageNumber() - 1, next: pageNumber() + 1, last: lastPage() }[way];
      show({ ...view, page: String(page) });
      if (byId("lines").getBoundingClientRect().top < 0) byId("lines").scrollIntoView();
    });
    byId("lines").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.dataset.open) toggle(button);
      if (button?.dataset.sort) {
        const name = button.dataset.sort;
        // Up, down, and back to what is worst first.
        const sort = view.sort === name ? `-${name}` : view.sort === `-${name}` ? "" : name;
        show({ ...view, sort, page: "" });
      }
    });
    window.addEventListener("hashchange", () => {
      // Back leads to the bare address, which is all lines; a link within the page leaves them as they are.
      const next = location.hash ? viewInAddress() : {};
      if (next) show(next, { isTold: false });
    });
  }

  function onClick(event) {
    const copy = event.target.closest("[data-copy]");
    if (copy) onCopy(copy);
    const link = event.target.closest("a[data-show]");
    if (link && packed) {
      event.preventDefault();
      location.hash = link.hash; // a step that the Back button takes again
      show(Object.fromEntries(new URLSearchParams(link.hash.slice(1))));
      goToRows();
    }
  }

  function goToRows() {
    byId("rows").scrollIntoView();
    byId("filter-q").focus({ preventScroll: true });
  }

  async function start() {
    const element = byId("packed-lines");
    if (!element) return;
    try {
      if (typeof DecompressionStream === "undefined") throw new TypeError("this browser is too old to unpack them");
      packed = await unpack(element);
    } catch (problem) {
      const text = `The rows cannot be shown: ${problem.message}. They stand in ${byId("filters").dataset.rest}, beside this file.`;
      byId("rows-problem").textContent = text;
      byId("rows-problem").hidden = false;
      for (const id of ["filters", "count", "table-part"]) byId(id).hidden = true;
      return;
    }
    element.remove();
    fillChoices();
    wireTable();
    const shared = viewInAddress();
    show(shared || {}, { isTold: false });
    if (shared) byId("rows").scrollIntoView();
    root.dataset.rows = "ready";
  }

  document.addEventListener("DOMContentLoaded", () => {
    wireTheme();
    document.addEventListener("click", onClick);
    window.addEventListener("beforeprint", beforePrint);
    window.addEventListener("afterprint", afterPrint);
    // Two frames: the answer is painted before the rows are unpacked. A hidden tab has no frames, so time ends it too.
    let isStarted = false;
    const once = () => {
      if (!isStarted) start();
      isStarted = true;
    };
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(once)));
    setTimeout(once, 1000);
  });
})();
