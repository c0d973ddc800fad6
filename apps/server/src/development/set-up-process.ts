import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Address, CustodyError, type FaultCode, faultCodes, parseAddress } from '@bulkhead/domain';
import { type SetUpAnswer, setUpAnswerForm, type SetUpStep } from './set-up-order.ts';

/** A first start makes tokens and seals a seed for each signer; it takes some seconds. */
const setUpMsMax = 90_000;

const program = fileURLToPath(new URL('set-up.ts', import.meta.url));

/** The public side of the keys of one signer. */
export type MadeKeys = {
  readonly identities: readonly string[];
  /** Of its key for the signer set of the vaults. */
  readonly vaultSigner: Address;
  /** Of the fee wallet of the house, if this is the signer that holds the keys of the wallets. */
  readonly fees: Address;
};

/** The set-up of one signer, at work in a process of its own. */
export class SetUpProcess implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  readonly #gone: Promise<void>;
  #complaint = '';

  constructor() {
    this.#child = spawn(process.execPath, [program], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' },
      timeout: setUpMsMax,
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#complaint += text));
    this.#child.stdin.on('error', () => undefined);
    this.#gone = new Promise((resolve) => {
      this.#child.once('close', () => resolve()).once('error', () => resolve());
    });
  }

  async makeKeys(order: Omit<Extract<SetUpStep, { step: 'keys' }>, 'step'>): Promise<MadeKeys> {
    const answer = await this.#ask({ step: 'keys', ...order });
    if (!('identities' in answer)) return this.#fail(strange);
    const { identities, vaultSigner, fees } = answer;
    return { identities, vaultSigner: parseAddress(vaultSigner), fees: parseAddress(fees) };
  }

  /** @returns canonical text of the list of the people */
  async makePeople(order: Omit<Extract<SetUpStep, { step: 'people' }>, 'step'>): Promise<string> {
    const answer = await this.#ask({ step: 'people', ...order });
    return 'people' in answer ? answer.people : this.#fail(strange);
  }

  async begin(genesis: Omit<Extract<SetUpStep, { step: 'state' }>, 'step'>): Promise<void> {
    const answer = await this.#ask({ step: 'state', ...genesis });
    if (!('begun' in answer)) this.#fail(strange);
  }

  async #ask(step: SetUpStep): Promise<SetUpAnswer> {
    this.#child.stdin.write(`${JSON.stringify(step)}\n`);
    const line = await this.#lines.next();
    const answer = line.done === true ? undefined : setUpAnswerForm.safeParse(parsedJson(line.value)).data;
    if (answer === undefined) {
      return this.#fail({ code: 'signer/not-ready', message: `It said: ${this.#complaint.slice(-500)}` });
    }
    return 'failed' in answer ? this.#fail(answer.failed) : answer;
  }

  #fail({ code, message }: { readonly code: string; readonly message: string }): never {
    throw new CustodyError(codeOf(code), `The signer for development cannot be set up. ${message}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#gone;
  }
}

const strange = { code: 'invariant/broken', message: 'It answered another question than it was asked.' };

function codeOf(text: string): FaultCode {
  return faultCodes.find((code) => code === text) ?? 'signer/not-ready';
}

function parsedJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
