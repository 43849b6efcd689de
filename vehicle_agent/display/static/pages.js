// Lists and grids in pages instead of scrolling: a page is what fits, so nothing is ever half visible.

import { button, h } from "./ui.js";

const current = new Map(); // list name -> page

export function pageOf(name) {
  return current.get(name) ?? 0;
}

export function setPage(name, page) {
  current.set(name, page);
}

// Hide what is not on the page; returns how many pages there are. Children's order is the reading order.
export function paginate(container, name) {
  const children = [...container.children];
  for (const child of children) child.hidden = false;
  const height = container.clientHeight;
  const pages = [];
  let top = null;
  for (const child of children) {
    const start = child.offsetTop;
    if (top === null || start + child.offsetHeight - top > height + 1) {
      if (top === null || start !== top) {
        pages.push([]);
        top = start;
      }
    }
    pages.at(-1).push(child);
  }
  const page = Math.max(0, Math.min(pageOf(name), pages.length - 1));
  current.set(name, page);
  pages.forEach((members, number) => {
    for (const child of members) child.hidden = number !== page;
  });
  return pages.length;
}

// Buttons to turn pages; nothing when there is one page. `isCompact`: one button, round and round, where the bar is full.
export function pager(name, count, redraw, isCompact = false) {
  if (count < 2) return [];
  const page = pageOf(name);
  const number = h("span", {}, `${page + 1}/${count}`);
  const turn = (step) => () => {
    setPage(name, (page + step + count) % count);
    redraw();
  };
  const forward = button({ key: `${name}:next-page`, sign: "forward", run: turn(1), inside: isCompact ? [number] : [] });
  if (isCompact) return [h("div", { class: "pager compact" }, forward)];
  return [h("div", { class: "pager" }, button({ key: `${name}:last-page`, sign: "back", run: turn(-1) }), number, forward)];
}
