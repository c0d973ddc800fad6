import { CustodyError } from '@bulkhead/domain';
import { openToken, type Secret, secretOf, type Token, type TokenOptions } from '@bulkhead/keys';
import type { SignerConfiguration } from './configuration.ts';
import { readSecret } from './secret-file.ts';

/** The tokens of a configuration, each logged in once and shared by all that use it. */
export type Tokens = AsyncDisposable & {
  /**
   * The open token of a name. One that could not be opened is tried again at the next call, except where its PIN was refused: a real
   * token locks itself after a few of those.
   *
   * @throws CustodyError `hsm/…`, `config/invalid`
   */
  token(name: string): Promise<Token>;
  /**
   * What a driver needs that opens the token by itself.
   *
   * @throws CustodyError `config/invalid`
   */
  options(name: string): TokenOptions;
};

type Entry = SignerConfiguration['tokens'][number];

export function openTokens(entries: readonly Entry[]): Tokens {
  const open = new Map<string, Promise<Token>>();
  const refused = new Map<string, CustodyError>();
  const secrets: Secret[] = [];
  const pins = new Map<string, () => Uint8Array>();
  /** One source for each token: a descriptor is read once, whoever asks. */
  const pinOf = (entry: Entry): (() => Uint8Array) => {
    const source = pins.get(entry.name) ?? pinSource(entry.pinFile, secrets);
    pins.set(entry.name, source);
    return source;
  };
  const options = (name: string): TokenOptions => {
    const entry = entries.find((each) => each.name === name);
    if (entry === undefined) throw new CustodyError('config/invalid', `There is no token with the name "${name}".`);
    const { library, label, environment } = entry;
    return { library, label, environment, pin: pinOf(entry) };
  };
  return {
    options,
    async token(name) {
      const no = refused.get(name);
      if (no !== undefined) throw no;
      const opening = open.get(name) ?? openToken(options(name));
      open.set(name, opening);
      try {
        return await opening;
      } catch (error) {
        open.delete(name);
        if (error instanceof CustodyError && error.code === 'hsm/pin-refused') refused.set(name, error);
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      for (const opening of open.values()) await (await opening)[Symbol.asyncDispose]();
      for (const secret of secrets) secret.wipe();
    },
  };
}

/**
 * A PIN is asked for again when a login has to be repeated. A file is read again each time; a descriptor can be read only once, and
 * what came from it is kept in locked memory.
 */
function pinSource(place: string, secrets: Secret[]): () => Uint8Array {
  if (!place.startsWith('descriptor:')) return () => readSecret(place);
  const secret = secretOf(readSecret(place));
  secrets.push(secret);
  return () => secret.read((bytes) => Uint8Array.from(bytes));
}
