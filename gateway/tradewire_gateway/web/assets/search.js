// Search over an index that the portal makes of its own pages; it is loaded when it is first needed.
"use strict";

(() => {
  const MOST = 12;
  let index;
  let dialog;
  let input;
  let list;
  let chosen = -1;

  const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
  // orderId, order_id and "order id" are the same question.
  const folded = (text) => text.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replaceAll("_", " ").toLowerCase();

  function score(record, terms) {
    let total = 0;
    for (const term of terms) {
      const title = record.foldedTitle.indexOf(term);
      if (title >= 0) {
        total += title === 0 || record.foldedTitle[title - 1] === " " ? 12 : 5;
        if (record.foldedTitle === term) total += 20;
      } else if (record.foldedPage.includes(term)) total += 3;
      else if (record.foldedText.includes(term)) total += 1;
      else return 0;
    }
    return total;
  }

  async function load() {
    if (index) return;
    const response = await fetch("/docs/search.json");
    index = await response.json();
    for (const record of index) {
      record.foldedTitle = folded(record.title || record.page);
      record.foldedPage = folded(record.page);
      record.foldedText = folded(record.text);
    }
  }

  function show(results) {
    list.replaceChildren(
      ...results.map(({ record }, position) => {
        const item = document.createElement("li");
        item.role = "option";
        item.id = `found-${position}`;
        const link = document.createElement("a");
        link.href = record.path;
        link.tabIndex = -1;
        const title = document.createElement("strong");
        title.textContent = record.title || record.page;
        const page = document.createElement("span");
        page.textContent = record.title ? record.page : "";
        const text = document.createElement("p");
        text.textContent = record.text.slice(0, 140);
        link.append(title, page, text);
        link.addEventListener("click", () => dialog.close());
        item.append(link);
        return item;
      }),
    );
    choose(results.length ? 0 : -1);
  }

  function choose(position) {
    const items = list.children;
    chosen = items.length ? (position + items.length) % items.length : -1;
    [...items].forEach((item, place) => item.setAttribute("aria-selected", String(place === chosen)));
    if (chosen >= 0) {
      items[chosen].scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", items[chosen].id);
    } else input.removeAttribute("aria-activedescendant");
  }

  function find() {
    const terms = words(folded(input.value));
    if (!terms.length || !index) return show([]);
    const results = index
      .map((record) => ({ record, points: score(record, terms) }))
      .filter(({ points }) => points > 0)
      .sort((a, b) => b.points - a.points || a.record.path.length - b.record.path.length)
      .slice(0, MOST);
    show(results);
  }

  function build() {
    dialog = document.createElement("dialog");
    dialog.className = "search";
    dialog.setAttribute("aria-label", "Search");
    input = document.createElement("input");
    input.type = "search";
    input.placeholder = "Search pages, methods, fields, reasons";
    input.setAttribute("aria-label", "Search");
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-expanded", "true");
    input.setAttribute("aria-controls", "found");
    input.autocomplete = "off";
    list = document.createElement("ul");
    list.id = "found";
    list.role = "listbox";
    list.setAttribute("aria-label", "Results");
    dialog.append(input, list);
    document.body.append(dialog);
    input.addEventListener("input", find);
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") choose(chosen + 1);
      else if (event.key === "ArrowUp") choose(chosen - 1);
      else if (event.key === "Enter") list.children[chosen]?.querySelector("a").click();
      else return;
      event.preventDefault();
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }

  async function open() {
    if (!dialog) build();
    if (!dialog.open) dialog.showModal();
    input.select();
    await load();
    find();
  }

  for (const button of document.querySelectorAll("[data-search-open]")) {
    button.hidden = false;
    button.addEventListener("click", open);
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    // The explorer has a search of its own on Ctrl-K.
    const combined = event.key === "k" && (event.ctrlKey || event.metaKey) && !document.body.matches(".explorer");
    if ((event.key === "/" && !typing) || combined) {
      event.preventDefault();
      open();
    }
  });
})();
