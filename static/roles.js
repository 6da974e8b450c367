// The lists of roles: a filter over all that is known of them, the keyboard, favourites without a page load.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const form = $("f");
  const lists = all(".roles");
  if (!lists.length) return;
  const primary = (row) => row.querySelector("summary, button:not(.star), input[type=checkbox], a.button");
  const link = (row) => row.querySelector(".who > a");
  const role = (row) => (row.querySelector("[name=role]") ?? {}).value;
  const say = (text) => document.dispatchEvent(new CustomEvent("say", { detail: text }));

  // The filter. What is searched is read once; a page of thousands of roles is read while nothing else happens.
  const ledger = $("roles");
  const filter = $("filter");
  let index;
  const read = () => {
    if (index || !ledger) return index;
    let unit;
    index = [];
    for (const node of ledger.children) {
      if (node.matches(".unit")) {
        unit = { node, text: node.textContent.toLowerCase(), found: 0 };
        continue;
      }
      const head = node.querySelector(".head").textContent.toLowerCase() + " " + (unit?.text ?? "") + " ";
      const text = (row) => head + row.querySelector(".who").textContent.toLowerCase();
      const pieces = all(".roles", node).map((list) => ({ node: list, found: 0, rows: [...list.children].map((row) => ({ node: row, text: text(row), found: 1 })) }));
      index.push({ node, unit, pieces, found: 0 });
    }
    return index;
  };
  const show = ({ node, found }) => {
    if (node.hidden === !found) return;
    node.hidden = !found;
  };
  // What is under something that is hidden stays as it is until that is shown again.
  const settle = (group) => {
    show(group);
    if (group.unit) show(group.unit);
    if (!group.found) return;
    for (const piece of group.pieces) {
      show(piece);
      if (piece.found) piece.rows.forEach(show);
    }
  };
  // The matches that fill a window are shown at once, and what lies below them after that: nobody waits for what they do not see.
  let later = [];
  let timer;
  const finish = () => later.splice(0).forEach(settle);
  const goOn = () => {
    later.splice(0, 80).forEach(settle);
    if (later.length) timer = setTimeout(goOn, 8);
  };
  const ENOUGH = 40;
  const count = $("count");
  const whole = count?.textContent;
  let words = [];
  // For emergencies, and on request.
  const sift = () => all(".emergency, .asks").map((node) => {
    const own = all(".roles > li", node).filter((row) => {
      const text = (link(row).text + link(row).search).toLowerCase();
      return !(row.hidden = !words.every((word) => text.includes(word)));
    });
    return !(node.hidden = !own.length);
  });
  const apply = () => {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (wanted.join(" ") === words.join(" ")) return;
    words = wanted;
    let found = 0;
    const now = [];
    later = [];
    for (const group of read()) if (group.unit) group.unit.found = 0;
    for (const group of read()) {
      group.found = 0;
      for (const piece of group.pieces) {
        piece.found = 0;
        for (const row of piece.rows) {
          row.found = words.every((word) => row.text.includes(word));
          piece.found += row.found;
        }
        group.found += piece.found;
      }
      if (group.unit) group.unit.found += group.found;
      (found < ENOUGH ? now : later).push(group);
      found += group.found;
    }
    if (!found) later = [];
    else now.forEach(settle);
    clearTimeout(timer);
    if (later.length) timer = setTimeout(goOn, 30);
    for (const picks of all("div.picks")) picks.hidden = words.length > 0;
    ledger.hidden = !found;
    $("nothing").hidden = sift().includes(true) || found > 0;
    count.textContent = words.length ? found + " of " + whole : whole;
  };
  const clear = () => {
    filter.value = "";
    apply();
    filter.focus();
  };
  const isShown = (row) => !row.closest("[hidden]");
  const rows = () => {
    finish();
    return all(".roles > li").filter((row) => isShown(row) && primary(row));
  };
  // A list that came narrowed is narrowed anew by the gateway.
  if (filter && !filter.defaultValue) {
    filter.addEventListener("input", apply);
    filter.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const found = words.length ? rows() : [];
      if (found.length === 1 && !found[0].querySelector("input")) primary(found[0]).click();
      else if (found.length) primary(found[0]).focus();
    });
    $("clear").addEventListener("click", (event) => {
      event.preventDefault();
      clear();
    });
    // A page that comes back keeps what was typed.
    addEventListener("pageshow", apply);
    (window.requestIdleCallback ?? setTimeout)(read);
  }

  const ticked = $("ticked");
  if (ticked) {
    const tell = () => {
      const count = all("[name=role]:checked").length;
      ticked.textContent = count ? count + " ticked" : "";
    };
    document.addEventListener("change", tell);
    addEventListener("pageshow", tell);
  }

  // The keyboard. Letters count on a row alone, so that nobody who types or speaks sets anything off.
  const move = (row, by) => {
    const reachable = rows();
    const to = row ? reachable.indexOf(row) + by : 0;
    if (to < 0) filter?.focus();
    else if (reachable[to]) primary(reachable[to]).focus();
  };
  const keys = {
    ArrowDown: (row) => move(row, 1),
    ArrowUp: (row) => move(row, -1),
    Home: () => move(null, 0),
    End: () => primary(rows().at(-1)).focus(),
    Escape: () => filter?.focus(),
    c: (row) => row.querySelector("[formaction='/credentials']")?.click(),
    l: (row) => document.dispatchEvent(new CustomEvent("copy-link", { detail: link(row).href })),
    f: (row) => star(row)?.click(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches?.("input:not([type=checkbox]), select, textarea");
    if (event.key === "/" && !typing && filter) {
      event.preventDefault();
      filter.focus();
      filter.select();
      return;
    }
    if (event.target === filter) {
      if (event.key === "Escape") clear();
      if (event.key !== "ArrowDown") return;
      event.preventDefault();
      move(null, 0);
      return;
    }
    const row = typing ? null : event.target.closest?.(".roles > li");
    const key = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!row || !key || event.shiftKey) return;
    event.preventDefault();
    key(row);
  });

  // Favourites. Stars come where somebody looks: thousands of them would cost what few ever see.
  const marked = new Set(all("#favourites [name=role]").map((button) => button.value));
  const star = (row) => {
    const known = row.querySelector(".star");
    // What is had on request is outside. To ask the form itself has it list all its fields.
    if (known || !row.closest("#f") || !role(row) || !$("roles")) return known;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "star";
    button.setAttribute("aria-label", "Favourite");
    button.setAttribute("aria-describedby", link(row).id);
    button.ariaPressed = String(marked.has(role(row)));
    row.append(button);
    return button;
  };
  const decorate = (node) => {
    for (const list of node.matches(".roles") ? [node] : all(".roles", node)) if (!list.matches(".ticks")) [...list.children].forEach(star);
  };
  if (form && ledger) {
    let near = 0;
    for (const list of lists) if ((near += list.children.length) < 200) decorate(list);
    // The browser says when it begins to lay out what it had skipped.
    ledger.addEventListener("contentvisibilityautostatechange", (event) => { if (!event.skipped) decorate(event.target); });
    if (!("ContentVisibilityAutoStateChangeEvent" in window)) lists.forEach(decorate);
  }
  const mark = async (row, favourite) => {
    const arn = role(row);
    const fields = { csrf: form.elements.csrf.value, role: arn, favourite: favourite ? "yes" : "no", quiet: "1" };
    try {
      const answer = await fetch("/choices", { method: "POST", body: new URLSearchParams(fields), redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
    } catch {
      say("That was not kept. Load the page again.");
      return;
    }
    if (favourite) marked.add(arn); else marked.delete(arn);
    for (const other of all(".star")) if (role(other.parentElement) === arn) other.ariaPressed = String(favourite);
    say(favourite ? "Now a favourite: first on this page from the next time on" : "No favourite any more");
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".star");
    if (button) mark(button.parentElement, button.ariaPressed !== "true");
  });
})();
