// The on-screen keyboard: a kiosk has none of its own. Keys of 15 mm, so the letters take two pages.

import { button, h } from "../ui.js";
import { t } from "../texts.js";

const PAGES = [
  [..."1234567890/-№.,"],
  [..."АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШ"],
  [..."ЩЪЫЬЭЮЯӘҒҚҢӨҰҮҺІ"],
];
const NAMES = ["123", "А–Ш", "Щ–І"];
const LENGTH_MAX = 40;

export function keyboard(ui) {
  return () => {
    const { title, value, page } = ui.keyboard;
    const type = (letter) => () => ui.changeKeyboard({ value: (value + letter).slice(0, LENGTH_MAX) });
    const keys = PAGES[page].map((letter) => button({ key: `key:${letter}`, text: letter, run: type(letter) }));
    const other = (page + 1) % PAGES.length;
    return {
      title: [`${title}: `, h("span", { class: "free" }, `${value}▏`)],
      nodes: [h("div", { class: "keys" }, keys)],
      bar: [
        button({ key: "key:page", text: NAMES[other], run: () => ui.changeKeyboard({ page: other }) }),
        button({ key: "key:space", text: "␣", run: type(" ") }),
        button({ key: "key:erase", text: t("display.erase"), run: () => ui.changeKeyboard({ value: value.slice(0, -1) }) }),
        button({ key: "key:enter", text: t("display.enter"), tone: "primary", run: ui.keyboardEnter }),
      ],
      grid: "whole",
    };
  };
}
