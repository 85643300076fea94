// Sorting, filtering and column families for leaderboards. Without it the tables stand as they are.
"use strict";
(function () {
  const make = (tag, attributes, text) => {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // The value of a row in a column: a number, a text, or null where nothing was measured.
  const valueOf = (row, index, kind) => {
    if (kind === "text") return row.dataset.name.toLowerCase();
    const text = row.cells[index].dataset.value;
    return text === undefined || text === "" ? null : Number(text);
  };

  function enhance(box, number) {
    const table = box.querySelector("table");
    // Only contestants move or hide; the control and chance stay where they are.
    const body = table.querySelector("tbody.contestants");
    const rows = Array.from(body.rows);
    // Methods that are not ranked among the others stay below them, and can be filtered too.
    const all = rows.concat(Array.from(table.querySelectorAll("tbody.apart tr[data-name]")));
    const heads = Array.from(table.querySelectorAll("tr.heads th"));
    const status = make("p", { class: "status", role: "status" });
    let sorted = "";

    const tell = () => {
      const shown = all.filter((row) => !row.hidden).length;
      status.textContent = shown + " of " + all.length + " methods shown" + (sorted ? ", sorted by " + sorted : "");
    };

    const sortBy = (head) => {
      const index = head.cellIndex, kind = head.dataset.sort;
      const before = head.getAttribute("aria-sort");
      const first = head.dataset.first || "ascending";
      const order = before === null ? first : before === "ascending" ? "descending" : "ascending";
      const sign = order === "ascending" ? 1 : -1;
      const ordered = rows
        .map((row, i) => ({ row, i, value: valueOf(row, index, kind) }))
        .sort((a, b) => {
          // What was not measured comes last, whichever way the column is sorted.
          if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.i - b.i;
          return (a.value < b.value ? -sign : a.value > b.value ? sign : 0) || a.i - b.i;
        });
      for (const { row } of ordered) body.appendChild(row);
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      sorted = head.querySelector(".label").textContent + ", " + order;
      tell();
    };

    for (const head of heads) {
      const title = head.querySelector(".h");
      const button = make("button", { type: "button", class: "h sort" });
      const label = make("span", { class: "label" });
      label.append(...Array.from(title.childNodes, (node) => node.cloneNode(true)));
      button.append(label, make("span", { class: "dir", "aria-hidden": "true" }));
      // Browsers leave buttons out of table heads that they repeat on paper, so the plain title stays for print.
      title.classList.add("on-paper");
      title.before(button);
      button.addEventListener("click", () => sortBy(head));
    }

    const tools = make("div", { class: "tools", role: "group", "aria-label": "Filter the leaderboard" });
    const filter = make("input", { type: "search", id: "filter-" + number, autocomplete: "off", placeholder: "e.g. blur" });
    const label = make("label", { for: filter.id }, "Filter methods");
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of all) row.hidden = !words.every((word) => row.dataset.name.toLowerCase().includes(word));
      tell();
    });
    const field = make("div", { class: "field" });
    field.append(label, filter);
    tools.append(field);

    const families = make("fieldset");
    families.append(make("legend", {}, "Columns"));
    const add = (text, checked, change) => {
      const item = make("label", { class: "check" });
      const tick = make("input", { type: "checkbox" });
      tick.checked = checked;
      tick.addEventListener("change", () => change(tick.checked));
      item.append(tick, " " + text);
      families.append(item);
    };
    for (const head of table.querySelectorAll("tr.families th")) {
      add(head.textContent, true, (on) => {
        for (const cell of table.querySelectorAll('[data-family="' + head.dataset.family + '"]')) cell.hidden = !on;
      });
    }
    add("intervals and counts", false, (on) => box.classList.toggle("detailed", on));
    tools.append(families);
    box.prepend(tools);
    box.append(status);
    tell();
  }

  document.querySelectorAll("[data-leaderboard]").forEach(enhance);

  // A folded part must not be missing on paper.
  const folded = [];
  window.addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details:not([open])")) {
      part.open = true;
      folded.push(part);
    }
  });
  window.addEventListener("afterprint", () => {
    for (const part of folded.splice(0)) part.open = false;
  });
})();
