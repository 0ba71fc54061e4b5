// Light or dark: as the system says, or as the reader chose; remembered on this machine.

import { setDark } from "./palette.js";

const KEY = "distal-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

const dark = () => (chosen() ?? (system.matches ? "dark" : "light")) === "dark";

/** Takes the theme that holds, now and whenever it changes; `changed` is called then. */
export function follow(changed) {
  const take = () => {
    document.documentElement.dataset.theme = dark() ? "dark" : "light";
    setDark(dark());
  };
  take();
  system.addEventListener("change", () => {
    take();
    changed();
  });
  return () => {
    remember(dark() ? "light" : "dark");
    take();
    changed();
  };
}

function chosen() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser that keeps nothing
  }
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    document.documentElement.dataset.theme = theme;
  }
}
