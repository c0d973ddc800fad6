import { keccakP } from '@noble/hashes/sha3.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { littleEndianOf, reduced } from './scalar.ts';

/** Bytes of the state that are absorbed into before Keccak-f runs: STROBE at 128 bits. */
const rate = 166;

const flags = { associated: 2, prf: 7, meta: 18 } as const;

/**
 * A Merlin transcript (version 1.0): STROBE over Keccak-f[1600], in which both sides absorb what was said under labels, and out
 * of which the challenges come. Whatever a challenge must depend on has to be absorbed before.
 */
export type Transcript = {
  append(label: string, message: Uint8Array): void;
  /** An unsigned number of 64 bits, little-endian. */
  appendNumber(label: string, value: number): void;
  bytes(label: string, length: number): Uint8Array;
  /** A scalar of 64 bytes, reduced: indistinguishable from uniform. */
  challenge(label: string): bigint;
  /** The same up to here, and apart from here on. */
  fork(): Transcript;
};

type Sponge = { readonly state: Uint8Array; position: number; begin: number };

export function newTranscript(label: string): Transcript {
  const state = new Uint8Array(200);
  state.set([1, rate + 2, 1, 0, 1, 96]);
  state.set(utf8ToBytes('STROBEv1.0.2'), 6);
  keccakP(new Uint32Array(state.buffer));
  const sponge: Sponge = { state, position: 0, begin: 0 };
  absorb(sponge, flags.meta, [utf8ToBytes('Merlin v1.0')]);
  const transcript = overSponge(sponge);
  transcript.append('dom-sep', utf8ToBytes(label));
  return transcript;
}

function overSponge(sponge: Sponge): Transcript {
  const name = (label: string, length: number): void =>
    absorb(sponge, flags.meta, [utf8ToBytes(label), lengthBytes(length)]);
  const append = (label: string, message: Uint8Array): void => {
    name(label, message.length);
    absorb(sponge, flags.associated, [message]);
  };
  const bytes = (label: string, length: number): Uint8Array => {
    name(label, length);
    absorb(sponge, flags.prf, []);
    return squeeze(sponge, length);
  };
  return {
    append,
    bytes,
    appendNumber: (label, value) => {
      const message = new Uint8Array(8);
      new DataView(message.buffer).setBigUint64(0, BigInt(value), true);
      append(label, message);
    },
    challenge: (label) => reduced(littleEndianOf(bytes(label, 64))),
    fork: () => overSponge({ ...sponge, state: sponge.state.slice() }),
  };
}

function lengthBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length, true);
  return bytes;
}

/** One operation of STROBE. The parts are one message: a label and its length are absorbed under one flag. */
function absorb(sponge: Sponge, flag: number, parts: readonly Uint8Array[]): void {
  const before = sponge.begin;
  sponge.begin = sponge.position + 1;
  absorbBytes(sponge, Uint8Array.of(before, flag));
  // What gives bytes out begins with a fresh state.
  if (flag === flags.prf && sponge.position !== 0) permute(sponge);
  for (const part of parts) absorbBytes(sponge, part);
}

function absorbBytes(sponge: Sponge, bytes: Uint8Array): void {
  for (const byte of bytes) {
    sponge.state[sponge.position] = (sponge.state[sponge.position] ?? 0) ^ byte;
    sponge.position += 1;
    if (sponge.position === rate) permute(sponge);
  }
}

function squeeze(sponge: Sponge, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 1) {
    bytes[at] = sponge.state[sponge.position] ?? 0;
    sponge.state[sponge.position] = 0;
    sponge.position += 1;
    if (sponge.position === rate) permute(sponge);
  }
  return bytes;
}

function permute(sponge: Sponge): void {
  const { state, position } = sponge;
  state[position] = (state[position] ?? 0) ^ sponge.begin;
  state[position + 1] = (state[position + 1] ?? 0) ^ 0x04;
  state[rate + 1] = (state[rate + 1] ?? 0) ^ 0x80;
  keccakP(new Uint32Array(state.buffer));
  sponge.position = 0;
  sponge.begin = 0;
}
