import { certificateDigest, type SignedCertificate, type Wallet } from '@bulkhead/proofs';
import { bytesToHex } from '@noble/hashes/utils.js';
import { assetChainOf } from './registry-check.ts';
import { fails, few, holds, type Step, unknown } from './report.ts';
import { readCertificate } from './signed-statement.ts';
import type { WalletsQuestion } from './wallets-question.ts';

/** Whether signers certified that each wallet belongs to its compartment. */
export function certifiedStep(question: WalletsQuestion): Step {
  const { certificates, compartments, order } = question;
  const { identities = [], expected = {} } = order.pins;
  if (certificates === undefined) {
    return unknown(
      'certificates',
      'The certificates were not given: that these addresses belong to these compartments is what the custodian says.',
    );
  }
  if (identities.length === 0) {
    return unknown(
      'certificates',
      'You pinned no identity key of a signer, so who certified these addresses is not known.',
    );
  }
  const byDigest = new Map<string, SignedCertificate[]>();
  for (const certificate of certificates) {
    const key = bytesToHex(certificateDigest(certificate));
    byDigest.set(key, [...(byDigest.get(key) ?? []), certificate]);
  }
  const bare: string[] = [];
  const wrong: string[] = [];
  let count = 0;
  for (const { compartment, wallets } of compartments) {
    for (const wallet of wallets) {
      const given = wallet.certificate === undefined ? [] : (byDigest.get(bytesToHex(wallet.certificate)) ?? []);
      if (given.length === 0) bare.push(wallet.address);
      else count += 1;
      const known = { ...wantedOf(question, { compartment, wallet }), ...pick(expected, 'deployment') };
      for (const certificate of given) {
        const said = readCertificate(certificate, { identities, kinds: kindsOf[wallet.sort], wanted: known });
        if ('objection' in said) wrong.push(`${wallet.address} (${said.objection})`);
      }
    }
  }
  if (wrong.length > 0) return fails('certificates', `Certificates do not hold: ${few(wrong)}.`);
  if (bare.length > 0) return unknown('certificates', `${bare.length} wallets have no certificate here: ${few(bare)}.`);
  return holds(
    'certificates',
    `Signers that you trust certified that each of ${count} wallets belongs to its compartment.`,
  );
}

const kindsOf: Readonly<Record<Wallet['sort'], readonly string[]>> = {
  key: ['wallet-certificate', 'address-certificate'],
  vault: ['vault-certificate'],
  forwarder: ['forwarder-certificate'],
};

/** What a certificate of a wallet must say; a field that its kind does not have is not wanted. */
function wantedOf(
  { pinned, client }: WalletsQuestion,
  { compartment, wallet }: { readonly compartment: number; readonly wallet: Wallet },
): Readonly<Record<string, string>> {
  const place = { compartment: String(compartment), address: wallet.address };
  return { ...place, chain: `eip155:${assetChainOf(pinned.header)}`, ...(client === undefined ? {} : { client }) };
}

function pick(fields: Readonly<Record<string, string>>, name: string): Readonly<Record<string, string>> {
  const value = fields[name];
  return value === undefined ? {} : { [name]: value };
}
