import { CustodyError } from '@bulkhead/domain';

/** The two places where a seed is sealed, each under a key of its own token. */
export const slotNames: readonly ['hsm_slot_1', 'hsm_slot_2'] = ['hsm_slot_1', 'hsm_slot_2'];

export type SlotName = (typeof slotNames)[number];

/** Entropy under the AES-256-GCM key of one token. Byte strings are lower-case hex. */
export type Envelope = {
  readonly slot: SlotName;
  /** For people who look for the token; not authenticated. */
  readonly serial: string;
  readonly label: string;
  /** Label of the sealing key on the token. */
  readonly kek: string;
  readonly iv: string;
  /** With the tag of 16 bytes at the end. */
  readonly ciphertext: string;
};

/** `spec/sealed-seed.md`. */
export type SealedSeedFile = {
  readonly v: 1;
  /** 16 random bytes, hex: which sealing this is. */
  readonly seedId: string;
  /** BIP-32 fingerprint of the master key, eight hex digits. */
  readonly fingerprint: string;
  readonly slots: readonly [Envelope, Envelope];
};

/** Bytes of a file. One of today has about 700. */
export const sealedSeedFileBytesMax: number = 8_192;

/** Bytes of the tag at the end of a ciphertext. */
export const sealTagBytes: number = 16;

/**
 * What is authenticated with an envelope: canonical JSON (keys sorted, no white space), so that an envelope of another seed, slot
 * or key does not open.
 */
export function envelopeAad(
  file: Pick<SealedSeedFile, 'v' | 'seedId' | 'fingerprint'>,
  of: Pick<Envelope, 'slot' | 'kek'>,
): Buffer {
  const { v, seedId, fingerprint } = file;
  return Buffer.from(JSON.stringify({ fingerprint, kek: of.kek, seedId, slot: of.slot, v }), 'utf8');
}

export function envelopeOf(file: SealedSeedFile, slot: SlotName): Envelope {
  const [first, second] = file.slots;
  return slot === first.slot ? first : second;
}

export function writeSealedSeed(file: SealedSeedFile): string {
  return `${JSON.stringify(file, null, 2)}\n`;
}

/**
 * Only text that {@link writeSealedSeed} would have written is accepted.
 *
 * @throws CustodyError `key/damaged-file`
 */
export function parseSealedSeed(text: string, path: string): SealedSeedFile {
  const root = fieldsOf(parseJson(text, path), path);
  const { v, slots } = root;
  if (v !== 1) throw damaged(path, 'its version is not 1, the only one this release reads');
  const envelopes: readonly unknown[] = Array.isArray(slots) ? slots : [];
  const [first, second] = envelopes;
  const file: SealedSeedFile = {
    v,
    seedId: textField(root['seedId'], { form: /^[0-9a-f]{32}$/u, path }),
    fingerprint: textField(root['fingerprint'], { form: /^[0-9a-f]{8}$/u, path }),
    slots: [parseEnvelope(first, slotNames[0], path), parseEnvelope(second, slotNames[1], path)],
  };
  if (writeSealedSeed(file) !== text) throw damaged(path, 'its layout is not the one of the format');
  return file;
}

function parseEnvelope(value: unknown, slot: SlotName, path: string): Envelope {
  const fields = fieldsOf(value, path);
  if (fields['slot'] !== slot) throw damaged(path, `where the envelope of ${slot} should be there is another`);
  return {
    slot,
    serial: textField(fields['serial'], { form: /^[\x20-\x7e]{0,64}$/u, path }),
    label: textField(fields['label'], { form: /^[\x20-\x7e]{0,64}$/u, path }),
    kek: textField(fields['kek'], { form: /^[\x21-\x7e]{1,64}$/u, path }),
    iv: textField(fields['iv'], { form: /^[0-9a-f]{24}$/u, path }),
    // 16 to 32 bytes of entropy and the tag.
    ciphertext: textField(fields['ciphertext'], { form: /^(?:[0-9a-f]{2}){32,48}$/u, path }),
  };
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged(path, 'it is not JSON');
  }
}

function fieldsOf(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw damaged(path, 'a part of it is missing');
  }
  return Object.fromEntries(Object.entries(value));
}

function textField(value: unknown, expected: { readonly form: RegExp; readonly path: string }): string {
  if (typeof value === 'string' && expected.form.test(value)) return value;
  throw damaged(expected.path, 'a text in it is missing or has not its form');
}

function damaged(path: string, fact: string): CustodyError {
  return new CustodyError(
    'key/damaged-file',
    `${path} is damaged or no sealed seed: ${fact}. Restore it from its copy; it holds nothing that opens without a token.`,
  );
}
