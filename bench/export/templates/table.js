"use strict";
/* Sorts a table by its headings and filters it by a text; without this the table is whole. */
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const field = document.getElementById(table.dataset.filter);
  const shown = document.getElementById(table.dataset.shown);

  const key = (row, place, numeric) => {
    const cell = row.cells[place];
    if (!numeric) return cell.textContent.trim();
    return cell.dataset.value === "" ? NaN : Number(cell.dataset.value);
  };

  const compared = (one, other, numeric) => {
    if (!numeric) return one.localeCompare(other, "en", { numeric: true });
    return one - other;
  };

  const sort = (place, direction) => {
    const numeric = "number" in heads[place].dataset;
    const keyed = rows.map((row, order) => ({ row, order, key: key(row, place, numeric) }));
    keyed.sort((a, b) => {
      const lost = Number.isNaN(a.key) - Number.isNaN(b.key); /* what was not measured stays last */
      if (lost) return lost;
      const difference = Number.isNaN(a.key) ? 0 : compared(a.key, b.key, numeric);
      return (direction === "descending" ? -difference : difference) || a.order - b.order;
    });
    body.append(...keyed.map((one) => one.row));
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[place].setAttribute("aria-sort", direction);
  };

  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = "descending" in head.dataset ? "descending" : "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      sort(place, head.getAttribute("aria-sort") === first ? second : first);
    });
  });

  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = words.length ? `${count} of ${rows.length} shown` : "";
  };

  field.addEventListener("input", filter);
  field.closest("[hidden]").hidden = false;
  filter(); /* a browser may keep what was typed before */
}
