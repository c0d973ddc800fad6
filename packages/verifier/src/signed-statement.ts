import { type Statement, type StatementCheck, type VerifyEd25519, verifySignedStatement } from '@bulkhead/authority';
import { CustodyError } from '@bulkhead/domain';
import type { SignedCertificate } from '@bulkhead/proofs';
import { ed25519 } from '@noble/curves/ed25519.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** As RFC 8032 has it: no second form of a key or a signature. */
export const verifyEd25519: VerifyEd25519 = ({ signature, message, publicKey }) => {
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false;
  }
};

export function checkOf(identities: readonly string[]): StatementCheck {
  return { verify: verifyEd25519, identities };
}

/** What is wrong with a certificate, in a sentence; or what it says. */
export function readCertificate(
  { statement, identity, signature }: SignedCertificate,
  of: {
    readonly identities: readonly string[];
    readonly kinds: readonly string[];
    readonly wanted: Readonly<Record<string, string>>;
  },
): Statement | { readonly objection: string } {
  try {
    const signed = { statement, identity: bytesToHex(identity), signature: bytesToHex(signature) };
    const said = verifySignedStatement(signed, checkOf(of.identities), {});
    if (!of.kinds.includes(said.kind)) return { objection: `it is a ${said.kind}` };
    for (const [name, value] of Object.entries(of.wanted)) {
      const found = said.fields[name];
      // A certificate of a key's own address names no chain: it is the same on all.
      if (found === undefined && (name === 'chain' || name === 'client')) continue;
      if (found !== value) return { objection: `its "${name}" is not ${value}` };
    }
    return said;
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return { objection: error.message };
  }
}
