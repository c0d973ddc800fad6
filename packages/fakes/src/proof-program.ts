import type { Address, ChainId, Hex } from '@bulkhead/domain';
import { chainNumber, codeHashOfNothing } from '@bulkhead/domain';
import { contextOf, type ReserveHeader } from '@bulkhead/proofs/header';
import {
  bytesOf,
  callData,
  type CommittedHeader,
  hexOf,
  parseProofRegistryCall,
  proofEventTopic,
  type ProofRegistryCall,
  proofRegistryDomain,
  proofRegistryQuestions,
  type ProofRegistrySettings,
  type QuestionForm,
  reserveCommitmentForm,
  reserveProofForm,
  typedDigest,
  wordOf,
} from '@bulkhead/vaults';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { parseAssetId } from '@bulkhead/domain';
import { digestOf } from './key.ts';
import type { Program, ProgramCall, ProgramEffect, ProgramState } from './program.ts';
import { fakeCustodian, fakeProofRegistry } from './proof-quorum.ts';
import { fakeKeccak, fakeVaultSystem, quorumSignature } from './vault-program.ts';

/** Keccak-256 of the code of the fake registry. */
export const fakeProofRegistryCode: string = digestOf('code', 'proof registry');

/** What the fake registry was made with: short windows, and time enough. */
export const fakeProofSettings: ProofRegistrySettings = {
  signers: fakeVaultSystem.signerSet,
  custodian: `0x${fakeCustodian}`,
  window: 2n,
  drawDelay: 2n,
  commitWithin: 7_200n,
  cadence: 86_400n,
  proveWithin: 86_400n,
};

type Pinning = Extract<ProofRegistryCall, { readonly call: 'commit' | 'lapse' }>;
type Log = Extract<ProgramEffect, { readonly type: 'log' }>;
type Answers = readonly { readonly data: Hex; readonly answer: () => Uint8Array }[];

/** A registry of proofs on a fake chain, by the rules of the real one. Hashes of blocks are not looked at; which epoch is drawn follows from the height. */
export class ProofProgram implements Program {
  /** A test sets others, and the contract differs from what is configured. */
  settings: ProofRegistrySettings = fakeProofSettings;
  code: string = fakeProofRegistryCode;
  readonly #chain: ChainId;

  constructor(chain: ChainId) {
    this.#chain = chain;
  }

  handles(address: Address): boolean {
    return address === fakeProofRegistry;
  }

  codeHash(address: Address): string | undefined {
    return address === fakeProofRegistry ? this.code || codeHashOfNothing : undefined;
  }

  run({ data }: ProgramCall, state: ProgramState): readonly ProgramEffect[] | undefined {
    try {
      const words = new Words(state);
      const logs = this.#call(parseProofRegistryCall(fakeKeccak, data), words);
      return logs && [...words.effects, ...logs];
    } catch {
      // What is no call of it reverts.
      return undefined;
    }
  }

  view(_contract: Address, data: Hex, state: ProgramState): Hex | undefined {
    const found = this.#answers(data, new Words(state)).find((one) => one.data === data);
    return found === undefined ? undefined : hexOf(found.answer());
  }

  #call(called: ProofRegistryCall, words: Words): readonly Log[] | undefined {
    switch (called.call) {
      case 'commit':
      case 'lapse':
        return this.#pin(called, words);
      case 'draw':
        return this.#draw(called.arguments, words);
      case 'prove':
        return this.#prove(called.arguments, words);
    }
  }

  #pin({ call, arguments: said }: Pinning, words: Words): readonly Log[] | undefined {
    const { header, record, reserves, signatures } = said;
    const asset = hexOf(keccak_256(utf8ToBytes(header.asset)));
    const epoch = words.of(asset, 'epoch') + 1n;
    const { timestamp, height } = words.state;
    const late = timestamp - header.takenAt > this.settings.commitWithin;
    const later = header.blockNumber > words.of(asset, 'block') && header.blockNumber <= height;
    const wrong = header.takenAt > timestamp || late !== (call === 'lapse');
    if (header.epoch !== epoch || wrong || !later) return undefined;
    const whole = this.#header(header, words.of(asset, `context ${epoch - 1n}`));
    const context = hexOf(contextOf(whole));
    const message = { context, record, reserves };
    if (!this.#signed({ form: reserveCommitmentForm, message }, signatures)) return undefined;
    const committedAt = call === 'lapse' ? 0n : timestamp;
    const pinned = { context, record, reserves, takenAt: header.takenAt, committedAt };
    for (const [name, value] of Object.entries(pinned)) words.store(asset, `${name} ${epoch}`, BigInt(value));
    words.store(asset, 'epoch', epoch);
    words.store(asset, 'block', header.blockNumber);
    words.store(asset, 'unit', header.unitExponent);
    const told = log(
      call === 'lapse' ? 'Lapsed' : 'Committed',
      [asset, wordHex(epoch)],
      [context, record, wordHex(reserves), wordHex(128n), wordHex(0n)],
    );
    if (call === 'lapse') return [told];
    const counted = words.of(asset, 'counted') + 1n;
    words.store(asset, 'counted', counted);
    words.store(asset, `counted ${counted}`, epoch);
    if (counted % this.settings.window !== 0n) return [told];
    const number = counted / this.settings.window - 1n;
    const challenge = height + this.settings.drawDelay;
    words.store(asset, `ended ${number}`, timestamp);
    words.store(asset, `challenge ${number}`, challenge);
    return [told, log('WindowEnded', [asset, wordHex(number)], [wordHex(challenge)])];
  }

  #header({ asset, bits, unitExponent, blockHash, ...rest }: CommittedHeader, previous: bigint): ReserveHeader {
    return {
      ...rest,
      asset: parseAssetId(asset),
      bits: bits === 64n ? 64 : 128,
      unitExponent: Number(unitExponent),
      blockHash: bytesOf(blockHash),
      registryChain: BigInt(chainNumber(this.#chain)),
      registry: bytesOf(fakeProofRegistry),
      custodian: bytesOf(this.settings.custodian),
      previous: wordOf(previous),
    };
  }

  #draw({ asset, number }: { readonly asset: Hex; readonly number: bigint }, words: Words): readonly Log[] | undefined {
    const challenge = words.of(asset, `challenge ${number}`);
    const isDue = challenge > 0n && words.state.height > challenge;
    if (!isDue || words.of(asset, `drawn ${number}`) > 0n) return undefined;
    const drawn = words.of(asset, `counted ${number * this.settings.window + 1n + (challenge % this.settings.window)}`);
    words.store(asset, `drawn ${number}`, drawn);
    return [log('Drawn', [asset, wordHex(number)], [wordHex(drawn)])];
  }

  #prove(
    { asset, number, proof, signatures }: Extract<ProofRegistryCall, { readonly call: 'prove' }>['arguments'],
    words: Words,
  ): readonly Log[] | undefined {
    const drawn = words.of(asset, `drawn ${number}`);
    if (drawn === 0n || words.of(asset, 'proven') !== number) return undefined;
    const context = wordHex(words.of(asset, `context ${drawn}`));
    if (!this.#signed({ form: reserveProofForm, message: { context, proof } }, signatures)) return undefined;
    words.store(asset, 'proven', number + 1n);
    words.store(asset, `proof ${number}`, BigInt(proof));
    words.store(asset, `provenAt ${number}`, words.state.timestamp);
    return [log('Proven', [asset, wordHex(number), wordHex(drawn)], [proof, wordHex(0n)])];
  }

  #signed<T>(typed: Parameters<typeof typedDigest<T>>[2], signatures: Hex): boolean {
    const digest = typedDigest(fakeKeccak, proofRegistryDomain(this.#chain, fakeProofRegistry), typed);
    return quorumSignature(digest) === signatures;
  }

  /** Every question that a call can be; which one it is follows from its data. */
  #answers(data: Hex, words: Words): Answers {
    const asset: Hex = `0x${data.slice(10, 74)}`;
    const number = BigInt(`0x${data.slice(74) || '0'}`);
    const of = (name: string): bigint => words.of(asset, name);
    const questions = proofRegistryQuestions;
    const settings = Object.keys(this.settings).flatMap((name) => {
      const value = new Map<string, bigint | Hex>(Object.entries(this.settings)).get(name) ?? 0n;
      const question = new Map<string, QuestionForm<object, unknown>>(Object.entries(questions)).get(name);
      return question === undefined
        ? []
        : [{ data: callData(fakeKeccak, question, {}), answer: () => wordOf(BigInt(value)) }];
    });
    if (data.length === 10) return settings;
    const byAsset = answering({ asset });
    const epoch = {
      context: wordHex(of(`context ${number}`)),
      record: wordHex(of(`record ${number}`)),
      reserves: of(`reserves ${number}`),
      takenAt: of(`takenAt ${number}`),
      committedAt: of(`committedAt ${number}`),
    };
    const window = {
      endedAt: of(`ended ${number}`),
      challengeBlock: of(`challenge ${number}`),
      drawn: of(`drawn ${number}`),
      provenAt: of(`provenAt ${number}`),
      leastReserves: 0n,
      proof: wordHex(of(`proof ${number}`)),
    };
    return [
      byAsset(questions.isFresh, this.#fresh(asset, words)),
      byAsset(questions.stateOf, { epoch: of('epoch'), proven: of('proven'), unitExponent: of('unit') }),
      answering({ asset, epoch: number })(questions.epochAt, epoch),
      answering({ asset, number })(questions.windowAt, window),
    ];
  }

  #fresh(asset: Hex, words: Words): boolean {
    const of = (name: string): bigint => words.of(asset, name);
    const { timestamp } = words.state;
    const { cadence, proveWithin } = this.settings;
    if (of('proven') === 0n || timestamp > of(`committedAt ${of('epoch')}`) + cadence) return false;
    const endedAt = of(`ended ${of('proven')}`);
    return endedAt === 0n || timestamp <= endedAt + proveWithin;
  }
}

function answering<T>(values: T): <A>(question: QuestionForm<T, A>, value: A) => Answers[number] {
  return (question, value) => ({
    data: callData(fakeKeccak, question, values),
    answer: () => question.answer.encode(value),
  });
}

function wordHex(value: bigint): Hex {
  return hexOf(wordOf(value));
}

function log(name: Parameters<typeof proofEventTopic>[1], topics: readonly Hex[], data: readonly Hex[]): Log {
  const words = data.map((word) => word.slice(2)).join('');
  return {
    type: 'log',
    address: fakeProofRegistry,
    topics: [proofEventTopic(fakeKeccak, name), ...topics],
    data: `0x${words}`,
  };
}

/** Words of the registry by asset and name. */
class Words {
  readonly effects: ProgramEffect[] = [];
  readonly state: ProgramState;

  constructor(state: ProgramState) {
    this.state = state;
  }

  of(asset: Hex, name: string): bigint {
    return this.state.word(fakeProofRegistry, `${asset} ${name}`);
  }

  store(asset: Hex, name: string, value: bigint): void {
    this.effects.push({ type: 'store', address: fakeProofRegistry, slot: `${asset} ${name}`, value });
  }
}
