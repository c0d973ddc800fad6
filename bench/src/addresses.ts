import { randomBytes } from 'node:crypto';
import { deriveAddress, nativeModules, openTree, secretOf } from '@bulkhead/keys';
import { invariant, parseCompartment } from '@bulkhead/domain';
import { median } from './measure.ts';

const addressesPerSecondMin = 10_000;
const accounts = 64;
const rounds = 7;
const roundMs = 400;

/**
 * Deposit addresses from account xpubs that are parsed already, on one thread, against what the C libraries alone can do: the same
 * tweak of a point, HMAC and Keccak in a loop that checks, formats and looks up nothing.
 *
 * @returns whether the rate holds
 */
export async function benchAddresses(_args: readonly string[]): Promise<boolean> {
  const derive = issue();
  const bare = limit();
  const rates: { readonly issued: number[]; readonly limit: number[] } = { issued: [], limit: [] };
  measure(derive);
  measure(bare);
  for (let round = 0; round < rounds; round++) {
    rates.limit.push(measure(bare));
    rates.issued.push(measure(derive));
  }
  const issued = median(rates.issued);
  const ratios = rates.issued.map((rate, round) => rate / (rates.limit[round] ?? Number.NaN));
  print(`share of the C libraries alone     ${median(ratios).toFixed(2)}`);
  print(`addresses per second               ${issued.toFixed(0)} (limit ${addressesPerSecondMin})`);
  print(`C libraries alone, per second      ${median(rates.limit).toFixed(0)}`);
  return issued >= addressesPerSecondMin;
}

/** Addresses of many clients in turn, as they come in. */
function issue(): (count: number) => void {
  using entropy = secretOf(randomBytes(32));
  using tree = openTree(entropy);
  const clients = Array.from({ length: accounts }, (_, client) => {
    const compartment = parseCompartment(100_000 + client);
    return { compartment, xpub: tree.accountXpub(compartment) };
  });
  return (count) => {
    const client = clients[count % accounts];
    invariant(client !== undefined, 'There is a client for each number.');
    deriveAddress(client, count);
  };
}

/** HMAC-SHA512 is two SHA-512 over prepared blocks; nothing is moved between the steps. */
function limit(): (count: number) => void {
  const { sodium, secp256k1, keccak } = nativeModules();
  const point = secp256k1.publicKeyCreate(randomBytes(32), false);
  const inner = randomBytes(128 + 37);
  const outer = randomBytes(128 + 64);
  const innerHash = outer.subarray(128);
  const derived = new Uint8Array(64);
  const tweak = derived.subarray(0, 32);
  return () => {
    sodium.crypto_hash_sha512(innerHash, inner);
    sodium.crypto_hash_sha512(derived, outer);
    const child = secp256k1.publicKeyTweakAdd(point, tweak, false);
    keccak('keccak256')
      .update(Buffer.from(child.buffer, child.byteOffset + 1, 64))
      .digest();
  };
}

function measure(operation: (count: number) => void): number {
  const begin = performance.now();
  let count = 0;
  for (;;) {
    for (let step = 0; step < 100; step++) operation(count++);
    const elapsedMs = performance.now() - begin;
    if (elapsedMs >= roundMs) return (count * 1_000) / elapsedMs;
  }
}

function print(line: string): void {
  process.stdout.write(`  ${line}\n`);
}
