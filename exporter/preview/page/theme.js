// Light, dark, or as the machine has it; remembered by the browser.

import { fill, sign, unseen } from "./dom.js";

const THEMES = ["auto", "light", "dark"];
const SIGNS = { auto: "auto", light: "sun", dark: "moon" };
const NAMES = { auto: "Colours as on this machine", light: "Light colours", dark: "Dark colours" };

/** Make a button that goes through the themes. */
export function themeButton(button) {
  const use = (theme) => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    fill(button, sign(SIGNS[theme]), unseen(`${NAMES[theme]}: change`));
    button.title = NAMES[theme];
  };
  use(THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto");
  button.addEventListener("click", () => use(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]));
}
