import { CustodyError } from '@bulkhead/domain';
import { openToken, type Secret, secretOf, type Token } from '@bulkhead/keys';
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
};

type Entry = SignerConfiguration['tokens'][number];

export function openTokens(entries: readonly Entry[]): Tokens {
  const open = new Map<string, Promise<Token>>();
  const refused = new Map<string, CustodyError>();
  const secrets: Secret[] = [];
  const login = async (entry: Entry): Promise<Token> => {
    const { library, label, environment } = entry;
    return openToken({ library, label, environment, pin: pinSource(entry.pinFile, secrets) });
  };
  return {
    async token(name) {
      const entry = entries.find((each) => each.name === name);
      if (entry === undefined) throw new CustodyError('config/invalid', `There is no token with the name "${name}".`);
      const no = refused.get(name);
      if (no !== undefined) throw no;
      const opening = open.get(name) ?? login(entry);
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
