"use strict";

document.documentElement.classList.add("scripted");

for (const table of document.querySelectorAll("table.sortable")) {
  Array.from(table.tHead.rows[0].cells).forEach((header, column) => {
    if ("unsorted" in header.dataset) {
      return;
    }
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sortBy(table, header, column));
  });
}

// Ascending first, so that the worst is on top, unless the heading says otherwise; undefined values
// stay last both ways.
function sortBy(table, header, column) {
  const current = header.getAttribute("aria-sort");
  const descending = current ? current === "ascending" : "descendingFirst" in header.dataset;
  for (const other of header.parentElement.cells) {
    other.removeAttribute("aria-sort");
  }
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");

  const text = "text" in header.dataset;
  const value = (row) => row.cells[column].dataset.value;
  const rows = Array.from(table.tBodies[0].rows);
  rows.sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    if (left === "" || right === "") {
      return (left === "") - (right === "");
    }
    const order = text ? left.localeCompare(right, "en", { numeric: true }) : left - right;
    return descending ? -order : order;
  });
  table.tBodies[0].append(...rows);
}

for (const viewer of document.querySelectorAll(".viewer")) {
  const slider = viewer.querySelector("input[type=range]");
  const shown = viewer.querySelector("output");
  const apply = () => {
    viewer.style.setProperty("--opacity", slider.value / 100);
    shown.value = `${slider.value} %`;
  };
  slider.addEventListener("input", apply);
  apply(); // a browser may restore the slider of an earlier visit
}
