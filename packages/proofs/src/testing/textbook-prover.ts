import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { blindingBase, type GroupPoint, valueBase, vectorBases } from '../generators.ts';
import { type ProofTask, transcriptOf } from '../proof-task.ts';
import { nonces, type RangeWitness } from '../range-prover.ts';
import { groupOrder, inverseOf, littleEndian, reduced } from '../scalar.ts';
import type { Transcript } from '../transcript.ts';

const product = (a: readonly bigint[], b: readonly bigint[]): bigint =>
  reduced(a.reduce((sum, each, at) => sum + each * (b[at] ?? 0n), 0n));

function multiple(point: GroupPoint, scalar: bigint): GroupPoint {
  return point.multiplyUnsafe(reduced(scalar));
}

function combination(points: readonly GroupPoint[], scalars: readonly bigint[]): GroupPoint {
  return points.reduce((sum, point, at) => sum.add(multiple(point, scalars[at] ?? 0n)), multiple(valueBase, 0n));
}

/**
 * The proof as the paper writes it, over points of `@noble/curves`: generators are folded in every round, and nothing is
 * precomputed. With the same nonces it is byte for byte the proof of the package, which tests compare and the bench measures.
 */
export function textbookProof(transcript: Transcript, witness: RangeWitness): Uint8Array {
  const { bits, values, blindings, commitments } = witness;
  const parties = values.length;
  const length = bits * parties;
  transcript.append('dom-sep', utf8ToBytes('rangeproof v1'));
  transcript.appendNumber('n', bits);
  transcript.appendNumber('m', parties);
  for (const commitment of commitments) transcript.append('V', commitment);
  const random = nonces(transcript, witness);
  const all = (side: 'G' | 'H'): GroupPoint[] =>
    Array.from({ length: parties }, (_, party) => vectorBases(side, party, bits)).flat();
  const [G, H, hiding] = [all('G'), all('H'), blindingBase()];
  const aL = values.flatMap((value) => Array.from({ length: bits }, (_, bit) => (value >> BigInt(bit)) & 1n));
  const aR = aL.map((bit) => bit - 1n);
  const [alpha, rho] = [random(), random()];
  const sL = aL.map(() => random());
  const sR = aL.map(() => random());
  const A = multiple(hiding, alpha).add(combination(G, aL)).add(combination(H, aR));
  const S = multiple(hiding, rho).add(combination(G, sL)).add(combination(H, sR));
  transcript.append('A', A.toBytes());
  transcript.append('S', S.toBytes());
  const [y, z] = [transcript.challenge('y'), transcript.challenge('z')];
  const power = (base: bigint, exponent: number): bigint => {
    let result = 1n;
    for (let times = 0; times < exponent; times += 1) result = (result * base) % groupOrder;
    return result;
  };
  const zFactor = (at: number): bigint => power(z, 2 + Math.floor(at / bits)) * 2n ** BigInt(at % bits);
  const l0 = aL.map((each) => reduced(each - z));
  const r0 = aR.map((each, at) => reduced(power(y, at) * (each + z) + zFactor(at)));
  const r1 = sR.map((each, at) => reduced(power(y, at) * each));
  const [tau1, tau2] = [random(), random()];
  const T1 = multiple(valueBase, product(l0, r1) + product(sL, r0)).add(multiple(hiding, tau1));
  const T2 = multiple(valueBase, product(sL, r1)).add(multiple(hiding, tau2));
  transcript.append('T_1', T1.toBytes());
  transcript.append('T_2', T2.toBytes());
  const x = transcript.challenge('x');
  const l = l0.map((each, at) => reduced(each + x * (sL[at] ?? 0n)));
  const r = r0.map((each, at) => reduced(each + x * (r1[at] ?? 0n)));
  const t = littleEndian(product(l, r));
  const ofValues = blindings.reduce((sum, each, party) => sum + power(z, party + 2) * each, 0n);
  const tBlinding = littleEndian(reduced(ofValues + x * tau1 + x * x * tau2));
  const eBlinding = littleEndian(reduced(alpha + x * rho));
  transcript.append('t_x', t);
  transcript.append('t_x_blinding', tBlinding);
  transcript.append('e_blinding', eBlinding);
  const Q = multiple(valueBase, transcript.challenge('w'));
  transcript.append('dom-sep', utf8ToBytes('ipp v1'));
  transcript.appendNumber('n', length);
  const weighted = H.map((point, at) => multiple(point, power(inverseOf(y), at)));
  const last = innerProduct(transcript, { l, r, G, H: weighted, Q });
  return concatBytes(A.toBytes(), S.toBytes(), T1.toBytes(), T2.toBytes(), t, tBlinding, eBlinding, last);
}

function innerProduct(
  transcript: Transcript,
  of: { l: bigint[]; r: bigint[]; G: GroupPoint[]; H: GroupPoint[]; readonly Q: GroupPoint },
): Uint8Array {
  let { l, r, G, H } = of;
  const points: Uint8Array[] = [];
  while (l.length > 1) {
    const half = l.length / 2;
    const [lLow, lHigh, rLow, rHigh] = [l.slice(0, half), l.slice(half), r.slice(0, half), r.slice(half)];
    const [GLow, GHigh, HLow, HHigh] = [G.slice(0, half), G.slice(half), H.slice(0, half), H.slice(half)];
    const L = combination([...GHigh, ...HLow, of.Q], [...lLow, ...rHigh, product(lLow, rHigh)]);
    const R = combination([...GLow, ...HHigh, of.Q], [...lHigh, ...rLow, product(lHigh, rLow)]);
    points.push(L.toBytes(), R.toBytes());
    transcript.append('L', L.toBytes());
    transcript.append('R', R.toBytes());
    const u = transcript.challenge('u');
    const inverse = inverseOf(u);
    l = lLow.map((each, at) => reduced(each * u + (lHigh[at] ?? 0n) * inverse));
    r = rLow.map((each, at) => reduced(each * inverse + (rHigh[at] ?? 0n) * u));
    G = GLow.map((point, at) => combination([point, GHigh[at] ?? point], [inverse, u]));
    H = HLow.map((point, at) => combination([point, HHigh[at] ?? point], [u, inverse]));
  }
  return concatBytes(...points, littleEndian(l[0] ?? 0n), littleEndian(r[0] ?? 0n));
}

/** The proof of a task, as the paper writes it: byte for byte that of `proveTask`. */
export function textbookTask(task: ProofTask): Uint8Array {
  return textbookProof(transcriptOf(task), task);
}
