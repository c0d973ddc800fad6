import { CustodyError, invariant } from '@bulkhead/domain';
import type { KeyDriver, SlotHealth } from './driver.ts';
import type { Token } from './pkcs11/token.ts';
import { readSealedSeed, unsealTree } from './sealed-seed.ts';
import { slotNames, type SlotName } from './sealed-seed-file.ts';
import { pathOf } from './software-driver.ts';
import type { KeyTree } from './tree.ts';

/** How long a tree stays in memory after its last use, in milliseconds, where the configuration does not say. */
export const seedIdleMsDefault: number = 15 * 60 * 1_000;

export type SealedSeedOptions = {
  readonly path: string;
  /**
   * The open token of a slot. Called when it is needed, and again after it failed, so that a slot may be away at the start. The
   * caller keeps the token and disposes of it.
   */
  readonly tokens: Readonly<Record<SlotName, () => Promise<Token>>>;
  /** Idle time in milliseconds after which the keys are wiped; the next use unseals them again. */
  readonly idleMs?: number;
};

export type SealedSeedDriver = KeyDriver & {
  /** BIP-32 fingerprint of the master key, eight hex digits. */
  readonly fingerprint: string;
  /** Whether keys are in memory now. */
  isOpen(): boolean;
};

/**
 * Keys of a seed that two hardware tokens hold sealed. It is unsealed into locked memory from the first slot, or from the second
 * where the first does not answer; while it is there no token is needed to sign. Every unsealing compares the fingerprint.
 *
 * An envelope that was changed is not passed over in favour of the other slot: both lie in one file, and somebody wrote to it.
 *
 * @throws CustodyError `key/…` for the file, `hsm/unavailable` where no slot answers, `hsm/tampered-envelope`
 */
export async function openSealedSeed(options: SealedSeedOptions): Promise<SealedSeedDriver> {
  const keys = new SealedKeys(options);
  const { fingerprint } = await keys.tree();
  return {
    name: 'pkcs11-sealed-seed',
    residency: 'hsm-sealed',
    fingerprint,
    isOpen: () => keys.isOpen(),
    accountXpub: async (compartment) => (await keys.tree()).accountXpub(compartment),
    publicKey: async (key) => {
      const path = pathOf(key);
      return (await keys.tree()).publicKey(path);
    },
    sign: async (key, digest) => {
      const path = pathOf(key);
      return (await keys.tree()).sign(path, digest);
    },
    health: () => Promise.all(slotNames.map((slot) => keys.health(slot))),
    [Symbol.asyncDispose]: async () => keys.close(),
  };
}

/** The tree while it is wanted, and how to get it again. */
class SealedKeys {
  readonly #options: SealedSeedOptions;
  readonly #idleMs: number;
  /** A slot that refused its PIN is not asked again: a real token locks itself after a few. */
  readonly #refused = new Map<SlotName, CustodyError>();
  #held: { readonly tree: KeyTree; readonly idle: NodeJS.Timeout } | undefined;
  #opening: Promise<KeyTree> | undefined;
  #closed = false;

  constructor(options: SealedSeedOptions) {
    this.#options = options;
    this.#idleMs = options.idleMs ?? seedIdleMsDefault;
  }

  isOpen(): boolean {
    return this.#held !== undefined;
  }

  /** What it gives is to be used before anything else is waited for. */
  async tree(): Promise<KeyTree> {
    invariant(!this.#closed, 'The sealed seed was asked for after it was closed.');
    if (this.#held === undefined) {
      // Many may ask at once; one unsealing serves them all.
      this.#opening ??= this.#unseal().finally(() => {
        this.#opening = undefined;
      });
      await this.#opening;
    }
    invariant(this.#held !== undefined, 'The sealed seed was closed while it was being opened.');
    this.#held.idle.refresh();
    return this.#held.tree;
  }

  async #unseal(): Promise<KeyTree> {
    const tree = await this.#anySlot();
    if (this.#closed) {
      tree.wipe();
      return tree;
    }
    const idle = setTimeout(() => this.#drop(), this.#idleMs);
    idle.unref();
    this.#held = { tree, idle };
    return tree;
  }

  async #anySlot(): Promise<KeyTree> {
    // Read each time: a slot may have been sealed to another token since.
    const file = await readSealedSeed(this.#options.path);
    const failures: CustodyError[] = [];
    for (const slot of slotNames) {
      try {
        return await unsealTree({ file, slot, token: await this.#token(slot) });
      } catch (error) {
        if (!(error instanceof CustodyError) || !error.code.startsWith('hsm/')) throw error;
        if (error.code === 'hsm/tampered-envelope') throw error;
        failures.push(error);
      }
    }
    const reasons = failures.map((error, at) => `${slotNames[at]}: ${error.message}`);
    throw new CustodyError(
      'hsm/unavailable',
      `The seed cannot be unsealed from either slot. ${reasons.join(' ')} Bring one of them back; nothing is lost.`,
      { cause: failures[0] },
    );
  }

  async #token(slot: SlotName): Promise<Token> {
    const refused = this.#refused.get(slot);
    if (refused !== undefined) throw refused;
    try {
      return await this.#options.tokens[slot]();
    } catch (error) {
      if (error instanceof CustodyError && error.code === 'hsm/pin-refused') this.#refused.set(slot, error);
      throw error;
    }
  }

  async health(slot: SlotName): Promise<SlotHealth> {
    try {
      const token = await this.#token(slot);
      return { ...(await token.health()), name: slot };
    } catch (error) {
      if (!(error instanceof CustodyError)) throw error;
      return { name: slot, healthy: false, detail: `${error.code}: ${error.message}` };
    }
  }

  #drop(): void {
    if (this.#held === undefined) return;
    clearTimeout(this.#held.idle);
    this.#held.tree.wipe();
    this.#held = undefined;
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }
}
