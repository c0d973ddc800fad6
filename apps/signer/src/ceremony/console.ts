/**
 * The terminal of a ceremony. What is typed becomes text of JavaScript, which nothing can wipe: a ceremony is a process of its own
 * that ends.
 */
export interface CeremonyConsole {
  say(line: string): void;
  /**
   * One line, without the blanks at its ends.
   *
   * @throws CustodyError `ceremony/interrupted` where nobody will type any more
   */
  ask(question: string): Promise<string>;
  /** The same on a screen that is empty before, and empty and gone afterwards: for what one person alone may see. */
  aside<T>(action: () => Promise<T>): Promise<T>;
}
