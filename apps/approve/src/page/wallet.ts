import { eip712Digest, nobleHashes, typedIntent } from '@bulkhead/authority';
import { type Approval, type Intent, parseAddress } from '@bulkhead/domain';
import { readWalletAnswer } from '../wallet-signature.ts';
import type { Remembered } from './remembered.ts';

type Ask = (request: { readonly method: string; readonly params: readonly unknown[] }) => Promise<unknown>;

/** What a wallet of the browser offers to pages (EIP-1193), if there is one. */
export function browserWallet(): Ask | undefined {
  const provider: unknown = Reflect.get(globalThis, 'ethereum');
  if (typeof provider !== 'object' || provider === null) return undefined;
  const request: unknown = Reflect.get(provider, 'request');
  if (typeof request !== 'function') return undefined;
  return async (asked): Promise<unknown> => Reflect.apply(request, provider, [asked]);
}

/** EIP-712 as wallets take it names the type of the domain too. */
const domainType = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'salt', type: 'bytes32' },
];

/** Lets the wallet sign the typed form of the intent, and makes sure that it signed this and nothing else. */
export async function signWithWallet(ask: Ask, intent: Intent, { person, key }: Remembered): Promise<Approval> {
  const accounts = await ask({ method: 'eth_requestAccounts', params: [] });
  const list: readonly unknown[] = Array.isArray(accounts) ? accounts : [];
  const [account] = list;
  if (typeof account !== 'string') throw new Error('The wallet gave no account.');
  const { domain, types, primaryType, message } = typedIntent(intent);
  const typed = JSON.stringify({ domain, types: { EIP712Domain: domainType, ...types }, primaryType, message });
  const answer = await ask({ method: 'eth_signTypedData_v4', params: [account, typed] });
  const read = readWalletAnswer(answer, eip712Digest(nobleHashes, intent));
  if (read === undefined) throw new Error('The wallet answered something that is no signature.');
  if (read.address !== parseAddress(account)) {
    throw new Error(
      `The wallet signed something else, or with another key than that of ${account}. Nothing was approved.`,
    );
  }
  return { person, key, kind: 'eip712', signature: read.signature };
}
