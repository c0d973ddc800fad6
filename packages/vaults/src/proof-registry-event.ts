import { bytesCodec, type Keccak, steadyHash, unsigned, wordHexCodec } from './codec.ts';
import { firstOf } from './contract-call.ts';
import { type ContractLog, eventForm, type EventForms, type EventOf } from './vault-event.ts';
import { type Hex, hexOf } from './word.ts';

type OfAsset = { readonly asset: Hex };

/** What each event of a registry of proofs says. */
export type ProofRegistryEventFields = {
  readonly Committed: OfAsset & {
    readonly epoch: bigint;
    readonly context: Hex;
    readonly record: Hex;
    readonly reserves: bigint;
    /** As spec/reserves.md has it. */
    readonly header: Hex;
  };
  /** It was signed and not committed in time. */
  readonly Lapsed: ProofRegistryEventFields['Committed'];
  readonly WindowEnded: OfAsset & { readonly window: bigint; readonly challengeBlock: bigint };
  readonly Drawn: OfAsset & { readonly window: bigint; readonly epoch: bigint };
  readonly DrawPostponed: OfAsset & { readonly window: bigint; readonly challengeBlock: bigint };
  readonly Proven: OfAsset & {
    readonly window: bigint;
    readonly epoch: bigint;
    readonly proof: Hex;
    readonly leastReserves: bigint;
  };
};

export type ProofRegistryEvent = EventOf<ProofRegistryEventFields>;

const asset = wordHexCodec;
const epoch = unsigned(64);
const window = unsigned(256);

const pinned = {
  asset,
  epoch,
  context: wordHexCodec,
  record: wordHexCodec,
  reserves: unsigned(128),
  header: bytesCodec,
};

export const proofRegistryEvents: EventForms<ProofRegistryEventFields> = {
  Committed: eventForm('Committed', pinned, ['asset', 'epoch']),
  Lapsed: eventForm('Lapsed', pinned, ['asset', 'epoch']),
  WindowEnded: eventForm('WindowEnded', { asset, window, challengeBlock: unsigned(64) }, ['asset', 'window']),
  Drawn: eventForm('Drawn', { asset, window, epoch }, ['asset', 'window']),
  DrawPostponed: eventForm('DrawPostponed', { asset, window, challengeBlock: unsigned(64) }, ['asset', 'window']),
  Proven: eventForm('Proven', { asset, window, epoch, proof: wordHexCodec, leastReserves: unsigned(128) }, [
    'asset',
    'window',
    'epoch',
  ]),
};

/** What a log of a registry of proofs says, or undefined for another event. @throws CustodyError `vault/malformed` */
export function parseProofRegistryEvent(hashes: Keccak, log: ContractLog): ProofRegistryEvent | undefined {
  return firstOf(Object.values(proofRegistryEvents), (form) => form.parse(hashes, log));
}

/** The first topic of an event of a registry of proofs. */
export function proofEventTopic(hashes: Keccak, name: keyof ProofRegistryEventFields): Hex {
  return hexOf(steadyHash(hashes, proofRegistryEvents[name].signature));
}
