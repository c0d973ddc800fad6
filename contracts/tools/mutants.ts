import { readSources } from '../src/compile.ts';

/** One small fault, put into one place of one source. */
export type Mutant = {
  /** Below contracts/sources. */
  readonly path: string;
  readonly line: number;
  /** What stood there and what stands there instead; the second is empty where something was left out. */
  readonly was: string;
  readonly became: string;
  /** The line it is in, as it was, and as it became: by the second it is known again when lines move. */
  readonly context: string;
  readonly faulty: string;
  /** The whole source with the fault in it. */
  readonly text: string;
};

type Swap = { readonly pattern: RegExp; readonly instead: readonly string[] };

/** Operators and words that are easily confused. Each is replaced by each of the others that stand beside it. */
const swaps: readonly Swap[] = [
  { pattern: /(?<![<=>-])<=/gu, instead: ['<', '>'] },
  { pattern: /(?<![<=>-])>=/gu, instead: ['>', '<'] },
  { pattern: /(?<![<=>])<(?![<=>])/gu, instead: ['<='] },
  { pattern: /(?<![<=>-])>(?![<=>])/gu, instead: ['>='] },
  { pattern: /==/gu, instead: ['!='] },
  { pattern: /!=/gu, instead: ['=='] },
  { pattern: /&&/gu, instead: ['||'] },
  { pattern: /\|\|/gu, instead: ['&&'] },
  { pattern: /(?<= )\+(?= )/gu, instead: ['-'] },
  { pattern: /(?<= )-(?= )/gu, instead: ['+'] },
  { pattern: /(?<= )\*(?= )/gu, instead: ['/'] },
  { pattern: /(?<= )\/(?= )/gu, instead: ['*'] },
  { pattern: /(?<= )<<(?= )/gu, instead: ['>>'] },
  { pattern: /(?<= )>>(?= )/gu, instead: ['<<'] },
  { pattern: /\btrue\b/gu, instead: ['false'] },
  { pattern: /\bfalse\b/gu, instead: ['true'] },
  { pattern: /!(?=[a-z])/gu, instead: [''] },
  { pattern: /\bSide\.Quorum\b/gu, instead: ['Side.ClientKey'] },
  { pattern: /\bSide\.ClientKey\b/gu, instead: ['Side.ExitKey', 'Side.Quorum'] },
  { pattern: /\bSide\.ExitKey\b/gu, instead: ['Side.ClientKey'] },
  { pattern: /\bchangeDelay(?=\(config)/gu, instead: ['exitDelay'] },
  {
    pattern: /\b(?:recoveryDelay|exitChangeDelay|exitDelay|pauseSeconds|windowSeconds)(?=\(config)/gu,
    instead: ['changeDelay'],
  },
  { pattern: /\bquorumPauseUntil\b/gu, instead: ['clientPauseUntil'] },
  { pattern: /\bclientPauseUntil\b/gu, instead: ['quorumPauseUntil'] },
  { pattern: /\bunlistedLimits\b/gu, instead: ['limits'] },
  { pattern: /\bclientKey\b/gu, instead: ['exitKey'] },
  { pattern: /\bvaultCodeHash\b/gu, instead: ['forwarderCodeHash'] },
  { pattern: /\bforwarderCodeHash\b/gu, instead: ['vaultCodeHash'] },
  { pattern: /\bfeeReceiver\b(?=, )/gu, instead: ['exitDestination'] },
  { pattern: /\bREMOVED\b/gu, instead: ['0'] },
  { pattern: /\bmstore\b/gu, instead: ['pop(0) //'] },
  { pattern: /\b31 days\b/gu, instead: ['30 days', '32 days'] },
];

/** Statements whose absence must show: guards, events, writes, calls. Not declarations, which would not compile. */
const removable =
  /^(?:require\(|emit |delete |revert |if \([^;]*\) (?:return|continue)|[\w.]+(?:\[[^;=]*\])*(?:\.\w+)? [-+|]?= |[\w.]+\()/u;
const untouched = /^(?:assert\(|return\b|import\b|error\b|event\b|using\b|unchecked\b|else\b)/u;

/** Every mutant of the vault's sources, in the order of the sources. */
export function listMutants(sources: ReadonlyMap<string, string> = readSources()): readonly Mutant[] {
  return [...sources].filter(([path]) => path.startsWith('vault/')).flatMap(([path, text]) => mutantsOf(path, text));
}

function mutantsOf(path: string, text: string): readonly Mutant[] {
  const code = withoutWords(text);
  const proven = spansOf(code).filter(({ start, end }) => /^\s*assert\(/u.test(code.slice(start, end)));
  const found: Mutant[] = [];
  const add = (start: number, end: number, became: string): void => {
    if (proven.some((span) => start >= span.start && end <= span.end)) return;
    found.push(mutant({ path, text, start, end, became }));
  };
  const bodies = bodiesOf(code);
  const inside = (at: number): boolean => bodies.some(({ start, end }) => at > start && at < end);
  for (const { pattern, instead } of swaps) {
    for (const match of code.matchAll(pattern)) {
      if (!inside(match.index) && !/\d/u.test(match[0])) continue;
      for (const became of instead) add(match.index, match.index + match[0].length, became);
    }
  }
  for (const { start, end } of spansOf(code)) {
    const statement = code.slice(start, end).trim();
    if (!inside(start) || untouched.test(statement) || !removable.test(statement)) continue;
    add(start + code.slice(start, end).search(/\S/u), end, '{}');
  }
  return found.toSorted((a, b) => a.line - b.line);
}

type Span = { readonly start: number; readonly end: number };

function mutant(at: Span & { readonly path: string; readonly text: string; readonly became: string }): Mutant {
  const { path, text, start, end, became } = at;
  const line = text.slice(0, start).split('\n').length;
  const mutated = text.slice(0, start) + became + text.slice(end);
  return {
    path,
    line,
    was: text.slice(start, end).replaceAll(/\s+/gu, ' '),
    became: became === '{}' ? '' : became,
    context: (text.split('\n')[line - 1] ?? '').trim(),
    faulty: (mutated.split('\n')[line - 1] ?? '').trim(),
    text: mutated,
  };
}

/** The same text with comments, strings and lines of declarations blanked, every character in its place. */
function withoutWords(text: string): string {
  return text.replaceAll(/\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"/gu, (words) => ' '.repeat(words.length));
}

/** Bodies of functions, constructors and modifiers. */
function bodiesOf(code: string): readonly Span[] {
  const found: Span[] = [];
  for (const match of code.matchAll(/\b(?:function|constructor|modifier)\b[^;{]*\{/gu)) {
    const start = match.index + match[0].length - 1;
    found.push({ start, end: closing(code, start) });
  }
  return found;
}

function closing(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at += 1) {
    if (code[at] === '{') depth += 1;
    if (code[at] === '}') depth -= 1;
    if (depth === 0) return at;
  }
  return code.length;
}

/** Statements that end with a semicolon, the parentheses and braces of their arguments included. */
function spansOf(code: string): readonly Span[] {
  const found: Span[] = [];
  let start = 0;
  let depth = 0;
  for (let at = 0; at < code.length; at += 1) {
    const character = code[at];
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (depth > 0) continue;
    if (character === '{' || character === '}') start = at + 1;
    if (character === ';') {
      found.push({ start, end: at + 1 });
      start = at + 1;
    }
  }
  return found;
}
