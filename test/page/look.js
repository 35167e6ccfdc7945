// SPDX-License-Identifier: Apache-2.0
//
// What can be computed about a page that is shown: what is wrong with it, as texts.
(() => {
  const found = new Set();
  const shown = e => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;

  // A colour, as the browser computes it.
  const rgb = text => { const n = text.match(/[\d.]+/g).map(Number); return { c: n.slice(0, 3), a: n[3] ?? 1 }; };
  // WCAG 2.2, relative luminance and contrast ratio.
  const luminance = c => {
    const [r, g, b] = c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const b = rgb(getComputedStyle(e).backgroundColor);
      if (b.a === 1) return b.c;
    }
    return [255, 255, 255];
  };
  const name = e => `<${e.tagName.toLowerCase()} class="${e.getAttribute("class") ?? ""}">`;

  if (document.documentElement.scrollWidth > innerWidth) {
    found.add(`the page is ${document.documentElement.scrollWidth} wide, in a window of ${innerWidth}`);
  }
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || !shown(e) || e.closest("title, style") || getComputedStyle(e.closest("thead") ?? e).clipPath !== "none") continue;
    const style = getComputedStyle(e);
    const colour = rgb(e.closest("svg") ? style.fill : style.color);
    const ratio = contrast(colour.c, behind(e));
    if (ratio < 4.5) found.add(`a contrast of ${ratio.toFixed(2)} in ${name(e)}, where text needs 4.5`);
    if (parseFloat(style.fontSize) < 11 && !e.closest("svg")) found.add(`text of ${style.fontSize} in ${name(e)}`);
    // What is cut off can be scrolled to by the keyboard, or is not there.
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (!e.closest("svg") && (box.right > innerWidth + 1 || box.left < -1) && !e.closest('.scroll[tabindex="0"]')) {
      found.add(`text that is cut off in ${name(e)}: ${node.data.trim().slice(0, 40)}`);
    }
  }
  for (const e of document.querySelectorAll("rect")) {
    if (!shown(e)) continue;
    const ratio = contrast(rgb(getComputedStyle(e).fill).c, behind(e));
    if (ratio < 3) found.add(`a contrast of ${ratio.toFixed(2)} in ${name(e)}, where a shape needs 3`);
  }
  for (const e of document.querySelectorAll(".scroll")) {
    if (shown(e) && e.scrollWidth > e.clientWidth + 1 && (e.tabIndex !== 0 || !e.getAttribute("aria-label"))) {
      found.add(`${name(e)} scrolls, and the keyboard can't`);
    }
  }
  // Legend, cards and tables have the same words, and a word the same colour.
  const words = (all, of) => [...document.querySelectorAll(all)].map(of);
  const legend = words(".legend li", e => e.textContent.trim());
  const cards = words(".cards li", e => [...e.childNodes].find(n => n.nodeType === 3 && n.data.trim())?.data.trim());
  if (legend.join() !== cards.join()) found.add(`the legend says ${legend.join(", ")}, the cards say ${cards.join(", ")}`);
  for (const table of document.querySelectorAll("table:has(td.rewritten)")) {
    const head = [...table.tHead.rows[0].cells].map(e => e.textContent.trim()).slice(1, 1 + legend.length);
    if (head.join() !== legend.join()) found.add(`the legend says ${legend.join(", ")}, a table says ${head.join(", ")}`);
  }
  if (legend.length < 4) found.add("there is no legend");
  return [...found];
})()
