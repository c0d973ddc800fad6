import type { Screening, ScreeningAnswer, ScreeningSubject, ScreeningVerdict } from '@bulkhead/domain';

/** A screening that answers what a test says, and remembers what it was asked. */
export class FakeScreening implements Screening {
  /** Verdict where nothing else is scripted. */
  verdict: ScreeningVerdict;
  readonly asked: ScreeningSubject[] = [];
  readonly #scripted = new Map<string, ScreeningVerdict | Error>();

  constructor(verdict: ScreeningVerdict = 'clear') {
    this.verdict = verdict;
  }

  /** What to answer about a reference (id of a deposit or withdrawal) or a counterparty; an error is thrown. */
  script(about: string, answer: ScreeningVerdict | Error): void {
    this.#scripted.set(about, answer);
  }

  async screen(subject: ScreeningSubject): Promise<ScreeningAnswer> {
    this.asked.push(subject);
    const byParty = subject.counterparty === undefined ? undefined : this.#scripted.get(subject.counterparty);
    const answer = this.#scripted.get(subject.reference) ?? byParty ?? this.verdict;
    if (answer instanceof Error) throw answer;
    return { verdict: answer, provider: 'fake', detail: 'scripted' };
  }
}
