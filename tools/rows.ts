/** A row of a Markdown table. */
export type Row = { readonly line: number; readonly cells: readonly string[] };

/** The rows of every table of a Markdown text, headings included, rules (`|---|`) left out. */
export function readRows(markdown: string): readonly Row[] {
  return markdown.split('\n').flatMap((text, index) => {
    const line = text.trim();
    if (!line.startsWith('|') || !line.endsWith('|') || /^[|\s:-]+$/u.test(line)) return [];
    const cells = line
      .slice(1, -1)
      .split(/(?<!\\)\|/u)
      .map((cell) => cell.trim().replace(/^`(.*)`$/u, '$1'));
    return [{ line: index + 1, cells }];
  });
}
