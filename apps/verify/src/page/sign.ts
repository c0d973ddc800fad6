/** Shapes that say what a colour says, for whoever does not see colours. */
const paths = {
  holds: ['M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z', 'M8 12.4l2.7 2.7L16 9.6'],
  fails: ['M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3Z', 'M9 9l6 6', 'M15 9l-6 6'],
  unknown: ['M12 3.2 21.2 12 12 20.8 2.8 12Z', 'M10 10.1a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4', 'M12 15.7v.1'],
  'holds-so-far': ['M12 3a9 9 0 0 1 7.8 4.5', 'M21 12a9 9 0 1 1-9-9', 'M8 12.4l2.7 2.7L16 9.6'],
  file: ['M12 15V4', 'M8 8l4-4 4 4', 'M4 14v4a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-4'],
} as const;

export type Sign = keyof typeof paths;

/** A drawing beside a word; screen readers get the word alone. */
export function sign(name: Sign): SVGElement {
  const namespace = 'http://www.w3.org/2000/svg';
  const drawing = document.createElementNS(namespace, 'svg');
  const attributes = { class: 'sign', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' };
  for (const [key, value] of Object.entries(attributes)) drawing.setAttribute(key, value);
  for (const line of paths[name]) {
    const path = document.createElementNS(namespace, 'path');
    path.setAttribute('d', line);
    drawing.append(path);
  }
  return drawing;
}
