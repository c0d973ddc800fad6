import type { Page } from 'playwright-core';

/** Everything that stands in a page with too little contrast: WCAG 2.2, 1.4.3, level AA. Runs in the page. */
export async function faintTexts(page: Page): Promise<readonly string[]> {
  const found: readonly string[] = await page.evaluate(measure);
  return found;
}

const measure = `(() => {
  const channels = (text) => (text.match(/[0-9.]+/g) ?? []).map(Number);
  const over = ([r, g, b, a = 1], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const parents = [];
    for (let at = element; at !== null; at = at.parentElement) parents.unshift(getComputedStyle(at).backgroundColor);
    return parents.reduce((below, colour) => over(channels(colour), below), [255, 255, 255]);
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (text === '' || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (element.closest('script, style, .hidden, .skip, :disabled') !== null) continue;
    seen += 1;
    const style = getComputedStyle(element);
    const back = ground(element);
    const [a, b] = [light(over(channels(style.color), back)), light(back)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) faint.push(text.slice(0, 40) + ': ' + ratio.toFixed(2));
  }
  return seen < 10 ? ['only ' + seen + ' texts were seen'] : faint;
})()`;
